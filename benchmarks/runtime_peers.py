"""The peers of the runtime's benchmark, run by an interpreter of their own; knows nothing of Tidewatt."""

import importlib
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

FROM_NOTHING = {
    "ray": """
import ray
ray.init(logging_level="ERROR", include_dashboard=False)
@ray.remote
def total(size):
    import torch
    return float(torch.ones(size).sum())
print(ray.get(total.remote(3)))
""",
    "dask": """
from distributed import Client, LocalCluster
def total(size):
    import torch
    return float(torch.ones(size).sum())
with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
    with Client(cluster) as client:
        print(client.submit(total, 3).result())
""",
}
"""Programs of peers, from a new interpreter to their first result of torch."""
_TASKS = 10_000
_IDLE_S = 5.0
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


def idle(processes: "Sequence[psutil.Process]") -> tuple[float, float]:
    """Proportional memory of processes, MB, and the share of one processor that they take, in percent."""
    import psutil  # noqa: PLC0415 - only where the peer is

    def looked() -> Iterator[tuple[float, float]]:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                yield sum(process.cpu_times()[:2]), process.memory_full_info().pss / 1e6

    before = sum(cpu_s for cpu_s, _ in looked())
    Event().wait(_IDLE_S)
    after = list(looked())
    used_s = sum(cpu_s for cpu_s, _ in after) - before
    return sum(memory for _, memory in after), max(0.0, 100 * used_s / _IDLE_S)


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
    if ray.get([nothing.remote(n) for n in range(_TASKS)]) != list(range(_TASKS)):
        raise SystemExit("wrong results of Ray's tasks")
    rate = _TASKS / (time.perf_counter() - began)
    Event().wait(2.0)
    memory, share = idle(psutil.Process().children(recursive=True))
    ray.shutdown()
    return figures | {
        "actor_p50_ms": statistics.median(warm),
        "actor_p99_ms": warm[int(0.99 * len(warm))],
        "tasks_per_s": rate,
        "ray_idle_mb": memory,
        "ray_idle_pct": share,
    }


def dask_figures(repeats: int) -> dict[str, float]:
    """The same of dask.distributed, on a local cluster of one worker process with one thread.

    Its scheduler runs in the process that made the cluster, so what is told of standing still is that of the
    worker and what the scheduler and its client have added to this process. The cold call finds a scheduler
    and no worker: it is the time from asking for one until torch's result is here.
    """
    import psutil  # noqa: PLC0415 - only where the peer is

    me = psutil.Process()
    before_mb = me.memory_full_info().pss / 1e6
    from distributed import Client, LocalCluster  # noqa: PLC0415 - the same

    def total(size: int) -> float:
        import torch  # noqa: PLC0415 - loaded where it is used, as users do

        return float(torch.ones(size).sum())

    def nothing(number: int) -> int:
        return number

    figures: dict[str, float] = {}
    with (
        LocalCluster(n_workers=0, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):

        def cold() -> object:
            cluster.scale(1)
            return client.submit(total, 3, pure=False).result()

        has_torch = importlib.util.find_spec("torch") is not None
        if has_torch:
            figures["dask_cold_ms"] = timed(cold, 1)[0]
        else:
            cluster.scale(1)
        client.submit(nothing, 0, pure=False).result()
        warm = sorted(timed(lambda: client.submit(nothing, 1, pure=False).result(), 50 * repeats))
        began = time.perf_counter()
        if client.gather(client.map(nothing, range(_TASKS), pure=False)) != list(range(_TASKS)):
            raise SystemExit("wrong results of Dask's tasks")
        figures["dask_tasks_per_s"] = _TASKS / (time.perf_counter() - began)
        Event().wait(2.0)
        memory, share = idle([me, *me.children(recursive=True)])
    return figures | {
        "dask_p50_ms": statistics.median(warm),
        "dask_p99_ms": warm[int(0.99 * len(warm))],
        "dask_idle_mb": memory - before_mb,
        "dask_idle_pct": share,
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
    """Print the figures of all peers that are there as one line of JSON.

    Dask comes first: its scheduler is in this process, whose memory the others' libraries would add to.
    """
    figures: dict[str, float] = {}
    for peer in (dask_figures, ray_figures, huey_figures):
        try:
            figures |= peer(int(sys.argv[1]))
        except Exception as error:  # noqa: BLE001 - a peer that does not start has no figures; the others have
            sys.stderr.write(f"{peer.__name__}: {error}\n")
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
