"""A disk that fills up costs the newest checkpoint, never those before it."""

import errno
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import torch
from tests import disks
from tests.integration.shells import SOON

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
FILLS = """
import tidewatt as tw

@tw.function()
def fill(filler):
    print("begun")
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    return "full"
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


def test_what_is_printed_to_a_log_without_room_is_dropped_and_fails_nobody() -> None:
    program = """
import sys
from tidewatt.runtime.secret import Veil
from tidewatt.runtime.worker import redirect_output
redirect_output("/dev/full", Veil(()))
print(100_000 * "too much to say")
sys.stderr.write("and more")
sys.exit(7)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 7


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    with disks.small_disk(tmp_path / "disk", 8) as disk:
        yield disk


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


def test_a_result_for_which_there_is_no_room_waits_for_it_in_words(
    small_disk: Path, tmp_path: Path, training: Callable[..., Any]
) -> None:
    source, filler = tmp_path / "fills.py", small_disk / "filler"
    source.write_text(FILLS)
    job = training(small_disk / "job", source=source, filler=str(filler))
    log = job.folder / "attempt-1.log"
    said: list[str] = []

    def free_once_told() -> None:
        for _ in range(int(SOON * 100)):
            if log.exists() and "no room for result-1.pkl" in log.read_text():
                said.append(log.read_text())
                break
            Event().wait(0.01)
        filler.unlink()

    freeing = Thread(target=free_once_told)
    freeing.start()
    assert job.attempt(1) == "succeeded"
    freeing.join()
    assert said
    assert job.result() == "full"
