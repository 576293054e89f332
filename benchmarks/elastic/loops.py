"""What the loop costs: ours against the bare one, four shards against one, two workers against one."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.elastic.attempts import Job
from benchmarks.table import Figure, median
from tidewatt.adapters.engines.local import LocalEngine

_STEPS_IN_EPOCH = 16


@dataclass(frozen=True, slots=True)
class _Loop:
    """One way to train the same network on the same data."""

    name: str
    training: str
    shards: int | None
    workers: int
    exact: bool = True


_LOOPS = (
    _Loop("bare", "bare", None, 1),
    _Loop("one-shard", "ours", 1, 1),
    _Loop("four-shards", "ours", 4, 1),
    _Loop("two-workers", "ours", 4, 2),
    _Loop("fast", "ours", 4, 2, exact=False),
)


def loops(engine: LocalEngine, folder: Path, at_least_s: float, epochs: int) -> Iterator[Figure]:
    """Run all in turn until the bare loop and ours have run ``at_least_s`` together.

    Every other round goes backwards, so that a drift of the machine favours nobody. Each loop's time is
    taken by the worker around the loop alone and compared with the time of another in the same round.
    """
    walls: defaultdict[str, list[float]] = defaultdict(list)
    cpus: defaultdict[str, list[float]] = defaultdict(list)
    rounds = 0
    while rounds < 2 or sum(walls["bare"]) + sum(walls["one-shard"]) < at_least_s:
        for loop in _LOOPS if rounds % 2 == 0 else reversed(_LOOPS):
            job = Job(
                engine, folder / f"{loop.name}-{rounds}", loop.training, shards=loop.shards, exact=loop.exact
            )
            job.start(loop.workers, epochs=epochs)
            result = job.result(job.end())
            walls[loop.name].append(result["wall_s"])
            cpus[loop.name].append(result["cpu_s"])
        rounds += 1
    bare, one, four, two, fast = (walls[loop.name] for loop in _LOOPS)
    yield _price("overhead_pct", "one worker, one shard over the bare loop, wall time", one, bare)
    yield _price("overhead_cpu_pct", "the same, processor time", cpus["one-shard"], cpus["bare"])
    yield _price("exact_price_pct_4_shards", "one worker, 4 shards over one shard", four, one)
    doubled = [2 * wall_s for wall_s in two]
    yield _price("exact_price_pct_2_workers", "4 shards, 2 workers over half of one's time", doubled, four)
    source = "the fast mode on 2 workers over half of one worker's time with one shard"
    yield _price("fast_price_pct_2_workers", source, [2 * wall_s for wall_s in fast], one)
    value, spread = median([a / b for a, b in zip(four, two, strict=True)], 2)
    source = "4 shards, 2 workers against one; peer: twice as fast"
    yield Figure(
        name="speed_2_workers", value=value, unit="x", peer=2.0, source=source, n=rounds, spread=spread
    )
    steps = epochs * _STEPS_IN_EPOCH
    value, spread = median([1000 * wall_s / steps for wall_s in one], 2)
    floor, _ = median([1000 * wall_s / steps for wall_s in bare])
    source = "one worker, one shard; peer: bare loop"
    yield Figure(name="step_ms", value=value, unit="ms", peer=floor, source=source, n=rounds, spread=spread)


def _price(name: str, source: str, dear: Sequence[float], cheap: Sequence[float]) -> Figure:
    """How much more one takes than the other, compared round by round."""
    value, spread = median([100 * (a / b - 1) for a, b in zip(dear, cheap, strict=True)], 1)
    return Figure(name=name, value=value, unit="%", source=source, n=len(dear), spread=spread)
