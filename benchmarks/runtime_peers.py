"""The peers of the runtime's benchmark, run by an interpreter of their own; knows nothing of Tidewatt."""

import importlib
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event

_RAY_FROM_NOTHING = """
import ray
ray.init(logging_level="ERROR", include_dashboard=False)
@ray.remote
def total(size):
    import torch
    return float(torch.ones(size).sum())
print(ray.get(total.remote(3)))
"""
_HUEY_TASKS = """
from huey import SqliteHuey
huey = SqliteHuey(filename={file!r}, fsync=True)
@huey.task()
def nothing(number):
    return number
"""


def timed(work: Callable[[], object], repeats: int) -> list[float]:
    """Milliseconds that something takes, each time."""
    took: list[float] = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - began))
    return took


def ray_figures(repeats: int) -> dict[str, float]:
    """An actor's calls, tasks in a second, the first call of torch, and what an idle service takes."""
    import psutil  # noqa: PLC0415 - only where the peer is
    import ray  # noqa: PLC0415 - the same

    ray.init(logging_level="ERROR", include_dashboard=False, num_cpus=4)

    @ray.remote  # type: ignore[untyped-decorator]
    def total(size: int) -> float:
        import torch  # noqa: PLC0415 - loaded where it is used, as users do

        return float(torch.ones(size).sum())

    @ray.remote  # type: ignore[untyped-decorator]
    def nothing(number: int) -> int:
        return number

    @ray.remote
    class Actor:
        def nothing(self, number: int) -> int:
            return number

    figures: dict[str, float] = {}
    has_torch = importlib.util.find_spec("torch") is not None
    if has_torch:
        figures["ray_cold_ms"] = timed(lambda: ray.get(total.remote(3)), 1)[0]
    actor = Actor.remote()  # type: ignore[attr-defined]
    ray.get(actor.nothing.remote(0))
    warm = sorted(timed(lambda: ray.get(actor.nothing.remote(1)), 50 * repeats))
    began = time.perf_counter()
    if ray.get([nothing.remote(n) for n in range(10_000)]) != list(range(10_000)):
        raise SystemExit("wrong results of Ray's tasks")
    rate = 10_000 / (time.perf_counter() - began)
    Event().wait(2.0)
    below = [p for p in psutil.Process().children(recursive=True) if p.is_running()]
    before = sum(sum(p.cpu_times()[:2]) for p in below)
    Event().wait(5.0)
    after = memory = 0.0
    for process in below:
        with suppress(psutil.NoSuchProcess):
            after += sum(process.cpu_times()[:2])
            memory += process.memory_full_info().pss / 1e6
    ray.shutdown()
    command = [sys.executable, "-c", _RAY_FROM_NOTHING]
    if has_torch:
        took = timed(lambda: subprocess.run(command, check=True, capture_output=True), 1)  # noqa: S603 - our own
        figures["ray_from_nothing_s"] = took[0] / 1000
    return figures | {
        "actor_p50_ms": statistics.median(warm),
        "actor_p99_ms": warm[int(0.99 * len(warm))],
        "tasks_per_s": rate,
        "ray_idle_mb": memory,
        "ray_idle_pct": max(0.0, 100 * (after - before) / 5.0),
    }


def huey_figures(repeats: int) -> dict[str, float]:
    """A durable call from submission to result: SQLite, one worker that looks every 10 ms, its quickest."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "huey_tasks.py").write_text(_HUEY_TASKS.format(file=f"{folder}/huey.db"))
        consumer = next(Path(sys.executable).parent.glob("huey_consumer*"))
        command = [sys.executable, str(consumer), "huey_tasks.huey", "-w", "1", "-d", "0.01", "-m", "0.01"]
        process = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)  # noqa: S603 - the peer's
        sys.path.insert(0, folder)
        try:
            nothing = importlib.import_module("huey_tasks").nothing

            def call() -> object:
                return nothing(1)(blocking=True, timeout=30, backoff=1, max_delay=0.001)

            call()
            took = timed(call, 2 * repeats)
        finally:
            process.terminate()
            process.wait()
    return {"huey_ms": statistics.median(took)}


def main() -> None:
    """Print the figures of all peers that are there as one line of JSON."""
    figures: dict[str, float] = {}
    for peer in (ray_figures, huey_figures):
        try:
            figures |= peer(int(sys.argv[1]))
        except Exception as error:  # noqa: BLE001 - a peer that does not start has no figures; the others have
            sys.stderr.write(f"{peer.__name__}: {error}\n")
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
