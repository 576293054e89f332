"""Checkpoint files: written whole or not at all, and read only if every byte is right."""

import hashlib
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from typing_extensions import Buffer

from tidewatt.errors import CheckpointDamaged

_MAGIC = b"tidewatt checkpoint 1\n"
_DIGEST_BYTES = hashlib.sha256().digest_size
_FOLDER = "checkpoints"
_PART = ".part"


@dataclass(frozen=True, slots=True)
class Written:
    """A checkpoint on disk; ``path`` is relative to the job's folder."""

    path: str
    size: int
    sha256: str


class Sink:
    """What a checkpoint's content is written to: a file that is hashed on its way, never held in memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: Buffer) -> int:
        """Append bytes.

        Raises:
            OSError: they do not fit.
        """
        view = memoryview(data)
        self._digest.update(view)
        self._file.write(view)
        self.size += view.nbytes
        return view.nbytes

    def flush(self) -> None:
        """Hand on what is buffered."""
        self._file.flush()

    def digest(self) -> bytes:
        """The checksum of all so far."""
        return self._digest.digest()


def write(folder: Path, step: int, token: int, fill: Callable[[Sink], object]) -> Written:
    """Write a checkpoint of a job atomically and durably; ``fill`` puts the content into a sink.

    A disk that fills up leaves the checkpoints written before untouched and no part of this one.

    Raises:
        OSError: it could not be written.
    """
    place = folder / _FOLDER
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = place / f"step-{step:012d}.{token}.ckpt"
    with _replacing(target) as file:
        file.write(_MAGIC + bytes(_DIGEST_BYTES))
        sink = Sink(file)
        fill(sink)
        file.seek(len(_MAGIC))
        file.write(sink.digest())
    return Written(str(target.relative_to(folder)), sink.size, sink.digest().hex())


def write_atomically(target: Path, data: bytes) -> None:
    """Replace a file by new content that is on disk before the name points to it.

    Raises:
        OSError: it could not be written; the old content is still there.
    """
    with _replacing(target) as file:
        file.write(data)


@contextmanager
def _replacing(target: Path) -> Generator[BinaryIO]:
    """A draft that takes the place of a file once the body has written it whole and it is on disk.

    Raises:
        OSError: it could not be written; the old content is still there.
    """
    draft = target.with_name(target.name + _PART)
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def newest_of(folder: Path, token: int) -> tuple[int, Written] | None:
    """The last step that an attempt saved whole, with its checkpoint; None if it saved none."""
    for path in sorted((folder / _FOLDER).glob(f"*.{token}.ckpt"), reverse=True):
        try:
            data = read(path)
        except CheckpointDamaged:
            continue
        step = int(path.name.removeprefix("step-").partition(".")[0])
        return step, Written(str(path.relative_to(folder)), len(data), hashlib.sha256(data).hexdigest())
    return None


def sweep(folder: Path) -> None:
    """Remove what a worker that was killed in the middle of writing left in the folder of its job."""
    for part in folder.rglob(f"*{_PART}"):
        part.unlink(missing_ok=True)


def read(path: Path) -> bytes:
    """The content of a checkpoint.

    Raises:
        CheckpointDamaged: it is not whole.
    """
    raw = path.read_bytes()
    head = len(_MAGIC) + _DIGEST_BYTES
    data = raw[head:]
    if raw[: len(_MAGIC)] != _MAGIC or hashlib.sha256(data).digest() != raw[len(_MAGIC) : head]:
        raise CheckpointDamaged(
            f"{path.name} with a wrong checksum", "a whole checkpoint", "an older one is used"
        )
    return data


def read_newest(folder: Path, recorded: str) -> tuple[str, bytes]:
    """The recorded checkpoint, or if that is damaged or gone the newest whole one before it, or one after it.

    Any whole checkpoint of a job will do: what a step leads to does not depend on who computes it. One after
    the recorded one is there if its worker was killed before it could tell of it.

    Raises:
        CheckpointDamaged: none is whole.
    """
    recorded_name = Path(recorded).name
    names = sorted(p.name for p in (folder / _FOLDER).glob("*.ckpt") if p.name != recorded_name)
    older = [name for name in reversed(names) if name < recorded_name]
    newer = [name for name in names if name > recorded_name]
    for name in (recorded_name, *older, *newer):
        try:
            return name, read(folder / _FOLDER / name)
        except (CheckpointDamaged, FileNotFoundError):
            continue
    raise CheckpointDamaged(f"no whole checkpoint beside {recorded}", "at least one", "submit the job again")


def discard(folder: Path, keep: int) -> None:
    """Delete all but the newest ``keep`` checkpoints of a job."""
    files = sorted((folder / _FOLDER).glob("*.ckpt"))
    for path in files[: max(0, len(files) - keep)]:
        path.unlink(missing_ok=True)
