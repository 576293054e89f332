"""Processes by number and start time, so that a recycled number is never taken for an old process."""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress

import psutil

from tidewatt.runtime.child import children

_PATIENCE_S = 10.0
_STATE, _UTIME, _CUTIME, _CSTIME, _STATUS = 0, 11, 13, 14, 49
"""Where state, utime to cstime and exit_code stand behind the name in /proc/PID/stat (proc(5))."""
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float | None:
    """Processor seconds that a live process has used; None if it is gone."""
    fields = _fields(pid)
    if fields is not None:
        return sum(map(int, fields[_UTIME:_CUTIME])) / _TICKS
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return None
    return times.user + times.system


def tree_cpu_seconds(pid: int) -> float | None:
    """The same, with all that it has started and that they have, ended ones included; None if it is gone.

    What ends while this is read is missed until the next time, and never counted twice.
    """
    own = _own_and_ended(pid)
    if own is None:
        return None
    return own + sum(tree_cpu_seconds(child) or 0.0 for child in children(pid))


def _own_and_ended(pid: int) -> float | None:
    """Processor seconds of a process and of the children that it has waited for; None if it is gone."""
    fields = _fields(pid)
    if fields is not None:
        return sum(map(int, fields[_UTIME : _CSTIME + 1])) / _TICKS
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return None
    ended = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return float(times.user + times.system + ended)


def code_of(pid: int) -> int | None:
    """How a process ended, a negative code being the signal that ended it; None while it lives.

    0 if it is gone already, so that the kernel does not tell any more.
    """
    fields = _fields(pid)
    if fields is None:
        return None if psutil.pid_exists(pid) else 0
    return os.waitstatus_to_exitcode(int(fields[_STATUS])) if fields[_STATE] in {b"Z", b"X"} else None


def _fields(pid: int) -> list[bytes] | None:
    """What /proc/PID/stat tells behind the name; None if the process is gone, or there is no such file."""
    try:
        # One line, where psutil reads five files: this is asked for every job, every second.
        with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123 - the same
            return stat.read().rpartition(b")")[2].split()
    except OSError:
        return None


def kill_group(pid: int) -> None:
    """End a worker together with whatever it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def end_all(processes: Iterable[tuple[int, float]]) -> None:
    """End those processes that are still the ones meant, with what they started, and see them gone."""
    ending: list[psutil.Process] = []
    for pid, started in processes:
        group = _group(pid, started)
        if group:
            kill_group(pid)
        ending += group
    psutil.wait_procs(ending, timeout=_PATIENCE_S)


def _group(leader: int, started: float) -> list[psutil.Process]:
    """What lives of the group that a process leads or led, empty if its number belongs to another by now.

    A number is not given to a new process while any member of its group is alive.
    """
    with suppress(psutil.NoSuchProcess):
        if psutil.Process(leader).create_time() != started:
            return []
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            ours = process.pid == leader or os.getpgid(process.pid) == leader
            if ours and process.create_time() >= started and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
