"""A supervisor that is readied has a zygote load already, and touches nothing until it is told to begin."""

import os
import subprocess
import sys
from contextlib import suppress

import psutil
from tests.integration.shells import SOON, Shell

from tidewatt.adapters import supervision
from tidewatt.adapters.home import Home
from tidewatt.domain.function import FunctionSpec, Kind
from tidewatt.sdk.client import Client

CALL = """
import sys
import tidewatt as tw
@tw.function()
def double(number):
    return 2 * number
print(double.remote(21), "sqlalchemy" in sys.modules)
"""
READY = """
import os, sys
from pathlib import Path
from tidewatt.adapters import supervision
from tidewatt.adapters.home import Home
with supervision.readied(Home(Path(sys.argv[1])), dict(os.environ)):
    print("readied", flush=True)
    sys.stdin.read()
"""


def gone(shell: Shell) -> bool:
    """Whether nothing that was started for a state folder is left, at last."""
    return not psutil.wait_procs(shell.alive(), timeout=SOON)[1]


def call(shell: Shell) -> list[str]:
    """What a new process prints that calls a function."""
    command = [sys.executable, "-c", CALL]
    done = subprocess.run(command, env=shell.environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_one_that_is_not_told_to_begin_leaves_and_has_touched_nothing(shell: Shell) -> None:
    home = Home(shell.home)
    with supervision.readied(home, shell.environment) as begin:
        assert begin is not None
        assert not supervision.supervised(home)
        with supervision.readied(home, shell.environment) as second:
            assert second is None  # one is enough
    assert gone(shell)
    assert sorted(path.name for path in shell.home.iterdir()) == ["format", "jobs", "supervisor.log"]
    assert home.log.read_text() == ""


def zygotes(shell: Shell) -> list[psutil.Process]:
    """Those of supervisors, without their workers, which look the same."""
    found: list[psutil.Process] = []
    for process in shell.alive():
        with suppress(psutil.Error):  # it has ended
            above = process.parent()
            ours = above is not None and "tidewatt.cli.supervisor" in above.cmdline()
            found += [process] if ours and "tidewatt.runtime.zygote" in process.cmdline() else []
    return found


def first_zygote(shell: Shell) -> psutil.Process:
    """The one that is started before anybody has told the supervisor to begin."""
    while not (found := zygotes(shell)):
        os.sched_yield()
    return found[0]


def test_one_that_is_told_to_begin_is_the_supervisor_and_keeps_its_zygote(shell: Shell) -> None:
    shell.extra["TIDEWATT_LINGER_S"] = "60"
    call(shell)
    shell.supervisor().kill()  # the next one looks for zygotes that were left
    assert gone(shell)
    home = Home(shell.home)
    assert home.socket.exists()
    with supervision.readied(home, shell.environment) as begin:
        zygote = first_zygote(shell)
        supervision.wake(home, shell.environment, begin).close()
        with supervision.readied(home, shell.environment) as second:
            assert second is None  # it is there
    assert call(shell)[0] == "42"
    assert zygotes(shell) == [zygote]
    shell.supervisor().terminate()


def test_whoever_readied_it_may_be_killed(shell: Shell) -> None:
    command = [sys.executable, "-c", READY, str(shell.home)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    caller = subprocess.Popen(command, env=shell.environment, **pipes)  # type: ignore[call-overload]
    assert caller.stdout.readline() == b"readied\n"
    caller.kill()
    caller.communicate()
    assert gone(shell)


def test_a_zygote_that_was_killed_before_it_was_told_to_begin_is_replaced(shell: Shell) -> None:
    shell.extra["TIDEWATT_LINGER_S"] = "60"
    home = Home(shell.home)
    with supervision.readied(home, shell.environment) as begin:
        first_zygote(shell).kill()
        with Client(home.path) as client:
            client.host(FunctionSpec(name="double", kind=Kind.FUNCTION, zones=("DE",)), begin)
    assert call(shell)[0] == "42"
    shell.supervisor().terminate()


def test_who_finds_a_warm_worker_needs_no_store(shell: Shell) -> None:
    shell.extra["TIDEWATT_LINGER_S"] = "60"
    assert call(shell) == ["42", "True"]
    assert call(shell) == ["42", "False"]
    shell.supervisor().terminate()
