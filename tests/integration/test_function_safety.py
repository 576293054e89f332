"""What calls promise beside results: nobody else gets in, all joules are owned, and nothing is left."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event

import psutil
import pytest
from tests.integration.shells import SOON

import tidewatt as tw
from tidewatt.adapters.unix import connect
from tidewatt.domain.function import Kind
from tidewatt.domain.ledger import Holder
from tidewatt.domain.lifecycle import State
from tidewatt.sdk.client import Client

ProcessesOf = Callable[[Client], list[psutil.Process]]
NOBODY = 65534
STRANGER = """
import os, socket, sys
os.setgid({nobody}); os.setuid({nobody})
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(10)
try:
    sock.connect({path!r})
    print("said", sock.recv(100))
except OSError as error:
    print(type(error).__name__)
"""
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")


@tw.function(labels={"team": "tide"})
def spin(count: int) -> int:
    return sum(i * i % 7 for i in range(count))


@pytest.fixture
def calling(client: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client whose state folder functions are called in."""
    monkeypatch.setenv("TIDEWATT_HOME", str(client.home.path))
    return client


def test_zero_is_zero_after_calls_too(calling: Client, processes_of: ProcessesOf) -> None:
    assert spin.remote(10) == spin.local(10)
    psutil.wait_procs(processes_of(calling), timeout=SOON)
    assert processes_of(calling) == []
    assert [path.name for path in calling.home.path.iterdir() if path.is_socket()] == []
    assert spin.remote(10) == spin.local(10)


def test_a_caller_that_left_before_its_worker_came_gets_no_other(
    calling: Client, processes_of: ProcessesOf
) -> None:
    @tw.function(timeout="0.2 s")
    def wait() -> None:
        Event().wait()

    assert spin.remote(10) == spin.local(10)
    (zygote,) = [
        p for p in processes_of(calling) if "tidewatt.runtime.zygote" in p.cmdline() and p.children()
    ]
    zygote.suspend()  # a worker is asked for, and does not come
    with pytest.raises(TimeoutError):
        wait.remote()
    zygote.kill()  # and will never come
    psutil.wait_procs(processes_of(calling), timeout=SOON)
    assert processes_of(calling) == []


def test_the_energy_of_calls_belongs_to_a_job_that_stands_for_them(
    calling: Client, processes_of: ProcessesOf
) -> None:
    assert len(list(spin.map([1_000_000] * 8))) == 8
    psutil.wait_procs(processes_of(calling), timeout=SOON)
    (job,) = calling.store.jobs()
    assert (job.function.kind, job.state, job.steps_reached) == (Kind.CALLS, State.SUCCEEDED, 8)
    assert dict(job.function.labels) == {"team": "tide"}
    mine = [e.allocation for e in calling.store.ledger(job.id)]
    assert sum(a.energy_uj for a in mine) > 0
    assert {a.account.holder for a in mine} == {Holder.JOB}
    entries = calling.store.ledger()
    readings = {e.reading for e in entries}
    assert sum(e.allocation.energy_uj for e in entries) == sum(r.energy_uj for r in readings)


def test_a_supervisor_that_is_killed_leaves_no_worker_and_no_open_record(
    calling: Client, processes_of: ProcessesOf
) -> None:
    spin.remote(1)
    ours = processes_of(calling)
    next(p for p in ours if "tidewatt.cli.supervisor" in p.cmdline()).kill()
    assert psutil.wait_procs(ours, timeout=SOON)[1] == []
    assert spin.remote(2) == 1
    psutil.wait_procs(processes_of(calling), timeout=SOON)
    assert [job.state for job in calling.store.jobs()] == [State.SUCCEEDED] * 2


def test_the_door_is_its_owners_alone(calling: Client) -> None:
    spin.remote(1)
    assert stat.S_IMODE(calling.home.door.stat().st_mode) == 0o600
    assert stat.S_IMODE(calling.home.path.stat().st_mode) == 0o700
    logs = list(calling.home.jobs.glob("spin-calls-*/attempt-1.log"))
    assert [stat.S_IMODE(log.stat().st_mode) for log in logs] == [0o600]


def stranger(path: Path) -> str:
    """What somebody else hears who knocks at a socket."""
    program = STRANGER.format(nobody=NOBODY, path=str(path))
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


@needs_root
def test_another_user_is_not_let_in_even_where_the_folder_would_let_him(calling: Client) -> None:
    spin.remote(1)
    assert stranger(calling.home.door) == "PermissionError\n"
    open_to_all = [calling.home.path, *calling.home.path.parents][:-2]
    modes = [(path, stat.S_IMODE(path.stat().st_mode)) for path in (calling.home.door, *open_to_all)]
    try:
        for path, _ in modes:
            path.chmod(0o777)
        assert stranger(calling.home.door) in {"said b''\n", "ConnectionResetError\n"}
        assert spin.remote(1) == 0
    finally:
        for path, mode in modes:
            path.chmod(mode)


@needs_root
def test_nothing_is_unpickled_from_a_door_of_another_user(tmp_path: Path) -> None:
    path = tmp_path / "door"
    before = os.geteuid()
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(path))
        os.seteuid(NOBODY)
        try:
            theirs.listen()  # the kernel notes who does
        finally:
            os.seteuid(before)
        assert connect(path) is None
