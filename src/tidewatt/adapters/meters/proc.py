"""What the node's processors have done so far, as the operating system counts it."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tidewatt.adapters.cgroup import Limit
from tidewatt.errors import TidewattError
from tidewatt.ports import Clock

_BUSY_COLUMNS = (0, 1, 2, 5, 6)
"""user, nice, system, irq and softirq behind the name in a line of /proc/stat (proc(5)).

idle and iowait are no work, steal is the work of other machines on the same host, and guest is counted
in user already.
"""


@dataclass(frozen=True, slots=True)
class Moment:
    """One look at the node: the world's instant, the real one, and processor seconds used since it booted."""

    at: float
    wall: float
    busy_cpu_s: float
    cpus: int


def visible_cpus() -> frozenset[int] | None:
    """Numbers of the processors that this process may run on, or None where the system does not say."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return None


@dataclass(frozen=True, slots=True)
class Processors:
    """A set of processors of this node, whose use by all programs can be read.

    ``visible`` are their numbers, None for all. Without ``stat`` (macOS, Windows) psutil answers for all of
    them. A container that is granted the time of fewer processors than it sees (``limit``) has as many as
    it is granted, and what its own programs used counts, not those of the whole host.
    """

    stat: Path = Path("/proc/stat")
    visible: frozenset[int] | None = field(default_factory=visible_cpus)
    limit: Limit | None = None

    def look(self, clock: Clock) -> Moment:
        """The times of ``clock`` together with what the processors have done until now.

        Raises:
            TidewattError: what was used of the limit cannot be read any more.
        """
        at, wall = clock.now(), clock.wall()
        busy_cpu_s, cpus = self._from_stat() if self.stat.exists() else _from_psutil()
        if self.limit is not None and self.limit.whole_cpus < cpus:
            return Moment(at, wall, _granted_s(self.limit), self.limit.whole_cpus)
        return Moment(at, wall, busy_cpu_s, cpus)

    def _from_stat(self) -> tuple[float, int]:
        ticks, cpus = 0, 0
        for line in self.stat.read_text(encoding="ascii").splitlines():
            if not line.startswith("cpu"):
                break  # they come first, and the line of interrupts that follows is long
            name, *columns = line.split()
            number = name.removeprefix("cpu")
            if number and (self.visible is None or int(number) in self.visible):
                ticks += sum(int(columns[index]) for index in _BUSY_COLUMNS)
                cpus += 1
        return ticks / os.sysconf("SC_CLK_TCK"), cpus


def _granted_s(limit: Limit) -> float:
    used_s = limit.used_s()
    if used_s is None:
        raise TidewattError(f"{limit.counter}, which cannot be read any more", "the count of our own group")
    return used_s


def _from_psutil() -> tuple[float, int]:
    times = psutil.cpu_times()
    names = ("user", "nice", "system", "irq", "softirq", "interrupt", "dpc")
    return sum(getattr(times, name, 0.0) for name in names), psutil.cpu_count() or 1


def busy_between(before: Moment, after: Moment) -> float:
    """Processor seconds used from one look to the next, never negative.

    They are counted in ticks (10 ms on Linux), so that over a few milliseconds they may exceed the
    processors there are; the next interval then has as much less.
    """
    return max(0.0, after.busy_cpu_s - before.busy_cpu_s)
