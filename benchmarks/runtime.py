"""How fast a function is called, and what standing still costs: `python -m benchmarks.runtime`.

Cold means here: the service is up and its libraries are loaded, and the function has no worker. The other
meaning, a shell in which nothing of it runs at all, has a figure of its own, `from_nothing_s`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event

import psutil

import tidewatt as tw
from benchmarks.idle.__main__ import PRICE, summary
from benchmarks.idle.azure import traces
from benchmarks.idle.front import played
from benchmarks.runtime_peers import FROM_NOTHING
from benchmarks.table import Figure, drawn, median, parser, write
from tidewatt.adapters import cgroup
from tidewatt.sdk.functions import Handle
from tidewatt.sdk.ways import Call

_FLOORS = Path(__file__).with_name("runtime_floors.py")
_DURABLE_FLOOR = Path(__file__).with_name("durable_floor.py")
_PEERS = Path(__file__).with_name("runtime_peers.py")
_CALLS = 10_000
_COLD = "service up, libraries loaded, no worker; until the result is in the client"
_FROM_NOTHING = """
import tidewatt as tw
@tw.function()
def total(size):
    import torch
    return float(torch.ones(size).sum())
print(total.remote(3))
"""


@tw.function()
def nothing(number: int = 0) -> int:
    """Return what came in."""
    return number


def total(size: int) -> float:
    """Use torch for a moment."""
    import torch  # noqa: PLC0415 - loaded where it is used, as users do

    return float(torch.ones(size).sum())


def trained(steps: int) -> float:
    """Make some steps of SGD and return the last loss."""
    import torch  # noqa: PLC0415 - the same

    model = torch.nn.Linear(32, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    inputs, loss = torch.ones(64, 32), torch.zeros(())
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(inputs).square().mean()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def timed(work: Callable[[], object], repeats: int) -> list[float]:
    """Milliseconds that something takes, each time."""
    took: list[float] = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - began))
    return took


def new(body: Callable[[int], float], number: int) -> Handle[[int], float]:
    """The same function under another number, so that no worker knows it."""

    @tw.function()
    def numbered(argument: int) -> float:
        return body(argument + 0 * number)

    return numbered


def cold(body: Callable[[int], float], argument: int, repeats: int) -> list[float]:
    """Milliseconds until the first result of functions that have no worker; each is new to the service."""
    took: list[float] = []
    for number in range(repeats):
        took += timed(partial(new(body, number).remote, argument), 1)
    return took


def told(python: Path, program: Path, *arguments: str) -> dict[str, float]:
    """What a program of this folder says in its last line."""
    command = [str(python), str(program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    lines = done.stdout.strip().splitlines()
    sys.stderr.write(done.stderr[-1000:])
    if done.returncode or not lines:
        return {}
    figures: dict[str, float] = json.loads(lines[-1])
    return figures


def calls(peers: dict[str, float], floors: dict[str, float], repeats: int) -> Iterator[Figure]:
    """Direct calls, cold and warm."""
    nothing.remote(0)
    for name, body, argument, floor in (
        ("cold_call_ms", total, 3, "fork_floor_ms"),
        ("cold_train_ms", trained, 5, "fork_train_floor_ms"),
    ):
        value, spread = median(cold(body, argument, repeats), 1)
        source = f"{_COLD}; peer: {floor}"
        peer = floors.get(floor)
        yield Figure(name=name, value=value, unit="ms", peer=peer, source=source, n=repeats, spread=spread)
    yield from alone(peers, repeats)
    nothing.remote(0)
    took = sorted(timed(nothing.remote, 50 * repeats))
    value, spread = median(took, 3)
    source = "not durable, warm worker; peer: a Ray actor call"
    n, peer = len(took), peers.get("actor_p50_ms")
    yield Figure(
        name="warm_call_ms_p50", value=value, unit="ms", peer=peer, source=source, n=n, spread=spread
    )
    p99, peer = took[int(0.99 * n)], peers.get("actor_p99_ms")
    yield Figure(name="warm_call_ms_p99", value=p99, unit="ms", peer=peer, source=source, n=n)
    began = time.perf_counter()
    results = list(nothing.map(range(_CALLS)))
    rate = _CALLS / (time.perf_counter() - began)
    if results != list(range(_CALLS)):
        raise SystemExit("found wrong results of map; wanted each argument in its place")
    source = "10,000 no-ops through map, results checked; peer: Ray's tasks"
    yield Figure(
        name="calls_per_s", value=rate, unit="1/s", peer=peers.get("tasks_per_s"), source=source, n=_CALLS
    )


def alone(peers: dict[str, float], repeats: int) -> Iterator[Figure]:
    """Figures of peers that stand in rows of their own."""
    dask = "dask.distributed, one worker process, one thread"
    for name, unit, n, source in (
        ("ray_cold_ms", "ms", 1, "Ray's first call of torch, its service up; for cold_call_ms"),
        ("dask_cold_ms", "ms", 1, f"{dask}: scheduler up, no worker; from asking for one to torch's result"),
        ("dask_p50_ms", "ms", 50 * repeats, f"{dask}: a warm call, half of them"),
        ("dask_p99_ms", "ms", 50 * repeats, f"{dask}: a warm call, 99 % of them"),
        ("dask_tasks_per_s", "1/s", _CALLS, f"{dask}: 10,000 no-ops, results checked"),
        (
            "dask_idle_mb",
            "MB",
            1,
            f"{dask}: PSS of the worker, and what the scheduler adds to its process",
        ),
        ("dask_idle_pct", "%", 1, f"{dask}: worker and scheduler, over 5 s"),
    ):
        if name in peers:
            yield Figure(name=name, value=peers[name], unit=unit, source=source, n=n)


def durable(folder: Path, peers: dict[str, float], repeats: int) -> Iterator[Figure]:
    """Durable calls: on disk before submit returns."""
    nothing.submit(0).result()
    submits: list[float] = []
    whole: list[float] = []
    for _ in range(repeats):
        began = time.perf_counter()
        call = nothing.submit(1)
        submits.append(1000 * (time.perf_counter() - began))
        call.result()
        whole.append(1000 * (time.perf_counter() - began))
    floor = told(Path(sys.executable), _DURABLE_FLOOR, str(repeats), str(folder))["durable_floor_ms"]
    source = "three processes, three commits with synchronous FULL, nothing else; for durable_call_ms"
    yield Figure(name="durable_floor_ms", value=floor, unit="ms", source=source, n=repeats)
    peer = peers.get("huey_ms")
    for name, took, what in (
        ("durable_submit_ms", submits, "until committed with synchronous FULL; no peer"),
        ("durable_call_ms", whole, "submit until the result is there; peer: huey, SQLite, one worker"),
    ):
        value, spread = median(took, 2)
        against = peer if name == "durable_call_ms" else None
        yield Figure(name=name, value=value, unit="ms", peer=against, source=what, n=repeats, spread=spread)


def from_nothing(folder: Path, python: Path | None, repeats: int) -> Iterator[Figure]:
    """A new shell, nothing running, to the first result of torch; ours and each peer by turns."""
    took: dict[str, list[float]] = {name: [] for name in ("", *(FROM_NOTHING if python else ()))}
    for number in range(repeats):
        home = {"TIDEWATT_HOME": str(folder / f"new-{number}"), "TIDEWATT_LINGER_S": "0"}
        for peer, seconds in took.items():
            program = FROM_NOTHING.get(peer, _FROM_NOTHING)
            command = [str(python) if peer else sys.executable, "-c", program]
            began = time.perf_counter()
            done = subprocess.run(command, env={**os.environ, **home}, check=not peer, capture_output=True)  # noqa: S603 - our own
            if done.returncode == 0:
                seconds.append(time.perf_counter() - began)
    source = "new interpreter, no service, to the first torch result and the end"
    figures = {name: median(seconds, 2) for name, seconds in took.items() if seconds}
    best = min((value for name, (value, _) in figures.items() if name), default=None)
    for name, (value, spread) in figures.items():
        yield Figure(
            name=f"{name}_from_nothing_s".lstrip("_"),
            value=value,
            unit="s",
            peer=None if name else best,
            source=source if name else f"{source}; peer: the best of them",
            n=len(took[name]),
            spread=spread,
        )


def ours(home: Path) -> list[psutil.Process]:
    """The supervisor of a state folder and all below it."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter(["cmdline"]):
        if {"tidewatt.cli.supervisor", str(home)} <= set(process.info["cmdline"] or []):
            found += [process, *process.children(recursive=True)]
    return found


