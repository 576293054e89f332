"""Looks at files: which ones match a pattern, what they are at this moment, and which folders to watch."""

import errno
import fcntl
import os
import re
import signal
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from fnmatch import translate
from pathlib import Path

from tidewatt.policy.ripe import Seen

_ANYWHERE = "**"
_MAGIC = re.compile(r"[*?[]")


class Look:
    """One walk through the folders of a pattern: the files that match, and every folder that was passed.

    Names that begin with a dot match only a part of the pattern that does so too, as in a shell. Links to
    files count as the files they lead to; ``**`` does not go through links to folders, which may lead
    round in circles. What is no regular file is passed over.
    """

    def __init__(self, pattern: str) -> None:
        self.folders: list[str] = []
        """Folders in which something new would match; where one is missing, the last above it that exists."""
        self.files: list[Seen] = []
        parts = Path(pattern).parts
        fixed = next((i for i, part in enumerate(parts) if _MAGIC.search(part)), len(parts) - 1)
        base = str(Path(*parts[:fixed]))
        there = _existing(base)
        self._walk(there, [_matcher(part) for part in parts[fixed:]] if there == base else [])
        self.folders = list(dict.fromkeys(self.folders))
        self.files = list({file.path: file for file in self.files}.values())

    def _walk(self, folder: str, rest: "list[_Matcher]") -> None:
        self.folders.append(folder)
        if not rest:
            return
        fits = rest[0]
        if fits is None:
            self._walk_anywhere(folder, rest)
            return
        for entry in _entries(folder):
            if fits(entry.name):
                self._go_on(entry, rest[1:])

    def _walk_anywhere(self, folder: str, rest: "list[_Matcher]") -> None:
        """Any number of folders, none among them."""
        if len(rest) > 1:
            self._walk(folder, rest[1:])
        for entry in _entries(folder):
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                self._walk(entry.path, rest)
            elif len(rest) == 1:
                self._take(entry.path)

    def _go_on(self, entry: "os.DirEntry[str]", rest: "list[_Matcher]") -> None:
        if not rest:
            self._take(entry.path)
        elif entry.is_dir():
            self._walk(entry.path, rest)

    def _take(self, path: str) -> None:
        with suppress(OSError):  # gone again, or a link that leads nowhere
            found = os.stat(path)  # noqa: PTH116 - a Path for each of thousands of files is slow, and this is the loop
            if stat.S_ISREG(found.st_mode):
                self.files.append(
                    Seen(
                        path=path,
                        inode=found.st_ino,
                        size=found.st_size,
                        modified_ns=found.st_mtime_ns,
                        changed_wall=found.st_ctime_ns / 1e9,
                    )
                )


_Matcher = Callable[[str], object] | None
"""Whether a name fits one part of a pattern; None fits any number of folders."""


def looked_into(files: Iterable[Seen]) -> Iterator[Seen]:
    """The files with whether somebody has them open for writing."""
    return (replace(file, written=True) if _is_written(file.path) else file for file in files)


def _matcher(part: str) -> _Matcher:
    if part == _ANYWHERE:
        return None
    fits = re.compile(translate(part)).match
    return fits if part.startswith(".") else lambda name: not name.startswith(".") and fits(name)


def _existing(folder: str) -> str:
    while not os.path.isdir(folder):  # noqa: PTH112 - the same
        folder = os.path.dirname(folder)  # noqa: PTH120 - the same
    return folder


def _entries(folder: str) -> "list[os.DirEntry[str]]":
    """What lies in a folder, in order; nothing if it is gone or closed to us."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _is_written(path: str) -> bool:
    """Whether somebody has a file open for writing; False too where that cannot be told.

    Linux grants a read lease on a file, to its owner, only while nobody has it open for writing.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        # Who opens the file in just this moment breaks the lease; we would be told by a signal that kills.
        fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(handle)
    return False
