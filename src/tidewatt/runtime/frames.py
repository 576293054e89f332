"""What a caller and a warm worker send each other; what is large travels as a file that has no name."""

import mmap
import os
import socket
import struct
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum

import msgspec
from typing_extensions import Buffer

from tidewatt.domain.units import format_quantity
from tidewatt.errors import UsageError
from tidewatt.runtime.messages import Dial

_HEADER = struct.Struct("!BBQ")
_LENGTH = struct.Struct("!I")
_LONGEST_DIAL = 1 << 16
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Kind(IntEnum):
    """What a frame holds."""

    CODE = 1
    """From a caller: the function that all calls on this line are of."""
    CALLS = 2
    """From a caller: arguments, once for each call."""
    REPLIES = 3
    """From a worker: what came of the calls of one frame, in their order."""
    BYE = 4
    """From a worker, between two frames: it is needed elsewhere, and has not begun what came after."""
    FATE = 5
    """From the supervisor: the worker is no more, and why, as text."""
    HELLO = 6
    """From the supervisor: it has heard the caller, whose calls may be made from here on."""
    REFUSED = 7
    """From the supervisor: there will be no worker, and why, as text."""
    EXCESS = 8
    """From the supervisor: the worker was ended for taking more than it may, as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large a frame may be, and from where on it is a file; in bytes."""

    most_bytes: int
    spill_bytes: int
    folder: str
    """Where such files lie, without a name, until nobody has them open."""


class Gone(Exception):
    """The other end is gone."""


def send(sock: socket.socket, kind: Kind, body: bytes, limits: Limits) -> None:
    """Send one frame.

    Raises:
        Gone: nobody is there.
        UsageError: it is larger than allowed, or there is no room for its file; nothing was sent.
    """
    if len(body) > limits.most_bytes:
        raise too_large("a message", len(body), limits.most_bytes)
    try:
        if len(body) <= limits.spill_bytes:
            sock.sendall(_HEADER.pack(kind, 0, len(body)) + body)
            return
        fd = _spilled(body, limits.folder)
        try:
            socket.send_fds(sock, [_HEADER.pack(kind, 1, len(body))], [fd])
        finally:
            os.close(fd)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise Gone from error


def too_large(what: str, size: int, most_bytes: int) -> UsageError:
    """The refusal of arguments or a result of more bytes than may be sent."""
    return UsageError(
        f"{what} of {format_quantity(size, 'B')}",
        f"at most {format_quantity(most_bytes, 'B')}",
        "pass the path of a file instead, or raise TIDEWATT_CALL_LIMIT",
    )


def _spilled(body: bytes, folder: str) -> int:
    """A file of mode 0600 that is gone as soon as nobody has it open.

    Raises:
        UsageError: there is no room for it.
    """
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            view = memoryview(body)
            while view:
                view = view[os.write(file.fileno(), view) :]
            return os.dup(file.fileno())
    except OSError as error:
        raise UsageError(
            f"no room for {format_quantity(len(body), 'B')} in {folder} ({error.strerror})",
            "a state folder with room for arguments and results",
            "free some space, or pass the path of a file instead",
        ) from error


def receive(sock: socket.socket) -> tuple[Kind, Buffer]:
    """The next frame.

    Raises:
        Gone: the other end is, or it said no more than half of a frame.
        TimeoutError: the socket has a time-out, and it is over.
    """
    try:
        head, fds = b"", list[int]()
        while len(head) < _HEADER.size:
            data, found, _, _ = socket.recv_fds(sock, _HEADER.size - len(head), 1, _CLOSE_ON_EXEC)
            fds += found
            if not data:
                raise Gone
            head += data
        kind, filed, length = _HEADER.unpack(head)
        if filed and fds:
            return Kind(kind), _mapped(fds[0])
        return Kind(kind), _exactly(sock, length)
    except (ConnectionResetError, ValueError, MemoryError, OverflowError) as error:  # or a length of nonsense
        raise Gone from error


def _mapped(fd: int) -> Buffer:
    try:
        return mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
    finally:
        os.close(fd)


def _exactly(sock: socket.socket, length: int) -> bytearray:
    body = bytearray(length)
    view = memoryview(body)
    while view:
        count = sock.recv_into(view)
        if not count:
            raise Gone
        view = view[count:]
    return body


def farewell(sock: socket.socket, kind: Kind, text: str = "") -> None:
    """Say a last word to whoever may still be there, without waiting for it."""
    with suppress(OSError):
        sock.send(_HEADER.pack(kind, 0, len(text.encode())) + text.encode(), socket.MSG_DONTWAIT)


def ask(sock: socket.socket, dial: Dial) -> None:
    """Say which function the line is for, in one piece.

    Raises:
        Gone: nobody is there.
    """
    said = msgspec.json.encode(dial)
    try:
        sock.sendall(_LENGTH.pack(len(said)) + said)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise Gone from error


def asked(sock: socket.socket) -> Dial | None:
    """What a caller wants, without reading any of what it says next; None if it does not say so properly."""
    try:
        seen = sock.recv(_LONGEST_DIAL, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        (length,) = _LENGTH.unpack(seen[: _LENGTH.size])
        if len(seen) < _LENGTH.size + length:
            return None
        said = sock.recv(_LENGTH.size + length, socket.MSG_DONTWAIT)[_LENGTH.size :]
        return msgspec.json.decode(said, type=Dial)
    except (OSError, struct.error, msgspec.MsgspecError):
        return None
