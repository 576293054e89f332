"""The one loop: observe, decide, act, record. The same live and simulated."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tidewatt.accounting import stall
from tidewatt.accounting.factors import DEFAULTS, Factors
from tidewatt.control.act import Actor
from tidewatt.control.agenda import Agenda
from tidewatt.control.books import Books, Places
from tidewatt.control.foresight import Prospect
from tidewatt.control.keep import Keeper
from tidewatt.control.metering import Metering
from tidewatt.control.observe import Observer, Sites
from tidewatt.control.record import Recorder
from tidewatt.control.recover import recover
from tidewatt.control.spending import InForce, Spending
from tidewatt.control.tell import Teller
from tidewatt.domain.budget import Budgets
from tidewatt.domain.function import Kind
from tidewatt.domain.job import Job
from tidewatt.domain.lifecycle import ACTIVE
from tidewatt.domain.signal import Series
from tidewatt.domain.units import format_duration
from tidewatt.domain.world import World
from tidewatt.policy.names import Policy
from tidewatt.policy.room import windows
from tidewatt.ports import Clock, DeviceMeter, Engine, EngineEvent, Exited, Feed, Grid, Meter, Rung, Store

_RESTING_S = 60.0
"""Real seconds between two looks while what there is has been put aside, kept in memory or by a budget."""
_BREATH_S = 0.02
"""Real seconds between two decisions that only the passing of time asks for: in a replay hours go by fast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that the loop works on and with."""

    store: Store
    engine: Engine
    grid: Grid
    meter: Meter | None
    """None keeps no ledger: where nothing is drawn there is nothing to divide."""
    clock: Clock
    feed: Feed
    sites: Sites
    prospect: Prospect
    series: Mapping[Series, Grid] = field(default_factory=dict[Series, Grid])
    """What is told by the hour beside the grid's intensity, for receipts."""
    devices: DeviceMeter | None = None
    """None where no device has a meter of its own."""
    sample_every_s: float = 1.0
    """Real seconds between readings of the meter while anything runs."""
    stuck_after_s: float = 300.0
    """Real seconds without a step and without work after which an attempt at a training is ended."""
    stall_share: float = stall.SHARE
    """Of the processors that a worker holds: computing with less it is charged as stalled."""
    world: World | None
    """The world that the clock and the grid belong to."""
    folder: Path
    """Jobs have their folders here."""
    budgets: InForce = Budgets
    """Those in force; none unless told."""
    factors: Factors = DEFAULTS
    """What running totals of water and money go by."""
    follow_up: Callable[[], bool] = lambda: False
    """Submits the jobs that follow those which have succeeded; whether there were any."""


