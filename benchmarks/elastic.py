"""What exact elasticity costs, and whether it is exact: `python -m benchmarks.elastic`."""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.elastic_attempts import gated
from benchmarks.elastic_exactness import MODELS, Exactness
from benchmarks.elastic_loops import loops
from benchmarks.elastic_stops import resizes, stalls, stops
from benchmarks.elastic_torchrun import COMMAND, lost_to_growth
from benchmarks.table import Figure, drawn, median, parser, write
from tidewatt.adapters.engines.local import LocalEngine

_NOTES = "Ray Train's elastic restart: not run.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured; ``loop_s`` in seconds, the others are counts."""

    loop_s: float = 60.0
    epochs: int = 16
    stops: int = 12
    resizes: int = 6
    restarts: int = 4
    checkpoints: int = 12
    schedules: int = 50


QUICK = Size(loop_s=4.0, epochs=4, stops=3, resizes=2, restarts=1, checkpoints=4, schedules=6)
_MEGABYTES = 200


def measure(size: Size, folder: Path) -> Iterator[Figure]:
    """All figures, one after the other; everything started is gone at the end."""
    engine = LocalEngine("tidewatt.elastic.trainer:make")
    gate = folder / "gate"
    gate.mkdir()
    grown: list[float] = []
    for index in range(size.restarts):
        _say(f"torchrun {index + 1} of {size.restarts}")
        grown.append(lost_to_growth(folder / f"torchrun-{index}"))
    try:
        with gated(engine, gate) as gates:
            _say("stops and resizes")
            yield from stops(engine, folder / "stops", size.stops)
            yield from resizes(engine, folder / "resizes", size.resizes, grown)
            yield _restart(grown)
            _say("checkpoints")
            yield from stalls(engine, folder / "stalls", size.checkpoints, _MEGABYTES)
            yield _bits(Exactness(engine, gates, folder), size.schedules)
            _say("loops")
            yield from loops(engine, folder, size.loop_s, size.epochs)
    finally:
        engine.close()


def _restart(grown: Sequence[float]) -> Figure:
    value, spread = median(grown, 2)
    source = f"peer itself: {COMMAND}, a second agent joins"
    return Figure(
        name="torchrun_resize_lost_s", value=value, unit="s", source=source, n=len(grown), spread=spread
    )


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
    source = "schedules over mlp, cnn, transformer that equal the straight run; peer: all"
    return Figure(name="bit_identical", value=same, unit="of n", peer=schedules, source=source, n=schedules)


def _say(text: str) -> None:
    sys.stderr.write(f"  {text}\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the JSON."""
    options = parser("What exact elasticity costs, and whether it is exact.").parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        figures = list(measure(QUICK if options.quick else Size(), Path(folder)))
    sys.stdout.write(drawn(figures) + _NOTES)
    if options.json is not None:
        write(options.json, figures)


if __name__ == "__main__":
    main()
