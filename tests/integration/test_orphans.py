"""A call that nobody waits for any more ends, also when nobody is left but the zygote to see that."""

import os
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from threading import Event

import psutil
import pytest
from tests.integration.shells import SOON

from tidewatt.sdk.client import Client

ProcessesOf = Callable[[Client], list[psutil.Process]]
Begin = Callable[..., subprocess.Popen[str]]
PROGRAM = """
import ctypes, os, subprocess, sys
from pathlib import Path
from threading import Event
import tidewatt as tw

def note(begun):
    Path(begun + ".part").write_text(str(os.getpid()))
    os.replace(begun + ".part", begun)

@tw.function()
def hang(begun):
    subprocess.Popen(["sleep", "600"])
    note(begun)
    ctypes.PyDLL(None).pause()  # it holds the lock of the interpreter, so that nothing else of Python's runs

@tw.function()
def wait(begun, go):
    note(begun)
    while not Path(go).exists():
        Event().wait(0.01)
    return "waited"

@tw.function()
def wait_too(begun, go):
    return wait.local(begun, go)

what, begun, go = sys.argv[1:]
if what == "wait":
    print(wait_too.remote(begun, go))
else:
    wait.remote(begun + ".before", begun + ".before")
    print(wait.submit(begun, go).id, flush=True)  # at the same worker, if it has said that it rests
    hang.remote(begun + ".hang")
"""


@pytest.fixture
def begin(client: Client, tmp_path: Path) -> Generator[Begin]:
    """Starts the program, with what it is to do and where it notes that this has begun."""
    started: list[subprocess.Popen[str]] = []

    def start(what: str, begun: Path) -> subprocess.Popen[str]:
        words = [sys.executable, "-c", PROGRAM, what, str(begun), str(tmp_path / "go")]
        patient = os.environ | {"TIDEWATT_HOME": str(client.home.path), "TIDEWATT_LINGER_S": "60"}
        started.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=patient))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate()


def worker_at(begun: Path) -> psutil.Process:
    """The worker that has noted that it began."""
    pause = Event()
    for _ in range(int(SOON * 100)):
        if begun.exists():
            return psutil.Process(int(begun.read_text()))
        pause.wait(0.01)
    raise AssertionError(f"{begun} never came")


def test_without_a_supervisor_a_call_ends_that_nobody_waits_for_and_no_other_work_does(
    client: Client, tmp_path: Path, begin: Begin, processes_of: ProcessesOf
) -> None:
    killed, stays = begin("all", tmp_path / "job"), begin("wait", tmp_path / "call")
    assert killed.stdout is not None
    job = killed.stdout.readline().strip()
    at_job, at_call = worker_at(tmp_path / "job"), worker_at(tmp_path / "call")
    orphan = worker_at(tmp_path / "job.hang")
    supervisor, *below = processes_of(client)
    assert "sleep" in [each.name() for each in below]
    for each in (supervisor, killed):
        each.kill()
        each.wait(SOON)
    orphan.wait(SOON)  # by then the zygote has looked at all of them
    (tmp_path / "go").touch()
    assert stays.communicate(timeout=SOON)[0] == "waited\n"
    assert psutil.wait_procs([*below, at_job, at_call], timeout=SOON)[1] == []
    assert client.result(job) == "waited"
    assert [attempt.outcome for attempt in client.store.attempts(job)] == ["succeeded"]
