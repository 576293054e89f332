"""One submission of a function, and the tries at it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidewatt.domain.function import FunctionSpec, Kind, Payload
from tidewatt.domain.lifecycle import ACTIVE, ENDED, State, Wish
from tidewatt.domain.world import REAL, World

FAILED = "failed"
"""The outcome of an attempt that ended with an error: the function raised, or took more than it may."""
LOST = "lost"
"""That of one whose worker died, by its own doing as far as is known."""
STRANDED = "stranded"
"""That of one which ended because its zygote or its supervisor did, as with the whole machine."""
CANCELLED = "cancelled"
"""That of one whose workers were ended because its user wanted no more of the job."""
BROKEN = frozenset({FAILED, LOST, STRANDED, CANCELLED})
"""Outcomes of attempts that were cut short."""
_NEWEST = 2**62
"""The place in the queue of a job that is not in it yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a client hands to the store; the rest of a job is decided later.

    ``requested_at`` and ``deadline_at`` are instants of the world's clock, UTC seconds.
    """

    id: str
    function: FunctionSpec
    payload: Payload
    arguments: dict[str, str]
    """What the user passed, as shown to people; the values themselves lie in the payload's folder."""
    submitted_at: float
    submitted_wall: float
    deadline_at: float | None
    home_zone: str
    world: World = REAL
    """The world that it was submitted to."""
    grid: str = ""
    """Where that world's intensities come from, in words."""
    idempotency_key: str | None = None
    """What its submitter named it by: no other job of the store has it."""

    @property
    def unplanned(self) -> bool:
        """Whether it waits for room alone, so that nothing about it is to be planned."""
        function = self.function
        needs = (function.length_s, function.budget, self.deadline_at)
        return function.kind is Kind.FUNCTION and all(need is None for need in needs)

    def same_work(self, other: "Submission") -> bool:
        """Whether both have the same function, code, environment and arguments, if the code was kept."""
        mine, theirs = self.function, other.function
        return bool(self.payload.sha256) and (
            mine.name,
            self.payload.sha256,
            mine.environment,
            self.arguments,
        ) == (theirs.name, other.payload.sha256, theirs.environment, other.arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A submission together with how far it has come."""

    submission: Submission
    seq: int
    state: State
    wish: Wish
    token: int
    """The fencing token of its newest attempt; 0 before the first."""
    failures: int
    steps_done: int
    """Steps that the newest recorded checkpoint holds."""
    steps_reached: int
    """The furthest step that any attempt has reported."""
    steps_total: int | None
    loss: float | None
    checkpoint: str | None
    result: str | None
    error: str | None
    ended_at: float | None

    @property
    def lineage(self) -> tuple[str, str]:
        """Function and file: what jobs behind one model have in common, whatever their code and arguments."""
        return self.function.name, self.submission.payload.origin

    @classmethod
    def draft(cls, submission: Submission) -> "Job":
        """A job that nobody has submitted yet, last in the queue."""
        return cls(
            submission=submission,
            seq=_NEWEST,
            state=State.QUEUED,
            wish=Wish.RUN,
            token=0,
            failures=0,
            steps_done=0,
            steps_reached=0,
            steps_total=None,
            loss=None,
            checkpoint=None,
            result=None,
            error=None,
            ended_at=None,
        )

    @property
    def id(self) -> str:
        """The identifier that people type."""
        return self.submission.id

    @property
    def held(self) -> bool:
        """Whether its user has put it aside, and nothing of it runs any more."""
        return self.wish is Wish.HOLD and self.state not in ACTIVE | ENDED

    @property
    def at_rest(self) -> bool:
        """Whether nothing will happen to it unless somebody asks."""
        return self.state in ENDED or self.held

    @property
    def function(self) -> FunctionSpec:
        """The function submitted."""
        return self.submission.function


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One leased try at a job.

    ``processes`` are (pid, start time) pairs, so that a process of another program that was given the
    same number later is never taken for a worker. ``training_wall_s`` is real time between the first
    and the last step that the attempt reported, ``startup_wall_s`` real time from fork to the first.
    """

    job_id: str
    token: int
    site: str
    zone: str
    workers: int
    started_at: float
    started_wall: float
    processes: tuple[tuple[int, float], ...] = ()
    first_step: int | None = None
    last_step: int | None = None
    startup_wall_s: float | None = None
    training_wall_s: float = 0.0
    ended_at: float | None = None
    ended_wall: float | None = None
    outcome: str | None = None


def unbroken(attempts: Sequence[Attempt]) -> Sequence[Attempt]:
    """The newest attempts at a command that are one run of it: it was paused between, and lost nothing.

    Empty if the newest was cut short: the command has to be begun anew.
    """
    first = len(attempts)
    if attempts and attempts[-1].outcome not in BROKEN:
        first -= 1
        while first and attempts[first - 1].outcome == "suspended":
            first -= 1
    return attempts[first:]


@dataclass(frozen=True, slots=True)
class SavedCheckpoint:
    """A checkpoint that was written once, and may have given way to newer ones since; ``size`` in bytes."""

    at: float
    token: int
    step: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One move of a job, saved in the transaction that made it."""

    job_id: str
    at: float
    wall: float
    before: State | None
    after: State
    token: int
    detail: str


def done_before(job: Job, jobs: Sequence[Job]) -> Job | None:
    """The first of some jobs that had done the same work on the same data before this one was submitted."""
    done = (each for each in jobs if each.seq < job.seq and each.state is State.SUCCEEDED)
    data = job.submission.payload.data
    return next(
        (
            each
            for each in done
            if each.submission.same_work(job.submission) and each.submission.payload.data == data
        ),
        None,
    )
