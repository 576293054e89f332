"""Processes by number and start time, so that a recycled number is never taken for an old process."""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress

import psutil

_PATIENCE_S = 10.0


def cpu_seconds(pid: int) -> float | None:
    """Processor seconds that a live process has used; None if it is gone."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return None
    return times.user + times.system


def kill_group(pid: int) -> None:
    """End a worker together with whatever it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def end_all(processes: Iterable[tuple[int, float]]) -> None:
    """End those processes that are still the ones meant, and wait until they are gone."""
    alive: list[psutil.Process] = []
    for pid, started in processes:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if process.create_time() == started and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
                kill_group(pid)
    psutil.wait_procs(alive, timeout=_PATIENCE_S)
