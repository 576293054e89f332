"""Acting: what a plan and the users' wishes ask for, turned into starts, suspensions and ends."""

from pathlib import Path

from tidewatt.control.awake import Awake
from tidewatt.control.record import Recorder
from tidewatt.domain.function import Kind
from tidewatt.domain.job import Attempt, Job
from tidewatt.domain.lifecycle import ACTIVE, State, Wish
from tidewatt.domain.plan import Assignment, Plan
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import Snapshot
from tidewatt.ports import Clock, Engine, Order, Store

_OFTEN, _WHILE_S = 4, 60.0
"""A job that was started so often within so many world seconds is left where it is for as long: two decisions
that contradict each other must not start and stop it for ever while no time goes by."""
_WAITING = (State.QUEUED, State.SUSPENDED)


class Actor:
    """Brings every job to where it should be, one move at a time."""

    def __init__(
        self, store: Store, recorder: Recorder, engine: Engine, clock: Clock, folder: Path, awake: Awake
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._engine = engine
        self._clock = clock
        self._folder = folder
        self._awake = awake
        self._asked_to_leave: dict[str, tuple[int, float]] = {}
        """By job: which attempt, and the real instant."""

    def act(self, job: Job, plan: Plan, snapshot: Snapshot, *, at_once: bool = False) -> float | None:
        """Make the next move of a job, if there is one to make.

        Args:
            job: as it stands.
            plan: what it is to do.
            snapshot: what the plan was made from.
            at_once: that it was moved too often already is no reason to wait.

        Returns:
            The instant to decide again at, if the move has to wait; UTC seconds.
        """
        wanted = plan.current(job.id, snapshot.now) if job.wish is Wish.RUN else None
        if job.wish is Wish.CANCEL:
            self.cancel(job)
        elif job.state in _WAITING and wanted is not None:
            site = snapshot.site(wanted.site)
            assert site is not None  # noqa: S101 - policies choose among the snapshot's sites
            self.start(job, site, wanted.workers)
        elif (
            job.state is State.RUNNING
            and job.function.kind is not Kind.FUNCTION
            and not self._in_place(job, wanted)
        ):
            stays_until = self._stays_until(job, snapshot.now)
            if job.wish is Wish.RUN and not at_once and snapshot.now < stays_until:
                return stays_until
            self._suspend(job, plan.note(job.id) or ("held by its user" if job.wish is Wish.HOLD else ""))
        return None

    def enforce(self, job: Job) -> None:
        """End an active attempt that overstays its time-out or does not leave within its grace.

        Both count while the machine is awake: an attempt that slept with it has had none of that time.
        """
        token, asked = self._asked_to_leave.get(job.id, (0, 0.0))
        timeout_s = job.function.timeout_s
        if timeout_s is not None and self._awake.since_s(self._began_wall(job)) > timeout_s:
            self._engine.kill(job.id, f"TimeoutError: still running after {timeout_s:g} s")
        elif token == job.token and self._awake.since_s(asked) > job.function.grace_s:
            self._asked_to_leave[job.id] = job.token, self._clock.wall()
            self._engine.kill(job.id)

    def forget(self, job_id: str) -> None:
        """Let go of what was noted of a job that is open no more."""
        self._asked_to_leave.pop(job_id, None)

    def _began_wall(self, job: Job) -> float:
        newest = self._recorder.newest(job)
        return self._clock.wall() if newest is None else newest.started_wall

    def cancel(self, job: Job) -> None:
        """End a job that its user wants no more of."""
        if job.state in ACTIVE:
            self._engine.kill(job.id)
        else:
            self._engine.kill(job.id)
            at, wall = self._clock.now(), self._clock.wall()
            self._store.move(job.id, job.state, State.CANCELLED, at=at, wall=wall, ended_at=at)

    def start(self, job: Job, site: Site, workers: int) -> Job:
        """Begin an attempt at a job, and tell how that stands then."""
        attempt = Attempt(
            job_id=job.id,
            token=job.token + 1,
            site=site.name,
            zone=site.zone,
            workers=workers,
            started_at=self._clock.now(),
            started_wall=self._clock.wall(),
        )
        started = self._recorder.begin(job, attempt)
        self._engine.start(
            Order(
                job_id=job.id,
                token=attempt.token,
                function=started.function,
                payload=started.submission.payload,
                folder=f"{self._folder}/{job.id}",
                site=site.name,
                zone=site.zone,
                workers=workers,
                checkpoint=started.checkpoint,
                reached=started.steps_reached,
            )
        )
        return started

    def _suspend(self, job: Job, why: str) -> None:
        at, wall = self._clock.now(), self._clock.wall()
        self._store.move(job.id, State.RUNNING, State.SUSPENDING, at=at, wall=wall, detail=why)
        self._asked_to_leave[job.id] = job.token, wall
        self._engine.suspend(job.id)

    def _stays_until(self, job: Job, now: float) -> float:
        """The instant before which a job is not moved, since it was moved too often already.

        What was started after ``now`` was started before the clock was set back.
        """
        started = [min(now, attempt.started_at) for attempt in self._store.attempts(job.id)[-_OFTEN:]]
        too_often = len(started) == _OFTEN and started[-1] - started[0] < _WHILE_S
        return started[-1] + _WHILE_S if too_often else started[-1]

    def _in_place(self, job: Job, wanted: Assignment | None) -> bool:
        if wanted is None:
            return False
        attempt = self._store.attempts(job.id)[-1]
        return (attempt.site, attempt.workers) == (wanted.site, wanted.workers)
