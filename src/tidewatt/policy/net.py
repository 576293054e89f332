"""Everything as soon as possible, earliest deadline first: the net under every policy.

Where deadlines are counted on it looks at no forecast, so that a promise which it holds now is not broken by
the next hour's prices.
"""

import math
from dataclasses import dataclass, field

from tidewatt.domain.plan import Assignment
from tidewatt.domain.snapshot import JobView, Snapshot
from tidewatt.domain.units import DAY_S, HOUR_S
from tidewatt.policy.prices import Prices
from tidewatt.policy.room import Window, permitted, separable, widest, windows

_LEAST_HORIZON_S = 14 * DAY_S
_FOREVER = float("inf")
_EXACT_UP_TO = 64
"""With more jobs than this, room that comes free within an hour is counted from the next one on."""


@dataclass(slots=True)
class _Going:
    """How far a job has come in the schedule being made; ``place`` is that of its site, -1 for none."""

    job: JobView
    left_s: float
    speedup: tuple[float, ...]
    place: int
    workers: int
    finish_at: float = _FOREVER
    assignments: list[Assignment] = field(default_factory=list[Assignment])


def urgency(job: JobView) -> tuple[float, int, float, str]:
    """Sorts jobs by deadline, then by priority and by age; ties are stable."""
    deadline_at = _FOREVER if job.deadline_at is None else job.deadline_at
    return (deadline_at, -job.priority, job.submitted_at, job.id)


def assignments(
    snapshot: Snapshot, *, careful: bool = False, by_price: bool = False
) -> tuple[Assignment, ...]:
    """The schedule itself; ``by_price`` prefers the cheapest of sites that are equally fast."""
    schedule = _schedule(snapshot, careful=careful, by_price=by_price, hourly=True)
    return tuple(assignment for going in schedule for assignment in going.assignments)


def finish_times(snapshot: Snapshot, *, careful: bool) -> dict[str, float]:
    """When each job would end; infinity for one of unknown length, or for which there never is room.

    ``careful`` counts on the safe bounds of work left and speed instead of what is expected.
    """
    schedule = _schedule(snapshot, careful=careful, by_price=False, hourly=False)
    return {going.job.id: going.finish_at for going in schedule}


def _schedule(snapshot: Snapshot, *, careful: bool, by_price: bool, hourly: bool) -> list[_Going]:
    field = _Field(snapshot, by_price=by_price, hourly=hourly)
    goings = [field.begin(job, careful=careful) for job in sorted(snapshot.jobs, key=urgency)]
    for going in goings:  # what comes later in this order never takes room from what came before
        field.run(going)
    return goings


