"""The one loop: observe, decide, act, record. The same live and simulated."""

from collections.abc import Mapping
from dataclasses import replace

from tidewatt.control import unplanned
from tidewatt.control.act import Actor
from tidewatt.control.agenda import Agenda
from tidewatt.control.awake import Awake
from tidewatt.control.books import Books, Places
from tidewatt.control.keep import Keeper
from tidewatt.control.metering import Metering
from tidewatt.control.observe import Observer
from tidewatt.control.parts import Parts
from tidewatt.control.record import Recorder
from tidewatt.control.recover import recover
from tidewatt.control.spending import Spending
from tidewatt.control.tell import Teller
from tidewatt.control.turns import Turns
from tidewatt.domain.function import Kind
from tidewatt.domain.job import Job
from tidewatt.domain.lifecycle import ACTIVE, ENDED, State, Wish
from tidewatt.domain.site import Site
from tidewatt.domain.units import HOUR_S, format_duration
from tidewatt.policy import stuck
from tidewatt.policy.names import Policy
from tidewatt.policy.room import windows
from tidewatt.ports import (
    EngineEvent,
    Exited,
    Opened,
    Progressed,
    Rung,
    Started,
)

_RESTING_S = 60.0
"""Real seconds between two looks while what there is has been put aside, kept in memory or by a budget."""
_IDLE_S = 3600.0
"""Real seconds that are waited for at once without work; systems have no timer that never ends."""
_WELCOME_S = 1.0
"""Real seconds that a loop waits at first for whoever had it begun, who may be about to call a function."""
_LEAVE_S = 2.0
"""Real seconds that workers which wait for calls are given to leave."""
_SEEN_S = 1.0
"""Real seconds for which jobs are taken to stand as they stood where nothing says otherwise."""
_BREATH_S = 0.02
"""Real seconds between two decisions that only the passing of time asks for: in a replay hours go by fast."""


