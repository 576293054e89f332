"""Recording: what the engine tells, turned into moves of jobs."""

from dataclasses import replace

from tidewatt.domain.function import Kind
from tidewatt.domain.job import Attempt, Job
from tidewatt.domain.lifecycle import ACTIVE, State, Wish
from tidewatt.errors import StaleToken
from tidewatt.ports import Checkpointed, Clock, EngineEvent, Exited, Progressed, Started, Store

_MOST_LOST = 10
"""Attempts in a row that may die without a step further before the job is given up."""


class Recorder:
    """The writer of job state while workers run; events of attempts that lost their job are ignored."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._forked: dict[tuple[str, int], float] = {}
        self._first_report: dict[tuple[str, int], float] = {}

    def record(self, event: EngineEvent) -> bool:
        """Save what an event says; True if a new decision is called for."""
        try:
            match event:
                case Started():
                    self._started(event)
                case Progressed():
                    return self._progressed(event)
                case Checkpointed():
                    self._checkpointed(event)
                case Exited():
                    self._exited(event)
                    return True
                case _:
                    return True
        except StaleToken:
            return False
        return False

    def _attempt(self, job_id: str, token: int) -> tuple[Job, Attempt]:
        job = self._store.job(job_id)
        if job is None or job.token != token or job.state not in ACTIVE:
            raise StaleToken(f"attempt {token} of job {job_id}", "the attempt that holds the job")
        return job, self._store.attempts(job_id)[-1]

    def _started(self, event: Started) -> None:
        _, attempt = self._attempt(event.job_id, event.token)
        self._forked[event.job_id, event.token] = self._clock.wall()
        self._store.update_attempt(replace(attempt, processes=event.processes))

    def _progressed(self, event: Progressed) -> bool:
        """Save a report; the first of an attempt calls for a decision, since it can be suspended now."""
        job, attempt = self._attempt(event.job_id, event.token)
        at, wall = self._clock.now(), self._clock.wall()
        first = self._first_report.setdefault((event.job_id, event.token), wall)
        if job.state is State.STARTING:
            self._store.move(job.id, State.STARTING, State.RUNNING, at=at, wall=wall)
        if attempt.first_step is None:
            began = self._forked.get((event.job_id, event.token), attempt.started_wall)
            attempt = replace(attempt, first_step=event.step, startup_wall_s=wall - began)
        self._store.update_attempt(replace(attempt, last_step=event.step, training_wall_s=wall - first))
        self._store.record_progress(event, at=at, wall=wall, workers=attempt.workers)
        return job.state is State.STARTING or (job.steps_total is None and event.total is not None)

    def _checkpointed(self, event: Checkpointed) -> None:
        self._attempt(event.job_id, event.token)
        at, wall = self._clock.now(), self._clock.wall()
        if event.error:
            self._store.note(event.job_id, at=at, wall=wall, detail=f"checkpoint failed: {event.error}")
        else:
            self._store.record_checkpoint(event, at=at)

    def _exited(self, event: Exited) -> None:
        job, attempt = self._attempt(event.job_id, event.token)
        at, wall = self._clock.now(), self._clock.wall()
        for instants in (self._forked, self._first_report):
            instants.pop((event.job_id, event.token), None)
        self._store.update_attempt(replace(attempt, ended_at=at, ended_wall=wall, outcome=event.outcome))
        kept = job.function.kind is Kind.COMMAND and event.outcome == "suspended"
        rest = State.SUSPENDED if job.checkpoint or kept else State.QUEUED
        detail = (event.error or "").strip().rpartition("\n")[2]
        match event.outcome:
            case "succeeded":
                self._end(job, State.SUCCEEDED, result=event.result)
            case _ if job.wish is Wish.CANCEL:
                self._end(job, State.CANCELLED)
            case "failed" if job.failures >= job.function.retries:
                self._end(job, State.FAILED, failures=job.failures + 1, error=event.error)
            case "failed":
                self._store.move(
                    job.id,
                    job.state,
                    rest,
                    at=at,
                    wall=wall,
                    detail=f"failed: {detail}",
                    failures=job.failures + 1,
                )
            case "lost" if self._hopeless(job):
                self._end(
                    job,
                    State.FAILED,
                    error=f"its worker died {_MOST_LOST} times in a row without a step further",
                )
            case outcome:
                self._store.move(
                    job.id, job.state, rest, at=at, wall=wall, detail=f"{outcome}: {detail}".rstrip(": ")
                )

    def _end(self, job: Job, after: State, **changes: object) -> None:
        at, wall = self._clock.now(), self._clock.wall()
        self._store.move(job.id, job.state, after, at=at, wall=wall, detail="", ended_at=at, **changes)

    def _hopeless(self, job: Job) -> bool:
        """Whether the newest attempts were all lost, and all began at the same step."""
        newest = self._store.attempts(job.id)[-_MOST_LOST:]
        return (
            len(newest) == _MOST_LOST
            and all(a.outcome == "lost" for a in newest)
            and len({a.first_step for a in newest}) == 1
        )
