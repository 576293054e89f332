"""Gives memory back to the system that was needed to start and is not needed to wait."""

import ctypes
import gc
import mmap
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Heard = TypeVar("Heard")
_MAPS = Path("/proc/self/maps")
_PAGEMAP = Path("/proc/self/pagemap")
_TASKS = Path("/proc/self/task")
_ENTRY = 8
"""Bytes that Linux tells of a page, the flags in the last (Documentation/admin-guide/mm/pagemap.rst)."""
_AT_ONCE = 16_384
"""Bytes that are read at once: more would grow this process more than needed."""
_PRESENT, _SWAPPED, _OF_FILE = 0x80, 0x40, 0x20


@dataclass(frozen=True, slots=True)
class Mapping:
    """A range of addresses that shows a file."""

    start: int
    size: int


def of_files(maps: Iterable[str]) -> list[Mapping]:
    """The private mappings of files that cannot be written to: the code and the constants of libraries.

    Args:
        maps: the lines of ``/proc/PID/maps``.
    """
    found: list[Mapping] = []
    for line in maps:
        words = line.split(maxsplit=5)
        if len(words) < 6 or not words[5].startswith("/") or words[5].startswith("/dev/"):
            continue
        if "w" not in words[1] and words[1].endswith("p"):
            start, end = (int(word, 16) for word in words[0].split("-"))
            found.append(Mapping(start, end - start))
    return found


def clean(entries: Iterable[bytes], pages: int) -> bool:
    """Whether a mapping has pages in memory, and all of them as they are in its file.

    What was written to once is not: relocations, and all that a loader protects after it has filled it in.

    Args:
        entries: what ``/proc/PID/pagemap`` tells of the mapping, in parts of whole entries.
        pages: how many pages it has.
    """
    told, flags = 0, set[int]()
    for part in entries:
        told += len(part)
        flags.update(part[_ENTRY - 1 :: _ENTRY])
    kinds = {flag & (_PRESENT | _SWAPPED | _OF_FILE) for flag in flags if flag & (_PRESENT | _SWAPPED)}
    return told == pages * _ENTRY and kinds == {_PRESENT | _OF_FILE}


class Still:
    """Waits for others, and gives back when they have been quiet for ``quiet_s`` real seconds.

    It does so again after this process has computed for ``again_s`` seconds: looking at all that torch maps
    takes three milliseconds of a processor.
    """

    def __init__(
        self,
        quiet_s: float,
        again_s: float,
        forget: Callable[[], None] | None = None,
        computed_s: Callable[[], float] = time.process_time,
    ) -> None:
        self._quiet_s, self._again_s = quiet_s, again_s
        self._forget = forget or give_back
        self._computed_s = computed_s
        self._not_before_s = 0.0

    def wait(self, heard: Callable[[float | None], Sequence[Heard]], wait_s: float | None) -> Sequence[Heard]:
        """What is heard within so many real seconds, or at all; possibly nothing before that."""
        long = wait_s is None or wait_s >= self._quiet_s
        if not long or self._computed_s() < self._not_before_s:
            return heard(wait_s)
        found = heard(self._quiet_s)
        if not found:
            self._forget()
            self._not_before_s = self._computed_s() + self._again_s
        return found


def give_back() -> None:
    """Forget the clean pages of files; they stay in the system's cache and come back when they are touched.

    Nothing happens where the system does not tell of pages, and in a process of several threads: another one
    could map something else where a file was when this one looked.
    """
    with suppress(OSError, AttributeError), _undisturbed():
        if len(os.listdir(_TASKS)) != 1:  # noqa: PTH208 - their number alone is wanted
            return
        forget = ctypes.CDLL(None).madvise
        forget.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        with _MAPS.open(encoding="utf-8", errors="replace") as lines, _PAGEMAP.open("rb", 0) as told:
            for mapping in of_files(lines):
                if clean(_entries(told.fileno(), mapping), mapping.size // mmap.PAGESIZE):
                    forget(mapping.start, mapping.size, mmap.MADV_DONTNEED)  # where it is refused, they stay


def _entries(pagemap: int, mapping: Mapping) -> Iterator[bytes]:
    at, end = (where // mmap.PAGESIZE * _ENTRY for where in (mapping.start, mapping.start + mapping.size))
    for offset in range(at, end, _AT_ONCE):
        yield os.pread(pagemap, min(_AT_ONCE, end - offset), offset)


@contextmanager
def _undisturbed() -> Generator[None]:
    """Without a collection meanwhile: what it ends may be a mapping, and its place be taken."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
