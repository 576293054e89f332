"""What is left of processes that were killed is ended and removed by whoever comes next."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.integration.shells import SOON

from tidewatt.domain.lifecycle import State
from tidewatt.sdk.client import Client, Options
from tidewatt.sdk.load import load

ProcessesOf = Callable[[Client], list[psutil.Process]]
TWO = """
import tidewatt as tw

@tw.function()
def one():
    return 1

@tw.function()
def two():
    return 2
"""
DIES_HALFWAY = """
import os, signal, sys
from pathlib import Path
import tidewatt as tw

class Last:
    def __reduce__(self):
        if list(Path(sys.argv[1]).glob("jobs/*")):  # the job has a folder, and is not in the store
            os.kill(os.getpid(), signal.SIGKILL)
        return (Last, ())

@tw.function()
def take(thing):
    return thing

take.submit(Last())
"""


def test_a_zygote_that_was_asked_for_a_worker_and_left_forks_none(
    client: Client, tmp_path: Path, processes_of: ProcessesOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "two.py"
    file.write_text(TWO)
    monkeypatch.setenv("TIDEWATT_LINGER_S", "60")
    jobs: list[str] = []

    def submit(name: str) -> str:
        path, handle = load(f"{file}:{name}")
        jobs.append(client.submit(handle, {}, Options(source=path)))
        return jobs[-1]

    assert client.result(submit("one")) == 1
    supervisor, zygote, *_ = processes_of(client)
    assert "tidewatt.runtime.zygote" in zygote.cmdline()
    zygote.suspend()
    for update in client.follow(submit("two")):
        if update.state is State.STARTING:
            break
    supervisor.kill()
    supervisor.wait(SOON)
    monkeypatch.setenv("TIDEWATT_LINGER_S", "0.2")
    client.wake()
    assert not zygote.is_running()
    assert client.result(jobs[-1]) == 2


def test_the_folder_of_a_submission_that_was_killed_is_removed(client: Client) -> None:
    home = client.home
    done = subprocess.run(
        [sys.executable, "-c", DIES_HALFWAY, str(home.path)],
        env={**os.environ, "TIDEWATT_HOME": str(home.path)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert len(list(home.jobs.iterdir())) == 1
    client.wake()
    assert list(home.jobs.iterdir()) == []
    assert home.submitting.read_bytes() == b""