class Loop:
    """Runs all jobs of a state folder; at most one loop holds it at a time."""

    def __init__(self, parts: Parts, policy: Policy) -> None:
        self._parts = parts
        self._policy = policy
        self._store, self._engine, self._clock = parts.store, parts.engine, parts.clock
        self._observer = Observer(parts.store, parts.grid, parts.clock, parts.sites, parts.prospect)
        self._keeper = Keeper(parts.store, parts.grid, parts.clock, parts.sites, parts.series)
        self._recorder = Recorder(parts.store, parts.clock)
        self._actor = Actor(parts.store, parts.engine, parts.clock, parts.folder)
        books = Books(parts.store, parts.clock, Places(parts.sites, parts.factors), parts.grid.name)
        self._metering = Metering(
            parts.store,
            parts.engine,
            parts.meter,
            parts.clock,
            books,
            parts.stall_share,
            parts.devices,
        )
        self._spending = Spending(parts.store, parts.engine, parts.clock, books, parts.budgets)
        self._teller = Teller(parts.store, parts.feed, parts.clock, self._observer, books, self._spending)
        self._agenda = Agenda()
        self._begun = False
        self._not_before = 0.0
        self._sample_at = 0.0
        self._stuck: set[tuple[str, int]] = set()
        """Attempts that were ended for it."""

    def run(self, linger_s: float) -> None:
        """Work until nothing is left to do, then wait so many real seconds for more."""
        self.begin()
        try:
            give_up_at = self._clock.wall() + linger_s
            while not self._outlived():
                if self.turn(max(0.0, give_up_at - self._clock.wall())):
                    give_up_at = self._clock.wall() + linger_s
                elif self._clock.wall() >= give_up_at:
                    return
        finally:
            self._metering.save()

    def begin(self) -> None:
        """Take up what an earlier loop left, and start the first metering interval; once is enough."""
        if self._begun:
            return
        self._begun = True
        recover(self._store, self._engine, self._recorder, self._parts.folder)
        self._parts.follow_up()
        self._save_time()
        self._metering.begin(self._store.jobs(open_only=True))

    def turn(self, patience_s: float = 0.0) -> bool:
        """Go round once: wait for something to happen, then deal with it.

        Returns:
            Whether anything is left to do; if not, ``patience_s`` real seconds were waited for more.
        """
        for event in self._engine.wait(self._timeout(self._pending(), patience_s)):
            self._take(event)
        jobs = self._pending()
        if self._clock.wall() >= self._sample_at:
            self._sample(save=False)
        jobs = self._held_to_budgets(jobs)
        decide = bool(jobs) and self._clock.now() >= self._decide_at
        if decide and self._outlived():
            return False
        if decide:
            self._decide(jobs)
        for job in jobs:
            if job.state in ACTIVE:
                self._end_if_stuck(job)
                self._actor.enforce(job)
        self._teller.tell(self._store.jobs(open_only=True), self._agenda.plan, everything=decide)
        return bool(jobs) or self._engine.resting

    def _held_to_budgets(self, jobs: list[Job]) -> list[Job]:
        """Have budgets judge all jobs; they are returned as they stand after that."""
        changed = self._spending.look(jobs)
        for job_id in changed:
            self._agenda.stir(job_id)
        return self._pending() if changed else jobs

    def _take(self, event: EngineEvent) -> None:
        """Record what the engine tells."""
        job_id = "" if isinstance(event, Rung) else event.job_id
        if isinstance(event, Exited):
            self._sample()  # while the attempt's reservation still stands as it was
        if self._recorder.record(event):
            self._agenda.stir(job_id)
        if isinstance(event, Exited):
            self._keeper.keep_hindsight(job_id)
            if event.outcome == "succeeded" and self._parts.follow_up():
                self._agenda.stir()

    @property
    def _decide_at(self) -> float:
        """When to decide next; what the passing of time alone asks for keeps a distance."""
        due_at = self._agenda.next_at
        return max(due_at, self._not_before) if due_at else 0.0

    def _pending(self) -> list[Job]:
        """Jobs that there is something to do for."""
        return [job for job in self._store.jobs(open_only=True) if not job.at_rest]

    def _timeout(self, jobs: list[Job], patience_s: float) -> float:
        """Real seconds until something is due even if nothing happens."""
        if not jobs:
            return max(patience_s, _RESTING_S) if self._engine.resting else patience_s
        due = (self._decide_at - self._clock.now()) / self._clock.speed
        if any(job.state in ACTIVE for job in jobs):
            due = min(due, self._sample_at - self._clock.wall())
        if self._spending.holding:  # until its file is changed
            due = min(due, _RESTING_S)
        return max(0.0, due)

    def _decide(self, jobs: list[Job]) -> None:
        about = self._agenda.about(jobs, self._clock.now(), self._parts.sites())
        if not about:
            self._agenda.settled(jobs)
            return
        snapshot = self._observer.snapshot(job for job in about if not self._spending.holds(job.id))
        hour_ends_at = windows(snapshot, float("inf"), most=1)[0].end_at
        plan = self._policy(snapshot)
        plan = replace(plan, notes=plan.notes + self._spending.notes(about))
        plan = self._agenda.decided(plan, about, jobs, hour_ends_at)
        self._store.record_plan(snapshot, plan)
        self._not_before = self._clock.now() + _BREATH_S * self._clock.speed
        self._sample()  # before reservations change
        for job in about:
            again_at = self._actor.act(job, plan, snapshot, at_once=self._spending.holds(job.id))
            if again_at is not None:
                self._agenda.look_at(job.id, again_at)
        if len(about) == len(jobs):
            self._keeper.keep(jobs)
        self._save_time()

    def _sample(self, *, save: bool = True) -> None:
        if self._parts.meter is not None:
            zones = {site.zone for site in self._parts.sites()}
            self._metering.sample({zone: self._observer.intensity(zone) for zone in zones}, save=save)
        self._sample_at = self._clock.wall() + self._parts.sample_every_s

    def _outlived(self) -> bool:
        """Whether the world was replaced by another, which happens only while no job is open."""
        world = self._store.world()
        born_into = self._parts.world
        return world is not None and (born_into is None or world.descent != born_into.descent)

    def _save_time(self) -> None:
        """Note how far a replay has come; it goes on from here after whatever happens."""
        world = self._store.world()
        if world is not None and world.replayed:
            now, wall = self._clock.now(), self._clock.wall()
            self._store.save_world(replace(world, reached_at=now, reached_wall=wall))

    def _end_if_stuck(self, job: Job) -> None:
        """End an attempt at a training that does nothing any more; it goes on from its last checkpoint."""
        attempt = (job.id, job.token)
        if attempt in self._stuck or job.function.kind is not Kind.TRAINING:
            return
        still_s = self._metering.still_s(*attempt)
        if still_s >= self._parts.stuck_after_s:
            self._stuck.add(attempt)
            said = f"stuck: no step and no work for {format_duration(still_s)}, so its workers are ended"
            self._store.note(job.id, at=self._clock.now(), wall=self._clock.wall(), detail=said)
            self._engine.kill(job.id)
