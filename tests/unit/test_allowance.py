"""What a worker may take: what is written for the kernel, and what is said of one that wanted more."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tidewatt.domain.function import FunctionSpec, Kind
from tidewatt.runtime.allowance import Allowance, clear, excess, note_excess

GIB = 2**30


def test_memory_is_held_without_swap_and_all_processes_of_a_worker_end_together() -> None:
    assert Allowance(memory_bytes=GIB, cpus=None).files() == {
        "memory.max": "1073741824",
        "memory.swap.max": "0",
        "memory.oom.group": "1",
    }


def test_processors_are_held_by_quota_and_by_weight() -> None:
    written = Allowance(memory_bytes=None, cpus=3).files()
    assert written == {"cpu.weight": "300", "cpu.max": "300000 100000"}
    assert Allowance(memory_bytes=None, cpus=256).files()["cpu.weight"] == "10000"


def test_a_command_that_cannot_say_how_many_processors_it_wants_is_given_all() -> None:
    command = FunctionSpec(name="make", kind=Kind.COMMAND, memory_bytes=GIB)
    assert Allowance.of(command) == Allowance(memory_bytes=GIB, cpus=None)
    function = FunctionSpec(name="f", kind=Kind.FUNCTION, cpus=2)
    assert Allowance.of(function) == Allowance(memory_bytes=None, cpus=2)


def group(folder: Path, **files: str) -> Path:
    """A group as the kernel leaves it when its processes have ended."""
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(f"{text}\n")
    return folder


def test_a_worker_that_was_ended_for_its_memory_is_told_figure_and_limit(tmp_path: Path) -> None:
    left = group(tmp_path, memory_max=str(GIB), memory_peak=str(GIB), memory_events="oom 1\noom_kill 3")
    assert excess(left) == (
        "1 GiB of memory used, and more needed; wanted at most memory='1 GiB'; ask for more, or use less"
    )
    (left / "memory.peak").unlink()
    assert excess(left).startswith("1 GiB of memory used")


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"memory_max": str(GIB), "memory_events": "oom 0\noom_kill 0"},
        {"memory_max": str(GIB), "memory_events": "oom 0\noom_kill 1"},
        {"memory_max": "max", "memory_events": "oom 1\noom_kill 1"},
        {"memory_max": str(GIB), "memory_events": "nonsense"},
    ],
    ids=["no group", "nothing happened", "the machine had none left", "no limit", "nonsense"],
)
def test_of_any_other_end_nothing_is_said(tmp_path: Path, files: dict[str, str]) -> None:
    assert excess(group(tmp_path, **files)) == ""


HELD = """
import sys
from pathlib import Path
from tidewatt.runtime.allowance import Allowance, note_excess
Allowance(memory_bytes=2**30, cpus=1).hold(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
try:
    bytearray(2**33)
except MemoryError as error:
    note_excess(error)
    print(*error.__notes__)
"""


@pytest.mark.parametrize("groups", [(), ("nowhere",)], ids=["none", "none that it can enter"])
def test_without_groups_the_kernel_refuses_more_memory(groups: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-c", HELD, *(str(tmp_path / name) for name in groups)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith("found ")
    assert said.endswith(
        "MiB of memory used, and more needed; wanted at most memory='1 GiB'; ask for more, or use less\n"
    )


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(errno.ENOMEM, ""), RuntimeError("alloc_cpu: can't allocate memory: ...")]
)
def test_without_a_limit_want_of_memory_is_not_put_down_to_one(error: Exception) -> None:
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY
    note_excess(error)
    assert not hasattr(error, "__notes__")


def test_a_worker_writes_what_it_may_take_and_enters(tmp_path: Path) -> None:
    """The kernel's files are laid out; that they do what they say is tried where there are real ones."""
    laid = tmp_path / str(os.getpid())
    laid.mkdir()
    names = ("memory.max", "memory.oom.group", "cpu.max", "cgroup.procs")
    for name in names:
        (laid / name).write_text("")
    Allowance(memory_bytes=GIB, cpus=1).hold(tmp_path)
    written = {name: (laid / name).read_text() for name in names}
    assert written == {
        "memory.max": str(GIB),
        "memory.oom.group": "1",
        "cpu.max": "100000 100000",
        "cgroup.procs": "0",
    }
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY


def test_libraries_start_as_many_threads_as_there_are_processors_asked_for() -> None:
    said = "from os import environ; from tidewatt.runtime.allowance import *; "
    said += (
        "Allowance(memory_bytes=None, cpus=3).hold(None); print(*(environ[name] for name in THREAD_COUNTS))"
    )
    command = [sys.executable, "-c", said]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "3 3 3\n"


def test_what_is_left_of_groups_is_removed(tmp_path: Path) -> None:
    groups = tmp_path / "tidewatt-1"
    (groups / "2").mkdir(parents=True)
    clear(groups)
    assert not groups.exists()
    clear(groups)
