"""Programs that call functions: whatever else they do, each call returns, raises in words, or is given up."""

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread

import pytest
from tests.integration.shells import SOON

import tidewatt as tw
from tidewatt.adapters import cgroup
from tidewatt.errors import UsageError, WorkerLost
from tidewatt.sdk.lines import Stop, Switchboard, pickled

pytestmark = pytest.mark.usefixtures("functions_home")


_GIVES_UP = """
import asyncio
from pathlib import Path
import tidewatt as tw
@tw.function()
def through():
    return Path("{gate}").read_text()
async def main():
    try:
        await asyncio.wait_for(through.submit(), 0.1)
    except TimeoutError:
        print("given up")
asyncio.run(main())
"""


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


@tw.function()
def through(gate: str) -> int:
    """Wait until somebody opens the gate."""
    return len(Path(gate).read_text())


def test_who_awaits_calls_leaves_the_threads_of_the_loop_to_others(tmp_path: Path) -> None:
    gates = [tmp_path / "direct", tmp_path / "durable"]
    for gate in gates:
        os.mkfifo(gate)

    async def several() -> list[int]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        call = await through.submit.aio(str(gates[1]))

        async def result() -> int:
            return int(await call)

        tasks = [asyncio.create_task(through.remote.aio(str(gates[0]))), asyncio.create_task(result())]
        await asyncio.sleep(0)  # both are waited for
        for gate in gates:
            await asyncio.wait_for(asyncio.to_thread(gate.write_text, "open"), SOON)
        return await asyncio.gather(*tasks)

    assert asyncio.run(several()) == [4, 4]


def listens(thread: Thread) -> bool:
    """Whether a thread has asked for a worker and waits for what becomes of that."""
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - nothing else tells
    while frame is not None and frame.f_code.co_name != "hear":
        frame = frame.f_back
    return frame is not None


@pytest.mark.skipif(cgroup.processors() < 2, reason="one processor, which no two functions share")
def test_who_waits_for_a_processor_gets_one_that_another_function_frees(tmp_path: Path) -> None:
    half = cgroup.processors() // 2

    @tw.function(cpus=half)
    def first(gate: str) -> int:
        return len(Path(gate).read_text())

    @tw.function(cpus=cgroup.processors() - half)
    def second(gate: str) -> int:
        return len(Path(gate).read_text())

    gates = {name: tmp_path / name for name in ("durable", "other", "direct")}
    for gate in gates.values():
        os.mkfifo(gate)
    job = first.submit(str(gates["durable"]))
    with ThreadPoolExecutor(3) as threads, gates["durable"].open("w") as held:  # its worker is at it
        other = threads.submit(second.remote, str(gates["other"]))
        with gates["other"].open("w"):
            direct: list[int] = []
            asks = Thread(target=lambda: direct.append(first.remote(str(gates["direct"]))))
            asks.start()
            while not listens(asks):
                Event().wait(0.01)
        assert other.result(SOON) == 0
        threads.submit(gates["direct"].write_text, "open").result(SOON)
        asks.join(SOON)
        held.write("done")
    assert direct == [4]
    assert job.result(timeout=SOON) == 4


def test_a_program_that_awaits_a_job_no_more_can_end_before_it(tmp_path: Path) -> None:
    os.mkfifo(gate := tmp_path / "gate")
    program = tmp_path / "program.py"
    program.write_text(_GIVES_UP.format(gate=str(gate)))
    ended = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=SOON, check=False
    )
    assert (ended.stdout, ended.stderr) == ("given up\n", "")


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
