"""What has been drawn so far: by each job, and in the month by each team, lineage and the whole machine."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from tidewatt.accounting.factors import Factors
from tidewatt.accounting.spending import NOTHING, Drawn, Place
from tidewatt.control.observe import Sites
from tidewatt.domain.budget import Scope, Subject, subjects
from tidewatt.domain.job import Job
from tidewatt.domain.ledger import Allocation, Balance
from tidewatt.domain.month import month_name, month_of
from tidewatt.domain.signal import Signal
from tidewatt.domain.units import MICROJOULES
from tidewatt.ports import Clock, Store

_TEAM = "team"
"""The label that says whose a job is."""


def team_of(job: Job) -> str:
    """The team that a job is labelled with, empty for none."""
    return dict(job.function.labels).get(_TEAM, "")


def subjects_of(job: Job | None) -> tuple[Subject, ...]:
    """Whose monthly sums a job counts towards; that of the machine alone where it is nobody's."""
    return ((Scope.MONTH, ""),) if job is None else subjects(job.function.name, team_of(job))


class Places:
    """What a joule comes to in each zone, worked out once."""

    def __init__(self, sites: Sites, factors: Factors) -> None:
        self._sites = sites
        self._factors = factors
        self._known: dict[tuple[str, float], Place] = {}

    def at(self, zone: str) -> Place:
        """A zone; what is shared has none, and is where the node is if that lies in one."""
        zones = {site.zone: site.pue for site in self._sites()}
        if not zone and len(zones) == 1:
            (zone,) = zones
        pue = zones.get(zone, 1.0)
        if (zone, pue) not in self._known:
            self._known[zone, pue] = Place.of(zone, pue, self._factors)
        return self._known[zone, pue]


def drawn_in_month(store: Store, now: float, places: Places, grid: str) -> dict[Subject, Drawn]:
    """What was drawn in the month of an instant, by subject; jobs count however they ended."""
    start_at, end_at = month_of(now)
    pricing = _Pricing(store, places, grid)
    jobs = {job.id: job for job in store.jobs()}
    found: defaultdict[Subject, Drawn] = defaultdict(Drawn)
    for balance in store.balances(since_at=start_at, until_at=end_at):
        job = jobs.get(balance.account.job_id)
        drawn = pricing.drawn(balance, job)
        for subject in subjects_of(job):
            found[subject] += drawn
    return dict(found)


class Books:
    """Running totals: read from the ledger once, and from then on added to with each reading.

    Those of the month are opened when they are first asked for, since only budgets need them.
    """

    def __init__(self, store: Store, clock: Clock, places: Places, grid: str) -> None:
        self._store = store
        self._clock = clock
        self._places = places
        self._grid = grid
        self._runs: defaultdict[str, Drawn] = defaultdict(Drawn)
        self._periods: defaultdict[Subject, Drawn] = defaultdict(Drawn)
        self._month: tuple[float, float] | None = None
        """The month that is open: its first instant, and that of the next one."""
        self._subjects: dict[str, tuple[Subject, ...]] = {}

    def begin(self, jobs: Sequence[Job]) -> None:
        """Take up what jobs have drawn already."""
        pricing = _Pricing(self._store, self._places, self._grid)
        for job in jobs:
            for balance in self._store.balances(job.id):
                self._runs[job.id] += pricing.drawn(balance, job)

    def add(self, allocation: Allocation, at: float, intensities: Mapping[str, float | None]) -> None:
        """Add a share of a reading that began at ``at``, at the intensities of zones by then."""
        job_id = allocation.account.job_id
        place = self._places.at(allocation.zone)
        energy_j, held_cpu_s = allocation.energy_uj / MICROJOULES, allocation.reserved_cpu_s
        drawn = Drawn.of(energy_j, allocation.phase, held_cpu_s, place, intensities.get(place.zone))
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

    def forget(self, job_id: str) -> None:
        """Let go of what a job has drawn that is open no more and was told of; the month's sums stay."""
        self._runs.pop(job_id, None)
        self._subjects.pop(job_id, None)

    def periods(self) -> Mapping[Subject, Drawn]:
        """What was drawn in the month of the world's clock, by subject."""
        self._turn()
        if self._month is None:
            self._month = month_of(self._clock.now())
            found = drawn_in_month(self._store, self._clock.now(), self._places, self._grid)
            self._periods = defaultdict(Drawn, found)
        return self._periods

    @property
    def month(self) -> str:
        """The month of the world's clock, ``"2026-11"``."""
        return month_name(self._clock.now())

    def _turn(self) -> None:
        """Begin a new month if the open one is over; something was drawn in it if the clock was set back."""
        now = self._clock.now()
        if self._month is not None and not self._month[0] <= now < self._month[1]:
            before = now < self._month[0]
            found = drawn_in_month(self._store, now, self._places, self._grid) if before else {}
            self._month, self._periods = month_of(now), defaultdict(Drawn, found)

    def _subjects_of(self, job_id: str) -> tuple[Subject, ...]:
        if job_id not in self._subjects:
            self._subjects[job_id] = subjects_of(self._store.job(job_id) if job_id else None)
        return self._subjects[job_id]


class _Pricing:
    """Prices sums at the intensities that are kept with the jobs."""

    def __init__(self, store: Store, places: Places, grid: str) -> None:
        self._store = store
        self._places = places
        self._grid = grid
        self._signals: dict[tuple[str, str, float], Signal] = {}

    def drawn(self, balance: Balance, job: Job | None) -> Drawn:
        """What a balance comes to."""
        place = self._places.at(balance.zone)
        middle = (balance.start_at + balance.end_at) / 2
        grid = job.submission.grid if job else self._grid
        reading = self._signal(grid, place.zone, middle).at(middle)
        energy_j, held_cpu_s = balance.energy_uj / MICROJOULES, balance.machine_s * balance.cpus
        intensity = reading.value if reading else None
        return Drawn.of(energy_j, balance.phase, held_cpu_s, place, intensity)

    def _signal(self, grid: str, zone: str, at: float) -> Signal:
        """The kept readings of the month that an instant lies in, asked for once."""
        start_at, end_at = month_of(at)
        key = (grid, zone, start_at)
        if key not in self._signals:
            self._signals[key] = self._store.signal(grid, zone, start_at, end_at)
        return self._signals[key]
