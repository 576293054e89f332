"""Many jobs that wait for room alone: none is planned, the first come first, and all end."""

import os
from pathlib import Path

import pytest
from tests.integration.shells import SOON, Shell

import tidewatt as tw
from tidewatt.adapters import cgroup
from tidewatt.control.unplanned import AT_HAND
from tidewatt.domain.lifecycle import State
from tidewatt.errors import JobFailed
from tidewatt.sdk.client import Client

pytestmark = pytest.mark.usefixtures("functions_home")
MANY = 2 * AT_HAND + 3
CPUS = cgroup.processors()


@tw.function()
def note(folder: str, number: int) -> int:
    (Path(folder) / "order").open("a").write(f"{number}\n")
    return number


@tw.function()
def unwanted(folder: str, number: int) -> int:
    return note(folder, number)


@tw.function(priority=1)
def urgent(folder: str) -> None:
    (Path(folder) / "order").open("a").write("urgent\n")


@tw.function(cpus=CPUS)
def stand_in_the_way(gate: str) -> None:
    with Path(gate).open() as line:
        line.read()


def test_a_long_queue_is_worked_off_in_its_order_without_a_plan(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    first = stand_in_the_way.submit(str(gate))
    calls = [note.submit(str(tmp_path), number) for number in range(MANY)]
    hurried = urgent.submit(str(tmp_path))
    with gate.open("w"):
        pass
    first.result(timeout=SOON)
    assert [call.result(timeout=SOON) for call in calls] == list(range(MANY))
    assert hurried.result(timeout=SOON) is None
    with Client() as client:
        began = {call.id: client.store.attempts(call.id)[0].started_wall for call in [*calls, hurried]}
        assert list(client.store.plans()) == []
    assert hurried.id in sorted(began, key=began.__getitem__)[:CPUS]
    assert [began[call.id] for call in calls] == sorted(began[call.id] for call in calls)


def test_a_long_queue_is_listed_by_its_first_and_cancelled_whole(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    first = stand_in_the_way.submit(str(gate))
    calls = [unwanted.submit(str(tmp_path), number) for number in range(MANY)]
    with Client() as client:
        listed = Shell(client.home.path).run("jobs")[0]
    assert listed.count("unwanted-") == 10
    assert f"and {MANY - 10} waiting behind them" in listed
    for call in calls:
        call.cancel()
    for call in calls:
        with pytest.raises(JobFailed, match="cancelled"):
            call.result(timeout=SOON)
    with gate.open("w"):
        pass
    first.result(timeout=SOON)
    assert not (tmp_path / "order").exists()
    with Client() as client:
        assert client.store.counts()[State.CANCELLED] == MANY
