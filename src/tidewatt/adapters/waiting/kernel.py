"""What Linux offers to those who wait: news of folders, and a clock that rings; by ctypes, to stay small."""

import ctypes
import errno
import math
import os
import struct
import sys
from collections.abc import Iterator

AVAILABLE = sys.platform == "linux"

_CLOSE_WRITE, _ATTRIB, _MOVED_TO, _CREATE = 0x8, 0x4, 0x80, 0x100
_DELETE_SELF, _MOVE_SELF, _ONLYDIR = 0x400, 0x800, 0x1000000
_OVERFLOW, _IGNORED, _ISDIR = 0x4000, 0x8000, 0x40000000
_NEWS = _CLOSE_WRITE | _ATTRIB | _MOVED_TO | _CREATE | _DELETE_SELF | _MOVE_SELF | _ONLYDIR
_EVENT = struct.Struct("iIII")
_TIMERSPEC = struct.Struct("4l")
"""Interval and instant, each in seconds and nanoseconds."""

_REALTIME = 0
_ABSOLUTE_UNLESS_SET = 1 | 2
"""TFD_TIMER_ABSTIME and TFD_TIMER_CANCEL_ON_SET: at an instant, and at once if the clock is set."""


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


class News:
    """Tells that something came into one of a set of folders."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._handle = _checked(self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))
        self._folders: dict[int, bytes] = {}

    def fileno(self) -> int:
        """Readable when there is news."""
        return self._handle

    def follow(self, folders: set[bytes]) -> tuple[bool, bool]:
        """Follow these folders and no others.

        Returns:
            Whether one is new, so that something may have come before it was followed; and whether all of
            those that exist are followed, which the system's limits may forbid.
        """
        for watch, folder in list(self._folders.items()):
            if folder not in folders:
                self._libc.inotify_rm_watch(self._handle, watch)
                del self._folders[watch]
        new, complete = False, True
        for folder in folders - set(self._folders.values()):
            try:
                watch = _checked(self._libc.inotify_add_watch(self._handle, folder, _NEWS))
            except OSError as error:
                complete = complete and error.errno in {errno.ENOENT, errno.ENOTDIR}
                continue
            self._folders[watch] = folder
            new = True
        return new, complete

    def read(self) -> Iterator[tuple[bytes, bytes]]:
        """(folder, name) of all that may be of interest since the last call; empty ones for lost events."""
        while True:
            try:
                data = os.read(self._handle, 1 << 16)
            except BlockingIOError:
                return
            at = 0
            while at < len(data):
                watch, mask, _, length = _EVENT.unpack_from(data, at)
                name = data[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0")
                at += _EVENT.size + length
                folder = self._folders.get(watch, b"")
                if mask & _IGNORED:
                    self._folders.pop(watch, None)
                elif mask & _OVERFLOW or self._matters(mask, folder, name):
                    yield folder, name

    @staticmethod
    def _matters(mask: int, folder: bytes, name: bytes) -> bool:
        """What was created matters at once if it is a folder or a link; a file matters when it is closed."""
        if not mask & _CREATE or mask & _ISDIR:
            return True
        try:
            found = os.lstat(os.path.join(folder, name))  # noqa: PTH118 - names are bytes, of any encoding
        except OSError:
            return False
        return found.st_nlink > 1 or found.st_mode & 0o170000 == 0o120000


class Alarm:
    """Rings at an instant of the real clock, and at once when that clock is set; sleep does not delay it."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._handle = _checked(self._libc.timerfd_create(_REALTIME, os.O_CLOEXEC | os.O_NONBLOCK))

    def fileno(self) -> int:
        """Readable once it has rung."""
        return self._handle

    def set(self, wall: float | None) -> None:
        """Ring at that instant, at once if it has passed, or not at all but for a clock that is set."""
        fraction, whole = math.modf(max(wall, 1.0)) if wall is not None else (0.0, 1 << 40)
        spec = _TIMERSPEC.pack(0, 0, int(whole), int(fraction * 1e9))
        _checked(self._libc.timerfd_settime(self._handle, _ABSOLUTE_UNLESS_SET, spec, None))

    def take(self) -> bool:
        """Whether it has rung, or the clock was set, since it was set itself."""
        try:
            os.read(self._handle, 8)
        except BlockingIOError:
            return False
        except OSError as error:
            return error.errno == errno.ECANCELED
        return True
