"""Direct calls: fast, on warm workers, through real processes, and with nothing left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

import tidewatt as tw
from tidewatt.errors import JobFailed, Refused, RemoteTraceback, UsageError, WorkerLost
from tidewatt.sdk.functions import Handle

pytestmark = pytest.mark.usefixtures("functions_home")
PATIENCE_S = 30.0
MEGABYTE = 10**6


class Spoilt(Exception):
    """An exception of the user's, with more than a text."""

    def __init__(self, what: str, count: int) -> None:
        super().__init__(what, count)
        self.count = count


@tw.function()
def double(number: int) -> int:
    return 2 * number


@tw.function()
def process() -> int:
    return os.getpid()


@tw.function()
def spoil(count: int) -> None:
    raise Spoilt("milk", count)


def gone(pid: int) -> bool:
    """Whether a process ends within reason."""
    try:
        psutil.Process(pid).wait(PATIENCE_S)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def appears(path: Path) -> str:
    """What a file says, once it says something."""
    pause = threading.Event()
    for _ in range(int(PATIENCE_S * 100)):
        if path.exists() and path.read_text():
            return path.read_text()
        pause.wait(0.01)
    raise AssertionError(f"{path} never came")


def test_calls_are_served_one_after_another_by_one_process_that_is_not_this_one() -> None:
    served_by = {process.remote() for _ in range(20)}
    assert len(served_by) == 1
    assert os.getpid() not in served_by


def test_local_is_here() -> None:
    assert process.local() == process() == os.getpid()


def test_an_exception_comes_back_as_itself_with_the_workers_traceback_as_its_cause() -> None:
    with pytest.raises(Spoilt) as raised:
        spoil.remote(3)
    assert raised.value.count == 3
    assert isinstance(raised.value.__cause__, RemoteTraceback)
    assert 'raise Spoilt("milk", count)' in str(raised.value.__cause__)


def test_an_exception_that_cannot_be_pickled_comes_back_as_text() -> None:
    @tw.function()
    def fail() -> None:
        error = ValueError("with a lock")
        error.lock = threading.Lock()  # type: ignore[attr-defined]
        raise error

    with pytest.raises(JobFailed, match="ValueError: with a lock"):
        fail.remote()


def test_what_would_end_the_caller_is_told_as_a_failure() -> None:
    @tw.function()
    def leave() -> None:
        sys.exit(7)

    with pytest.raises(JobFailed, match="SystemExit: 7"):
        leave.remote()
    before = process.remote()
    assert process.remote() == before


def test_a_result_that_cannot_be_pickled_is_refused_in_words() -> None:
    @tw.function()
    def lock() -> object:
        return threading.Lock()

    with pytest.raises(UsageError, match="a result of type lock, which cannot be pickled"):
        lock.remote()


def test_arguments_that_cannot_be_pickled_are_refused_in_words() -> None:
    with pytest.raises(UsageError, match="arguments of double that cannot be pickled"):
        double.remote(threading.Lock())  # type: ignore[arg-type]


def test_large_arguments_and_results_pass_and_leave_no_file_behind(functions_home: Path) -> None:
    @tw.function()
    def more(data: bytes) -> bytes:
        return 2 * data

    assert more.remote(b"x") == b"xx"
    before = {path.name for path in functions_home.iterdir()}
    assert more.remote(bytes(100 * MEGABYTE)) == bytes(200 * MEGABYTE)
    assert {path.name for path in functions_home.iterdir()} == before


def test_what_is_too_large_is_refused_in_words() -> None:
    @tw.function()
    def large(size: int, _data: bytes = b"") -> bytes:
        return bytes(size)

    with pytest.raises(UsageError, match="of 260 MB; wanted at most 250 MB"):
        large.remote(0, bytes(260 * MEGABYTE))
    with pytest.raises(UsageError, match="of 260 MB; wanted at most 250 MB"):
        large.remote(260 * MEGABYTE)
    assert large.remote(1) == b"\0"


def test_a_worker_that_leaves_is_told_of_and_replaced() -> None:
    @tw.function()
    def maybe(code: int | None) -> int:
        if code is not None:
            os._exit(code)
        return os.getpid()

    first = maybe.remote(None)
    with pytest.raises(WorkerLost, match="its worker left with exit code 3"):
        maybe.remote(3)
    assert maybe.remote(None) != first


