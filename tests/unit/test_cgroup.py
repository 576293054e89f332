"""Control groups: quotas on folders laid out as the kernel does, and real groups where some can be made."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tidewatt.adapters.cgroup import ROOT, Groups, Limit, limit
from tidewatt.adapters.engines.processes import tree_cpu_seconds
from tidewatt.adapters.engines.times import Times

BURN = """
import sys, time
def burn(seconds):
    began = time.process_time()
    while time.process_time() - began < seconds:
        sum(range(1000))
"""
PARENT = (
    BURN
    + """
import subprocess
subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
burn(0.2)
print("done", flush=True)
sys.stdin.read()
"""
)


class Kernel:
    """Folders of control groups, and what a process is told of its place in them."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "cgroup"
        self.membership = folder / "self-cgroup"
        self.root.mkdir()

    def at(self, line: str) -> None:
        """Say where this process is."""
        self.membership.write_text(f"{line}\n")

    def second(self, path: str, cpu_max: str, usage_us: int = 0, mount: str = "") -> None:
        """A group of version 2."""
        group = self.root / mount / path
        group.mkdir(parents=True, exist_ok=True)
        (self.root / mount / "cgroup.controllers").write_text("cpu io memory\n")
        if cpu_max:
            (group / "cpu.max").write_text(f"{cpu_max}\n")
        (group / "cpu.stat").write_text(f"usage_usec {usage_us}\nuser_usec 0\nsystem_usec 0\n")

    def first(self, path: str, quota_us: int, used_ns: int = 0, mount: str = "cpu,cpuacct") -> None:
        """A group of version 1."""
        group = self.root / mount / path
        group.mkdir(parents=True, exist_ok=True)
        (self.root / mount / "cgroup.procs").write_text("")
        (group / "cpu.cfs_quota_us").write_text(f"{quota_us}\n")
        (group / "cpu.cfs_period_us").write_text("100000\n")
        (group / "cpuacct.usage").write_text(f"{used_ns}\n")

    def limit(self) -> Limit | None:
        return limit(self.root, self.membership)


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


def found(kernel: Kernel) -> Limit:
    limited = kernel.limit()
    assert limited is not None
    return limited


def test_the_tightest_quota_above_a_process_is_the_one_that_holds(kernel: Kernel) -> None:
    kernel.at("0::/box/job")
    kernel.second("", "")  # the root has no quota of its own
    kernel.second("box", "250000 100000", usage_us=7_000_000)
    kernel.second("box/job", "max 100000")

    limited = found(kernel)

    assert (limited.cpus, limited.whole_cpus, limited.used_s()) == (2.5, 2, 7.0)


def test_a_container_that_sees_its_own_group_as_the_root_is_limited_there(kernel: Kernel) -> None:
    kernel.at("0::/")
    kernel.second("", "50000 100000", usage_us=1)

    assert found(kernel).cpus == 0.5
    assert found(kernel).whole_cpus == 1


def test_version_1_names_the_groups_of_the_host_and_shows_those_of_the_container(kernel: Kernel) -> None:
    kernel.at("4:memory:/docker/4f2a\n3:cpu,cpuacct:/docker/4f2a")
    kernel.first("", 300_000, used_ns=1_500_000_000)

    limited = found(kernel)

    assert (limited.cpus, limited.used_s()) == (3.0, 1.5)


def test_version_1_where_both_controllers_are_mounted_apart(kernel: Kernel) -> None:
    kernel.at("2:cpuacct:/box\n1:cpu:/box")
    kernel.first("box", 100_000, mount="cpu")
    kernel.first("box", -1, used_ns=2_000_000_000, mount="cpuacct")

    limited = found(kernel)

    assert (limited.cpus, limited.used_s()) == (1.0, 2.0)


@pytest.mark.parametrize(
    "line", ["0::/box", "0::/../elsewhere", "nonsense", ""], ids=["no quota", "outside", "nonsense", "empty"]
)
def test_without_a_quota_there_is_no_limit(kernel: Kernel, line: str) -> None:
    kernel.at(line)
    kernel.second("box", "max 100000")

    assert kernel.limit() is None


def test_a_system_without_control_groups_has_no_limit(kernel: Kernel) -> None:
    assert kernel.limit() is None


