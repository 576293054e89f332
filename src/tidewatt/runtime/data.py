"""Tells whether the files that arguments name are those of another time, without reading them."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

_MOST = 10_000
"""Files of a folder that are looked at; more are taken to change with these."""


def fingerprint(arguments: Mapping[str, object]) -> str:
    """A hash of names, sizes and times of change of all files that arguments name, those of folders too.

    Contents are not read, since data may be large: a copy of the same data counts as other data. Empty where
    no argument names a file.
    """
    digest, any_file = hashlib.sha256(), False
    for name in sorted(arguments):
        value = arguments[name]
        if not isinstance(value, str | Path) or not str(value):
            continue
        for told in _files(Path(value)):
            any_file = True
            digest.update(f"{name}\0{told}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest() if any_file else ""


def _files(path: Path) -> Iterator[str]:
    """What is told of a file, or of each file of a folder, in a fixed order."""
    try:
        if path.is_file():
            yield _told(path, path.name)
        elif path.is_dir():
            for each in islice(_below(path), _MOST):
                yield _told(each, str(each.relative_to(path)))
    except (OSError, ValueError):  # text that is no path, or a file that may not be looked at
        return


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(parent, name) for name in sorted(files))


def _told(path: Path, name: str) -> str:
    found = path.stat()
    return f"{name}\0{found.st_size}\0{found.st_mtime_ns}"