def test_a_worker_that_is_killed_is_told_of_and_the_call_is_made_again_if_it_may_be(tmp_path: Path) -> None:
    def suicide(marker: str) -> str:
        if not Path(marker).exists():
            Path(marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return "survived"

    with pytest.raises(WorkerLost, match="its worker was ended by SIGKILL"):
        tw.function()(suicide).remote(str(tmp_path / "once"))
    assert tw.function(retries=1)(suicide).remote(str(tmp_path / "again")) == "survived"


def test_a_function_that_raises_is_called_again_as_often_as_it_says(tmp_path: Path) -> None:
    @tw.function(retries=2, backoff="10 ms")
    def third_time(folder: str) -> int:
        count = len(list(Path(folder).iterdir())) + 1
        (Path(folder) / str(count)).touch()
        if count < 3:
            raise ValueError(count)
        return count

    assert third_time.remote(str(tmp_path)) == 3


def test_a_call_that_overstays_its_time_out_is_ended_with_its_worker(tmp_path: Path) -> None:
    @tw.function(timeout="5 s")
    def forever(note: str) -> None:
        Path(note).write_text(str(os.getpid()))
        threading.Event().wait()

    with pytest.raises(TimeoutError, match=r"still running after 5 s"):
        forever.remote(str(tmp_path / "pid"))
    assert gone(int(appears(tmp_path / "pid")))


def test_a_caller_that_dies_leaves_no_worker_at_its_call(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    program = (
        "import os, threading, tidewatt as tw\n"
        "from pathlib import Path\n"
        "@tw.function()\n"
        "def forever(note):\n"
        "    Path(note).write_text(str(os.getpid()))\n"
        "    threading.Event().wait()\n"
        f"forever.remote({str(note)!r})\n"
    )
    caller = subprocess.Popen([sys.executable, "-c", program])
    try:
        worker = int(appears(note))
    finally:
        caller.kill()
        caller.wait()
    assert gone(worker)


def test_a_thread_that_a_call_leaves_behind_disturbs_no_other() -> None:
    @tw.function()
    def leak() -> int:
        threading.Thread(target=threading.Event().wait, daemon=False).start()
        return os.getpid()

    assert leak.remote() == leak.remote()


def test_what_is_printed_goes_to_a_log(functions_home: Path) -> None:
    @tw.function()
    def say(word: str) -> None:
        print(word)  # noqa: T201 - printing is what is tested

    say.remote("flotsam")
    (log,) = functions_home.glob("jobs/say-calls-*/attempt-1.log")
    assert log.read_text() == "flotsam\n"


def test_two_functions_of_one_name_are_two() -> None:
    def make(factor: int) -> Handle[[int], int]:
        @tw.function()
        def times(number: int) -> int:
            return factor * number

        return times

    three, five = make(3), make(5)
    assert [three.remote(2), five.remote(2), three.remote(3), five.remote(3)] == [6, 10, 9, 15]


def test_more_threads_than_processors_are_all_served() -> None:
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(double.remote, range(400))) == [2 * n for n in range(400)]


def test_several_processes_call_at_once(tmp_path: Path) -> None:
    program = (
        "import sys, tidewatt as tw\n"
        "@tw.function()\n"
        "def square(n):\n"
        "    return n * n\n"
        "assert [square.remote(n) for n in range(200)] == [n * n for n in range(200)]\n"
        "assert list(square.map(range(2000))) == [n * n for n in range(2000)]\n"
    )
    callers = [subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path) for _ in range(4)]
    assert [caller.wait(10 * PATIENCE_S) for caller in callers] == [0] * 4


def test_a_function_may_call_itself() -> None:
    @tw.function()
    def factorial(number: int) -> int:
        return 1 if number < 2 else number * factorial.remote(number - 1)

    assert factorial.remote(5) == 120


def test_calls_within_calls_have_an_end() -> None:
    @tw.function(concurrency=2)
    def deeper(number: int) -> int:
        return deeper.remote(number + 1)

    with pytest.raises(Refused, match="calls within calls"):
        deeper.remote(0)


def test_a_call_within_a_call_waits_its_turn_for_a_function_that_others_are_at() -> None:
    @tw.function(concurrency=1)
    def alone(number: int) -> int:
        return number

    @tw.function()
    def through(number: int) -> list[int]:
        return [alone.remote(number) for _ in range(50)]

    assert list(through.map(range(4))) == [[number] * 50 for number in range(4)]


def test_a_function_has_no_more_workers_than_its_concurrency_allows(tmp_path: Path) -> None:
    @tw.function(concurrency=1)
    def alone(folder: str) -> int:
        lock = Path(folder) / "lock"
        lock.touch(exist_ok=False)  # raises if another call is being made
        threading.Event().wait(0.01)
        lock.unlink()
        return os.getpid()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(alone.remote, [str(tmp_path)] * 20))) == 1


def test_a_function_needs_a_zone_that_it_may_be_in() -> None:
    @tw.function(zones=["FR"])
    def french() -> None: ...

    with pytest.raises(Refused, match="a machine in DE, and a function that may run in FR"):
        french.remote()


def test_a_worker_is_where_its_caller_is_and_sees_its_modules(tmp_path: Path) -> None:
    program, folder = tmp_path / "program", tmp_path / "folder"
    program.mkdir()
    folder.mkdir()
    (program / "lib").mkdir()
    (program / "sibling.py").write_text("WORD = 'flotsam'\n")
    (program / "lib" / "cousin.py").write_text("class Drifted(Exception): pass\n")
    (folder / "data.txt").write_text("jetsam\n")
    (program / "main.py").write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "import sibling, tidewatt as tw\n"
        "sys.path.append(str(Path(__file__).parent / 'lib'))\n"
        "import cousin\n"
        "@tw.function()\n"
        "def read(name):\n"
        "    if not name: raise cousin.Drifted\n"
        "    return sibling.WORD + ' ' + Path(name).read_text()\n"
        "print(read.remote('data.txt') + read.submit('data.txt').result(), end='')\n"
        "try: read.remote('')\n"
        "except cousin.Drifted: pass\n"
    )
    command = [sys.executable, str(program / "main.py")]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert said.stdout == 2 * "flotsam jetsam\n"
    (program / "sibling.py").write_text("WORD = 'driftwood'\n")
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert said.stdout == 2 * "driftwood jetsam\n"


def test_calls_are_awaited() -> None:
    async def several() -> tuple[list[int], list[int]]:
        at_once = await asyncio.gather(*(double.remote.aio(n) for n in range(5)))
        return at_once, [n async for n in double.map.aio(range(5))]

    assert asyncio.run(several()) == ([0, 2, 4, 6, 8], [0, 2, 4, 6, 8])


def test_a_task_that_is_cancelled_ends_its_call(tmp_path: Path) -> None:
    @tw.function()
    def forever(note: str) -> None:
        Path(note).write_text(str(os.getpid()))
        threading.Event().wait()

    async def cancelled() -> int:
        task = asyncio.create_task(forever.remote.aio(str(tmp_path / "pid")))
        worker = int(await asyncio.to_thread(appears, tmp_path / "pid"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return worker

    assert gone(asyncio.run(cancelled()))