class _Field:
    """Free processors at every site from now on, between the instants at which a job ends or an hour begins.

    Plain lists: they are read one by one. Where there is room for all jobs at once nothing is kept of them.
    """

    def __init__(self, snapshot: Snapshot, *, by_price: bool, hourly: bool) -> None:
        self._snapshot = snapshot
        self._roomy = separable((job.most * job.cpus_per_worker for job in snapshot.jobs), snapshot.sites)
        self._exact = len(snapshot.jobs) <= _EXACT_UP_TO
        self._places = {site.name: place for place, site in enumerate(snapshot.sites)}
        last = max((job.deadline_at for job in snapshot.jobs if job.deadline_at is not None), default=0.0)
        until = max(snapshot.now + _LEAST_HORIZON_S, last) if hourly else _FOREVER
        hours = windows(snapshot, until) if hourly else [Window(snapshot.now, until)]
        self._bounds = [*(window.start_at for window in hours), until]
        self._free = [[site.cpus] * len(hours) for site in snapshot.sites]
        self._prices = Prices(snapshot) if by_price else None
        self._order: dict[float, list[int]] = {}
        self._permitted: dict[tuple[str, ...], frozenset[int]] = {}

    def begin(self, job: JobView, *, careful: bool) -> _Going:
        """A job as it is now."""
        remaining = job.remaining
        left = _FOREVER if remaining is None else remaining.high_s if careful else remaining.expected_s
        speedup = job.safe_speedup if careful else job.speedup
        place = -1 if job.running_on is None else self._places.get(job.running_on, -1)
        return _Going(job, left, speedup, place, job.running_workers)

    def run(self, going: _Going) -> None:
        """Let a job run wherever it is fastest, at the first of equals, from now on until it is done."""
        job, allowed = going.job, self._allowed(going.job)
        bound = not job.suspendable and going.workers > 0 and going.place >= 0
        number = -1
        while going.left_s > 0 and (number := number + 1) < len(self._bounds) - 1:
            if bound:
                place, count = going.place, max(going.workers, job.least)
            else:
                place, count = self._best(going, number, allowed)
            if not count:
                going.place, going.workers = -1, 0
                continue
            start_at, end_at = self._bounds[number], self._bounds[number + 1]
            restart_s = 0.0 if (going.place, going.workers) == (place, count) else job.restart_s
            speed = going.speedup[count - 1]
            finish_at = start_at + restart_s + going.left_s / speed
            ends = finish_at <= end_at and finish_at < _FOREVER
            if ends:
                going.finish_at = finish_at
                end_at = self._cut(number, finish_at)
            if not self._roomy:
                self._free[place][number] -= count * job.cpus_per_worker
            name = self._snapshot.sites[place].name
            going.assignments.append(Assignment(job.id, name, count, start_at, end_at))
            done = speed * max(0.0, end_at - start_at - restart_s)
            going.left_s = 0.0 if ends else going.left_s - done
            going.place, going.workers = place, count

    def _cut(self, number: int, finish_at: float) -> float:
        """Note that room comes free when a job ends, and return the instant from which on it is."""
        end_at = self._bounds[number + 1]
        free_at = finish_at if self._exact else min(end_at, math.ceil(finish_at / HOUR_S) * HOUR_S)
        if not self._roomy and self._bounds[number] < free_at < end_at:
            self._bounds.insert(number + 1, free_at)
            for free in self._free:
                free.insert(number, free[number])
            return free_at
        return end_at

    def _best(self, going: _Going, number: int, allowed: frozenset[int]) -> tuple[int, int]:
        """The site and worker count that get most done: as it is, or the first of equals.

        A change has to win back the time that it takes.
        """
        job, here = going.job, going.place
        best, best_count, best_speed = -1, 0, 0.0
        if here in allowed and going.workers * job.cpus_per_worker <= self._free[here][number]:
            best, best_count = here, going.workers
            left_s = going.left_s / going.speedup[going.workers - 1]
            best_speed = going.left_s / (left_s - job.restart_s) if left_s > job.restart_s else _FOREVER
        for place in self._preferred(self._bounds[number], here):
            if place not in allowed:
                continue
            fit = min(job.most, self._free[place][number] // job.cpus_per_worker)
            if fit < job.least:
                continue
            count = widest(job.least, fit, going.speedup)
            speed = going.speedup[count - 1]
            if speed > best_speed:
                best, best_count, best_speed = place, count, speed
            if fit == job.most:  # nowhere is it faster
                break
        return best, best_count

    def _preferred(self, instant: float, here: int) -> list[int]:
        """All places in the order in which they are tried: ``here`` first, if it is one."""
        if self._prices is None:
            order = list(range(len(self._snapshot.sites)))
        elif instant in self._order:
            order = self._order[instant]
        else:
            prices = [self._prices.at(site, instant) for site in self._snapshot.sites]
            order = self._order[instant] = sorted(range(len(prices)), key=prices.__getitem__)
        return [here, *order] if here >= 0 else order

    def _allowed(self, job: JobView) -> frozenset[int]:
        """The places that a job may run at."""
        if job.zones not in self._permitted:
            here = permitted(job, self._snapshot)
            self._permitted[job.zones] = frozenset(self._places[site.name] for site in here)
        return self._permitted[job.zones]
