"""The peer: what torchrun's elastic restart costs when a second agent joins."""

import os
import selectors
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SCRIPT = Path(__file__).with_name("torchrun_script.py")
_PATIENCE_S = 90.0
_STEPS_BEFORE = 30
COMMAND = "torchrun --nnodes=1:2 --rdzv-backend=c10d --rdzv-endpoint=localhost:PORT"


def lost_to_growth(folder: Path) -> float:
    """Seconds between the last step of one worker and the first step of two.

    Raises:
        RuntimeError: the agents did not come together.
    """
    folder.mkdir()
    pipe = folder / "stamps"
    os.mkfifo(pipe)
    port = _free_port()
    with _reading(pipe) as lines, _agent(folder, port):
        for _ in range(_STEPS_BEFORE):
            last, _ = next(lines)
        with _agent(folder, port):
            for at, workers in lines:
                if workers > 1:
                    return at - last
                last = at
    raise RuntimeError("torchrun's agents did not come together")


@contextmanager
def _reading(pipe: Path) -> Iterator[Iterator[tuple[float, int]]]:
    """(instant, workers) of each step as it is told."""
    descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)  # both, so that it stays open between workers
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        yield _lines(descriptor, selector)
    os.close(descriptor)


def _lines(descriptor: int, selector: selectors.BaseSelector) -> Iterator[tuple[float, int]]:
    pending = b""
    while selector.select(_PATIENCE_S):
        *whole, pending = (pending + os.read(descriptor, 1 << 16)).split(b"\n")
        for line in whole:
            at, workers = line.split()
            yield float(at), int(workers)


@contextmanager
def _agent(folder: Path, port: int) -> Iterator[None]:
    """An agent of torchrun, ended together with its worker afterwards."""
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nnodes=1:2",
        "--nproc-per-node=1",
        "--local-addr=localhost",
    ]
    command += ["--rdzv-backend=c10d", f"--rdzv-endpoint=localhost:{port}", f"--rdzv-id={port}"]
    # With fewer agents than the most, it waits so long for further ones; only its first start gets faster.
    command += ["--rdzv-conf=last_call_timeout=1", "--max-restarts=3"]
    command += [str(_SCRIPT), str(folder / "stamps"), str(folder)]
    # If it shares its store with the workers, a second agent cannot join:
    # https://github.com/pytorch/pytorch/issues/135712
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    with (folder / "torchrun.log").open("ab") as log:
        agent = subprocess.Popen(  # noqa: S603 - torch's own program, with arguments of our own
            command, stdout=log, stderr=log, env=environment
        )
    try:
        yield
    finally:
        agent.terminate()
        try:
            agent.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            agent.kill()
            agent.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])
