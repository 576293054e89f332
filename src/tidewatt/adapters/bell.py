"""The Unix socket by which commands wake the supervisor, and by which followers hear what it does."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from tidewatt.adapters.ears import Ears
from tidewatt.adapters.unix import connect, listen, same_user
from tidewatt.ports import Update

_HELLO = b"tidewatt 1\n"
_LONGEST_NAME = 200
_MOST_ENDED = 1000
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Update)


@dataclass(slots=True)
class _Follower:
    """Somebody who has stayed connected."""

    sock: socket.socket
    unsent: bytes
    """What is left to say of the last thing that it was told."""
    said: bytes = b""
    """Half of a name."""
    awaits: str | None = None
    """The job that it waits for, empty once that rests; None for whoever hears all updates."""


class Bell:
    """The supervisor's end: every connection is a ring, and whoever stays connected hears all updates.

    Who then names a job, on a line of its own, rings again, and hears no more than that name, once the job
    has come to rest: somebody who waits for many jobs one after the other need not connect for each.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._listener = listen(path)
        self._followers: dict[int, _Follower] = {}
        self._ended: dict[str, None] = {}
        """Jobs that ended last: who names one may have been about to while it did."""
        self._rung = False
        self._ears = Ears()
        self._ears.listen(self._listener.fileno(), self._let_in)

    def fileno(self) -> int:
        """For selectors."""
        return self._ears.fileno()

    def visit(self) -> bool:
        """Let in whoever waits at the door, and hear who has come back; True if any of them rang."""
        self._ears.hear()
        rung, self._rung = self._rung, False
        return rung

    @property
    def heard(self) -> bool:
        """Whether anybody hears updates."""
        return any(follower.awaits is None for follower in self._followers.values())

    def publish(self, update: Update) -> None:
        """Tell all who hear updates; one that does not keep up misses some, never parts of one."""
        line = _encoder.encode(update) + b"\n"
        for follower in tuple(self._followers.values()):
            if follower.awaits is None:
                self._tell(follower, line)

    def rests(self, job_id: str, *, ended: bool) -> None:
        """Tell those who wait for a job that it has come to rest, and if it has ended also who asks later."""
        if ended:
            self._ended[job_id] = None
            if len(self._ended) > _MOST_ENDED:
                del self._ended[next(iter(self._ended))]
        for follower in tuple(self._followers.values()):
            if follower.awaits == job_id:
                self._tell_rest(follower, job_id)

    def close(self) -> None:
        """Hang up on everybody and remove the socket."""
        self._path.unlink(missing_ok=True)
        self._ears.close()
        self._listener.close()
        for follower in self._followers.values():
            follower.sock.close()
        self._followers.clear()

    def _let_in(self) -> None:
        while True:
            try:
                visitor, _ = self._listener.accept()
            except BlockingIOError:
                return
            visitor.setblocking(False)
            if not same_user(visitor):
                visitor.close()
                continue
            follower = self._followers[visitor.fileno()] = _Follower(visitor, _HELLO)
            self._ears.listen(visitor.fileno(), partial(self._heard, follower))
            self._flush(follower)
            self._rung = True

    def _heard(self, follower: _Follower) -> None:
        """Somebody named a job, or has hung up."""
        try:
            data = follower.sock.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *names, follower.said = (follower.said + data).split(b"\n")
        if not data or len(follower.said) > _LONGEST_NAME:
            self._forget(follower)
        elif names:
            follower.awaits = names[-1].decode(errors="replace")
            self._rung = True
            if follower.awaits in self._ended:
                self._tell_rest(follower, follower.awaits)

    def _tell_rest(self, follower: _Follower, job_id: str) -> None:
        follower.awaits = ""
        self._tell(follower, job_id.encode() + b"\n")

    def _tell(self, follower: _Follower, line: bytes) -> None:
        if not follower.unsent:
            follower.unsent = line
        self._flush(follower)

    def _flush(self, follower: _Follower) -> None:
        try:
            sent = follower.sock.send(follower.unsent)
        except BlockingIOError:
            return
        except OSError:
            self._forget(follower)
            return
        follower.unsent = follower.unsent[sent:]

    def _forget(self, follower: _Follower) -> None:
        self._ears.ignore(follower.sock.fileno())
        self._followers.pop(follower.sock.fileno(), None)
        follower.sock.close()


class Caller:
    """A command's end of the line."""

    def __init__(self, sock: socket.socket, heard: bytes) -> None:
        self._sock = sock
        self._heard = heard
        self.awaits = ""
        """The job that it waits for, if any."""
        self.closed = False
        """Whether either end was found to have hung up."""

    @classmethod
    def ring(cls, path: Path) -> "Caller | None":
        """Wake the supervisor; None if nobody answers."""
        sock = connect(path)
        if sock is None:
            return None
        heard = b""
        try:
            while not heard.startswith(_HELLO):
                data = sock.recv(4096)
                if not data:
                    sock.close()
                    return None
                heard += data
        except OSError:
            sock.close()
            return None
        return cls(sock, heard[len(_HELLO) :])

    def await_rest(self, job_id: str) -> None:
        """Ring again, to hear of one job alone once it rests; whatever was said before is forgotten."""
        self._heard, self.awaits = b"", job_id
        try:
            self._sock.settimeout(0)
            with suppress(BlockingIOError):
                while self._sock.recv(1 << 16):
                    pass
                self.close()
            self._sock.sendall(job_id.encode() + b"\n")
        except OSError:
            self.close()

    def told_rest(self, timeout_s: float) -> bool:
        """Whether it is told within so many seconds that the job it waits for has come to rest."""
        name = self.awaits.encode()
        with suppress(OSError):  # it is closed
            self._sock.settimeout(timeout_s)
        while not self.closed:
            *lines, self._heard = self._heard.split(b"\n")
            if name in lines:
                self.awaits = ""
                return True
            try:
                data = self._sock.recv(1 << 16)
            except TimeoutError:
                break
            except OSError:
                data = b""
            self._heard += data
            if not data:
                self.close()
        return False

    def updates(self, timeout_s: float) -> Iterator[Update | None]:
        """Updates as they come, None when none came for so long; ends when the supervisor hangs up."""
        self._sock.settimeout(timeout_s)
        while True:
            *lines, self._heard = self._heard.split(b"\n")
            for line in lines:
                yield _decoder.decode(line)
            try:
                data = self._sock.recv(1 << 16)
            except TimeoutError:
                yield None
                continue
            except OSError:
                return
            if not data:
                return
            self._heard += data

    def close(self) -> None:
        """Hang up."""
        self.closed = True
        with suppress(OSError):
            self._sock.close()
