"""Which files are finished, and what makes a file another one.

Decided from what the file system says alone, so that it comes out the same for a file that was watched
while it grew and for one that came while nothing ran.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tidewatt.domain.trigger import Occasion


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A file at one moment; ``path`` is as Python holds paths, undecodable bytes as lone surrogates.

    ``changed_wall`` is the time of its last change in any way (ctime), which nobody can set at will.
    """

    path: str
    inode: int
    size: int
    modified_ns: int
    changed_wall: float
    written: bool = False
    """Whether somebody has it open for writing, as far as the file system tells."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Files that are finished; when to look again at those that may soon be; how many are being written."""

    finished: tuple[Seen, ...]
    again_wall: float | None
    adrift: bool
    """Whether some changed in what seems to be the future: only a second look can tell of them."""


def identity(seen: Seen) -> str:
    """What tells a file from others and from itself after a change: path, inode, size and mtime, hashed."""
    path = seen.path.encode("utf-8", "surrogateescape")
    return hashlib.sha256(b"%d %d %d %s" % (seen.inode, seen.size, seen.modified_ns, path)).hexdigest()[:32]


def arrival(trigger: str, seen: Seen) -> Occasion:
    """The occasion of a finished file."""
    return Occasion(trigger=trigger, key=identity(seen), said=f"file {_shown(seen.path)}")


def judge(
    files: Iterable[Seen], now_wall: float, settle_s: float, before: Mapping[str, Seen] | None = None
) -> Verdict:
    """Tell finished files from others.

    A file is finished if nobody has it open for writing and it has been left alone for ``settle_s``: by its
    ctime, or because it is the same as ``before``, a look at least so long ago.
    """
    finished: list[Seen] = []
    again_wall: float | None = None
    adrift = False
    for file in files:
        if file.written:
            continue  # its closing is told of
        quiet_s = now_wall - file.changed_wall
        if quiet_s >= settle_s or (before is not None and before.get(file.path) == file):
            finished.append(file)
            continue
        adrift = adrift or quiet_s < 0
        ripe_wall = min(file.changed_wall, now_wall) + settle_s
        again_wall = ripe_wall if again_wall is None else min(again_wall, ripe_wall)
    return Verdict(tuple(finished), again_wall, adrift)


def _shown(path: str) -> str:
    """A path in characters that can be printed and kept anywhere."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in path)
