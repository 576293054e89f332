"""A zygote as its supervisor sees it: started when needed, asked to fork, heard when workers end."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import psutil

from tidewatt.adapters.engines.processes import cpu_seconds, end_all, tree_cpu_seconds
from tidewatt.adapters.home import Home
from tidewatt.domain.environment import Environment
from tidewatt.domain.function import FunctionSpec, Kind
from tidewatt.policy.stuck import Pulse, feel
from tidewatt.ports import Order
from tidewatt.runtime.channel import Channel
from tidewatt.runtime.child import ONE_THREAD
from tidewatt.runtime.messages import Fork, Forked, Furnished, Hire, Hired, Message, Post, Refused

if TYPE_CHECKING:
    from tidewatt.adapters.environments.cache import Built, Environments

_PRELOAD = ("numpy", "torch", "torch._dynamo", "torch.utils.data", "torch.distributed")
_CLOSE_PATIENCE_S = 10.0
_ZYGOTE, _STARTER = "tidewatt.runtime.zygote", "tidewatt.adapters.engines.starter"
_HOME = "--home"
_ENDED = "its zygote ended"


@dataclass(frozen=True, slots=True)
class Room:
    """What workers have in common that are forked from one zygote: an environment, and whether they train."""

    environment: Environment | None = None
    training: bool = False

    @classmethod
    def of(cls, function: FunctionSpec) -> "Room":
        """Where the workers of a function live; without an environment, all together."""
        if function.environment is None:
            return cls()
        return cls(function.environment, function.kind is Kind.TRAINING)


class Nursery:
    """Keeps one zygote; one that dies or spoils is replaced by the next request."""

    def __init__(self, told: Sequence[str], room: Room, environments: "Environments | None" = None) -> None:
        self.room = room
        self._told = told
        self._environments = environments
        self._process: subprocess.Popen[bytes] | None = None
        self.channel: Channel | None = None
        self._cpu_s_before = 0.0
        self._building = False
        self.asked = 0
        """Requests for workers that the zygote has not answered."""
        self._heard = 0
        self._loaded = False
        self._pulse: Pulse | None = None
        self.fate = _ENDED
        """What became of the zygote, of one that is gone."""
        self._plain = False
        """A user's import spoiled the zygote before: from then on it loads only what it knows."""

    def prepare(self) -> None:
        """Have a zygote load its libraries before it is needed."""
        self._ensure(())

    def fork(self, order: Order, rank: int, end: socket.socket) -> bool:
        """Ask for a worker that talks through ``end``, which is taken over; False if there is no zygote."""
        self._ensure(order.payload.imports)
        with end:
            return self._ask(Fork(order, rank), end)

    def hire(self, post: Post, end: socket.socket, imports: Sequence[str] = ()) -> bool:
        """The same for a warm worker."""
        self._ensure(imports)
        with end:
            return self._ask(Hire(post), end)

    def _ask(self, request: Fork | Hire, end: socket.socket) -> bool:
        self.asked += 1
        return self.channel is not None and self.channel.send(request, fds=[end.fileno()])

    def receive(self) -> Sequence[Message]:
        """What the zygote has said."""
        told = self.channel.receive() if self.channel else ()
        self._heard += len(told)
        answers = sum(isinstance(message, Forked | Refused | Hired) for message in told)
        self.asked -= answers
        self._loaded = self._loaded or answers > 0
        return told

    def silent_s(self, wall: float) -> float:
        """For how many real seconds a zygote that was asked for a worker has said nothing.

        A fork takes milliseconds. But the first request waits until libraries are loaded, for as long as that
        is work, and that of an environment until it is built, which may mean to wait for others.
        """
        if not self.asked or self._building:
            self._pulse = None
            return 0.0
        self._pulse = feel(self._pulse, wall, self._heard, 0.0 if self._loaded else self.cpu_s())
        return self._pulse.still_s

    def end(self, why: str) -> None:
        """End the zygote at once, also one that is stopped; what is left of it is to be let go of then."""
        self.fate = why
        if self._process is not None:
            self._process.kill()

    @property
    def pid(self) -> int | None:
        """The number of the zygote, None if there is none."""
        return None if self._process is None else self._process.pid

    @property
    def gone(self) -> bool:
        """Whether there was a zygote and it has ended."""
        return self._process is not None and self._process.poll() is not None

    def be_plain(self) -> None:
        """Have zygotes to come load only what they know is good."""
        self._plain = True

    def discard(self) -> None:
        """Let go of the zygote, which ends once its workers have."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None
        if self._process is not None:
            self._cpu_s_before = self.cpu_s()
            if self._building:  # what it has started ends with it, and nobody waits for it any more
                self._process.kill()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_CLOSE_PATIENCE_S)
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self._process = None
            self._building = False
        self.asked, self._loaded, self._pulse = 0, False, None

    def furnished(self, message: Furnished) -> None:
        """Its environment is built, or is not going to be; what that took is told once and for all."""
        self._building = False
        self._cpu_s_before += message.cpu_s

    def cpu_s(self) -> float:
        """Processor seconds of all zygotes so far, and of building for them; their workers not included."""
        if self._process is None:
            return self._cpu_s_before
        look = tree_cpu_seconds if self._building else cpu_seconds
        return self._cpu_s_before + (look(self._process.pid) or 0.0)

    def _ensure(self, imports: Sequence[str]) -> None:
        if self._process is not None:
            return
        self.fate = _ENDED
        self.channel, theirs = Channel.pair()
        preload = [*_PRELOAD, *(() if self._plain else imports)]
        with theirs:
            self._process = self._started(theirs.fileno(), preload)

    def _started(self, fd: int, preload: Sequence[str]) -> "subprocess.Popen[bytes]":
        """The zygote; that of an environment which is not there begins by building it."""
        environment, cache = self.room.environment, self._environments
        told = options(fd, self._told, preload)
        if environment is None or cache is None:
            return _open([sys.executable, "-m", _ZYGOTE, *told], dict(os.environ), [fd])
        entered = cache.enter(environment)
        if entered is None:
            self._building = True
            apart = ["--cache", str(cache.path), "--environment", msgspec.json.encode(environment).decode()]
            apart += ["--training"] if self.room.training else []
            return _open([sys.executable, "-m", _STARTER, *apart, *told], dict(os.environ), [fd])
        built, lock = entered
        try:
            words = command(built, told, training=self.room.training)
            return _open(words, built.variables(), [fd, lock])
        finally:
            os.close(lock)


def shared(trainer: str, home: Home | None, groups: str) -> tuple[str, ...]:
    """What all zygotes of a supervisor are told.

    Args:
        trainer: what makes a training's ``Run``.
        home: the state folder, which holds secrets, and by which what was left of it is found.
        groups: the folder of control groups that hold workers to limits, empty for none.
    """
    said = {"--trainer": trainer, "--groups": groups}
    if home is not None:
        said |= {_HOME: str(home.path), "--secrets": str(home.secrets)}
    return tuple(word for name, value in said.items() if value for word in (name, value))


def options(fd: int, told: Sequence[str], preload: Sequence[str]) -> list[str]:
    """What one zygote is told."""
    return ["--fd", str(fd), *told, "--preload", json.dumps(preload)]


def command(built: "Built", told: Sequence[str], *, training: bool) -> list[str]:
    """What starts a zygote in an environment."""
    behind = json.dumps(built.behind(training=training))
    return [built.interpreter, "-m", _ZYGOTE, *told, "--behind", behind]


def _open(words: Sequence[str], variables: dict[str, str], fds: Sequence[int]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - our own modules, with arguments of our own
        words, pass_fds=fds, stdin=subprocess.DEVNULL, env=variables | ONE_THREAD
    )


def end_strays(home: str, ours: int | None = None) -> None:
    """End zygotes that killed supervisors of a state folder have left, with all of their workers.

    A worker is known to the store a moment after it was forked, and one that a zygote was only asked for may
    be forked long after whoever asked is gone. They all carry the command line of their zygote.

    Args:
        home: the state folder.
        ours: the number of a zygote that the caller has started, which has no workers yet.
    """
    found: list[tuple[int, float]] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            command_line = process.cmdline()
            known = {_ZYGOTE, _STARTER} & set(command_line) and (_HOME, home) in pairwise(command_line)
            if known and process.pid != ours:
                found.append((process.pid, process.create_time()))
    end_all(sorted(found, key=lambda each: each[1]))  # a zygote before its workers: it forks no more
