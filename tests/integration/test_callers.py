"""Programs that call functions: whatever else they do, each call returns, raises in words, or is given up."""

import asyncio
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.shells import SOON

import tidewatt as tw
from tidewatt.errors import UsageError, WorkerLost
from tidewatt.sdk.lines import Stop, Switchboard, pickled

pytestmark = pytest.mark.usefixtures("functions_home")


@tw.function()
def double(number: int) -> int:
    return 2 * number


def test_an_error_of_ours_says_what_was_found_once() -> None:
    @tw.function()
    def ours() -> None:
        raise UsageError("a herring", "a cod", "cast again")

    with pytest.raises(UsageError) as caught:
        ours.remote()
    assert str(caught.value) == "found a herring; wanted a cod; cast again"
    assert (caught.value.found, caught.value.remedy) == ("a herring", "cast again")


def test_who_awaits_a_function_that_raises_stop_iteration_is_told() -> None:
    @tw.function()
    def stops() -> None:
        raise StopIteration

    async def both() -> None:
        for waiting in (stops.remote.aio(), stops.submit()):
            with pytest.raises(RuntimeError, match="StopIteration"):
                await asyncio.wait_for(waiting, SOON)

    asyncio.run(both())


@pytest.fixture
def many_files() -> Iterator[None]:
    """More open files than ``select`` can tell apart."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    yield
    for descriptor in opened:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_a_program_with_many_files_open_calls_as_any() -> None:
    assert double.remote(1) == 2
    assert list(double.map(range(10))) == [2 * n for n in range(10)]
    assert double.submit(3).result(timeout=SOON) == 6


def test_a_call_that_nobody_waits_for_any_more_asks_for_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEWATT_HOME", str(tmp_path / "home"))
    stop = Stop()
    stop.over()
    with pytest.raises(WorkerLost, match="nobody waits for"):
        Switchboard(double.body, double.spec).call(pickled([((), {})], "double"), stop=stop)
    assert not (tmp_path / "home").exists()
