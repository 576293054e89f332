"""Seeing: everything that a policy may know, put together into one snapshot."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tidewatt.accounting import pace
from tidewatt.control.foresight import Foresight, Prospect
from tidewatt.domain.function import Kind
from tidewatt.domain.job import Attempt, Job, unbroken
from tidewatt.domain.lifecycle import ACTIVE, State, Wish
from tidewatt.domain.signal import Forecast
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import JobView, Snapshot
from tidewatt.domain.units import HOUR_S
from tidewatt.policy import profile as profiles
from tidewatt.policy.profile import Extent, Profile
from tidewatt.ports import Clock, Grid, Store

Sites = Callable[[], tuple[Site, ...]]
"""Where work can run at the moment."""
_LEAST_HORIZON_S = 48 * HOUR_S
_FRESH_S = 1.0
"""Real seconds for which a zone's intensity is not asked for again."""
_MOST_FOREBEARS = 10
"""Earlier jobs from which the length of a new one is learned."""
_WATTS_PER_BUSY_CPU = 3.5
"""Taken where nothing was measured: each worker keeps its processors busy. See accounting/factors.py."""


@dataclass(frozen=True, slots=True)
class Forebear:
    """What an earlier job of the same function, code and arguments says of a new one."""

    profile: profiles.Profile
    steps_total: float | None
    watts: Mapping[int, float] = field(default_factory=dict[int, float])
    """Power by worker count, as far as it was seen."""
    margin: float = 1.0
    """How much longer than this nine of ten of them took at most."""

    @property
    def length_s(self) -> float:
        """Real seconds at one worker, as far as is known."""
        return (self.steps_total or 1) / (self.profile.rate(1) or 1.0)


_UNKNOWN = Forebear(profiles.learn([]), None)


