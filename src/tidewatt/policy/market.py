"""What jobs may choose from: windows, free processors in them and prices, for every site."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidewatt.domain.plan import Assignment
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import JobView, Snapshot
from tidewatt.domain.units import DAY_S
from tidewatt.policy.prices import Prices
from tidewatt.policy.room import permitted, windows

_LEAN = 0.02
"""Where hours are not known for certain, so much is taken off the price of what goes on as it is."""
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_LEAST_HORIZON_S = 14 * DAY_S
_ENOUGH = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """What one job does, in order of time: at which site, by its place in the market, on how many workers.

    Each entry lies in one window, whose number is in ``windows``; it need not fill it.
    """

    windows: Ints
    sites: Ints
    workers: Ints
    starts: Floats
    ends: Floats

    def __len__(self) -> int:
        """How many entries."""
        return self.windows.size


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """The first windows of a market, the last one cut off where a job's deadline falls into it."""

    starts: Floats
    ends: Floats

    @property
    def lengths(self) -> Floats:
        """Seconds of each."""
        return self.ends - self.starts

    def __len__(self) -> int:
        """How many windows."""
        return self.starts.size

    def filled(self, windows: Ints, sites: Ints, workers: Ints) -> Schedule:
        """The schedule that fills so many of the windows."""
        return Schedule(windows, sites, workers, self.starts[windows], self.ends[windows])


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """The cheapest site that has room for a job, in each window of a span.

    ``prices`` are infinite, and ``room`` (in workers) is 0, where there is none.
    """

    sites: Ints
    prices: Floats
    room: Ints


