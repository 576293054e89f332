"""Files and folders that requirements name by path: what is in them is part of the environment."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from tidewatt.domain.environment import local_path
from tidewatt.errors import UsageError

_MADE = {"__pycache__", "build", "dist"}
"""What building a package leaves in its folder."""


def hash_of(requirements: Iterable[str]) -> str:
    """A hash of all files that requirements name by path; empty where they name none.

    Raises:
        UsageError: one is not there, or cannot be read.
    """
    paths = [found[1] for each in requirements if (found := local_path(each)) is not None]
    digest = hashlib.sha256()
    for path in map(Path, paths):
        if not path.exists():
            raise UsageError(f"requirement {path}, which is not there", "a file or a folder of a package")
        try:
            for file in sorted(_files(path)):
                with file.open("rb") as opened:
                    inside = hashlib.file_digest(opened, "sha256").hexdigest()
                digest.update(f"{file.relative_to(path.parent)}\0{inside}\0".encode())
        except OSError as error:
            raise UsageError(f"requirement {path}, which cannot be read ({error.strerror})") from error
    return digest.hexdigest() if paths else ""


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for inner in path.iterdir():
        if not (inner.name in _MADE or inner.name.startswith(".") or inner.name.endswith(".egg-info")):
            yield from _files(inner)
