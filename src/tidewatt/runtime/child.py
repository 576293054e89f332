"""What a process needs that is started by another one, and must not outlive it."""

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager, suppress
from threading import current_thread, main_thread
from typing import NoReturn

import psutil

from tidewatt.runtime.allowance import THREAD_COUNTS

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
"""Opened before the fork: that makes a class, and with that copies of pages."""
ONE_THREAD = {
    **dict.fromkeys(THREAD_COUNTS, "1"),
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow, and with it pandas, would start one
}
"""What keeps libraries from starting threads as they are loaded: a process with threads must not fork."""


def children(pid: int) -> list[int]:
    """Live processes that a process has started."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - asked for every job, every second
            with open(f"/proc/{pid}/task/{task}/children", "rb") as file:  # noqa: PTH123 - the same
                found += map(int, file.read().split())
    except OSError:  # it is gone, or this kernel does not tell
        with suppress(psutil.NoSuchProcess):
            return [child.pid for child in psutil.Process(pid).children()]
    return found


def signal_tree(pid: int, number: signal.Signals) -> None:
    """Signal a process and all that it has started, itself first: what is stopped starts nothing more."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    for child in children(pid):
        signal_tree(child, number)


@contextmanager
def interrupts_later() -> Generator[None]:
    """Have Ctrl-C come at the end of this block, so that whoever is to end what it starts knows of that."""
    if (
        signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        or current_thread() is not main_thread()
    ):
        yield  # it does not come here at all
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if came:
            signal.raise_signal(signal.SIGINT)


class ForksEndHere:
    """Has a process that this block forks end where the block ends, as one that a program forks does.

    Without this it would go on as if it were the worker: on the worker's own line, under its name. A class:
    with a generator, short calls were a tenth slower.
    """

    __slots__ = ("_worker",)

    def __enter__(self) -> None:
        """Note whose block it is."""
        self._worker = os.getpid()

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """End this process if it is another by now."""
        if os.getpid() != self._worker:
            _leave(error)


def _leave(error: BaseException | None) -> NoReturn:
    """End a forked process at once, with the status that Python would give it."""
    code: object = 0 if error is None else 1
    if isinstance(error, SystemExit):
        code = error.code or 0
    with suppress(OSError, ValueError, AttributeError):  # who closes its output has nobody to tell
        if error is not None and not isinstance(error, SystemExit):
            traceback.print_exception(error)
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code & 0xFF if isinstance(code, int) else 1)


def die_with_parent(parent: int) -> None:
    """On Linux, have the kernel kill this process when its parent ends, however it ends.

    ``parent`` is told by its number from before the fork: it may be gone by the time that a child can ask.
    """
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the kernel was told
            os._exit(1)
