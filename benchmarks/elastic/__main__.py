"""What exact elasticity costs, and whether it is exact: `python -m benchmarks.elastic`."""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.elastic import ray_train, torchrun
from benchmarks.elastic.attempts import gated
from benchmarks.elastic.economy import Savings
from benchmarks.elastic.exactness import MODELS, Exactness
from benchmarks.elastic.loops import loops
from benchmarks.elastic.stops import resizes, stalls, stops
from benchmarks.table import Figure, drawn, median, parser, write
from tidewatt.adapters.engines.local import LocalEngine

EXAMPLE = Path(__file__).parents[2] / "examples" / "queries"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured; ``loop_s`` in seconds, the others are counts."""

    loop_s: float = 60.0
    epochs: int = 16
    stops: int = 12
    resizes: int = 6
    restarts: int = 4
    checkpoints: int = 12
    schedules: int = 52
    economy: tuple[int, int, int] = (5, 60, 20)
    """Rounds, steps in each, and epochs without an early end."""


QUICK = Size(
    loop_s=4.0, epochs=4, stops=3, resizes=2, restarts=1, checkpoints=4, schedules=8, economy=(1, 5, 4)
)
_MEGABYTES = 200


def measure(size: Size, folder: Path, data: Path | None, ray: Path | None) -> Iterator[Figure]:
    """All figures, one after the other; everything started is gone at the end."""
    engine = LocalEngine("tidewatt.elastic.trainer:make")
    gate = folder / "gate"
    gate.mkdir()
    grown: list[float] = []
    rayed: list[float] = []
    for index in range(size.restarts):
        _say(f"torchrun {index + 1} of {size.restarts}")
        grown.append(torchrun.lost_to_growth(folder / f"torchrun-{index}"))
    for index in range(size.restarts if ray is not None else 0):
        assert ray is not None  # noqa: S101 - for the type checker
        _say(f"Ray Train {index + 1} of {size.restarts}")
        rayed.append(ray_train.lost_to_growth(ray, folder / f"ray-{index}"))
    try:
        with gated(engine, gate) as gates:
            _say("stops and resizes")
            yield from stops(engine, folder / "stops", size.stops)
            yield from resizes(engine, folder / "resizes", size.resizes, grown)
            yield _restart("torchrun_resize_lost_s", torchrun.COMMAND + ", a second agent joins", grown)
            if rayed:
                yield _restart("ray_resize_lost_s", ray_train.COMMAND + ", a second node joins", rayed)
            _say("checkpoints")
            yield from stalls(engine, folder / "stalls", size.checkpoints, _MEGABYTES)
            yield _bits(Exactness(engine, gates, folder), size.schedules)
            _say("loops")
            yield from loops(engine, folder, size.loop_s, size.epochs)
            _say("economy")
            (folder / "economy").mkdir()
            named = "the example's own queries" if data is None else data.name
            savings = Savings(engine, folder / "economy", str(data or EXAMPLE), named)
            yield from savings.figures(*size.economy)
    finally:
        engine.close()


def _restart(name: str, how: str, grown: Sequence[float]) -> Figure:
    value, spread = median(grown, 2)
    source = f"peer itself: {how}"
    return Figure(name=name, value=value, unit="s", source=source, n=len(grown), spread=spread)


def _bits(exactness: Exactness, schedules: int) -> Figure:
    """How many schedules left no trace; those that did are named on standard error."""
    same = 0
    for seed in range(schedules):
        model = MODELS[seed % len(MODELS)]
        _say(f"schedule {seed + 1} of {schedules}: {model}")
        different = exactness.different(model, seed)
        same += not different
        if different:
            _say(f"{model}, seed {seed}: {len(different)} differ, first {different[0]}")
    source = f"schedules over {', '.join(MODELS)} that equal the straight run; peer: all"
    return Figure(name="bit_identical", value=same, unit="of n", peer=schedules, source=source, n=schedules)


def _say(text: str) -> None:
    sys.stderr.write(f"  {text}\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the JSON."""
    made = parser("What exact elasticity costs, whether it is exact, and what a training may save.")
    made.add_argument(
        "--data", type=Path, metavar="DIR", help="BANKING77: a folder with train.csv and test.csv"
    )
    made.add_argument(
        "--ray", type=Path, metavar="PYTHON", help="an interpreter that has ray[train] and torch, as a peer"
    )
    options = made.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        size = QUICK if options.quick else Size()
        figures = list(measure(size, Path(folder), options.data, options.ray))
    sys.stdout.write(drawn(figures))
    if options.ray is None:
        sys.stdout.write("Ray Train: not run, since no --ray names an interpreter that has it.\n")
    if options.json is not None:
        write(options.json, figures)


if __name__ == "__main__":
    main()
