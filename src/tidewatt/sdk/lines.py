"""Lines to warm workers, on which a process calls a function, kept from one call for the next."""

import hashlib
import os
import pickle
import socket
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Any

import cloudpickle
from msgspec import structs

from tidewatt import settings, wiring
from tidewatt.adapters import cgroup, supervision
from tidewatt.domain.function import FunctionSpec
from tidewatt.errors import OutOfMemory, Refused, UsageError, WorkerLost
from tidewatt.runtime import frames
from tidewatt.runtime.frames import Gone, Kind, Limits
from tidewatt.runtime.messages import Dial, Where
from tidewatt.runtime.payload import own_path, version_of
from tidewatt.runtime.secret import Secrets
from tidewatt.sdk.environments import furnish

if TYPE_CHECKING:
    from tidewatt.runtime.warm import Outcome

_MOST_LINES = 256
_TRIES = 100
"""How often a caller that is sent elsewhere asks again."""
Arguments = tuple[Sequence[Any], dict[str, Any]]


class Elsewhere(Exception):
    """The line is no good any more, and nothing was begun that was asked on it."""


class Line:
    """One line: a worker's whole attention, until it is needed elsewhere."""

    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        self._sock = sock
        self._limits = limits
        self._heard = False

    def ask(self, calls: bytes, timeout_s: float | None = None) -> "list[Outcome]":
        """Have calls made, pickled as a list of arguments, and wait for what comes of them.

        Raises:
            TimeoutError: they took too long; the line is closed, and the call with it.
            WorkerLost: the worker ended meanwhile.
            UsageError: they are larger than may be sent.
        """
        self.begin(calls)
        return self.outcomes(timeout_s)

    def begin(self, calls: bytes) -> None:
        """Send calls, and wait for nothing."""
        with suppress(Gone):  # what was said last on the line tells why
            frames.send(self._sock, Kind.CALLS, calls, self._limits)

    def outcomes(self, timeout_s: float | None = None) -> "list[Outcome]":
        """What came of the calls that were sent first and not answered yet."""
        while (found := self.hear(timeout_s)) is None:
            pass
        return found

    def hear(self, timeout_s: float | None = None) -> "list[Outcome] | None":
        """The same if that is what is said next; None if it is that the supervisor has heard."""
        try:
            self._sock.settimeout(timeout_s)
            kind, body = frames.receive(self._sock)
        except Gone:
            self.close()
            if not self._heard:
                raise Elsewhere from None
            raise WorkerLost("a call whose worker and supervisor are gone", "a result", _AGAIN) from None
        except TimeoutError:
            self.close()
            raise TimeoutError(f"still running after {timeout_s:g} s") from None
        except BaseException:  # Ctrl-C: the worker is ended, nobody waits for it
            self.close()
            raise
        if kind is Kind.HELLO:
            self._heard = True
            return None
        return self._taken(kind, body)

    @property
    def open(self) -> bool:
        """Whether nobody has hung up on a line that is not in use."""
        try:
            self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False  # a farewell, or the end

    def fileno(self) -> int:
        """For selectors."""
        return self._sock.fileno()

    def cut(self) -> None:
        """Have whoever waits on this line in another thread wait no more."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up."""
        self._sock.close()

    def _taken(self, kind: Kind, body: Any) -> "list[Outcome]":  # noqa: ANN401 - bytes of any kind
        if kind is Kind.REPLIES:
            outcomes: list[Outcome] = pickle.loads(body)  # noqa: S301 - the kernel says that it is this user
            return outcomes
        self.close()
        if kind is Kind.BYE:
            raise Elsewhere
        said = bytes(body).decode()
        if kind is Kind.REFUSED:
            raise Refused(said, "a place and a worker for the call")
        if kind is Kind.EXCESS:
            raise OutOfMemory(said)
        raise WorkerLost(f"a call without an answer: {said}", "a result", _AGAIN)


@dataclass(frozen=True, slots=True)
class _Code:
    """A function as it is sent to a worker."""

    home: wiring.Home
    limits: Limits
    dial: Dial
    pickled: bytes
    stamp: str
    """Of the secrets that it is given, as they are now."""


