"""Control groups of Linux, of both versions: how much processor time they grant, and how much was used."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tidewatt.runtime.allowance import clear

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
_OURS = "tidewatt-"


@dataclass(frozen=True, slots=True)
class Limit:
    """So many processors' worth of time are granted to a group, whose use is counted in ``counter``."""

    cpus: float
    counter: Path

    @property
    def whole_cpus(self) -> int:
        """Processors that can be kept busy all the time, at least one."""
        return max(1, int(self.cpus))

    def used_s(self) -> float | None:
        """Processor seconds that the group has used, None if that cannot be read any more."""
        try:
            return used_s(self.counter.read_bytes())
        except (OSError, ValueError):
            return None


def used_s(counter: bytes) -> float:
    """Processor seconds from ``cpu.stat`` (version 2: microseconds) or ``cpuacct.usage`` (version 1: ns)."""
    words = counter.split(None, 2)
    return int(words[1]) / 1e6 if words[0] == b"usage_usec" else int(words[0]) / 1e9


def limit(root: Path = ROOT, membership: Path = MEMBERSHIP) -> Limit | None:
    """The tightest quota of processor time that this process is under, None for none.

    Sources: Linux kernel documentation, cgroup-v2 (``cpu.max``) and CFS bandwidth control
    (``cpu.cfs_quota_us`` over ``cpu.cfs_period_us``, of version 1).
    """
    found = [*_limits_of_second(root, membership), *_limits_of_first(root, membership)]
    return min(found, key=lambda one: one.cpus, default=None)


def processors() -> int:
    """How many processors workers can keep busy: those that we may run on, or the time we are granted."""
    seen = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limited = limit()
    return seen if limited is None else min(seen, limited.whole_cpus)


def _limits_of_second(root: Path, membership: Path) -> Iterator[Limit]:
    for group in lineage(mount_of_second(root), paths(membership).get("")):
        with suppress(OSError, ValueError):
            granted_us, period_us = (group / "cpu.max").read_text(encoding="ascii").split()
            if granted_us != "max":
                yield Limit(int(granted_us) / int(period_us), group / "cpu.stat")


def _limits_of_first(root: Path, membership: Path) -> Iterator[Limit]:
    found = paths(membership)
    counting = lineage(_mount_of_first(root, "cpuacct"), found.get("cpuacct"))
    for group, counted in zip(
        lineage(_mount_of_first(root, "cpu"), found.get("cpu")), counting, strict=False
    ):
        with suppress(OSError, ValueError):
            granted_us = int((group / "cpu.cfs_quota_us").read_text(encoding="ascii"))
            period_us = int((group / "cpu.cfs_period_us").read_text(encoding="ascii"))
            if granted_us > 0:
                yield Limit(granted_us / period_us, counted / "cpuacct.usage")


def paths(membership: Path) -> dict[str, str]:
    """Where this process is in the hierarchy of each controller; that of version 2 has no name."""
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    parts = [line.split(":", 2) for line in lines if line.count(":") >= 2]
    return {controller: path for _, names, path in parts for controller in names.split(",")}


def mount_of_second(root: Path) -> Path | None:
    """Where groups of version 2 are mounted, None for nowhere."""
    mounts = (root, root / "unified")
    return next((mount for mount in mounts if (mount / "cgroup.controllers").exists()), None)


def _mount_of_first(root: Path, controller: str) -> Path | None:
    mounts = (root / controller, root / "cpu,cpuacct", root / "cpuacct,cpu")
    return next((mount for mount in mounts if (mount / "cgroup.procs").exists()), None)


def lineage(mount: Path | None, path: str | None) -> list[Path]:
    """A group and all above it, itself first.

    A container that sees the groups of its host by name, and not the folders, sees its own at the mount.
    """
    if mount is None or path is None:
        return []
    group = mount / path.strip("/")
    if ".." in group.parts or not group.exists():
        return [mount]
    above = [parent for parent in group.parents if parent.is_relative_to(mount)]
    return [group, *above]


class Groups:
    """Groups of our own below that of this process, one for each worker, that count and change nothing else.

    Made only where the count comes alone: a group that also takes part in sharing out processors would
    slow down a worker of many threads beside its neighbours.
    """

    def __init__(self, place: Path, counter: str) -> None:
        """Begin in a folder that this process may make groups in.

        Raises:
            OSError: it may not.
        """
        self._counter = counter
        self.limits = ""
        """The folder below which groups hold workers to limits; empty where they only count."""
        self.folder = place / f"{_OURS}{os.getpid()}"
        self.folder.mkdir(exist_ok=True)
        for left in place.glob(f"{_OURS}*"):
            _remove_if_left(left)

    @classmethod
    def below_own(cls, root: Path = ROOT, membership: Path = MEMBERSHIP) -> "Groups | None":
        """Groups below that of this process, None where there are none or it may not make any."""
        for place, counter in _places(root, membership):
            with suppress(OSError):
                return cls(place, counter)
        return None

    def take_in(self, pid: int) -> int:
        """Move a process into a group of its own, with all that it has started and will start.

        Returns:
            a descriptor to read the count of the group from, which the caller closes.

        Raises:
            OSError: the kernel does not let it be moved.
        """
        group = self.folder / str(pid)
        group.mkdir(exist_ok=True)
        _move(pid, group / "cgroup.procs")
        return os.open(group / self._counter, os.O_RDONLY | os.O_CLOEXEC)

    def let_go(self, pid: int) -> None:
        """Remove the group of a process that has ended; one that something still lives in stays for now."""
        with suppress(OSError):
            (self.folder / str(pid)).rmdir()

    def close(self) -> None:
        """Remove what is empty."""
        clear(self.folder)


def _places(root: Path, membership: Path) -> Iterator[tuple[Path, str]]:
    """Groups below which others count and do nothing else, each with the file that counts."""
    found = paths(membership)
    for place in lineage(mount_of_second(root), found.get(""))[:1]:
        with suppress(OSError):
            if "cpu" not in (place / "cgroup.subtree_control").read_text(encoding="ascii").split():
                yield place, "cpu.stat"
    for place in lineage(_mount_of_first(root, "cpuacct"), found.get("cpuacct"))[:1]:
        if not (place / "cpu.shares").exists():  # else it is mounted together with what shares out processors
            yield place, "cpuacct.usage"


def _move(pid: int, members: Path) -> None:
    """Move a process, then its children: what it starts once it has been moved is in the group already."""
    from tidewatt.runtime.child import children  # noqa: PLC0415 - who only asks for a limit needs none of it

    members.write_text(str(pid), encoding="ascii")
    for child in children(pid):
        with suppress(OSError):  # it has ended
            _move(child, members)


def _remove_if_left(folder: Path) -> None:
    """Remove the groups of a supervisor that was killed."""
    try:
        os.kill(int(folder.name.removeprefix(_OURS)), 0)
    except ProcessLookupError:
        clear(folder)
    except (PermissionError, ValueError):
        pass
