"""A disk that fills up costs the newest checkpoint, never those before it."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tidewatt.runtime import checkpoint

LIMITED = """
import resource, signal, sys
from pathlib import Path
from tidewatt.runtime import checkpoint
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    checkpoint.write(Path(sys.argv[1]), 2, 1, lambda sink: sink.write(bytes(200_000)))
except OSError as error:
    print("refused", error.strerror)
"""


def test_a_checkpoint_that_does_not_fit_leaves_the_old_one_and_no_part_of_itself(tmp_path: Path) -> None:
    before = checkpoint.write(tmp_path, 1, 1, lambda sink: sink.write(b"whole"))
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("refused")
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [Path(before.path).name]
    with checkpoint.open_whole(tmp_path / before.path) as content:
        assert content.read() == b"whole"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(path: Path) -> None:
    """Write a file until the disk is full."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017 - the loop is left by this error alone


def test_a_training_on_a_full_disk_goes_on_from_its_old_checkpoint(
    small_disk: Path, training: Callable[[str | Path], Any]
) -> None:
    straight = training("straight")
    straight.attempt(1)
    job = training(small_disk / "job")
    assert job.attempt(1, leave_at=10) == "suspended"
    old = job.saved
    filler = small_disk / "filler"
    fill(filler)
    assert job.attempt(1, leave_at=30) == "suspended"
    assert job.errors
    assert "No space left" in job.errors[0]
    assert job.saved == old
    assert checkpoint.is_whole(job.folder / old)
    filler.unlink()
    assert job.attempt(2) == "succeeded"
    expected, got = straight.model(), job.model()
    assert [key for key in expected if not torch.equal(got[key], expected[key])] == []
