"""Where workers are held to limits by control groups: decided on folders laid out as the kernel does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tidewatt.adapters.limiting import Spot, choose, found, limiting

OURS = frozenset({"memory", "cpu"})
NONE = frozenset[str]()


def spot(
    path: str = "/own",
    *,
    ours: bool = True,
    shared: frozenset[str] = OURS,
    given: frozenset[str] = OURS,
    free: bool = False,
    bounded: bool = False,
) -> Spot:
    return Spot(Path(path), ours=ours, shared=shared, given=given, free=free, bounded=bounded)


def test_the_nearest_group_that_shares_out_memory_is_chosen() -> None:
    chosen = choose([spot("/a/b", shared=NONE), spot("/a"), spot("/")])
    assert chosen.spot is not None
    assert (chosen.spot.path, chosen.found) == (Path("/a"), "memory and cpu")


def test_a_group_without_processes_can_be_given_what_it_does_not_share_out_yet() -> None:
    chosen = choose([spot(shared=NONE, free=True)])
    assert chosen.spot is not None
    assert chosen.spot.can == OURS


def test_memory_alone_is_enough_and_processors_alone_are_not() -> None:
    assert choose([spot(shared=frozenset({"memory"}))]).found == "memory"
    assert choose([spot(shared=frozenset({"cpu"}))]).spot is None


def test_nobody_escapes_a_limit_that_somebody_has_set() -> None:
    assert choose([spot("/a/b", shared=NONE, bounded=True), spot("/a")]).spot is None
    within = choose([spot("/a/b", bounded=True), spot("/a")]).spot
    assert within is not None
    assert within.path == Path("/a/b")


@pytest.mark.parametrize(
    ("spots", "said"),
    [
        ([], "no control groups of version 2"),
        ([spot(shared=NONE, given=NONE)], "without the memory controller"),
        ([spot(ours=False), spot("/", ours=False)], "/own and the groups above it belong to others"),
        ([spot(shared=NONE), spot("/", ours=False)], "other processes are in /own"),
    ],
    ids=["none", "no controller", "not ours", "occupied"],
)
def test_where_there_can_be_none_it_is_said_why(spots: list[Spot], said: str) -> None:
    chosen = choose(spots)
    assert chosen.spot is None
    assert said in chosen.found


class Kernel:
    """Folders of control groups of version 2; what the kernel makes by itself is laid out by hand."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "cgroup"
        self.membership = folder / "self-cgroup"
        self.root.mkdir()
        (self.root / "cgroup.controllers").write_text("cpu io memory\n")

    def group(self, path: str, shared: str, procs: str = "") -> Path:
        """A group that this process is in."""
        group = self.root / path
        group.mkdir(exist_ok=True)
        self.membership.write_text(f"0::/{path}\n")
        for name, text in {
            "cgroup.controllers": "cpu io memory",
            "cgroup.subtree_control": shared,
            "cgroup.procs": procs,
            "cgroup.type": "domain",
        }.items():
            (group / name).write_text(f"{text}\n")
        return group


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


def test_groups_are_made_below_the_group_and_told_to_share_out(kernel: Kernel) -> None:
    group = kernel.group("box", "cpu memory", procs="1\n2")
    made = limiting(kernel.root, kernel.membership)
    assert made is not None
    assert made.limits == str(group / f"tidewatt-{os.getpid()}")
    assert (Path(made.limits) / "cgroup.subtree_control").read_text() == "+cpu +memory"
    assert (group / "cgroup.subtree_control").read_text() == "cpu memory\n"  # it was so before
    (Path(made.limits) / "cgroup.subtree_control").unlink()  # the kernel's own files do not hold a folder
    made.close()
    assert not Path(made.limits).exists()


def test_an_empty_group_is_told_to_share_out_first(kernel: Kernel) -> None:
    group = kernel.group("box", "")
    made = limiting(kernel.root, kernel.membership)
    assert made is not None
    assert (group / "cgroup.subtree_control").read_text() == "+cpu +memory"


def test_looking_makes_nothing(kernel: Kernel) -> None:
    group = kernel.group("box", "cpu memory")
    before = sorted(group.iterdir())
    assert found(kernel.root, kernel.membership).spot is not None
    assert sorted(group.iterdir()) == before


def test_a_group_that_others_are_in_is_left_alone(kernel: Kernel) -> None:
    group = kernel.group("box", "", procs="1\n2")
    (kernel.root / "cgroup.procs").unlink(missing_ok=True)
    assert limiting(kernel.root, kernel.membership) is None
    assert not list(group.glob("tidewatt-*"))


def test_groups_of_a_supervisor_that_was_killed_are_removed(kernel: Kernel) -> None:
    group = kernel.group("box", "cpu memory")
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    left = group / f"tidewatt-{ended.pid}"
    (left / "77").mkdir(parents=True)
    assert limiting(kernel.root, kernel.membership) is not None
    assert not left.exists()
