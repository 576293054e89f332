"""Warm workers of one version of a function, and the callers that they serve."""

import signal
import socket
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from tidewatt.adapters.engines.door import Place
from tidewatt.adapters.engines.times import Times
from tidewatt.domain.function import FunctionSpec
from tidewatt.domain.ledger import Phase
from tidewatt.ports import Order, WorkerUsage
from tidewatt.runtime.channel import Channel
from tidewatt.runtime.journal import log_name
from tidewatt.runtime.messages import Dial, Hired, Message, Post, Reaped, Where

TOKEN = 1
"""All calls of one crew are one attempt at one job, which is there to be charged."""


class Employer(Protocol):
    """Who gives jobs to warm workers, and hears what becomes of them."""

    def from_warm(self, order: Order, message: Message) -> None:
        """A worker said something about the job that it has."""
        ...

    def warm_lost(self, order: Order, excess: str) -> None:
        """A worker ended before the job that it had, for taking too much if ``excess`` says so."""
        ...


@dataclass(slots=True, eq=False)
class Line:
    """A caller: what it asked for, and the supervisor's copy of its socket, by which its end is seen."""

    sock: socket.socket
    dial: Dial
    asker: "Warm | None" = None
    """The worker that calls, which waits for what comes of it."""
    gone: bool = False
    """It has hung up."""


@dataclass(slots=True, eq=False)
class Warm:
    """One warm worker, from the request for it until it has ended."""

    number: int
    channel: Channel
    crew: "Crew"
    times: Times
    pid: int | None = None
    started: float = 0.0
    line: Line | None = None
    coming: Line | None = None
    """The caller that it is to serve next; it has not said yet that it does."""
    order: Order | None = None
    calling: bool = False
    since: float = 0.0
    """When it became idle, or its caller hung up."""
    orphan: bool = False
    cpu_s: float = 0.0
    charged_s: float = 0.0
    """Processor seconds that belong to jobs."""
    calls: int = 0
    yielding: bool = False
    """It was asked to let go of its caller after the call that it is at."""
    leaving: bool = False
    rested: bool = False
    """It was looked at since it had nothing more to do: it uses no more processor time."""

    @property
    def at_work(self) -> bool:
        """Whether it has anything to do."""
        return self.calling or self.coming is not None or self.order is not None

    def is_meant(self, news: Hired | Reaped) -> bool:
        """Whether what the zygote says is about this worker."""
        return self.number == news.number if isinstance(news, Hired) else self.pid == news.pid

    def look(self) -> float:
        """Processor seconds so far."""
        if self.pid is not None and not self.rested:
            self.rested = not self.at_work
            self.cpu_s = max(self.cpu_s, self.times.used_s(self.pid) or 0.0)
        return self.cpu_s

    def end(self, cpu_s: float) -> None:
        """It is no more, and its end told of so many processor seconds."""
        self.cpu_s = max(self.look(), cpu_s)
        self.rested = True
        if self.pid is not None:
            self.times.let_go(self.pid)


@dataclass(slots=True, eq=False)
class Crew:
    """All warm workers of one version of a function, and the job that its direct calls are charged to."""

    job_id: str
    function: FunctionSpec
    where: Where
    zone: str
    opened: bool = False
    workers: list[Warm] = field(default_factory=list[Warm])
    waiting: deque[Line] = field(default_factory=deque[Line])
    ended_cpu_s: float = 0.0
    ended_calls: int = 0

    @property
    def calls(self) -> int:
        """How many direct calls were answered."""
        return self.ended_calls + sum(worker.calls for worker in self.workers)

    def usage(self) -> WorkerUsage:
        """What direct calls have used so far, and what is held for them now.

        Calls come and go between two readings of the meter, so that little use of what is held at the moment
        of one does not mean that they stall; a call that computes nothing keeps its worker warm.
        """
        busy = sum(worker.calling for worker in self.workers)
        spent = sum(max(0.0, worker.look() - worker.charged_s) for worker in self.workers)
        return WorkerUsage(
            job_id=self.job_id,
            token=TOKEN,
            zone=self.zone,
            workers=busy,
            cpus=busy * self.function.cpus,
            phase=Phase.WARM_IDLE,
            cpu_s={Phase.COMPUTE: self.ended_cpu_s + spent},
            processes=tuple(w.pid for w in self.workers if w.pid is not None and w.order is None),
        )


def post_of(worker: Warm, place: Place) -> Post:
    """What a new warm worker is told."""
    crew, limits = worker.crew, place.limits
    return Post(
        number=worker.number,
        function=crew.function,
        where=crew.where,
        log=str(place.jobs / crew.job_id / log_name(TOKEN)),
        spill=limits.folder,
        most_bytes=limits.most_bytes,
        spill_bytes=limits.spill_bytes,
    )


def how_ended(code: int) -> str:
    """The end of a worker, in words; a negative code is the signal that ended it."""
    if code >= 0:
        return f"its worker left with exit code {code}"
    with suppress(ValueError):
        return f"its worker was ended by {signal.Signals(-code).name}"
    return f"its worker was ended by signal {-code}"
