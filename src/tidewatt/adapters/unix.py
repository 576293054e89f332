"""Unix sockets of a state folder: for its owner alone, at paths of any length."""

import os
import socket
import struct
import sys
from pathlib import Path

_LONGEST_PATH = 100
_PEER_CREDENTIALS = struct.Struct("3i")


def listen(path: Path) -> socket.socket:
    """A socket that listens at a path, mode 0600; what lay there before is removed."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with _short(path) as address:
            listener.bind(address)
    finally:
        os.umask(before)
    listener.listen()
    listener.setblocking(False)
    return listener


def connect(path: Path) -> socket.socket | None:
    """A connection to whoever listens there, if it is this user; None if nobody does."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(path) as address:
            sock.connect(address)
        if same_user(sock):
            return sock
    except OSError:
        pass
    sock.close()
    return None


def same_user(sock: socket.socket) -> bool:
    """Whether the other end belongs to this user; the socket's mode says so, and the kernel again."""
    return sys.platform != "linux" or _peer(sock)[1] == os.getuid()


def peer_pid(sock: socket.socket) -> int:
    """The process at the other end, 0 where the kernel does not tell."""
    return _peer(sock)[0] if sys.platform == "linux" else 0


def _peer(sock: socket.socket) -> tuple[int, int]:
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
    pid, uid, _ = _PEER_CREDENTIALS.unpack(raw)
    return pid, uid


class _short:  # noqa: N801 - used as a function
    """An address for a path of any length: socket addresses hold about a hundred bytes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder: int | None = None

    def __enter__(self) -> str:
        if len(os.fsencode(self._path)) <= _LONGEST_PATH or sys.platform != "linux":
            return str(self._path)
        self._folder = os.open(self._path.parent, os.O_RDONLY)
        return f"/proc/self/fd/{self._folder}/{self._path.name}"

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            os.close(self._folder)