class Observer:
    """Builds snapshots."""

    def __init__(self, store: Store, grid: Grid, clock: Clock, sites: Sites, prospect: Prospect) -> None:
        self._store = store
        self._grid = grid
        self._clock = clock
        self._sites = sites
        self._prospect = prospect
        self._forecasts: dict[str, Forecast] = {}
        self._tariffs: dict[str, Forecast] = {}
        self._forebears: dict[str, Forebear] = {}
        self._intensities: dict[str, tuple[float | None, float, float | None]] = {}
        """By zone: hour and real instant at which it was asked for last, and what it was."""
        self._watts: dict[str, tuple[int, dict[int, float]]] = {}
        """By job: after how many ended attempts, and what they drew."""

    def snapshot(self, jobs: Iterable[Job]) -> Snapshot:
        """The world now, with those of the jobs that are to run."""
        now = self._clock.now()
        views = tuple(self._view(job) for job in jobs if job.wish is Wish.RUN)
        deadlines = [view.deadline_at for view in views if view.deadline_at is not None]
        horizon_s = max([_LEAST_HORIZON_S, *(deadline - now + HOUR_S for deadline in deadlines)])
        sites = self._sites()
        zones = sorted({site.zone for site in sites})
        hours = [_foreseen(self._prospect.carbon, self._forecasts, zone, now, horizon_s) for zone in zones]
        tariffs = self._prospect.tariffs
        prices = [tariffs and _foreseen(tariffs, self._tariffs, zone, now, horizon_s) for zone in zones]
        return Snapshot(
            now=now,
            sites=sites,
            forecasts=tuple(forecast for forecast in hours if forecast is not None),
            jobs=views,
            objective=self._prospect.objective,
            tariffs=tuple(forecast for forecast in prices if forecast is not None),
        )

    def intensity(self, zone: str) -> float | None:
        """The actual intensity of the present hour, gCO2e/kWh; None is not known, never zero."""
        now, wall = self._clock.now(), self._clock.wall()
        hour = now // HOUR_S
        kept_hour, kept_wall, value = self._intensities.get(zone, (None, wall, None))
        if kept_hour != hour or not 0 <= wall - kept_wall < _FRESH_S:
            reading = self._grid.signal(zone, now, now + 1).at(now)
            value = None if reading is None else reading.value
            self._intensities[zone] = (hour, wall, value)
        return value

    def forget(self, job_id: str) -> None:
        """Let go of what was learned for a job that is open no more."""
        self._forebears.pop(job_id, None)
        self._watts.pop(job_id, None)

    def _view(self, job: Job) -> JobView:
        function = job.function
        attempts = self._store.attempts(job.id)
        current = attempts[-1] if attempts and job.state in ACTIVE else None
        profile, extent, margin = self._known(job, attempts, current)
        kept = function.kind is Kind.COMMAND and unbroken(attempts)
        deadline_at = job.submission.deadline_at
        time_left_s = float("inf") if deadline_at is None else deadline_at - self._clock.now()
        return JobView(
            id=job.id,
            submitted_at=job.submission.submitted_at,
            deadline_at=deadline_at,
            least=function.workers.least,
            most=function.workers.most,
            zones=(attempts[-1].zone,) if kept else function.zones,  # its memory is there
            home_zone=job.submission.home_zone,
            cpus_per_worker=function.cpus,
            suspendable=function.kind is not Kind.FUNCTION,
            remaining=profiles.remaining(function, profile, extent, self._clock.speed, time_left_s, margin),
            speedup=profile.speedup(function.workers.most),
            safe_speedup=profile.safe_speedup(function.workers.most),
            watts=self._power(job, attempts),
            restart_s=0.0 if kept else profile.startup_s * self._clock.speed,
            running_on=current.site if current else None,
            running_workers=current.workers if current else 0,
            kept_on=attempts[-1].site if attempts and (current or job.checkpoint) else None,
            move_j=self._prospect.move_j,
            priority=function.priority,
        )

    def _known(
        self, job: Job, attempts: Sequence[Attempt], current: Attempt | None
    ) -> tuple[Profile, Extent, float]:
        """What is known of a job's speed and extent, and how much longer its forebears took at most."""
        profile, declared_s = profiles.learn(attempts), job.function.length_s
        if job.function.kind is Kind.COMMAND:
            forebear = self._forebear(job)
            started = profile if profile.startup_seen else forebear.profile
            total_s = forebear.steps_total if declared_s is None else declared_s / self._clock.speed
            extent = Extent(total_s, profiles.ran_s(attempts, self._clock.wall()))
            return profiles.by_the_second(started), extent, forebear.margin
        total: float | None = job.steps_total
        margin = 1.0
        if not profile.steps_per_s:
            forebear = self._forebear(job)
            total, margin = total or forebear.steps_total, forebear.margin
            startup = profile if profile.startup_seen else forebear.profile
            profile = replace(startup, steps_per_s=forebear.profile.steps_per_s)
        done = max(job.steps_done, (current.last_step or 0) if current else 0)
        return profile, Extent(total, done), margin

    def _power(self, job: Job, attempts: Sequence[Attempt]) -> tuple[float, ...]:
        """What each worker count draws: as seen in the job, in a forebear, or as much for each worker."""
        function, otherwise = job.function, job.function.cpus * _WATTS_PER_BUSY_CPU
        seen: Mapping[int, float] = {}
        if function.kind is Kind.TRAINING and function.workers.most > 1:
            seen = self._seen(job.id, attempts) or self._forebear(job).watts
        return pace.watts(seen, function.workers.most, otherwise)

    def _seen(self, job_id: str, attempts: Sequence[Attempt]) -> dict[int, float]:
        """What the ended attempts of a job drew, by worker count; the ledger is read after each one's end."""
        ended = [attempt for attempt in attempts if attempt.ended_wall is not None]
        known, seen = self._watts.get(job_id, (0, {}))
        if len(ended) > known:
            seen = self._drew(job_id, ended)
            self._watts[job_id] = len(ended), seen
        return seen

    def _drew(self, job_id: str, ended: Sequence[Attempt]) -> dict[int, float]:
        return pace.watts_seen(pace.stints(ended, self._store.balances(job_id)))

    def _forebear(self, job: Job) -> Forebear:
        if job.function.kind is Kind.FUNCTION:  # it reports no steps to learn from
            return _UNKNOWN
        if job.id not in self._forebears:
            self._forebears[job.id] = self._typical_forebear(job)
        return self._forebears[job.id]

    def _typical_forebear(self, job: Job) -> Forebear:
        """The typical one of the newest jobs of the same function, code and arguments, of known speed."""
        coded = bool(job.submission.payload.sha256)
        found: list[Forebear] = []
        for earlier in reversed(self._store.jobs()) if coded else ():
            if earlier.seq >= job.seq or not earlier.submission.same_work(job.submission):
                continue
            attempts: list[Attempt] = self._store.attempts(earlier.id)
            learned = profiles.learn(attempts)
            if job.function.kind is Kind.COMMAND and earlier.state is State.SUCCEEDED:
                found.append(Forebear(profiles.by_the_second(learned), profiles.ran_s(attempts, 0.0)))
            elif learned.steps_per_s:
                ended = [attempt for attempt in attempts if attempt.ended_wall is not None]
                found.append(Forebear(learned, earlier.steps_total, self._drew(earlier.id, ended)))
            if len(found) == _MOST_FOREBEARS:
                break
        if not found:
            return _UNKNOWN
        middle, margin = profiles.typical([each.length_s for each in found])
        return replace(found[middle], margin=margin)


def _foreseen(
    foresight: Foresight, kept: dict[str, Forecast], zone: str, now: float, horizon_s: float
) -> Forecast | None:
    """A forecast of a zone: the one kept while it is good, else a new one, which is kept."""
    known = kept.get(zone)
    if known is not None and _still_good(known, now, horizon_s):
        return known
    issued = foresight(zone, now, horizon_s)
    if issued is not None:
        kept[zone] = issued
    return issued


def _still_good(issued: Forecast, now: float, horizon_s: float) -> bool:
    """Whether a forecast was issued in this hour and reaches far enough."""
    first, last = issued.windows[0], issued.windows[-1]
    return first.start_at <= now < first.start_at + HOUR_S and last.start_at + HOUR_S >= now + horizon_s
