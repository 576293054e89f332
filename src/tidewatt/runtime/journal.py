"""Logs that cannot fill a disk: the older part of one that has grown too long is given back.

Workers, and whatever they start, append to a log by themselves, so it cannot be renamed or rewritten under
them. A hole is punched into its front instead: offsets stay as they are, so that whoever follows it goes on
where he was, and nothing that is written meanwhile is lost.
"""

import ctypes
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from tidewatt.domain.units import format_quantity

_KEEP_SIZE, _PUNCH_HOLE = 1, 2
"""Of fallocate(2)."""
_CHUNK = 1 << 20
_LONGEST_LINE = 1 << 16
_LONGEST_NOTE = 128
_WORD = b"--- the first"
"""How a log begins to tell what was dropped."""
_TORN = b" ...\n"
"""Behind a line whose end was dropped before it was read."""
_SEEN = 64
"""So many bytes tell whether what was read last is still there."""


def log_name(token: int, rank: int = 0) -> str:
    """The log of one worker of an attempt, inside the job's folder."""
    return f"attempt-{token}{f'.rank{rank}' if rank else ''}.log"


def trim(paths: Iterable[str | Path], limit_bytes: int) -> None:
    """Drop the older part of logs that hold more than a limit, so that half of it stays.

    A ``Path`` would have Python put the names of its folders into a table that is never made smaller: who
    has ever new logs gives their names as they are.
    """
    for path in paths:
        with suppress(OSError):  # it is not there yet, or not any more
            if os.stat(path).st_blocks * 512 > limit_bytes:  # noqa: PTH116 - see above
                _trim(Path(path), limit_bytes)


def _trim(path: Path, limit_bytes: int) -> None:
    log = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        end = os.fstat(log).st_size
        cut = _line_after(log, max(0, end - limit_bytes // 2), end)
        note = _note(cut, limit_bytes)
        if len(note) < cut:
            os.pwrite(log, note, cut - len(note))
            if not _punched(log, cut - len(note)):
                os.ftruncate(log, 0)  # those who append go on at the front
                with path.open("ab") as again:
                    again.write(_note(end, limit_bytes))
    finally:
        os.close(log)


def _note(dropped_bytes: int, limit_bytes: int) -> bytes:
    size, limit = format_quantity(dropped_bytes, "B"), format_quantity(limit_bytes, "B")
    return _WORD + f" {size} of this log were dropped: TIDEWATT_LOG_LIMIT is {limit}\n".encode()


def _line_after(log: int, start: int, end: int) -> int:
    """Where the next line begins, or, if a line is longer than any should be, the place itself."""
    newline = os.pread(log, min(_LONGEST_LINE, end - start), start).find(b"\n")
    return start if newline < 0 else start + newline + 1


def _punched(log: int, length: int) -> bool:
    """Give the front of a file back; False if its file system cannot."""
    try:
        fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    except (AttributeError, OSError):
        return False
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return bool(fallocate(log, _KEEP_SIZE | _PUNCH_HOLE, 0, length) == 0)


def _trimmed_meanwhile(data: bytes) -> bool:
    """Whether the front was given back while this was read: zeros, and behind them the word of the log."""
    _, zero, rest = data.partition(b"\0")
    rest = rest.lstrip(b"\0")
    return bool(zero) and (not rest or rest.startswith(_WORD))


class Reader:
    """Reads a log from where it was left, however often it was trimmed meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self._seen = b""

    def new(self) -> Iterator[bytes]:
        """What was appended since the last time; where something was dropped unread, the log's own word."""
        with self._path.open("rb", buffering=0) as log:
            torn = self._seen[-1:] not in {b"", b"\n"}
            dropped = self._find_place(log.fileno())
            if torn and dropped:
                yield _TORN
            while data := os.pread(log.fileno(), _CHUNK, self._at):
                self._at += len(data)
                if dropped:
                    data = data.lstrip(b"\0")
                    dropped = not data
                elif _trimmed_meanwhile(data):
                    kept, _, rest = data.partition(b"\0")
                    torn, self._seen = (self._seen + kept)[-1:] not in {b"", b"\n"}, b""
                    yield from ([kept] if kept else []) + ([_TORN] if torn else [])
                    data = rest.lstrip(b"\0")
                    dropped = not data
                self._seen = (self._seen + data)[-_SEEN:]
                if data:
                    yield data

    def _find_place(self, log: int) -> bool:
        """Go on behind what was dropped; whether anything was that had not been read."""
        if os.fstat(log).st_size < self._at:
            self._at, self._seen = 0, b""
        before = os.pread(log, len(self._seen), self._at - len(self._seen))
        if self._at and before == self._seen:
            return False
        start = max(0, self._at - _LONGEST_NOTE)
        with suppress(OSError):
            start = os.lseek(log, start, os.SEEK_DATA)
        unread = start > self._at or os.pread(log, 1, start) == b"\0"
        if unread:
            self._at, self._seen = start, b""
        return unread
