"""Workers are held to what they may take, by rlimits or by real control groups; who wanted more is told."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.integration.shells import SOON

import tidewatt as tw
from tidewatt.adapters import limiting
from tidewatt.adapters.cgroup import ROOT, mount_of_second, paths
from tidewatt.domain.lifecycle import State
from tidewatt.errors import JobFailed, OutOfMemory
from tidewatt.sdk.client import Client

ProcessesOf = Callable[[Client], list[psutil.Process]]
LIMIT = "found .* of memory used, and more needed; wanted at most memory='400 MiB'; ask for more, or use less"
CHOICE = limiting.found()
GROUPS = CHOICE.spot is not None
by_rlimit = pytest.mark.skipif(GROUPS, reason="here workers are held by control groups")
by_group = pytest.mark.skipif(not GROUPS, reason=f"no control groups for limits: {CHOICE.found}")


@tw.function(memory="400 MiB")
def fill(mib: int) -> int:
    return len(b"\1" * (mib * 2**20))


@tw.function(memory="400 MiB")
def fill_by_child(mib: int) -> str:
    done = subprocess.run([sys.executable, "-c", f"b'1' * ({mib} * 2**20)"], check=False)
    return f"child ended with {done.returncode}"


@tw.function(cpus=1)
def own_group() -> tuple[str, str, str]:
    mount = mount_of_second(ROOT)
    assert mount is not None
    group = mount / paths(Path("/proc/self/cgroup"))[""].strip("/")
    return str(group), (group / "cpu.max").read_text(), (group / "memory.max").read_text()


@pytest.fixture
def calling(client: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client whose state folder functions are called in."""
    monkeypatch.setenv("TIDEWATT_HOME", str(client.home.path))
    return client


def groups_left() -> list[Path]:
    assert CHOICE.spot is not None
    return list(CHOICE.spot.path.glob("tidewatt-*"))


@by_rlimit
def test_a_call_that_wants_more_memory_than_it_may_have_is_told_the_limit(calling: Client) -> None:
    with pytest.raises(MemoryError) as raised:
        fill.remote(1000)
    assert calling.store.jobs()
    assert "wanted at most memory='400 MiB'" in " ".join(raised.value.__notes__)
    assert fill.remote(1) == 2**20  # the worker lives on


@by_rlimit
def test_so_is_a_job_in_its_error_and_in_its_last_event(calling: Client) -> None:
    call = fill.submit(1000)
    with pytest.raises(MemoryError):
        call.result()
    job = calling.job(call.id)
    assert "wanted at most memory='400 MiB'" in (job.error or "").splitlines()[-1]


@by_group
def test_a_worker_that_is_ended_for_its_memory_is_a_failure_that_names_the_limit(calling: Client) -> None:
    call = fill.submit(1000)
    with pytest.raises(JobFailed, match=LIMIT):
        call.result()
    assert calling.job(call.id).state is State.FAILED
    assert [a.outcome for a in calling.store.attempts(call.id)] == ["failed"]  # not lost, not tried again


@by_group
@pytest.mark.usefixtures("calling")
def test_so_is_the_worker_of_a_call_and_the_next_call_has_another() -> None:
    with pytest.raises(OutOfMemory, match=LIMIT):
        fill.remote(1000)
    with pytest.raises(MemoryError):
        fill_by_child.remote(1000)  # all processes of a worker are held together, and end together
    assert fill.remote(1) == 2**20


@by_group
def test_a_worker_has_a_group_of_its_own_that_is_gone_in_the_end(
    calling: Client, processes_of: ProcessesOf
) -> None:
    group, cpu_max, memory_max = own_group.remote()
    assert (cpu_max, memory_max) == ("100000 100000\n", "max\n")
    assert Path(group).is_dir()
    psutil.wait_procs(processes_of(calling), timeout=SOON)
    assert groups_left() == []


@by_group
def test_groups_are_gone_even_if_the_supervisor_is_killed(calling: Client, processes_of: ProcessesOf) -> None:
    group, *_ = own_group.remote()
    ours = processes_of(calling)
    next(p for p in ours if "tidewatt.cli.supervisor" in p.cmdline()).kill()
    assert psutil.wait_procs(ours, timeout=SOON)[1] == []
    assert not Path(group).exists()
    assert groups_left() == []
