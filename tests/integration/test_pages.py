"""Processes that only wait give back what they loaded to start, and still compute what they should."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import tidewatt as tw

pytestmark = [
    pytest.mark.usefixtures("functions_home"),
    pytest.mark.skipif(
        not Path("/proc/self/pagemap").exists() or "RssFile" not in Path("/proc/self/status").read_text(),
        reason="this system does not tell of pages",
    ),
]
PATIENCE_S = 30.0
LOADED = """
import numpy, torch, torch._dynamo
from pathlib import Path
print(Path("/proc/self/status").read_text())
"""
THREADS = """
import threading
from pathlib import Path
from tidewatt.runtime.pages import give_back
def told():
    return next(line for line in Path("/proc/self/status").read_text().splitlines() if "RssFile" in line)
end = threading.Event()
threading.Thread(target=end.wait).start()
told()
before = told()
give_back()
print(before == told())
end.set()
"""
WRITTEN = """
from pathlib import Path
import numpy
from tidewatt.runtime.pages import give_back
def told():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if "RssFile" in line).split()[1])
numbers = numpy.arange(1000)
print(numbers.sum())
before = told()
give_back()
after = told()
print(numbers.sum(), after < before / 2)
"""


@tw.function()
def learned(steps: int) -> tuple[float, int, int]:
    """A loss after some steps, who computed it, and the zygote."""
    import torch  # noqa: PLC0415 - in the worker alone

    torch.manual_seed(0)
    model = torch.nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inputs, loss = torch.arange(32.0).reshape(4, 8) / 32, torch.zeros(())
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(inputs).square().mean()
        loss.backward()
        optimizer.step()
    return float(loss.detach()), os.getpid(), os.getppid()


def of_files_kb(status: str) -> int:
    """The pages of files that a process has in memory, as its status tells."""
    line = next(line for line in status.splitlines() if line.startswith("RssFile:"))
    return int(line.split()[1])


def resident_kb(pid: int) -> int:
    return of_files_kb(Path(f"/proc/{pid}/status").read_text())


def test_a_zygote_and_an_idle_worker_give_back_and_compute_the_same_after_it() -> None:
    command = [sys.executable, "-c", LOADED]
    loaded_kb = of_files_kb(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    first, worker, zygote = learned.remote(3)
    used_kb = resident_kb(worker)
    assert resident_kb(zygote) < loaded_kb / 2
    pause = threading.Event()
    for _ in range(int(PATIENCE_S * 100)):
        if resident_kb(worker) < used_kb / 2:
            break
        pause.wait(0.01)
    assert resident_kb(worker) < used_kb / 2
    assert learned.remote(3) == (first, worker, zygote)


def test_a_process_of_several_threads_gives_nothing_back() -> None:
    done = subprocess.run([sys.executable, "-c", THREADS], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "True"


def test_what_is_written_to_stays_as_it_is() -> None:
    command = [sys.executable, "-c", WRITTEN]
    variables = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=variables)
    assert done.stdout.split() == ["499500", "499500", "True"]
