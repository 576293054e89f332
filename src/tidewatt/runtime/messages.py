"""What supervisor, zygote, workers and callers say to each other."""

import msgspec

from tidewatt.domain.function import FunctionSpec
from tidewatt.domain.ledger import Phase
from tidewatt.ports import Order


class Fork(msgspec.Struct, tag=True, frozen=True):
    """To the zygote, with one end of a channel attached: become a worker."""

    order: Order
    rank: int


class Forked(msgspec.Struct, tag=True, frozen=True):
    """From the zygote: the worker exists; ``started`` tells it from later processes of the same number."""

    job_id: str
    token: int
    rank: int
    pid: int
    started: float


class Refused(msgspec.Struct, tag=True, frozen=True):
    """From the zygote: it may not fork any more, and why."""

    job_id: str
    token: int
    rank: int
    why: str


class Furnished(msgspec.Struct, tag=True, frozen=True):
    """Before the zygote of an environment, or in place of it: it has been built, or cannot be and why."""

    cpu_s: float
    """Processor seconds that building took."""
    why: str = ""


class Reaped(msgspec.Struct, tag=True, frozen=True):
    """From the zygote: a worker has ended; a negative code is the signal that ended it."""

    pid: int
    code: int
    cpu_s: float
    excess: str = ""
    """What it took that it may not, in words, if that is why."""


class Report(msgspec.Struct, tag=True, frozen=True):
    """From a worker: where it is, and its processor seconds by phase since it began."""

    phase: Phase
    cpu_s: dict[Phase, float]
    step: int | None = None
    total: int | None = None
    loss: float | None = None
    metrics: dict[str, float] = {}


class Saved(msgspec.Struct, tag=True, frozen=True):
    """From a worker: a checkpoint was written, or could not be."""

    step: int
    path: str
    size: int
    sha256: str
    error: str


class Done(msgspec.Struct, tag=True, frozen=True):
    """From a worker: its last word. ``outcome`` is succeeded, suspended, failed or lost."""

    outcome: str
    result: str | None
    error: str | None


class Suspend(msgspec.Struct, tag=True, frozen=True):
    """To a worker: write a checkpoint at the next step and leave; a command stands still instead."""


class Paused(msgspec.Struct, tag=True, frozen=True):
    """From the worker of a command: the command stands still and keeps its memory."""


class Proceed(msgspec.Struct, tag=True, frozen=True):
    """To the worker of a command that stands still: let it go on, as this attempt."""

    token: int


class Where(msgspec.Struct, frozen=True):
    """Where user code is at home."""

    folder: str
    """Relative paths begin here, as long as it exists."""
    beside: tuple[str, ...]
    """Where the user's own modules are imported from."""


class Dial(msgspec.Struct, tag=True, frozen=True):
    """From a caller, the first thing it says: which function it wants a worker for."""

    version: str
    """The same for all calls that one worker may serve: code, folder and needs."""
    function: FunctionSpec
    zone: str
    where: Where
    spare: bool = False
    """It has another line already: no other caller need be sent away for this one."""


class Post(msgspec.Struct, frozen=True):
    """All that a warm worker needs to know to begin."""

    number: int
    function: FunctionSpec
    where: Where
    log: str
    """Where what is printed during direct calls goes; an order has a log of its own."""
    spill: str
    most_bytes: int
    spill_bytes: int


class Hire(msgspec.Struct, tag=True, frozen=True):
    """To the zygote, with one end of a channel attached: become a warm worker."""

    post: Post


class Hired(msgspec.Struct, tag=True, frozen=True):
    """From the zygote: the warm worker exists, or may not be forked and why."""

    number: int
    pid: int = 0
    started: float = 0.0
    why: str = ""


class Take(msgspec.Struct, tag=True, frozen=True):
    """To a warm worker, with a line attached: serve this caller, after the call that it is at."""


class Yield(msgspec.Struct, tag=True, frozen=True):
    """To a warm worker: others wait; let go of the line after the call that it is at."""


class Work(msgspec.Struct, tag=True, frozen=True):
    """To a warm worker: run this job."""

    order: Order


class Leave(msgspec.Struct, tag=True, frozen=True):
    """To a warm worker: go, after the call that it is at."""


class Busy(msgspec.Struct, tag=True, frozen=True):
    """From a warm worker: calls have begun to come in."""


class Took(msgspec.Struct, tag=True, frozen=True):
    """From a warm worker: it has let go of the line before, and serves the one that it was given."""


class Idle(msgspec.Struct, tag=True, frozen=True):
    """From a warm worker: for a moment no call has come in; ``calls`` are all that it has answered."""

    calls: int
    free: bool
    """Whether its caller has hung up."""


Message = (
    Fork
    | Forked
    | Refused
    | Furnished
    | Reaped
    | Report
    | Saved
    | Done
    | Suspend
    | Paused
    | Proceed
    | Dial
    | Hire
    | Hired
    | Take
    | Yield
    | Work
    | Leave
    | Busy
    | Took
    | Idle
)