def used_ms(processes: Sequence[psutil.Process]) -> list[float]:
    """Milliseconds of a processor that each process has used so far.

    By the clock that clock_getcpuclockid(3) finds for a process: a tick of 10 ms, in which other files tell
    it, is more than a process that stands still uses in a minute.
    """
    return [1000 * time.clock_gettime(~process.pid << 3 | 2) for process in processes]


def idle(processes: Sequence[psutil.Process], seconds: float) -> tuple[float, str]:
    """The share of a processor, in percent, that they use in so many seconds; and each its milliseconds."""
    before, began = used_ms(processes), time.perf_counter()
    Event().wait(seconds)
    each = [now - then for now, then in zip(used_ms(processes), before, strict=True)]
    share = 100 * sum(each) / 1000 / (time.perf_counter() - began)
    return share, ", ".join(f"{ms:.1f}" for ms in each)


def standing_still(home: Path, peers: dict[str, float], seconds: float) -> Iterator[Figure]:
    """Memory and processor time of the service and four idle workers, first and once all has settled."""
    for number in range(4):
        new(total, number).remote(3)
    Event().wait(1.0)
    processes = ours(home)
    first, of_first = idle(processes, seconds)
    memory = sum(p.memory_full_info().pss for p in processes) / 1e6
    later, of_later = idle(processes, seconds)
    what = f"supervisor, zygote and {len(processes) - 2} idle workers"
    peer = peers.get("ray_idle_mb")
    yield Figure(
        name="warm_zero_mb", value=memory, unit="MB", peer=peer, source=f"PSS of {what}; peer: Ray", n=1
    )
    peer = peers.get("ray_idle_pct")
    for name, share, when, each in (
        ("warm_zero_cpu_pct", first, f"{seconds:g} s from a second after the last call on", of_first),
        ("warm_zero_cpu_later_pct", later, f"the {seconds:g} s after those", of_later),
    ):
        source = f"{what} ({each} ms), over {when}; peer: Ray"
        yield Figure(name=name, value=share, unit="%", peer=peer, source=source, n=1)


