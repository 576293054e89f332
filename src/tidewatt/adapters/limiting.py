"""Where workers may have control groups (version 2) that hold them to limits, and such groups."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tidewatt.adapters.cgroup import MEMBERSHIP, ROOT, Groups, lineage, mount_of_second, paths

_WANTED = ("memory", "cpu")
_CONTROLS = "cgroup.subtree_control"


@dataclass(frozen=True, slots=True)
class Spot:
    """A group as it was found, and what its files say of groups made below it."""

    path: Path
    ours: bool
    """Whether we may make groups in it and move processes into those."""
    shared: frozenset[str]
    """Controllers that groups below it have."""
    given: frozenset[str]
    """Controllers that they could be given."""
    free: bool
    """Whether they can: no process is in it, or it is the root of all."""
    bounded: bool
    """Whether it holds what is in it to limits, which a group elsewhere would escape."""

    @property
    def can(self) -> frozenset[str]:
        """What a group made in it can be held to."""
        could = self.shared | self.given if self.free else self.shared
        return could & frozenset(_WANTED) if self.ours else frozenset()


@dataclass(frozen=True, slots=True)
class Choice:
    """The spot to make groups in, None for none; and what was found, in words."""

    spot: Spot | None
    found: str


def choose(spots: Iterable[Spot]) -> Choice:
    """The nearest group, from our own upwards, below which memory can be limited.

    Never one above a group that is itself limited: workers would escape what somebody has set for them.
    """
    seen: Sequence[Spot] = []
    for spot in spots:
        if "memory" in spot.can:
            return Choice(spot, " and ".join(name for name in _WANTED if name in spot.can))
        seen = [*seen, spot]
        if spot.bounded:
            break
    if not seen:
        return Choice(None, "no control groups of version 2 here")
    if not any("memory" in spot.given for spot in seen):
        return Choice(None, "control groups of version 2 without the memory controller")
    if not any(spot.ours for spot in seen):
        return Choice(None, f"{seen[0].path} and the groups above it belong to others")
    return Choice(
        None, f"other processes are in {next(s.path for s in seen if s.ours)}, which bars groups below it"
    )


def found(root: Path = ROOT, membership: Path = MEMBERSHIP) -> Choice:
    """Where groups would be made; this only looks."""
    return choose(map(_look, lineage(mount_of_second(root), paths(membership).get(""))))


def limiting(root: Path = ROOT, membership: Path = MEMBERSHIP) -> Groups | None:
    """Groups that hold workers to limits, and count; None where there can be none."""
    spot = found(root, membership).spot
    if spot is None:
        return None
    wanted = " ".join(f"+{name}" for name in sorted(spot.can))
    groups: Groups | None = None
    try:
        if not spot.can <= spot.shared:
            (spot.path / _CONTROLS).write_text(wanted, encoding="ascii")
        groups = Groups(spot.path, "cpu.stat")
        (groups.folder / _CONTROLS).write_text(wanted, encoding="ascii")
    except OSError:  # it has changed since, or the kernel lets us do less than the modes of the files do
        if groups is not None:
            groups.close()
        return None
    groups.limits = str(groups.folder)
    return groups


def _look(path: Path) -> Spot:
    occupied = bool(_words(path / "cgroup.procs"))
    return Spot(
        path=path,
        ours=os.access(path, os.W_OK) and os.access(path / "cgroup.procs", os.W_OK),
        shared=frozenset(_words(path / _CONTROLS)),
        given=frozenset(_words(path / "cgroup.controllers")),
        free=not occupied or not (path / "cgroup.type").exists(),  # which the root alone lacks
        bounded=any(
            _words(path / name)[:1] not in ([], ["max"]) for name in ("memory.max", "memory.high", "cpu.max")
        ),
    )


def _words(file: Path) -> list[str]:
    with suppress(OSError):
        return file.read_text(encoding="ascii").split()
    return []
