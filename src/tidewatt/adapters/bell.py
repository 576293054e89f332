"""The Unix socket by which commands wake the supervisor, and by which followers hear what it does."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from tidewatt.adapters.unix import connect, listen, same_user
from tidewatt.ports import Update

_HELLO = b"tidewatt 1\n"
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Update)


class Bell:
    """The supervisor's end: every connection is a ring, and whoever stays connected hears all updates."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._listener = listen(path)
        self._followers: dict[socket.socket, bytes] = {}

    def fileno(self) -> int:
        """For selectors."""
        return self._listener.fileno()

    def visit(self) -> bool:
        """Let in whoever waits at the door; True if somebody of the same user did."""
        rang = False
        while True:
            try:
                visitor, _ = self._listener.accept()
            except BlockingIOError:
                return rang
            visitor.setblocking(False)
            if not same_user(visitor):
                visitor.close()
                continue
            self._followers[visitor] = _HELLO
            self._flush(visitor)
            rang = True

    @property
    def heard(self) -> bool:
        """Whether anybody has stayed connected."""
        return bool(self._followers)

    def publish(self, update: Update) -> None:
        """Tell all followers; one that does not keep up misses updates, never parts of one."""
        line = _encoder.encode(update) + b"\n"
        for follower, pending in tuple(self._followers.items()):
            if not pending:
                self._followers[follower] = line
            self._flush(follower)

    def close(self) -> None:
        """Hang up on everybody and remove the socket."""
        self._path.unlink(missing_ok=True)
        self._listener.close()
        for follower in self._followers:
            follower.close()
        self._followers.clear()

    def _flush(self, follower: socket.socket) -> None:
        pending = self._followers[follower]
        try:
            sent = follower.send(pending)
        except BlockingIOError:
            return
        except OSError:
            del self._followers[follower]
            follower.close()
            return
        self._followers[follower] = pending[sent:]


class Caller:
    """A command's end of the line."""

    def __init__(self, sock: socket.socket, heard: bytes) -> None:
        self._sock = sock
        self._heard = heard

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
