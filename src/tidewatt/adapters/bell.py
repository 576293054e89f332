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
    """The job whose end or rest alone it wants to hear of, empty once it has; None for whoever hears all."""

    def hears(self, job_id: str, *, at_rest: bool) -> bool:
        """Whether it wants to hear of a job as that stands."""
        return self.awaits is None or (at_rest and self.awaits == job_id)


class Bell:
    """The supervisor's end: every connection is a ring, and whoever stays connected hears all updates.

    Who then names a job, on a line of its own, rings again, and hears of nothing but of that one, once it has
    come to rest: somebody who waits for many jobs one after the other need not connect for each.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._listener = listen(path)
        self._followers: dict[int, _Follower] = {}
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

    def hears(self, job_id: str, *, at_rest: bool) -> bool:
        """Whether anybody wants to hear of a job as it stands."""
        return any(follower.hears(job_id, at_rest=at_rest) for follower in self._followers.values())

    def publish(self, update: Update, *, at_rest: bool) -> None:
        """Tell those who want to hear of it; one that does not keep up misses updates, never parts of one."""
        line = _encoder.encode(update) + b"\n"
        for follower in tuple(self._followers.values()):
            if follower.hears(update.job_id, at_rest=at_rest):
                if not follower.unsent:
                    follower.unsent = line
                    if follower.awaits is not None:
                        follower.awaits = ""
                self._flush(follower)

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
        """The job that it hears of alone, once that has come to rest; empty if it hears all."""

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

    def await_rest(self, job_id: str) -> bool:
        """Ring again, to hear of one job alone once it has come to rest; False if nobody answers any more.

        Whatever was said before is forgotten.
        """
        self._heard, self.awaits = b"", job_id
        try:
            with suppress(BlockingIOError):
                self._sock.settimeout(0)
                while self._sock.recv(1 << 16):
                    pass
                return False
            self._sock.sendall(job_id.encode() + b"\n")
        except OSError:
            return False
        return True

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
        with suppress(OSError):
            self._sock.close()
