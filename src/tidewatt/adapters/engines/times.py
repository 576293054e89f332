"""What processor time workers have used, asked every second of files that are kept open."""

import os
from contextlib import suppress
from dataclasses import dataclass

from tidewatt.adapters.cgroup import Groups, used_s
from tidewatt.adapters.engines.processes import tree_cpu_seconds
from tidewatt.runtime.child import children

_MOST_KEPT = 128
"""Files are kept open for so many workers: a process may by default have 1,024."""
_LENGTH = 1024
"""More than a line of /proc/PID/stat, a count of a group or, mostly, the children of a process take up."""
_UTIME, _CSTIME, _THREADS = 11, 14, 17
"""Where utime to cstime and num_threads stand behind the name in /proc/PID/stat (proc(5))."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class _Watched:
    """Open files about a worker; a number that the system gives away again is never read for an old one."""

    stat: int
    children: int
    count: int | None = None
    """Of its own group, where it has one; all that follows counts from there."""
    before_s: float = 0.0
    """What the process had used when it was moved into its group, less what the group counted then."""


class Times:
    """Processor time of workers and all that they have started, ended ones included.

    From a control group of the worker's own where such can be made, else from /proc. What a process of the
    tree used that ends while /proc is read is missed until the next time, and never counted twice.
    """

    def __init__(self, groups: Groups | None = None, keep: int = _MOST_KEPT) -> None:
        self._groups = groups
        self._keep = keep
        self._watched: dict[int, _Watched] = {}

    def watch(self, pid: int) -> None:
        """Keep files open for a worker, until it is let go."""
        if pid in self._watched or len(self._watched) >= self._keep:
            return
        with suppress(OSError):  # it is gone, or this system has no such files: it is asked for by number
            stat = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
            try:
                below = os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                os.close(stat)
                raise
            self._watched[pid] = self._grouped(pid, _Watched(stat, below))

    def _grouped(self, pid: int, watched: _Watched) -> _Watched:
        if self._groups is not None:
            with suppress(OSError, ValueError):
                watched.count = self._groups.take_in(pid)
                counted_s = used_s(os.pread(watched.count, _LENGTH, 0))
                watched.before_s = (tree_cpu_seconds(pid) or 0.0) - counted_s
        return watched

    def used_s(self, pid: int) -> float | None:
        """Processor seconds so far; None if the worker is gone."""
        watched = self._watched.get(pid)
        if watched is None:
            return tree_cpu_seconds(pid)
        try:
            if watched.count is not None:
                return watched.before_s + used_s(os.pread(watched.count, _LENGTH, 0))
            fields = os.pread(watched.stat, _LENGTH, 0).rpartition(b")")[2].split()
            own_s = sum(map(int, fields[_UTIME : _CSTIME + 1])) / _TICKS
            return own_s + sum(tree_cpu_seconds(child) or 0.0 for child in self._below(pid, watched, fields))
        except OSError:
            return None

    @staticmethod
    def _below(pid: int, watched: _Watched, fields: list[bytes]) -> list[int]:
        """Live processes that it has started: one file tells, where it has one thread and few children."""
        if fields[_THREADS] == b"1":
            found = os.pread(watched.children, _LENGTH, 0)
            if len(found) < _LENGTH:
                return list(map(int, found.split()))
        return children(pid)

    def let_go(self, pid: int) -> None:
        """Close what is open for a worker that has ended."""
        watched = self._watched.pop(pid, None)
        if watched is not None:
            for file in (watched.stat, watched.children, watched.count):
                if file is not None:
                    os.close(file)
        if self._groups is not None:
            self._groups.let_go(pid)

    def close(self) -> None:
        """Let all go."""
        for pid in tuple(self._watched):
            self.let_go(pid)
        if self._groups is not None:
            self._groups.close()