class Loop:
    """Runs all jobs of a state folder; at most one loop holds it at a time."""

    def __init__(self, parts: Parts, policy: Policy) -> None:
        self._parts = parts
        self._policy = policy
        self._store, self._engine, self._clock = parts.store, parts.engine, parts.clock
        self._world = parts.world
        """The world as it stood at the last look."""
        self._open: list[Job] = []
        """The same of open jobs, of those that wait for room alone the first."""
        self._observer = Observer(parts.store, parts.grid, parts.clock, self._sites, parts.prospect)
        self._keeper = Keeper(parts.store, parts.grid, parts.clock, self._sites, parts.series)
        self._recorder = Recorder(parts.store, parts.clock)
        self._awake = Awake(parts.clock)
        self._actor = Actor(parts.store, self._recorder, parts.engine, parts.clock, parts.folder, self._awake)
        self._books = books = Books(
            parts.store, parts.clock, Places(self._sites, parts.factors), parts.grid.name
        )
        self._metering = Metering(
            parts.store, parts.engine, parts.meter, parts.clock, books, parts.stall_share, parts.devices
        )
        self._spending = Spending(parts.store, parts.engine, parts.clock, books, parts.budgets)
        self._teller = Teller(
            parts.store, self._recorder, parts.feed, parts.clock, self._observer, books, self._spending
        )
        self._agenda = Agenda()
        self._turns = Turns(parts.store, parts.clock)
        self._begun = False
        self._not_before = 0.0
        self._sample_at = 0.0
        self._looked_wall = 0.0
        self._ended: dict[str, Job] = {}
        """Jobs that have ended in this turn, by name."""
        self._stuck: dict[str, int] = {}
        """By job, the attempt that was ended for it."""
        self._kept: set[str] = set()
        """Jobs that were open at the end of the turn before, of which something may be kept."""

    def run(self, linger_s: float) -> None:
        """Work until nothing is left to do, then wait so many real seconds for more."""
        welcome_s = 0.0 if self._begun else _WELCOME_S
        self.begin()
        try:
            self._work(linger_s, welcome_s)
        finally:
            self._metering.save()

    def _work(self, linger_s: float, welcome_s: float) -> None:
        give_up_at, asked_to_leave = self._clock.wall() + max(linger_s, welcome_s), False
        while not self._outlived():
            if self.turn(max(0.0, give_up_at - self._clock.wall())):
                give_up_at, asked_to_leave = self._clock.wall() + linger_s, False
            elif self._clock.wall() >= give_up_at:
                if not self._engine.let_go() or asked_to_leave:
                    return
                asked_to_leave, give_up_at = True, self._clock.wall() + _LEAVE_S

    def begin(self) -> None:
        """Take up what an earlier loop left, and start the first metering interval; once is enough."""
        if self._begun:
            return
        self._begun = True
        recover(self._store, self._engine, self._recorder, self._parts.folder)
        self._parts.follow_up()
        self._save_time()
        self._look()
        self._metering.begin(self._open)

    def turn(self, patience_s: float = 0.0) -> bool:
        """Go round once: wait for something to happen, then deal with it.

        Returns:
            Whether anything is left to do; if not, ``patience_s`` real seconds were waited for more.
        """
        timeout_s = self._timeout(self._pending(), patience_s)
        events = self._engine.wait(timeout_s)
        news = [self._take(event) for event in events] or [True]
        self._recorder.save()
        if any(news) or self._clock.wall() - self._looked_wall > _SEEN_S:
            self._look()
        if self._awake.look(timeout_s):
            self._agenda.begin_anew()
            self._not_before = 0.0
        self._end_cancelled_calls()
        if self._clock.wall() >= self._sample_at:
            self._sample(save=False)
        jobs = self._held_to_budgets(self._pending())
        planned = False
        if jobs and self._clock.now() >= self._decide_at:
            if self._outlived():
                return False
            planned = self._decide(jobs)
            jobs = self._pending()
        for job in jobs:
            if job.state in ACTIVE:
                self._end_if_stuck(job)
                self._actor.enforce(job)
        rung = any(isinstance(event, Rung) for event in events)  # by whoever follows from now on, it may be
        self._teller.tell(self._open, self._agenda.plan, everything=planned or rung)
        self._close()  # nobody waits for this
        return bool(jobs) or self._engine.resting or self._engine.serving

    def _close(self) -> None:
        """Save what receipts of ended jobs need, and keep nothing of jobs that are open no more."""
        while self._ended:
            job_id, ended = self._ended.popitem()
            self._keeper.keep_hindsight(ended)
            self._kept.add(job_id)
        here = {job.id for job in self._open}
        parts = (self._books, self._observer, self._recorder, self._actor, self._metering, self._spending)
        # One that others overtake leaves as well, and has done nothing yet: any move clears ``unplanned``, so
        # that whatever has begun stays at hand until it ends.
        for job_id in self._kept - here:
            self._stuck.pop(job_id, None)
            for part in parts:
                part.forget(job_id)
        self._kept = here

    def _held_to_budgets(self, jobs: list[Job]) -> list[Job]:
        """Have budgets judge all jobs; they are returned as they stand after that."""
        changed = self._spending.look(jobs)
        for job_id in changed:
            self._agenda.stir(job_id)
        if not changed:
            return jobs
        self._look()
        return self._pending()

    def _take(self, event: EngineEvent) -> bool:
        """Record what the engine tells; whether the store then has more to tell of open jobs."""
        if isinstance(event, Opened):
            self._recorder.open_calls(event, self._parts.world, self._parts.grid.name)
            return True
        if isinstance(event, Exited):
            self._sample(save=False)  # while the attempt's reservation still stands as it was
        recorded = self._recorder.record(event, self._metering.unsaved)
        if recorded.charged:
            self._metering.saved()
        if recorded.decide:
            self._agenda.stir("" if isinstance(event, Rung) else event.job_id)
        job = recorded.moved
        if job is not None:
            self._seen(job)
        if isinstance(event, Exited) and job is not None and job.state in ENDED:
            self._ended[job.id] = job
            self._teller.tell_end(job, self._agenda.plan)  # somebody may wait for nothing else
            if event.outcome == "succeeded" and self._parts.follow_up():
                self._agenda.stir()
        return not (isinstance(event, Started | Progressed) and self._is_call(event.job_id))

    def _is_call(self, job_id: str) -> bool:
        """Whether a job is one of a function, of which no report says more than that it has begun."""
        return any(job.id == job_id and job.function.kind is Kind.FUNCTION for job in self._open)

    def _seen(self, job: Job) -> None:
        """Take over how a job stands."""
        self._open = [job if each.id == job.id else each for each in self._open]

    @property
    def _decide_at(self) -> float:
        """When to decide next; what the passing of time alone asks for keeps a distance."""
        due_at = self._agenda.next_at
        return max(due_at, self._not_before) if due_at else 0.0

    def _look(self) -> None:
        """See how jobs and the world stand; the world after the jobs, so that it is one that they live in."""
        held = sum(self._spending.holds(job.id) for job in self._open)
        self._open = self._store.jobs_at_hand(unplanned.AT_HAND + held, self._turns.full)
        self._world = self._store.world()
        self._looked_wall = self._clock.wall()

    def _sites(self) -> tuple[Site, ...]:
        """Where work can run now."""
        return self._parts.sites(self._world)

    def _pending(self) -> list[Job]:
        """Jobs that there is something to do for."""
        return [job for job in self._open if not job.at_rest and job.function.kind is not Kind.CALLS]

    def _end_cancelled_calls(self) -> None:
        """End the workers of direct calls that somebody wants no more of."""
        if self._engine.serving:
            for job in self._open:
                if job.function.kind is Kind.CALLS and job.wish is Wish.CANCEL:
                    self._engine.kill(job.id)

    def _timeout(self, jobs: list[Job], patience_s: float) -> float:
        """Real seconds until something is due even if nothing happens."""
        serving = self._engine.serving
        if not jobs and not serving:
            return min(max(patience_s, _RESTING_S if self._engine.resting else 0.0), _IDLE_S)
        due = (self._decide_at - self._clock.now()) / self._clock.speed if jobs else patience_s
        if serving or any(job.state in ACTIVE for job in jobs):
            due = min(due, self._sample_at - self._clock.wall())
        if self._spending.holding:  # until its file is changed
            due = min(due, _RESTING_S)
        return max(0.0, min(due, self._parts.longest_s))

    def _decide(self, jobs: list[Job]) -> bool:
        """Begin, move and end jobs; whether that needed a plan."""
        held, freed = self._turns.look(jobs)
        site = unplanned.only_site(jobs, self._sites())
        if site is not None:
            if self._begin_unplanned(jobs, site, held):
                self._look()
            return False
        for job_id in freed:
            self._agenda.stir(job_id)
        for job_id, look_at in held.items():
            self._agenda.postpone(job_id, look_at)
        due = self._agenda.about(jobs, self._clock.now(), self._sites())
        about = [job for job in due if job.id not in held or job.wish is Wish.CANCEL]
        if not about:
            self._agenda.settled(jobs)
            return False
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
        self._look()
        return True

    def _begin_unplanned(self, jobs: list[Job], site: Site, held: Mapping[str, float]) -> bool:
        """Begin and cancel jobs that wait for room alone; then nothing is due before something happens.

        Returns:
            Whether there may be others now, or some are gone.
        """
        self._agenda.rest(held, self._clock.now() + HOUR_S)
        due = unplanned.due(jobs, site, [*held, *(job.id for job in jobs if self._spending.holds(job.id))])
        if any(job.wish is not Wish.CANCEL or job.state is not State.QUEUED for job in due):
            self._sample(save=False)  # before reservations change; those who wait have none
        cancelled = [job for job in due if job.wish is Wish.CANCEL]
        for job in cancelled:
            self._actor.cancel(job)
        for job in due:
            if job.wish is not Wish.CANCEL:
                self._seen(self._actor.start(job, site, 1))
        self._save_time()
        more = len(jobs) >= unplanned.AT_HAND
        if (more and due) or any(job.state not in ACTIVE for job in cancelled):
            self._agenda.stir()  # others may come to the front
        return more or bool(cancelled)

    def _sample(self, *, save: bool = True) -> None:
        if self._parts.meter is not None:
            zones = {site.zone for site in self._sites()}
            intensities = {zone: self._observer.intensity(zone) for zone in zones}
            self._metering.sample(intensities, self._steps(), save=save)
        self._sample_at = self._clock.wall() + self._parts.sample_every_s

    def _steps(self) -> dict[tuple[str, int], int]:
        """The last step of each attempt that could be stuck, below zero before the first."""
        looked_after = {Kind.TRAINING, Kind.FUNCTION}
        at_work = [job for job in self._open if job.state in ACTIVE and job.function.kind in looked_after]
        newest = map(self._recorder.newest, at_work)
        return {
            (a.job_id, a.token): -1 if a.last_step is None else a.last_step for a in newest if a is not None
        }

    def _outlived(self) -> bool:
        """Whether the world was replaced by another, which happens only while no job is open."""
        world, born_into = self._world, self._parts.world
        return world is not None and (born_into is None or world.descent != born_into.descent)

    def _save_time(self) -> None:
        """Note how far a replay has come; it goes on from here after whatever happens."""
        world = self._world
        if world is not None and world.replayed:
            world = self._store.world() or world
            now, wall = self._clock.now(), self._clock.wall()
            self._store.save_world(replace(world, reached_at=now, reached_wall=wall))

    def _end_if_stuck(self, job: Job) -> None:
        """End an attempt that does nothing any more.

        A training goes on from its last checkpoint; a function has failed, as if its time were out.
        """
        still_s = self._metering.still_s(job.id, job.token)
        if not still_s or self._stuck.get(job.id) == job.token:
            return
        newest, after_s = self._recorder.newest(job), self._parts.stuck_after_s
        stepped = newest is not None and newest.last_step is not None
        patience_s = stuck.patience_s(job.function, stepped=stepped, stuck_after_s=after_s)
        if patience_s is not None and still_s >= patience_s:
            self._stuck[job.id] = job.token
            said = f"stuck: no step and no work for {format_duration(still_s)}, so its workers are ended"
            self._store.note(job.id, at=self._clock.now(), wall=self._clock.wall(), detail=said)
            waited = f"TimeoutError: no work for {format_duration(still_s)}; timeout= lets a function wait"
            self._engine.kill(job.id, waited if job.function.kind is Kind.FUNCTION else "")
