"""Durable calls: named by a key, waited for, cancelled, told as they failed, and run by warm workers."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from tests.integration.shells import SOON

import tidewatt as tw
from tidewatt.errors import JobFailed, RemoteTraceback, UsageError

pytestmark = pytest.mark.usefixtures("functions_home")


@tw.function()
def double(number: int) -> int:
    return 2 * number


@tw.function()
def process(_call: int) -> int:
    return os.getpid()


def appears(path: Path) -> str:
    """What a file says, once it says something."""
    pause = threading.Event()
    for _ in range(int(SOON * 100)):
        if path.exists() and path.read_text():
            return path.read_text()
        pause.wait(0.01)
    raise AssertionError(f"{path} never came")


def test_jobs_of_a_function_are_run_by_one_warm_process_that_serves_calls_too() -> None:
    assert process.submit(1).result() == process.submit(2).result() == process.remote(3)


def test_a_call_can_be_asked_whether_it_is_done() -> None:
    call = double.submit(21)
    assert call.result(timeout="60 s") == 42
    assert call.done()
    assert call.exception() is None
    assert call.result() == 42


def test_threads_wait_side_by_side_for_jobs_of_one_function() -> None:
    calls = [double.submit(number) for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(tw.Call.result, calls)) == [2 * number for number in range(12)]


def test_the_same_key_is_the_same_call_and_runs_once(tmp_path: Path) -> None:
    @tw.function()
    def count(folder: str) -> int:
        made = len(list(Path(folder).iterdir())) + 1
        (Path(folder) / str(made)).touch()
        return made

    first = count.submit(str(tmp_path), idempotency_key="once")
    again = count.submit(str(tmp_path), idempotency_key="once")
    assert first.id == again.id
    assert first.result() == again.result() == 1
    assert count.submit(str(tmp_path), idempotency_key="once").result() == 1
    assert count.submit(str(tmp_path), idempotency_key="twice").result() == 2


def test_a_key_does_not_stand_for_other_arguments() -> None:
    call = double.submit(4, idempotency_key="four")
    with pytest.raises(UsageError, match=rf"the idempotency key 'four' .* job {call.id} has; wanted double"):
        double.submit(5, idempotency_key="four")
    assert call.result() == 8


@tw.function()
def wait_for(note: str) -> None:
    Path(note).write_text(str(os.getpid()))
    threading.Event().wait()


def test_a_result_is_waited_for_only_so_long_and_a_busy_worker_is_cancelled(tmp_path: Path) -> None:
    call = wait_for.submit(str(tmp_path / "pid"))
    worker = int(appears(tmp_path / "pid"))
    with pytest.raises(TimeoutError, match=r"not ended after 0\.2 s"):
        call.result(timeout=0.2)
    assert not call.done()
    call.cancel()
    assert isinstance(call.exception(), JobFailed)
    assert call.done()
    psutil.wait_procs([p for p in psutil.process_iter() if p.pid == worker], timeout=SOON)
    assert not psutil.pid_exists(worker)


def test_an_exception_comes_back_as_itself_from_a_job() -> None:
    @tw.function()
    def fail() -> None:
        raise LookupError("no such fish")

    call = fail.submit()
    with pytest.raises(LookupError, match="no such fish") as raised:
        call.result()
    assert isinstance(raised.value.__cause__, RemoteTraceback)
    assert isinstance(call.exception(), LookupError)


def test_a_result_of_a_job_that_cannot_be_pickled_is_refused_in_words() -> None:
    @tw.function()
    def lock() -> object:
        return threading.Lock()

    with pytest.raises(UsageError, match="a result of type lock, which cannot be pickled"):
        lock.submit().result()


def test_a_worker_that_leaves_loses_the_attempt_and_not_the_job(tmp_path: Path) -> None:
    @tw.function()
    def at_second_try(marker: str) -> str:
        if not Path(marker).exists():
            Path(marker).touch()
            os._exit(1)
        return "done"

    assert at_second_try.submit(str(tmp_path / "marker")).result() == "done"
