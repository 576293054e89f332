"""A real supervisor stays warm when its idle policy says so, and not before it has a history."""

from collections.abc import Callable
from threading import Event

import psutil
import pytest
from sqlalchemy import create_engine, text

from tidewatt.adapters import supervision
from tidewatt.sdk.client import Client, Options
from tidewatt.sdk.functions import function

ProcessesOf = Callable[[Client], list[psutil.Process]]
PATIENCE_S = 30.0
_LONGER_THAN_LINGERING_S = 1.5


@function()
def one() -> int:
    """Something to do."""
    return 1


def call(client: Client) -> None:
    assert client.result(client.submit(one, {}, Options())) == 1


def gone(client: Client, processes_of: ProcessesOf) -> bool:
    _, alive = psutil.wait_procs(processes_of(client), timeout=PATIENCE_S)
    return not alive


def make_past(client: Client) -> None:
    """Let all that was submitted have been submitted two hours ago."""
    engine = create_engine(client.home.store_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET submitted_wall = submitted_wall - 7200"))
    engine.dispose()


def test_with_a_history_the_zygote_outlives_the_lingering(
    client: Client, processes_of: ProcessesOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEWATT_IDLE", "fixed:10min")
    call(client)
    assert gone(client, processes_of)  # no history yet, so true zero
    make_past(client)
    call(client)
    Event().wait(_LONGER_THAN_LINGERING_S)
    supervisor, *zygote = processes_of(client)
    assert supervision.supervised(client.home)
    assert len(zygote) == 1
    call(client)
    first, second, *workers = processes_of(client)
    assert [first, second] == [supervisor, *zygote]
    _, alive = psutil.wait_procs(workers, timeout=PATIENCE_S)
    assert not alive  # one that waits for calls is let go while the others stay
    assert processes_of(client) == [supervisor, *zygote]
    supervisor.kill()
    psutil.wait_procs([supervisor, *zygote], timeout=PATIENCE_S)
