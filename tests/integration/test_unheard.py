"""The end of a worker is heard of soon, also under a zygote that stands still and is asked for nothing."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.orders import order_of

import tidewatt as tw
from tidewatt.adapters.engines.local import LocalEngine
from tidewatt.adapters.engines.unheard import Unheard
from tidewatt.errors import WorkerLost
from tidewatt.ports import Exited
from tidewatt.sdk.client import Client, Options
from tidewatt.sdk.load import load

ProcessesOf = Callable[[Client], list[psutil.Process]]
STOPS = """
import os, signal
import tidewatt as tw
@tw.training()
def learn(run):
    os.kill(os.getppid(), signal.SIGSTOP)
    {ends}
"""
"""A training that stops its zygote, and then ends somehow."""


@tw.function()
def leave() -> None:
    os.kill(os.getppid(), signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGKILL)


def go_on(processes: list[psutil.Process]) -> None:
    """Let a zygote end as it should, and not as one that has been waited for."""
    (zygote,) = [each for each in processes if each.status() == psutil.STATUS_STOPPED]
    zygote.resume()


def training(folder: Path, ends: str) -> Path:
    """The file of a training that ends like this."""
    file = folder / "learn.py"
    file.write_text(STOPS.format(ends=ends))
    return file


def test_a_training_that_ends_under_a_zygote_that_is_stopped_has_succeeded(
    client: Client, tmp_path: Path, processes_of: ProcessesOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEWATT_LINGER_S", "2")
    path, handle = load(str(training(tmp_path, "return 'learned'")))
    job = client.submit(handle, {}, Options(source=path))
    assert client.result(job) == "learned"
    go_on(processes_of(client))
    assert [attempt.outcome for attempt in client.store.attempts(job)] == ["succeeded"]


def test_a_caller_hears_of_the_end_of_its_worker_though_the_zygote_is_stopped(
    client: Client, processes_of: ProcessesOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEWATT_HOME", str(client.home.path))
    monkeypatch.setenv("TIDEWATT_LINGER_S", "2")
    with pytest.raises(WorkerLost, match="its worker was ended by SIGKILL"):
        leave.remote()
    go_on(processes_of(client))


def test_waiting_for_the_word_of_a_zygote_that_is_stopped_is_no_work(
    engine: LocalEngine, tmp_path: Path
) -> None:
    engine.start(order_of(training(tmp_path, "os._exit(3)"), tmp_path))
    rounds = [engine.wait(60.0)]
    while not any(isinstance(event, Exited) for event in rounds[-1]):
        assert len(rounds) < 100  # the look once a second at a zygote that loads its libraries included
        rounds.append(engine.wait(60.0))
    (exited,) = [event for event in rounds[-1] if isinstance(event, Exited)]
    assert exited.outcome == "lost"
    go_on(psutil.Process().children())


def test_nobody_is_asked_while_nobody_has_hung_up() -> None:
    unheard = Unheard("")
    assert unheard.due_s() == float("inf")
    assert unheard.look([os.getpid()]) == []
    assert unheard.due_s() <= 1.0
    assert unheard.look([]) == []
    assert unheard.due_s() == float("inf")
