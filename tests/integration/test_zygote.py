"""A zygote loads what it is told to before it forks, and hands workers a process that is as any other."""

import json
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import cloudpickle
import psutil
import pytest

import tidewatt as tw
from tidewatt.domain.function import FunctionSpec, Kind
from tidewatt.runtime import frames
from tidewatt.runtime.channel import Channel
from tidewatt.runtime.messages import Hire, Hired, Post, Take, Where
from tidewatt.sdk.lines import Line

PATIENCE_S = 60.0
LIMITS = frames.Limits(most_bytes=1 << 20, spill_bytes=1 << 20, folder="/nowhere")
LIBRARIES = {"numpy", "torch", "torch._dynamo", "torch.utils.data", "torch.distributed"}


def worker_of(folder: Path, preload: list[str]) -> Generator[Channel]:
    """A warm worker of a zygote that was told to load some modules, asked for before it has begun to."""
    ours, theirs = Channel.pair()
    worker, end = Channel.pair()
    post = Post(
        number=1,
        function=FunctionSpec(name="seen", kind=Kind.FUNCTION),
        where=Where(str(folder), ()),
        log=f"{folder}/log",
        spill=str(folder),
        most_bytes=1 << 20,
        spill_bytes=1 << 20,
    )
    with end:
        ours.send(Hire(post), fds=[end.fileno()])
    command = [sys.executable, "-m", "tidewatt.runtime.zygote", "--trainer", "nothing:at_all"]
    told = {"--fd": theirs.fileno(), "--behind": [str(folder)], "--preload": preload}
    command += [word for name, value in told.items() for word in (name, json.dumps(value))]
    with theirs:
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
    assert select.select([ours], [], [], PATIENCE_S)[0]
    assert [type(message) for message in ours.receive()] == [Hired]
    yield worker
    worker.close()
    ours.close()
    assert process.wait(PATIENCE_S) == 0


def called(worker: Channel, body: Callable[[], object]) -> Any:  # noqa: ANN401 - what it returns
    """What a function returns that a warm worker calls, or its fault."""
    ours, theirs = socket.socketpair()
    with theirs:
        worker.send(Take(), fds=[theirs.fileno()])
    frames.send(ours, frames.Kind.CODE, cloudpickle.dumps(body), LIMITS)
    line = Line(ours, LIMITS)
    ((_, value),) = line.ask(cloudpickle.dumps([((), {})]), PATIENCE_S)
    line.close()
    return value


def test_a_module_that_is_broken_or_absent_is_left_to_the_worker(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise RuntimeError('broken for all')\n")
    for worker in worker_of(tmp_path, ["broken", "not_there", "not_there.at_all", "colorsys"]):
        assert called(worker, lambda: "colorsys" in sys.modules)
        assert "RuntimeError: broken for all" in called(worker, lambda: __import__("broken")).text


@pytest.mark.usefixtures("functions_home")
def test_the_first_worker_finds_all_libraries_and_collects_its_own_garbage_alone() -> None:
    @tw.function()
    def found() -> tuple[int, list[str], list[str], int, int]:
        import gc  # noqa: PLC0415 - that of the worker
        import os  # noqa: PLC0415 - the same
        import sys  # noqa: PLC0415 - the same

        before = gc.get_freeze_count()
        gc.collect()
        watched = [getattr(each, "__module__", "") for each in gc.callbacks]
        return os.getppid(), list(sys.modules), watched, before, gc.get_freeze_count()

    zygote, modules, watched, before, after = found.remote()
    assert set(modules) >= LIBRARIES
    assert psutil.Process(zygote).num_threads() == 1
    assert not any(name.startswith("tidewatt") or name == "__main__" for name in watched)
    assert before == after > 100_000
