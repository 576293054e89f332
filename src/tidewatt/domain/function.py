"""What the user wrote, and what it asks for."""

from dataclasses import dataclass
from enum import StrEnum

from tidewatt.domain.budget import Budget
from tidewatt.domain.environment import Environment
from tidewatt.errors import UsageError


class Kind(StrEnum):
    """What can be done to a job while it runs."""

    FUNCTION = "function"
    """Runs through once started."""
    COMMAND = "command"
    """Runs on one worker once started, and can be paused with its memory kept, where it is."""
    CALLS = "calls"
    """All direct calls of a function while its workers stay: it is charged, and neither planned nor run."""
    TRAINING = "training"
    """Suspends, resumes and changes its worker count at any step."""


@dataclass(frozen=True, slots=True)
class WorkerRange:
    """The worker counts that a job accepts, both ends included."""

    least: int
    most: int

    def __post_init__(self) -> None:
        """Refuse an empty range.

        Raises:
            UsageError: the least count is below one or above the most.
        """
        if not 1 <= self.least <= self.most:
            raise UsageError(f"workers {self.least} to {self.most}", "1 or more, and the least first")

    @classmethod
    def parse(cls, text: str) -> "WorkerRange":
        """A range from ``"1:4"`` or a fixed count from ``"2"``.

        Raises:
            UsageError: not one or two whole numbers.
        """
        least, _, most = text.partition(":")
        if not least.strip().isdigit() or (most and not most.strip().isdigit()):
            raise UsageError(f"workers {text!r}", "a count such as '2' or a range such as '1:4'")
        return cls(int(least), int(most or least))


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSpec:
    """A function with its needs; durations in seconds, sizes in bytes, zones empty for anywhere."""

    name: str
    kind: Kind
    workers: WorkerRange = WorkerRange(1, 1)
    shards: int = 1
    exact: bool = True
    """Whether the result of a training must not depend on the number of workers, to the bit."""
    cpus: int = 1
    memory_bytes: int | None = None
    timeout_s: float | None = None
    retries: int = 0
    backoff_s: float = 0.0
    """Real seconds before the second try, doubled before each further one; 0 for at once."""
    priority: int = 0
    """Among jobs that wait for room and could all begin, those of higher priority go first."""
    concurrency: int | None = None
    """The most workers at once for its calls and its jobs; None for as many as there is room for."""
    deadline_s: float | None = None
    length_s: float | None = None
    """Declared length with one worker, in seconds of the world's clock."""
    checkpoint_every_s: float = 10.0
    """Real seconds between checkpoints while running."""
    grace_s: float = 30.0
    """Real seconds that an attempt is given to leave; then it is ended, and its last checkpoint counts."""
    storage: str = ""
    """URL of a place for copies of its checkpoints; empty for this machine alone."""
    labels: tuple[tuple[str, str], ...] = ()
    """What the user calls it by in reports, by key."""
    zones: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    """Names of what its workers find in their environment and nobody else is told."""
    budget: Budget | None = None
    environment: Environment | None = None
    """The packages and the Python that it runs in; None for those of Tidewatt itself."""

    def __post_init__(self) -> None:
        """Refuse needs that contradict each other.

        Raises:
            UsageError: more workers than shards, a negative count, or a duration or a size that is not above
                zero.
        """
        if self.workers.most > self.shards:
            raise UsageError(
                f"{self.workers.most} workers for {self.shards} shards",
                "at least one shard for each worker",
                "raise shards= or lower workers=",
            )
        if self.cpus < 1 or self.retries < 0:
            raise UsageError(
                f"cpus={self.cpus}, retries={self.retries}", "cpus of 1 or more and retries of 0 or more"
            )
        if self.backoff_s < 0 or (self.concurrency is not None and self.concurrency < 1):
            raise UsageError(
                f"backoff={self.backoff_s:g} s, concurrency={self.concurrency}",
                "a backoff of 0 s or more and a concurrency of 1 or more",
            )
        if self.memory_bytes is not None and self.memory_bytes < 1:
            raise UsageError(f"a memory of {self.memory_bytes} B", "a size above zero")
        for name in ("timeout_s", "deadline_s", "length_s", "checkpoint_every_s", "grace_s"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UsageError(f"a {name.removesuffix('_s')} of {value:g} s", "a duration above zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """How a worker finds the code: a saved copy of a source file, or a pickle.

    ``path`` is the file inside the job's folder; ``origin`` is where the source came from, so that its
    neighbours can be imported and tracebacks name the file the user knows.
    """

    form: str
    path: str
    function: str
    origin: str = ""
    sha256: str = ""
    imports: tuple[str, ...] = ()
    """Top-level modules that the source imports; the zygote may load them ahead of a fork."""
    folder: str = ""
    """Where it was submitted: relative paths begin here, as long as it exists."""
    beside: tuple[str, ...] = ()
    """Where the submitter's own modules are imported from."""
    version: str = ""
    """The same for all jobs and calls that one warm worker may serve; empty if it is not known."""
    data: str = ""
    """A hash of what is told of the files that arguments name; empty where they name none."""