class Switchboard:
    """All lines of this process for one function; it may be used by several threads at once."""

    def __init__(self, body: Callable[..., Any], spec: FunctionSpec) -> None:
        self._body = body
        self._spec = spec
        self._lock = Lock()
        self.most_lines = max(1, min(cgroup.processors() // spec.cpus, spec.concurrency or _MOST_LINES))
        """More would only take turns."""
        self._turns = BoundedSemaphore(self.most_lines)
        self._free: list[Line] = []
        self._code: _Code | None = None
        self._pid = 0

    def call(
        self, calls: bytes, timeout_s: float | None = None, stop: "Stop | None" = None
    ) -> "list[Outcome]":
        """Have calls made by a worker, and wait for what comes of them."""
        with self._turns:
            for _ in range(_TRIES):
                if stop is not None and stop.is_over:
                    raise WorkerLost(f"a call of {self._spec.name} that nobody waits for", "a result")
                line = self.line()
                if stop is not None:
                    stop.watch(line)
                try:
                    outcomes = line.ask(calls, timeout_s)
                except Elsewhere:
                    continue
                except BaseException:
                    line.close()
                    raise
                self.keep(line)
                return outcomes
        raise WorkerLost(
            f"a call of {self._spec.name} that {_TRIES} workers had no time for", "a result", _AGAIN
        )

    def line(self, *, spare: bool = False) -> Line:
        """A line that was kept, or a new one.

        Args:
            spare: nobody else need be sent away for it; it may be refused by ``Elsewhere``.
        """
        code = self._prepared()
        with self._lock:
            while self._free:
                line = self._free.pop()
                if line.open:
                    return line
                line.close()
        for _ in range(_TRIES):
            sock = supervision.dial(code.home)
            if sock is None:
                self._host(code.home)
                continue
            line = Line(sock, code.limits)
            try:
                frames.ask(sock, structs.replace(code.dial, spare=spare))
                frames.send(sock, Kind.CODE, code.pickled, code.limits)
            except Gone:
                line.close()
            except BaseException:
                line.close()
                raise
            else:
                return line
        raise UsageError(f"no supervisor for {code.home.path}", "one that stays", f"read {code.home.log}")

    def keep(self, line: Line) -> None:
        """Keep a line for the next call."""
        with self._lock:
            self._free.append(line)

    def close(self) -> None:
        """Hang up every line that is not in use."""
        with self._lock:
            while self._free:
                self._free.pop().close()

    @property
    def limits(self) -> Limits:
        """How large what is sent may be."""
        return self._prepared().limits

    def _prepared(self) -> _Code:
        """The function, pickled once; lines of before a fork or to another state folder are left."""
        home = wiring.Home.default()
        secrets = Secrets(home.secrets)
        secrets.check(self._spec.secrets)
        stamp = secrets.stamp(self._spec.secrets)
        with self._lock:
            kept = self._code
            if kept is not None and (kept.home, kept.stamp, self._pid) == (home, stamp, os.getpid()):
                return kept
            while self._free:
                self._free.pop().close()
            limits = wiring.call_limits(home)
            furnish(self._spec, by_value=True)
            pickled: bytes = cloudpickle.dumps(self._body)
            folder = str(Path.cwd())
            beside = own_path()
            sha256 = hashlib.sha256(pickled).hexdigest()
            dial = Dial(
                version=version_of(sha256, self._spec, folder, beside, stamp),
                function=self._spec,
                zone=next(iter(self._spec.zones), settings.zone() or ""),
                where=Where(folder, beside),
            )
            self._code, self._pid = _Code(home, limits, dial, pickled, stamp), os.getpid()
            return self._code

    def _host(self, home: wiring.Home) -> None:
        apart = self._spec.environment is not None  # it will have a zygote of its own
        with nullcontext() if apart else wiring.readied(home) as begin:
            from tidewatt.sdk.client import Client  # noqa: PLC0415 - only the first call of a quiet state folder needs a store

            with Client(home.path) as client:
                client.host(self._spec, begin)


class Stop:
    """Hangs up on the worker of a call that nobody waits for any more."""

    def __init__(self) -> None:
        self._line: Line | None = None
        self._over = False

    def watch(self, line: Line) -> None:
        """The call is made on this line now."""
        self._line = line
        if self._over:
            line.cut()

    @property
    def is_over(self) -> bool:
        """Whether nobody waits any more."""
        return self._over

    def over(self) -> None:
        """Nobody waits any more."""
        self._over = True
        if self._line is not None:
            self._line.cut()


def pickled(calls: Sequence[Arguments], name: str) -> bytes:
    """Arguments, ready to be sent.

    Raises:
        UsageError: they cannot be pickled.
    """
    try:
        data: bytes = cloudpickle.dumps(calls)
    except Exception as error:
        raise UsageError(
            f"arguments of {name} that cannot be pickled ({error})",
            "arguments that cloudpickle can pickle",
            "pass plain data, such as paths, and open files and connections inside the function",
        ) from error
    return data


_AGAIN = "call it again if that does no harm, or have it tried again: @tw.function(retries=2)"
