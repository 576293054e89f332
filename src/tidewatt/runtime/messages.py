"""What supervisor, zygote and workers say to each other."""

import msgspec

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


class Reaped(msgspec.Struct, tag=True, frozen=True):
    """From the zygote: a worker has ended; a negative code is the signal that ended it."""

    pid: int
    code: int
    cpu_s: float


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


Message = Fork | Forked | Refused | Reaped | Report | Saved | Done | Suspend | Paused | Proceed
