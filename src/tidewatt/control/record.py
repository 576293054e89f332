"""Recording: what the engine tells, turned into moves of jobs."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from tidewatt.domain.function import Kind, Payload
from tidewatt.domain.job import CANCELLED, LOST, Attempt, Job, Submission
from tidewatt.domain.ledger import Charge
from tidewatt.domain.lifecycle import ACTIVE, ENDED, State, Wish
from tidewatt.domain.world import REAL, World
from tidewatt.errors import StaleToken
from tidewatt.policy.hopeless import hopeless
from tidewatt.ports import Checkpointed, Clock, EngineEvent, Exited, Opened, Progressed, Started, Store


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of an event."""

    moved: Job | None = None
    """The job, if its state is another now."""
    decide: bool = False
    """Whether a new decision is called for."""
    charged: bool = False
    """Whether the charges that were handed over were saved along with it."""


class Recorder:
    """The writer of job state while workers run; events of attempts that lost their job are ignored."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._at_work: dict[str, Attempt] = {}
        """By job, as they are, since nobody else writes them: at work, or ended along with their job."""
        self._begun: dict[tuple[str, int], Job] = {}
        """Jobs as an attempt has begun of which nothing was heard."""
        self._ran: dict[tuple[str, int], tuple[float, float]] = {}
        """Attempts that began to run since when, in the world's time and in real time, which is not saved."""
        self._called: set[tuple[str, int]] = set()
        """Attempts at functions that run: all that they tell before their end is that they have begun."""
        self._forked: dict[tuple[str, int], float] = {}
        self._first_report: dict[tuple[str, int], float] = {}

    def begin(self, job: Job, attempt: Attempt) -> Job:
        """Save that an attempt at a job begins; the job as it stands then."""
        begun = self._store.begin_attempt(job.id, job.state, attempt)
        self._at_work[job.id] = attempt
        self._begun[job.id, attempt.token] = begun
        return begun

    def forget(self, job_id: str) -> None:
        """A job has ended, and nobody asks for its attempts any more."""
        self._at_work.pop(job_id, None)

    def newest(self, job: Job) -> Attempt | None:
        """The newest attempt at a job, if there was one."""
        kept = self._at_work.get(job.id)
        if kept is not None and kept.token == job.token:
            return kept
        return next(reversed(self._store.attempts(job.id)), None) if job.token else None

    def record(self, event: EngineEvent, charges: Sequence[Charge] = ()) -> Recorded:
        """Save what an event says; an end along with what was charged until then.

        That a function began to run is kept for what else may come in: ``save`` it before anybody looks.
        """
        try:
            match event:
                case Started():
                    return Recorded(self._started(event))
                case Progressed():
                    return self._progressed(event)
                case Checkpointed():
                    self._checkpointed(event)
                    return Recorded()
                case Exited():
                    return Recorded(self._exited(event, charges), decide=True, charged=True)
                case _:
                    return Recorded(decide=True)
        except StaleToken:
            return Recorded()

    def save(self) -> None:
        """Save what was kept so that it could be saved with an end."""
        for (job_id, token), (at, wall) in tuple(self._ran.items()):
            del self._ran[job_id, token]
            with suppress(StaleToken):
                attempt = self._at_work[job_id]
                self._store.move(job_id, State.STARTING, State.RUNNING, at=at, wall=wall, attempt=attempt)

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

    def _started(self, event: Started) -> Job | None:
        """Note its processes; a function runs from here on: it may tell nothing more before its end."""
        begun = self._begun.pop((event.job_id, event.token), None)
        if begun is None:
            job, attempt = self._attempt(event.job_id, event.token)
        else:
            job, attempt = begun, self._at_work[event.job_id]
        attempt = replace(attempt, processes=event.processes)
        self._forked[event.job_id, event.token] = self._clock.wall()
        if job.function.kind is Kind.FUNCTION and job.state is State.STARTING:
            self._at_work[job.id] = attempt
            self._ran[job.id, event.token] = self._clock.now(), self._clock.wall()
            self._called.add((event.job_id, event.token))
            return replace(job, state=State.RUNNING)
        self._save(attempt)
        return None

    def _run(self, job: Job, attempt: Attempt) -> Job:
        self._at_work[job.id] = attempt
        at, wall = self._clock.now(), self._clock.wall()
        return self._store.move(job.id, State.STARTING, State.RUNNING, at=at, wall=wall, attempt=attempt)

    def _save(self, attempt: Attempt) -> None:
        self._at_work[attempt.job_id] = attempt
        self._store.update_attempt(attempt)

    def _progressed(self, event: Progressed) -> Recorded:
        """Save a report; the first of an attempt calls for a decision, since it can be suspended now."""
        if (event.job_id, event.token) in self._called:  # it is saved with the attempt's end
            self._at_work[event.job_id] = self._further(self._at_work[event.job_id], event)
            return Recorded()
        self._begun.pop((event.job_id, event.token), None)
        job, attempt = self._attempt(event.job_id, event.token)
        at, wall = self._clock.now(), self._clock.wall()
        attempt = self._further(attempt, event)
        moved = None
        if job.state is State.STARTING:
            moved = self._run(job, attempt)
        else:
            self._save(attempt)
        if job.function.kind is Kind.FUNCTION:
            self._called.add((event.job_id, event.token))
            return Recorded(moved)
        self._store.record_progress(event, at=at, wall=wall, workers=attempt.workers)
        if job.function.kind is Kind.CALLS:  # nothing can be decided about it any more
            return Recorded(moved)
        length_known = job.steps_total is None and event.total is not None
        return Recorded(moved, decide=moved is not None or length_known)

    def _further(self, attempt: Attempt, event: Progressed) -> Attempt:
        """An attempt with what a report says of it."""
        wall = self._clock.wall()
        first = self._first_report.setdefault((event.job_id, event.token), wall)
        if attempt.first_step is None:
            began = self._forked.get((event.job_id, event.token), attempt.started_wall)
            attempt = replace(attempt, first_step=event.step, startup_wall_s=wall - began)
        return replace(attempt, last_step=event.step, training_wall_s=wall - first)

    def _checkpointed(self, event: Checkpointed) -> None:
        self._attempt(event.job_id, event.token)
        at, wall = self._clock.now(), self._clock.wall()
        if event.error:
            self._store.note(event.job_id, at=at, wall=wall, detail=f"checkpoint failed: {event.error}")
        else:
            self._store.record_checkpoint(event, at=at)

    def _exited(self, event: Exited, charges: Sequence[Charge]) -> Job:
        job, attempt = self._attempt(event.job_id, event.token)
        at, wall = self._clock.now(), self._clock.wall()
        for instants in (self._forked, self._first_report):
            instants.pop((event.job_id, event.token), None)
        self._called.discard((event.job_id, event.token))
        self._begun.pop((event.job_id, event.token), None)
        ran_at = self._ran.pop((event.job_id, event.token), None)
        self._at_work.pop(job.id, None)
        ended = replace(attempt, ended_at=at, ended_wall=wall, outcome=event.outcome)
        after, changes = self._outcome(job, ended, event)
        if after is State.CANCELLED and event.outcome == LOST:  # it did not die by itself
            ended = replace(ended, outcome=CANCELLED)
        if after in ENDED:
            self._at_work[job.id] = ended
        last_words = (event.error or "").strip().rpartition("\n")[2]
        said = "" if after in ENDED else f"{event.outcome}: {last_words}".rstrip(": ")
        return self._store.move(
            job.id,
            job.state,
            after,
            at=at,
            wall=wall,
            detail=said,
            attempt=ended,
            ran_at=ran_at,
            charges=charges,
            **changes,
        )

    def _outcome(self, job: Job, ended: Attempt, event: Exited) -> tuple[State, dict[str, object]]:
        """What becomes of a job whose attempt has ended, and what else of it changes."""
        kept = job.function.kind is Kind.COMMAND and event.outcome == "suspended"
        rest = State.SUSPENDED if job.checkpoint or kept else State.QUEUED
        match event.outcome:
            case _ if job.function.kind is Kind.CALLS:
                return State.CANCELLED if job.wish is Wish.CANCEL else State.SUCCEEDED, {}
            case "succeeded":
                return State.SUCCEEDED, {"result": event.result}
            case _ if job.wish is Wish.CANCEL:
                return State.CANCELLED, {}
            case "failed":
                last = job.failures >= job.function.retries
                failures = {"failures": job.failures + 1}
                return (State.FAILED, {**failures, "error": event.error}) if last else (rest, {**failures})
            case "lost" | "stranded" if why := hopeless([*self._store.attempts(job.id)[:-1], ended]):
                return State.FAILED, {"error": why}
            case _:
                return rest, {}