def test_a_count_that_is_gone_is_not_known_and_not_nothing(kernel: Kernel) -> None:
    kernel.at("0::/")
    kernel.second("", "100000 100000", usage_us=1)
    limited = found(kernel)
    limited.counter.unlink()

    assert limited.used_s() is None


def test_a_group_that_shares_out_processors_is_left_alone(kernel: Kernel) -> None:
    kernel.at("0::/box")
    kernel.second("box", "max 100000")
    (kernel.root / "box" / "cgroup.subtree_control").write_text("cpu memory\n")

    assert Groups.below_own(kernel.root, kernel.membership) is None
    (kernel.root / "box" / "cgroup.subtree_control").write_text("memory\n")
    groups = Groups.below_own(kernel.root, kernel.membership)
    assert groups is not None
    groups.close()


def test_version_1_counts_where_the_count_is_mounted_alone(kernel: Kernel) -> None:
    kernel.at("2:cpuacct:/box\n1:cpu:/box")
    kernel.first("box", -1, mount="cpuacct")
    (kernel.root / "cpuacct" / "box" / "cpu.shares").write_text("1024\n")

    assert Groups.below_own(kernel.root, kernel.membership) is None
    (kernel.root / "cpuacct" / "box" / "cpu.shares").unlink()
    groups = Groups.below_own(kernel.root, kernel.membership)
    assert groups is not None
    assert [p.parent.name for p in kernel.root.glob("**/tidewatt-*")] == ["box"]
    groups.close()


@pytest.fixture
def groups() -> Iterator[Groups]:
    made = Groups.below_own()
    if made is None:
        pytest.skip("this system lets us make no control groups")
    with closing(made):
        yield made


@pytest.mark.parametrize("grouped", [False, True], ids=["proc", "control group"])
def test_time_of_children_that_have_ended_is_counted(grouped: bool, request: pytest.FixtureRequest) -> None:
    times = Times(request.getfixturevalue("groups") if grouped else None)
    command = [sys.executable, "-c", PARENT, f"{BURN}\nburn(0.4)"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        times.watch(process.pid)
        assert process.stdout.readline() == "done\n"
        used, by_hand = times.used_s(process.pid), tree_cpu_seconds(process.pid)
        process.stdin.close()
    assert used is not None
    assert by_hand is not None
    assert used == pytest.approx(by_hand, abs=0.1)  # /proc counts in ticks, for three processes
    assert used > 0.5
    if not grouped:
        assert times.used_s(process.pid) is None
    times.close()


@pytest.mark.parametrize("grouped", [False, True], ids=["proc", "control group"])
def test_time_of_children_that_live_is_counted(grouped: bool, request: pytest.FixtureRequest) -> None:
    times = Times(request.getfixturevalue("groups") if grouped else None)
    child = f"{BURN}\nburn(0.4)\nprint('done', flush=True)\nsys.stdin.read()"
    waiting = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    command = [sys.executable, "-c", waiting, child]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        times.watch(process.pid)
        assert process.stdout.readline() == "done\n"
        used = times.used_s(process.pid)
        process.stdin.close()
    assert used is not None
    assert used > 0.3
    times.close()


def test_more_workers_than_files_are_still_counted() -> None:
    times = Times(keep=0)
    times.watch(os.getpid())

    used = times.used_s(os.getpid())

    assert used is not None
    assert used > 0
    times.close()


def test_groups_of_a_supervisor_that_was_killed_are_removed_by_the_next(kernel: Kernel) -> None:
    kernel.at("0::/box")
    kernel.second("box", "max 100000")
    (kernel.root / "box" / "cgroup.subtree_control").write_text("\n")
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    left = kernel.root / "box" / f"tidewatt-{ended.pid}"
    (left / "77").mkdir(parents=True)

    made = Groups.below_own(kernel.root, kernel.membership)

    assert made is not None
    assert not left.exists()
    assert (kernel.root / "box" / f"tidewatt-{os.getpid()}").exists()
    made.close()
    assert not (kernel.root / "box" / f"tidewatt-{os.getpid()}").exists()


def test_a_group_in_which_something_lives_on_stays_until_it_has_ended(groups: Groups) -> None:
    def left() -> list[Path]:
        return [*ROOT.glob(f"**/tidewatt-{os.getpid()}")]

    times = Times(groups)
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as one:
        assert one.stdin is not None
        times.watch(one.pid)
        times.let_go(one.pid)
        groups.close()
        assert left()
        one.stdin.close()
    times.close()
    assert not left()
