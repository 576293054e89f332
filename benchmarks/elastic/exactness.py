"""Random schedules of worker counts, suspends and kills, and whether they leave a trace in the result."""

import os
import signal
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.elastic.attempts import Gate, Job, source
from tidewatt.adapters.engines.local import LocalEngine
from tidewatt.ports import Rung, Started
from tidewatt.runtime import checkpoint

MODELS = ("mlp", "cnn", "transformer", "economy")
_MOST_WORKERS = 4
_MOST_LEGS = 4


@dataclass(frozen=True, slots=True)
class Leg:
    """So many steps on so many workers; then a suspend, or the death of a rank."""

    workers: int
    steps: int
    killed: int | None


@dataclass(frozen=True, slots=True)
class Ending:
    """All that a training left: its last checkpoint, the loss of its last step, what it returned."""

    checkpoint: dict[str, Any]
    loss: float | None
    result: object


@dataclass(slots=True)
class Exactness:
    """Runs trainings straight and along schedules; each straight one is run once and kept."""

    engine: LocalEngine
    gate: Gate
    folder: Path
    _straight: dict[str, Ending] = field(default_factory=dict[str, Ending])

    def different(self, model: str, seed: int) -> list[str]:
        """What differs between the model's straight run and its run along the schedule of a seed."""
        legs, last = schedule(seed, int(source().SMALL_STEPS))
        zigzag = self._run(self.folder / f"{model}-{seed}", model, legs, last)
        return sorted(differences("", asdict(self.straight(model)), asdict(zigzag)))

    def straight(self, model: str) -> Ending:
        """What the model's run with one worker and without a stop left."""
        if model not in self._straight:
            self._straight[model] = self._run(self.folder / f"{model}-straight", model, [], 1)
        return self._straight[model]

    def _run(self, folder: Path, model: str, legs: list[Leg], last: int) -> Ending:
        job = Job(self.engine, folder, model)
        for leg in legs:
            job.start(leg.workers, gate=str(self.gate.folder), after=leg.steps)
            pids = [pid for pid, _ in job.until(Started).processes]
            job.until(Rung)
            if leg.killed is None:
                job.suspend()
                self.gate.let_through()
                job.end("suspended")
            else:
                os.kill(pids[leg.killed], signal.SIGKILL)
                job.end("lost")
        job.start(last)
        exited = job.end()
        if job.saved is None:
            raise RuntimeError(f"{model} ended without a checkpoint")
        with checkpoint.open_whole(folder / job.saved) as content:
            saved = torch.load(content, weights_only=True)
        return Ending(saved, job.loss, job.result(exited))


def schedule(seed: int, steps: int) -> tuple[list[Leg], int]:
    """One to four legs that together stay below so many steps, and the worker count after them.

    A suspend takes effect one step after it was asked for; a kill repeats steps and so only shortens.
    """
    random = np.random.default_rng(seed)
    count = int(random.integers(1, _MOST_LEGS + 1))
    cuts = np.sort(random.choice(np.arange(1, steps // 2), count, replace=False)) * 2
    legs: list[Leg] = []
    for length in np.diff(cuts, prepend=0):
        workers = int(random.integers(1, _MOST_WORKERS + 1))
        killed = int(random.integers(workers)) if random.random() < 0.4 else None
        legs.append(Leg(workers, max(1, int(length) - 1), killed))
    return legs, int(random.integers(1, _MOST_WORKERS + 1))


def differences(path: str, expected: object, got: object) -> Iterator[str]:
    """Paths at which two nested states are not the same, to the bit and to the type."""
    mine, theirs = _members(expected), _members(got)
    if mine is not None and theirs is not None and type(expected) is type(got):
        for key in mine.keys() | theirs.keys():
            if key in mine and key in theirs:
                yield from differences(f"{path}/{key}", mine[key], theirs[key])
            else:
                yield f"{path}/{key}"
    elif _bits(expected) != _bits(got):
        yield path


def _members(value: object) -> dict[Any, Any] | None:
    if isinstance(value, dict):
        return value
    return dict(enumerate(value)) if isinstance(value, list | tuple) else None


def _bits(value: object) -> tuple[object, ...]:
    """What tells values apart: the sign of a zero does, and what is not a number equals itself."""
    if isinstance(value, torch.Tensor):
        return value.dtype, value.shape, value.numpy().tobytes()
    return type(value), struct.pack("<d", value) if isinstance(value, float) else value
