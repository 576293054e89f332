"""What has been drawn so far: by each job, and in the month by each team, lineage and the whole machine."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidewatt.accounting.spending import NOTHING, Drawn
from tidewatt.control.observe import Sites
from tidewatt.domain.budget import Scope, Subject, subjects
from tidewatt.domain.job import Job
from tidewatt.domain.ledger import Allocation, Phase
from tidewatt.domain.month import month_name, month_of
from tidewatt.domain.signal import Signal
from tidewatt.domain.site import Site
from tidewatt.domain.units import HOUR_S, MICROJOULES
from tidewatt.ports import Clock, Store

_TEAM = "team"
"""The label that says whose a job is."""


def team_of(job: Job) -> str:
    """The team that a job is labelled with, empty for none."""
    return dict(job.function.labels).get(_TEAM, "")


def subjects_of(job: Job | None) -> tuple[Subject, ...]:
    """Whose monthly sums a job counts towards; that of the machine alone where it is nobody's."""
    return ((Scope.MONTH, ""),) if job is None else subjects(job.function.name, team_of(job))


def drawn_in_month(store: Store, now: float, sites: Sequence[Site], grid: str) -> dict[Subject, Drawn]:
    """What was drawn in the month of an instant, by subject; jobs count however they ended."""
    start_at, end_at = month_of(now)
    pricing = _Pricing(store, sites, grid)
    jobs = {job.id: job for job in store.jobs()}
    found: defaultdict[Subject, Drawn] = defaultdict(Drawn)
    for sum_ in _sums(store, start_at=start_at, end_at=end_at):
        job = jobs.get(sum_.job_id)
        for subject in subjects_of(job):
            found[subject] += pricing.drawn(sum_, job)
    return dict(found)


class Books:
    """Running totals: read from the ledger once, and from then on added to with each reading.

    Those of the month are opened when they are first asked for, since only budgets need them.
    """

    def __init__(self, store: Store, clock: Clock, sites: Sites, grid: str) -> None:
        self._store = store
        self._clock = clock
        self._sites = sites
        self._grid = grid
        self._runs: defaultdict[str, Drawn] = defaultdict(Drawn)
        self._periods: defaultdict[Subject, Drawn] = defaultdict(Drawn)
        self._month: tuple[float, float] | None = None
        """The month that is open: its first instant, and that of the next one."""
        self._subjects: dict[str, tuple[Subject, ...]] = {}

    def begin(self, jobs: Sequence[Job]) -> None:
        """Take up what jobs have drawn already."""
        pricing = _Pricing(self._store, self._sites(), self._grid)
        for job in jobs:
            for sum_ in _sums(self._store, job.id):
                self._runs[job.id] += pricing.drawn(sum_, job)

    def add(self, allocation: Allocation, at: float, intensities: Mapping[str, float | None]) -> None:
        """Add a share of a reading that began at ``at``, at the intensities of zones by then."""
        job_id = allocation.account.job_id
        zone, pue = _place(allocation.zone, self._sites())
        energy_j, held_cpu_s = allocation.energy_uj / MICROJOULES, allocation.reserved_cpu_s
        drawn = Drawn.of(energy_j, allocation.phase, held_cpu_s, pue, intensities.get(zone))
        if job_id:
            self._runs[job_id] += drawn
        if self._month is not None:
            self._turn()
            if self._month[0] <= at < self._month[1]:
                for subject in self._subjects_of(job_id):
                    self._periods[subject] += drawn

    def run(self, job_id: str) -> Drawn:
        """What a job has drawn since it was submitted."""
        return self._runs.get(job_id, NOTHING)

    def periods(self) -> Mapping[Subject, Drawn]:
        """What was drawn in the month of the world's clock, by subject."""
        self._turn()
        if self._month is None:
            self._month = month_of(self._clock.now())
            found = drawn_in_month(self._store, self._clock.now(), self._sites(), self._grid)
            self._periods = defaultdict(Drawn, found)
        return self._periods

    @property
    def month(self) -> str:
        """The month of the world's clock, ``"2026-11"``."""
        return month_name(self._clock.now())

    def _turn(self) -> None:
        """Begin a new month if the open one is over; nothing was drawn in it yet."""
        if self._month is not None and not self._month[0] <= self._clock.now() < self._month[1]:
            self._periods.clear()
            self._month = month_of(self._clock.now())

    def _subjects_of(self, job_id: str) -> tuple[Subject, ...]:
        if job_id not in self._subjects:
            self._subjects[job_id] = subjects_of(self._store.job(job_id) if job_id else None)
        return self._subjects[job_id]


def _place(zone: str, sites: Sequence[Site]) -> tuple[str, float]:
    """A zone and its PUE; what is shared has the zone of the node, where that lies in one."""
    zones = {site.zone: site.pue for site in sites}
    if not zone and len(zones) == 1:
        (zone,) = zones
    return zone, zones.get(zone, 1.0)


@dataclass(frozen=True, slots=True)
class _Sum:
    """What one account drew in one hour, zone and phase; no job where it is nobody's alone."""

    job_id: str
    zone: str
    hour_at: float
    phase: Phase
    energy_j: float
    held_cpu_s: float


def _sums(
    store: Store, job_id: str | None = None, *, start_at: float = -math.inf, end_at: float = math.inf
) -> list[_Sum]:
    """The ledger of one job, or of all, added up over readings that began in an interval."""
    found: dict[tuple[str, str, float, Phase], tuple[int, float]] = {}
    for entry in store.ledger(job_id):
        if not start_at <= entry.reading.start_at < end_at:
            continue
        share = entry.allocation
        middle = (entry.reading.start_at + entry.reading.end_at) / 2
        key = (share.account.job_id, share.zone, middle // HOUR_S * HOUR_S, share.phase)
        energy_uj, held_cpu_s = found.get(key, (0, 0.0))
        found[key] = (energy_uj + share.energy_uj, held_cpu_s + share.reserved_cpu_s)
    return [_Sum(*key, energy_uj / MICROJOULES, held) for key, (energy_uj, held) in found.items()]


class _Pricing:
    """Prices sums at the intensities that are kept with the jobs."""

    def __init__(self, store: Store, sites: Sequence[Site], grid: str) -> None:
        self._store = store
        self._sites = sites
        self._grid = grid
        self._signals: dict[tuple[str, str, float], Signal] = {}

    def drawn(self, sum_: _Sum, job: Job | None) -> Drawn:
        """What a sum comes to."""
        zone, pue = _place(sum_.zone, self._sites)
        grid = job.submission.grid if job else self._grid
        reading = self._signal(grid, zone, sum_.hour_at).at(sum_.hour_at)
        intensity = reading.value if reading else None
        return Drawn.of(sum_.energy_j, sum_.phase, sum_.held_cpu_s, pue, intensity)

    def _signal(self, grid: str, zone: str, hour_at: float) -> Signal:
        """The kept readings of the month that an hour lies in, asked for once."""
        start_at, end_at = month_of(hour_at)
        key = (grid, zone, start_at)
        if key not in self._signals:
            self._signals[key] = self._store.signal(grid, zone, start_at, end_at)
        return self._signals[key]
