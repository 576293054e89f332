"""Gives memory back to the system that was needed to start and is not needed to wait."""

import ctypes
import gc
import mmap
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Heard = TypeVar("Heard")
_SMAPS = Path("/proc/self/smaps")
_TASKS = Path("/proc/self/task")
_STILL_S = 0.5
_CLEAN = {"Anonymous:", "Private_Dirty:", "Shared_Dirty:"}
"""What has to be said of a mapping, and to be nothing."""
_HELD = {"Swap:", "Locked:"}
"""What has to be nothing where it is said."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """A range of addresses that shows a file."""

    start: int
    size: int


def clean(smaps: Iterable[str]) -> list[Mapping]:
    """The mappings whose pages are all as they are in their files, so that they can be read from there again.

    These are the code and the constants of libraries. What may be written to is never among them, nor what
    was written to once: relocations and all that a loader protects after it has filled it in.

    Args:
        smaps: the lines of ``/proc/PID/smaps``, in which Linux tells of the mappings of a process.
    """
    found: list[Mapping] = []
    mapping: Mapping | None = None
    wanted: set[str] = set()
    for line in smaps:
        name, _, said = line.partition(" ")
        if not name.endswith(":"):
            if mapping is not None and not wanted:
                found.append(mapping)
            mapping, wanted = _of_file(line), set(_CLEAN)
        elif mapping is not None and (name in _CLEAN or name in _HELD):
            if said.strip() == "0 kB":
                wanted.discard(name)
            else:
                mapping = None
    if mapping is not None and not wanted:
        found.append(mapping)
    return found


class Still:
    """Waits for others, and gives back when they have been quiet for a moment.

    It does so again after this process has computed for ``again_s`` seconds: looking at some hundred mappings
    takes ten milliseconds of a processor.
    """

    def __init__(
        self,
        again_s: float = 1.0,
        forget: Callable[[], None] | None = None,
        computed_s: Callable[[], float] = time.process_time,
    ) -> None:
        self._again_s = again_s
        self._forget = forget or give_back
        self._computed_s = computed_s
        self._not_before_s = 0.0

    def wait(self, heard: Callable[[float | None], Sequence[Heard]], wait_s: float | None) -> Sequence[Heard]:
        """What is heard within so many real seconds, or at all; after half a second of nothing, nothing."""
        long = wait_s is None or wait_s >= _STILL_S
        if not long or self._computed_s() < self._not_before_s:
            return heard(wait_s)
        found = heard(_STILL_S)
        if not found:
            self._forget()
            self._not_before_s = self._computed_s() + self._again_s
        return found


def _of_file(head: str) -> Mapping | None:
    """The mapping that a line begins to tell of, if it is of a file, private and not to be written to."""
    words = head.split(maxsplit=5)
    if len(words) < 6 or not words[5].startswith("/") or words[5].startswith("/dev/"):
        return None
    if "w" in words[1] or not words[1].endswith("p"):
        return None
    start, _, end = words[0].partition("-")
    return Mapping(int(start, 16), int(end, 16) - int(start, 16))


def give_back() -> None:
    """Forget the clean pages of files; they stay in the system's cache and come back when they are touched.

    Nothing happens where the system does not tell of mappings, and in a process of several threads: another
    one could map something else where a file was when this one looked.
    """
    with suppress(OSError, AttributeError), _undisturbed():
        if len(os.listdir(_TASKS)) != 1:  # noqa: PTH208 - their number alone is wanted
            return
        forget = ctypes.CDLL(None).madvise
        forget.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        with _SMAPS.open(encoding="utf-8", errors="replace") as lines:
            mappings = clean(lines)
        for mapping in mappings:
            forget(mapping.start, mapping.size, mmap.MADV_DONTNEED)  # a mapping of which it is refused stays


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Without a collection meanwhile: what it ends may be a mapping, and its place be taken."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
