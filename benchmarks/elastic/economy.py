"""What a training may save: bfloat16, buckets of like length, an early end, small turns."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.elastic.attempts import Job
from benchmarks.table import Figure, median
from tidewatt.adapters.engines.local import LocalEngine

_FILE = Path(__file__).with_name("economy_trainings.py")
_WAYS = {"plain": (False, False), "bf16": (True, False), "buckets": (False, True), "both": (True, True)}
"""Whether bfloat16 is used, and buckets."""


@dataclass(frozen=True, slots=True)
class Savings:
    """Runs the trainings of the other file on a folder of queries."""

    engine: LocalEngine
    folder: Path
    data: str
    named: str
    """What the data is called in the table."""

    def figures(self, rounds: int, steps: int, epochs: int) -> Iterator[Figure]:
        """All figures of the economy."""
        yield from self._steps(rounds, steps)
        yield from self._stops(rounds, epochs)
        yield self._memory(rounds)

    def _run(self, name: str, **arguments: Any) -> Any:  # noqa: ANN401 - the training's own
        place = self.folder / f"{name}-{len(list(self.folder.iterdir()))}"
        job = Job(self.engine, place, name, file=_FILE)
        job.start(1, data=self.data, **arguments)
        return job.result(job.end())

    def _steps(self, rounds: int, steps: int) -> Iterator[Figure]:
        """All four ways in turn, every other round backwards; compared round by round."""
        took: defaultdict[str, list[float]] = defaultdict(list)
        padded: dict[str, float] = {}
        for turn in range(rounds):
            for way in list(_WAYS) if turn % 2 == 0 else reversed(_WAYS):
                bf16, buckets = _WAYS[way]
                found = self._run("steps", count=steps, bf16=bf16, buckets=buckets, width=256, layers=4)
                took[way].append(found["step_s"])
                padded[way] = found["padded"]
        texts = {
            "bf16": "run.autocast()",
            "buckets": "lengths=",
            "both": "run.autocast() and lengths=",
        }
        for way, text in texts.items():
            ratios = [plain / other for plain, other in zip(took["plain"], took[way], strict=True)]
            value, spread = median(ratios, 2)
            source = f"how many times cheaper a step is with {text}, 4 layers of 256, {self.named}"
            yield Figure(
                name=f"economy_{way}_x", value=value, unit="x", source=source, n=rounds, spread=spread
            )
        yield Figure(
            name="economy_padded_pct",
            value=100 * padded["buckets"],
            unit="%",
            peer=100 * padded["plain"],
            source=f"tokens that are padding, batches of 64, {self.named}; peer: without lengths=",
            n=steps,
        )

    def _stops(self, rounds: int, epochs: int) -> Iterator[Figure]:
        """Each seed once with an early end and once without."""
        saved: list[float] = []
        right: defaultdict[bool, list[float]] = defaultdict(list)
        for seed in range(rounds):
            early = self._run("until", seed=seed, epochs=epochs, patience=3)
            late = self._run("until", seed=seed, epochs=epochs, patience=epochs)
            saved.append(100 * (1 - early["steps"] / late["steps"]))
            right[True].append(100 * early["right"])
            right[False].append(100 * late["right"])
        value, spread = median(saved, 1)
        source = f"steps saved by stop= with patience 3 of {epochs} epochs, {self.named}"
        yield Figure(name="economy_stop_pct", value=value, unit="%", source=source, n=rounds, spread=spread)
        value, spread = median(right[True], 1)
        peer, _ = median(right[False])
        source = "test intents named right after it; peer: the best of all epochs"
        yield Figure(
            name="economy_stop_right_pct",
            value=value,
            unit="%",
            peer=peer,
            source=source,
            n=rounds,
            spread=spread,
        )

    def _memory(self, rounds: int) -> Figure:
        small = [self._run("memory", size=1024, accumulate=16) for _ in range(rounds)]
        whole = [self._run("memory", size=1024, accumulate=1) for _ in range(rounds)]
        value, spread = median(small, 0)
        source = f"memory of steps over 1,024 queries with accumulate=16, {self.named}; peer: in one turn"
        peer, _ = median(whole)
        return Figure(
            name="economy_accumulate_mb",
            value=value,
            unit="MB",
            peer=peer,
            source=source,
            n=rounds,
            spread=spread,
        )