class Market:
    """One snapshot's windows, room and prices; jobs that come first take their room away from the others.

    ``prices`` and ``free`` have a row for each site of the snapshot and a column for each window. A second of
    a job costs ``prices`` times its watts plus ``reserved`` times its workers.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        prices = Prices(snapshot)
        self.known = prices.known
        uncertain = any(w.high > w.low for f in snapshot.forecasts for w in f.windows[:1])
        self.lean = _LEAN if uncertain else 0.0
        """Prices that are foretold to be nearly equal are no reason to stop or to change: they err."""
        self._spans: dict[float, Span] = {}
        self._permitted: dict[tuple[str, ...], Ints] = {}
        self._places = {site.name: place for place, site in enumerate(snapshot.sites)}
        span = windows(snapshot, snapshot.now + _LEAST_HORIZON_S)
        last = max((j.deadline_at for j in snapshot.jobs if j.deadline_at is not None), default=0.0)
        if last > span[-1].end_at:
            span = windows(snapshot, last)
        # Hours are whole here, so that a deadline is what cuts one off, and nothing else.
        whole = windows(snapshot, float("inf"), most=len(span))
        self._all = Span(np.array([w.start_at for w in whole]), np.array([w.end_at for w in whole]))
        self.prices = prices.table(snapshot.sites, self._all.starts)
        self._reserved = np.array([prices.reserved(site) for site in snapshot.sites])
        cpus = np.array([site.cpus for site in snapshot.sites], dtype=np.int64)
        self.free: Ints = np.repeat(cpus[:, None], len(whole), axis=1)

    def sites(self, job: JobView) -> list[Site]:
        """Sites that the job may run on."""
        return [self.snapshot.sites[place] for place in self.places(job)]

    def places(self, job: JobView) -> Ints:
        """The places of those sites among all of the snapshot."""
        if job.zones not in self._permitted:
            places = [self._places[site.name] for site in permitted(job, self.snapshot)]
            self._permitted[job.zones] = np.array(places, dtype=np.int64)
        return self._permitted[job.zones]

    def reserved(self, job: JobView) -> Floats:
        """What a worker of the job costs at each site of the snapshot, whatever it draws."""
        found: Floats = self._reserved * job.cpus_per_worker
        return found

    def moving(self, job: JobView) -> Floats:
        """Network energy to begin at each site of the snapshot, J; none where the state of the job lies."""
        taken = np.zeros(len(self.snapshot.sites))
        if job.kept_on in self._places:
            taken[:] = job.move_j
            taken[self._places[job.kept_on]] = 0.0
        return taken

    def running_at(self, job: JobView) -> int:
        """The place of the site that a job runs on now, -1 if it does not run or the site is gone."""
        return -1 if job.running_on is None else self._places.get(job.running_on, -1)

    @property
    def nothing(self) -> Schedule:
        """The schedule of a job that does nothing."""
        return self._all.filled(*np.empty((3, 0), dtype=np.int64))

    def span(self, until: float | None = None) -> Span:
        """Windows from now until an instant, or all there are."""
        if until is None:
            return self._all
        if until not in self._spans:
            count = int(np.searchsorted(self._all.starts, until, side="left"))
            ends = np.minimum(self._all.ends[:count], until)
            self._spans[until] = Span(self._all.starts[:count], ends)
        return self._spans[until]

    def most(self, job: JobView, count: int) -> Ints:
        """The most workers that fit at each permitted site in the first windows; 0 if too few do."""
        fit = np.minimum(self.free[self.places(job), :count] // job.cpus_per_worker, job.most)
        return np.where(fit >= job.least, fit, 0)

    def cheapest(self, job: JobView, span: Span) -> Offer:
        """The cheapest site of each window by what one watt costs; what is reserved for it counts as well."""
        places, fit = self.places(job), self.most(job, len(span))
        rates = self.prices[places, : len(span)] + self.reserved(job)[places][:, None] / job.watts[0]
        prices = np.where(fit > 0, rates, np.inf)
        best, every = prices.argmin(axis=0), np.arange(len(span))
        return Offer(places[best], prices[best, every], fit[best, every])

    def take(self, job: JobView, schedule: Schedule) -> list[Assignment]:
        """Reserve the room of a schedule, for whole windows, and return its assignments."""
        places: list[int] = schedule.sites.tolist()
        names = [self.snapshot.sites[place].name for place in places]
        counts: list[int] = schedule.workers.tolist()
        numbers: list[int] = schedule.windows.tolist()
        widest: dict[tuple[int, int], int] = {}
        for cell, count in zip(zip(places, numbers, strict=True), counts, strict=True):
            widest[cell] = max(count, widest.get(cell, 0))
        for cell, count in widest.items():
            self.free[cell] -= count * job.cpus_per_worker
        intervals: list[tuple[float, float]] = list(
            zip(schedule.starts.tolist(), schedule.ends.tolist(), strict=True)
        )
        rows = zip(names, counts, intervals, strict=True)
        return [Assignment(job.id, name, count, *interval) for name, count, interval in rows]


@dataclass(frozen=True, slots=True)
class Outlay:
    """What following a schedule would cost, in price times watts times seconds, and whether it suffices."""

    cost: float
    finishes: bool


def restarts(job: JobView, schedule: Schedule, market: Market) -> NDArray[np.bool_]:
    """In which windows of a schedule the job would be started, moved or resized."""
    if not len(schedule):
        return np.zeros(0, dtype=np.bool_)
    again = np.empty(len(schedule), dtype=np.bool_)
    again[1:] = (schedule.ends[:-1] != schedule.starts[1:]) | (np.diff(schedule.sites) != 0)
    again[1:] |= np.diff(schedule.workers) != 0
    now, first = market.snapshot.now, (schedule.sites[0], schedule.workers[0])
    again[0] = schedule.starts[0] != now or first != (market.running_at(job), job.running_workers)
    return again


def outlay(job: JobView, work_s: float, schedule: Schedule, market: Market) -> Outlay:
    """Walk through a schedule with so much work to do; every start and change of count costs its time."""
    if not len(schedule):
        return Outlay(0.0, finishes=work_s <= 0)
    again = restarts(job, schedule, market)
    lengths = schedule.ends - schedule.starts
    started = np.where(again, job.restart_s, 0.0)
    speed = np.array(job.speedup)[schedule.workers - 1]
    done = np.cumsum(speed * np.maximum(0.0, lengths - started))
    price = market.prices[schedule.sites, schedule.windows] * np.array(job.watts)[schedule.workers - 1]
    price += market.reserved(job)[schedule.sites] * schedule.workers
    if not again[0]:
        price[0] *= 1 - market.lean
    moving = _moving(job, schedule, market)
    last = int(np.searchsorted(done, work_s * (1 - _ENOUGH), side="left"))
    if last == done.size:
        return Outlay(float((price * lengths).sum() + moving.sum()), finishes=False)
    before = float(done[last - 1]) if last else 0.0
    busy = min(float(lengths[last]), float(started[last]) + (work_s - before) / float(speed[last]))
    cost = float((price[:last] * lengths[:last]).sum()) + float(price[last]) * busy
    return Outlay(cost + float(moving[: last + 1].sum()), finishes=True)


def _moving(job: JobView, schedule: Schedule, market: Market) -> Floats:
    """For each entry of a schedule, what it costs to bring the job's state there first."""
    joules = np.zeros(len(schedule))
    if job.move_j:
        joules[0] = market.moving(job)[schedule.sites[0]]
        joules[1:] = np.where(np.diff(schedule.sites) != 0, job.move_j, 0.0)
    costs: Floats = market.prices[schedule.sites, schedule.windows] * joules
    return costs
