"""Checkpoint files: written whole or not at all, and read only if every byte is right."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

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


def write(folder: Path, step: int, token: int, data: bytes) -> Written:
    """Write a checkpoint of a job atomically and durably.

    A disk that fills up leaves the checkpoints written before untouched and no part of this one.

    Raises:
        OSError: it could not be written.
    """
    place = folder / _FOLDER
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = place / f"step-{step:012d}.{token}.ckpt"
    digest = hashlib.sha256(data)
    write_atomically(target, _MAGIC + digest.digest() + data)
    return Written(str(target.relative_to(folder)), len(data), digest.hexdigest())


def write_atomically(target: Path, data: bytes) -> None:
    """Replace a file by new content that is on disk before the name points to it.

    Raises:
        OSError: it could not be written; the old content is still there.
    """
    draft = target.with_name(target.name + _PART)
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except OSError:
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
    """The recorded checkpoint, or the newest whole one before it if that is damaged or gone.

    Any whole checkpoint of a job will do: what a step leads to does not depend on who computes it.

    Raises:
        CheckpointDamaged: none is whole.
    """
    newest = Path(recorded).name
    older = sorted((p.name for p in (folder / _FOLDER).glob("*.ckpt") if p.name < newest), reverse=True)
    for name in (newest, *older):
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
