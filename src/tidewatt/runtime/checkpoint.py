"""Checkpoint files: written whole or not at all, and read only if every byte is right."""

import errno
import hashlib
import io
import os
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import BinaryIO

from typing_extensions import Buffer, override

from tidewatt.errors import CheckpointDamaged

_MAGIC = b"tidewatt checkpoint 1\n"
_DIGEST_BYTES = hashlib.sha256().digest_size
_HEAD_BYTES = len(_MAGIC) + _DIGEST_BYTES
_FOLDER = "checkpoints"
PART = ".part"
"""How names of files and folders end that are not there for long."""


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
    place = place_of(folder)
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


def is_full(error: OSError) -> bool:
    """Whether an error says that there is no room on the disk, which may pass."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def received(folder: Path, name: str) -> Generator[Path]:
    """A path to bring a copy of a checkpoint to; it gets its name once the body has brought all of it."""
    place = place_of(folder)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = place / f"{name}.{os.getpid()}{PART}"  # all workers of an attempt may be at it
    try:
        yield draft
        draft.replace(place / name)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _replacing(target: Path) -> Generator[BinaryIO]:
    """A draft that takes the place of a file once the body has written it whole and it is on disk.

    Raises:
        OSError: it could not be written; the old content is still there.
    """
    draft = target.with_name(target.name + PART)
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
    for path in sorted(place_of(folder).glob(f"*.{token}.ckpt"), reverse=True):
        try:
            with open_whole(path) as content:
                step = int(path.name.removeprefix("step-").partition(".")[0])
                return step, Written(str(path.relative_to(folder)), content.size, content.sha256)
        except (CheckpointDamaged, FileNotFoundError):
            continue
    return None


def sweep(folder: Path) -> None:
    """Remove what a worker that was killed in the middle of writing left in the folder of its job."""
    for part in [*folder.rglob(f"*{PART}")]:
        if part.is_dir():
            rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


class Content(io.FileIO):
    """The content of a checkpoint, whose header is not seen; it is read from disk as it is asked for."""

    def __init__(self, path: Path, sha256: str) -> None:
        super().__init__(path)
        self.sha256 = sha256
        self.size = super().seek(0, os.SEEK_END) - _HEAD_BYTES
        self.seek(0)

    @override
    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        from_begin = offset + _HEAD_BYTES if whence == os.SEEK_SET else offset
        return super().seek(from_begin, whence) - _HEAD_BYTES

    @override
    def tell(self) -> int:
        return super().tell() - _HEAD_BYTES


def open_whole(path: Path) -> Content:
    """The content of a checkpoint, once every byte of it has been found right; close it after use.

    Raises:
        CheckpointDamaged: it is not whole.
        FileNotFoundError: there is none.
    """
    with path.open("rb") as file:
        magic, digest = file.read(len(_MAGIC)), file.read(_DIGEST_BYTES)
        found = hashlib.file_digest(file, hashlib.sha256)
    if magic != _MAGIC or found.digest() != digest:
        raise CheckpointDamaged(
            f"{path.name} with a wrong checksum", "a whole checkpoint", "an older one is used"
        )
    return Content(path, found.hexdigest())


def is_whole(path: Path) -> bool:
    """Whether a checkpoint is there and every byte of it is right."""
    try:
        open_whole(path).close()
    except (CheckpointDamaged, FileNotFoundError):
        return False
    return True


def candidates(names: Iterable[str], recorded: str) -> list[str]:
    """Names of checkpoints in the order in which they are tried: the recorded one, those before, those after.

    Any whole checkpoint of a job will do: what a step leads to does not depend on who computes it. One after
    the recorded one is there if its worker was killed before it could tell of it.
    """
    recorded_name = Path(recorded).name
    others = sorted(set(names) - {recorded_name})
    older = [name for name in reversed(others) if name < recorded_name]
    return [recorded_name, *older, *(name for name in others if name > recorded_name)]


def place_of(folder: Path) -> Path:
    """Where the checkpoints of a job lie."""
    return folder / _FOLDER


def open_newest(folder: Path, recorded: str) -> Content:
    """The recorded checkpoint, or if that is damaged or gone the newest whole one before it, or one after it.

    Raises:
        CheckpointDamaged: none is whole.
    """
    place = place_of(folder)
    for name in candidates((path.name for path in place.glob("*.ckpt")), recorded):
        try:
            return open_whole(place / name)
        except (CheckpointDamaged, FileNotFoundError):
            continue
    raise CheckpointDamaged(f"no whole checkpoint beside {recorded}", "at least one", "submit the job again")


def discard(folder: Path, keep: int) -> None:
    """Delete all but the newest ``keep`` checkpoints of a job."""
    files = sorted(place_of(folder).glob("*.ckpt"))
    for path in files[: max(0, len(files) - keep)]:
        path.unlink(missing_ok=True)