def true_zero(folder: Path) -> Figure:
    """Processes that are left after the time-out."""
    home = folder / "zero"
    environment = {**os.environ, "TIDEWATT_HOME": str(home), "TIDEWATT_LINGER_S": "1"}
    command = [sys.executable, "-c", _FROM_NOTHING]
    subprocess.run(command, env=environment, check=True, capture_output=True)  # noqa: S603 - our own
    _, left = psutil.wait_procs(ours(home), timeout=30)
    sockets = [path for path in home.iterdir() if path.is_socket()]
    source = "processes and sockets that are left after a time-out of 1 s"
    count = len(left) + len(sockets)
    return Figure(name="true_zero_processes", value=count, unit="", source=source, n=1)


@tw.function(cpus=cgroup.processors())
def stand_in_the_way(gate: str) -> None:
    """Take all room until somebody closes the gate."""
    with Path(gate).open() as line:
        line.read()


def queue(folder: Path, jobs: int) -> Iterator[Figure]:
    """A long queue: submitted one by one, listed, one half cancelled one by one, the other drained."""
    gate = folder / "gate"
    os.mkfifo(gate)
    first = stand_in_the_way.submit(str(gate))
    calls: list[Call] = []
    took = timed(lambda: calls.append(nothing.submit(len(calls))), jobs)
    (supervisor,) = ours(folder / "home")[:1]
    held = [written_mb(supervisor.pid)]
    command = [sys.executable, "-m", "tidewatt.cli.main", "jobs"]
    listed = timed(lambda: subprocess.run(command, check=True, capture_output=True), 1)  # noqa: S603 - our own
    unwanted = iter(calls[::2])
    cancelled = timed(lambda: next(unwanted).cancel(), len(calls[::2]))
    held.append(written_mb(supervisor.pid))
    gate.open("w").close()
    first.result()
    began = time.perf_counter()
    half, results = len(calls[1::2]) // 2, list[int]()
    for part in (calls[1::2][:half], calls[1::2][half:]):
        results += [call.result() for call in part]
        held.append(written_mb(supervisor.pid))
    if results != list(range(1, jobs, 2)):
        raise SystemExit("found wrong results of a long queue; wanted each argument in its place")
    rate = len(results) / (time.perf_counter() - began)
    each = f"{jobs:,} jobs in the queue"
    yield longest("queue_submit_ms", took, f"{each}; one submission, the longest of all")
    yield longest("queue_list_ms", listed, f"{each}; `tidewatt jobs`, a new process")
    yield longest("queue_cancel_ms", cancelled, f"{each}; cancelling one of every other, the longest of all")
    source = f"half of {each}, no-ops, until the last result is read"
    yield Figure(name="queue_drain_per_s", value=rate, unit="1/s", source=source, n=jobs // 2)
    yield from grown(held, each)


def grown(held: Sequence[float], each: str) -> Iterator[Figure]:
    """How much a supervisor has grown, by what it held before, after cancelling, halfway and at the end."""
    before, cancelled, halfway, end = held
    for name, grew, what in (
        ("queue_grown_mb", end - before, f"written to by the supervisor, above {before:.0f} MB with {each}"),
        ("queue_grown_early_mb", cancelled - before, "of it by listing and cancelling"),
        (
            "queue_grown_late_mb",
            end - halfway,
            "of it in the second half of the draining",
        ),
    ):
        yield Figure(name=name, value=grew, unit="MB", source=what, n=1)


def written_mb(pid: int) -> float:
    """Memory that a process alone has and has written to.

    Without the pages of files as they are: those that no other process shows just then would count, too,
    though the system can take them back.
    """
    told = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return sum(int(told[name].split()[0]) * 1024 for name in ("Private_Dirty", "Swap")) / 1e6


def longest(name: str, took: list[float], source: str) -> Figure:
    """The longest of some operations, with their middle half as the spread."""
    return Figure(
        name=name, value=max(took), unit="ms", source=source, n=len(took), spread=median(took, 2)[1]
    )


def measure(quick: bool, folder: Path, python: Path | None, jobs: int) -> Iterator[Figure]:
    """All figures, one after the other."""
    repeats = 3 if quick else 20
    home = folder / "home"
    os.environ.update(TIDEWATT_HOME=str(home), TIDEWATT_ZONE="DE", TIDEWATT_LINGER_S="600")
    peers = {} if python is None else told(python, _PEERS, str(repeats))
    floors = told(Path(sys.executable), _FLOORS, str(repeats))
    for name, value in floors.items():
        source = "a bare fork of a process that has loaded torch, result by a pipe"
        yield Figure(name=name, value=value, unit="ms", source=source, n=repeats)
    try:
        yield from calls(peers, floors, repeats)
    finally:
        stop(home)
    try:
        yield from durable(folder, peers, 2 * repeats)
    finally:
        stop(home)
    try:
        yield from standing_still(home, peers, 5.0 if quick else 60.0)
    finally:
        stop(home)
    try:
        yield from queue(folder, 1000 if quick else jobs)
    finally:
        stop(home)
    yield from from_nothing(folder, python, 1 if quick else 10)
    yield true_zero(folder)


def idle_front(folder: Path, draws: int) -> Iterator[Figure]:
    """Ours against other idle policies on real calls, as `python -m benchmarks.idle` tells it at length."""
    for name, calls in traces(folder).items():
        yield from summary(f"idle_front.{name}", played(calls, PRICE), draws)


def stop(home: Path) -> None:
    """End the service of a state folder."""
    left = ours(home)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=30)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the JSON."""
    made = parser("How fast a function is called, and what standing still costs.")
    made.add_argument(
        "--peers",
        type=Path,
        metavar="PYTHON",
        help="an interpreter that has ray, huey, distributed and torch, as peers",
    )
    made.add_argument(
        "--traces",
        type=Path,
        metavar="DIR",
        help="a folder with real calls (*_inv.csv.gz and *_mem.csv.gz), for the idle policies",
    )
    made.add_argument(
        "--jobs", type=int, default=100_000, metavar="N", help="jobs in the queue, 100,000 unless said"
    )
    options = made.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        figures = list(measure(options.quick, Path(folder), options.peers, options.jobs))
    if options.traces is not None:
        figures += idle_front(options.traces, 20 if options.quick else 400)
    sys.stdout.write(drawn(figures))
    if options.json is not None:
        write(options.json, figures)


if __name__ == "__main__":
    main()
