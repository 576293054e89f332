"""What a user's code may do in its worker: the next call, and other calls, come out right all the same."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tests.integration.shells import SOON

import tidewatt as tw
from tidewatt.errors import WorkerLost

pytestmark = pytest.mark.usefixtures("functions_home")
NOT_UTF8 = "by\udcfftes"
"""A name of a file in other bytes, as Python hands it over."""


@tw.function()
def forks(number: int) -> tuple[str, int]:
    """Forget that what is forked goes on here too."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    return "child" if child == 0 else "parent", number


@tw.function()
def fails_in_a_fork(status: int) -> int:
    child = os.fork()
    if child == 0:
        if status:
            sys.exit(status)
        raise ValueError("only in the child")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@tw.function()
def complains() -> None:
    raise ValueError(f"no file {NOT_UTF8}")


@tw.function()
def prints() -> str:
    sys.stdout.write(f"{NOT_UTF8} →\n")
    return NOT_UTF8


@tw.function()
def closes(how: str) -> int:
    if how == "stream":
        sys.stdout.close()
        sys.stderr.close()
    elif how == "descriptor":
        os.close(1)
        os.close(2)
    elif how == "fails":
        raise ValueError("with nothing to print to")
    return os.getpid()


def test_what_a_call_forks_ends_where_the_call_ends() -> None:
    assert [forks.remote(n) for n in range(3)] == [("parent", n) for n in range(3)]
    assert list(forks.map(range(3))) == [("parent", n) for n in range(3)]
    assert forks.submit(4).result(timeout=SOON) == ("parent", 4)


def test_what_a_call_forks_has_the_status_that_python_would_give_it() -> None:
    assert [fails_in_a_fork.remote(status) for status in (0, 7)] == [1, 7]
    assert fails_in_a_fork.submit(0).result(timeout=SOON) == 1


def test_an_exception_may_name_a_file_in_any_bytes() -> None:
    for call in (complains.remote, lambda: complains.submit().result(timeout=SOON)):
        with pytest.raises(ValueError, match="no file by") as caught:
            call()
        assert caught.value.args == (f"no file {NOT_UTF8}",)
        assert "no file by\\udcfftes" in str(caught.value.__cause__)


def test_what_is_printed_may_be_in_any_bytes(functions_home: Path) -> None:
    call = prints.submit()
    assert call.result(timeout=SOON) == NOT_UTF8
    log = functions_home / "jobs" / call.id / "attempt-1.log"
    assert log.read_text(encoding="utf-8") == "by\\udcfftes →\n"


@pytest.mark.parametrize("how", ["stream", "descriptor"])
def test_a_worker_whose_output_was_closed_serves_on(how: str) -> None:
    worker = closes.remote(how)
    with pytest.raises(ValueError, match="nothing to print to"):
        closes.remote("fails")
    assert closes.remote("") == worker
    assert closes.submit("").result(timeout=SOON) > 0


def test_what_a_call_leaves_running_ends_with_its_worker() -> None:
    @tw.function()
    def both(then: str) -> int:
        if then == "dies":
            os._exit(3)
        return subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"]).pid

    left = psutil.Process(both.remote("leaves"))
    with pytest.raises(WorkerLost):
        both.remote("dies")
    assert psutil.wait_procs([left], timeout=SOON) == ([left], [])
