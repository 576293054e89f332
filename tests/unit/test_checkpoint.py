"""Checkpoints on disk: which one is read when some are damaged, gone or never told of."""

import hashlib
from pathlib import Path

import pytest

from tidewatt.errors import CheckpointDamaged
from tidewatt.runtime import checkpoint


def save(folder: Path, step: int, token: int = 1) -> checkpoint.Written:
    return checkpoint.write(folder, step, token, lambda sink: sink.write(f"step {step}".encode()))


def damage(folder: Path, written: checkpoint.Written) -> None:
    path = folder / written.path
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def newest_in(folder: Path, recorded: checkpoint.Written) -> bytes:
    with checkpoint.open_newest(folder, recorded.path) as content:
        return content.read()


def test_what_is_written_in_parts_is_read_as_one_and_its_checksum_is_that_of_all(tmp_path: Path) -> None:
    def fill(sink: checkpoint.Sink) -> None:
        for part in (b"one, ", bytearray(b"two, "), memoryview(b"three")):
            assert sink.write(part) == len(part)
        sink.flush()

    written = checkpoint.write(tmp_path, 1, 1, fill)
    with checkpoint.open_whole(tmp_path / written.path) as content:
        assert (content.read(), content.size, content.sha256) == (
            b"one, two, three",
            written.size,
            written.sha256,
        )
    assert written.sha256 == hashlib.sha256(b"one, two, three").hexdigest()
    assert written.size == 15


def test_writing_that_fails_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def fill(sink: checkpoint.Sink) -> None:
        sink.write(b"half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        checkpoint.write(tmp_path, 1, 1, fill)
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_the_one_before_a_damaged_one_is_read(tmp_path: Path) -> None:
    save(tmp_path, 1)
    damage(tmp_path, newest := save(tmp_path, 2))
    assert newest_in(tmp_path, newest) == b"step 1"


def test_one_that_was_never_told_of_is_read_if_no_other_is_whole(tmp_path: Path) -> None:
    recorded = save(tmp_path, 1)
    save(tmp_path, 2)
    damage(tmp_path, recorded)
    assert newest_in(tmp_path, recorded) == b"step 2"


def test_where_none_is_whole_it_says_so(tmp_path: Path) -> None:
    damage(tmp_path, only := save(tmp_path, 1))
    with pytest.raises(CheckpointDamaged, match="at least one"):
        newest_in(tmp_path, only)
