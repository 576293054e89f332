"""Recording: what the engine tells, turned into moves of jobs."""

from dataclasses import replace

from tidewatt.domain.function import Kind, Payload
from tidewatt.domain.job import Attempt, Job, Submission
from tidewatt.domain.lifecycle import ACTIVE, State, Wish
from tidewatt.domain.world import REAL, World
from tidewatt.errors import StaleToken
from tidewatt.policy.hopeless import hopeless
from tidewatt.ports import Checkpointed, Clock, EngineEvent, Exited, Opened, Progressed, Started, Store


class Recorder:
    """The writer of job state while workers run; events of attempts that lost their job are ignored."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._at_work: dict[str, Attempt] = {}
        """By job, as they were saved last: nobody else writes them while they are at work."""
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

    def open_calls(self, event: Opened, world: World | None, grid: str) -> None:
        """Make the job that direct calls are charged to; it is neither planned nor tried again."""
        at, wall = self._clock.now(), self._clock.wall()
        submission = Submission(
            id=event.job_id,
            function=event.function,
            payload=Payload(form="calls", path="", function=event.function.name),
            arguments={},
            submitted_at=at,
            submitted_wall=wall,
            deadline_at=None,
            home_zone=event.zone,
            world=world or REAL,
            grid=grid,
        )
        self._store.submit(submission)
        attempt = Attempt(
            job_id=event.job_id,
            token=1,
            site=f"local-{event.zone.lower()}",
            zone=event.zone,
            workers=event.workers,
            started_at=at,
            started_wall=wall,
        )
        self._store.begin_attempt(event.job_id, State.QUEUED, attempt)

    def _attempt(self, job_id: str, token: int) -> tuple[Job, Attempt]:
        job = self._store.job(job_id)
        if job is None or job.token != token or job.state not in ACTIVE:
            raise StaleToken(f"attempt {token} of job {job_id}", "the attempt that holds the job")
        kept = self._at_work.get(job_id)
        if kept is None or kept.token != token:
            kept = self._store.attempts(job_id)[-1]
        return job, kept

    def _started(self, event: Started) -> None:
        _, attempt = self._attempt(event.job_id, event.token)
        self._forked[event.job_id, event.token] = self._clock.wall()
        self._save(replace(attempt, processes=event.processes))

    def _save(self, attempt: Attempt) -> None:
        self._at_work[attempt.job_id] = attempt
        self._store.update_attempt(attempt)

    def _progressed(self, event: Progressed) -> bool:
        """Save a report; the first of an attempt calls for a decision, since it can be suspended now."""
        job, attempt = self._attempt(event.job_id, event.token)
        at, wall = self._clock.now(), self._clock.wall()
        first = self._first_report.setdefault((event.job_id, event.token), wall)
        if attempt.first_step is None:
            began = self._forked.get((event.job_id, event.token), attempt.started_wall)
            attempt = replace(attempt, first_step=event.step, startup_wall_s=wall - began)
        attempt = replace(attempt, last_step=event.step, training_wall_s=wall - first)
        if job.state is State.STARTING:
            self._at_work[job.id] = attempt
            self._store.move(job.id, State.STARTING, State.RUNNING, at=at, wall=wall, attempt=attempt)
        else:
            self._save(attempt)
        if job.function.kind is Kind.FUNCTION:  # it tells that it has begun, and no more
            return False
        self._store.record_progress(event, at=at, wall=wall, workers=attempt.workers)
        if job.function.kind is Kind.CALLS:  # nothing can be decided about it any more
            return False
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
        self._at_work.pop(job.id, None)
        ended = replace(attempt, ended_at=at, ended_wall=wall, outcome=event.outcome)
        kept = job.function.kind is Kind.COMMAND and event.outcome == "suspended"
        rest = State.SUSPENDED if job.checkpoint or kept else State.QUEUED
        detail = (event.error or "").strip().rpartition("\n")[2]
        match event.outcome:
            case _ if job.function.kind is Kind.CALLS:
                self._end(job, ended, State.CANCELLED if job.wish is Wish.CANCEL else State.SUCCEEDED)
            case "succeeded":
                self._end(job, ended, State.SUCCEEDED, result=event.result)
            case _ if job.wish is Wish.CANCEL:
                self._end(job, ended, State.CANCELLED)
            case "failed" if job.failures >= job.function.retries:
                self._end(job, ended, State.FAILED, failures=job.failures + 1, error=event.error)
            case "failed":
                self._store.move(
                    job.id,
                    job.state,
                    rest,
                    at=at,
                    wall=wall,
                    detail=f"failed: {detail}",
                    attempt=ended,
                    failures=job.failures + 1,
                )
            case "lost" | "stranded" if why := hopeless([*self._store.attempts(job.id)[:-1], ended]):
                self._end(job, ended, State.FAILED, error=why)
            case outcome:
                detail = f"{outcome}: {detail}".rstrip(": ")
                self._store.move(job.id, job.state, rest, at=at, wall=wall, detail=detail, attempt=ended)

    def _end(self, job: Job, attempt: Attempt, after: State, **changes: object) -> None:
        at, wall = self._clock.now(), self._clock.wall()
        self._store.move(
            job.id, job.state, after, at=at, wall=wall, detail="", attempt=attempt, ended_at=at, **changes
        )
