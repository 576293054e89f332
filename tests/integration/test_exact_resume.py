"""Law 2 in bits: whatever happens to its workers, a training ends with the same model."""

import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch

from tidewatt.adapters.engines.local import LocalEngine
from tidewatt.ports import Checkpointed, Exited, Order, Progressed, Started
from tidewatt.runtime import checkpoint, payload
from tidewatt.sdk.load import load

DIGITS = Path(__file__).parents[2] / "examples" / "digits.py"
EPOCHS = 6
STEPS = 66
"""Of 1,347 training images in batches of 128, six times over."""


@pytest.fixture
def engine() -> Iterator[LocalEngine]:
    engine = LocalEngine("tidewatt.elastic.trainer:make")
    yield engine
    engine.close()
    assert not psutil.Process().children(recursive=True)


class Training:
    """The digits example, run attempt by attempt."""

    def __init__(self, engine: LocalEngine, folder: Path, epochs: int = EPOCHS) -> None:
        self._engine = engine
        self._folder = folder
        folder.mkdir()
        _, handle = load(str(DIGITS))
        self._spec = handle.spec
        self._payload = payload.describe(DIGITS, handle.body, "digits")
        payload.save(folder, DIGITS, handle.body, {"epochs": epochs})
        self._token = 0
        self.saved: str | None = None
        self.step = 0

    def attempt(self, workers: int, *, leave_at: int | None = None, kill: int | None = None) -> str:
        """Run until the end, until a step after which it is asked to leave, or until a rank is killed."""
        self._token += 1
        self._engine.start(
            Order(
                job_id="digits",
                token=self._token,
                function=self._spec,
                payload=self._payload,
                folder=str(self._folder),
                site="here",
                zone="DE",
                workers=workers,
                checkpoint=self.saved,
                reached=self.step,
            )
        )
        pids: list[int] = []
        while True:
            for event in self._engine.wait(60.0):
                match event:
                    case Started():
                        pids = [pid for pid, _ in event.processes]
                    case Progressed():
                        self.step = event.step
                        if leave_at is not None and event.step >= leave_at:
                            leave_at = None
                            if kill is None:
                                self._engine.suspend("digits")
                            else:
                                os.kill(pids[kill], signal.SIGKILL)
                    case Checkpointed():
                        assert not event.error
                        self.saved = event.path
                    case Exited():
                        assert event.error is None
                        return event.outcome
                    case _:
                        pass

    def model(self) -> dict[str, torch.Tensor]:
        """Everything that the last checkpoint holds, flat."""
        assert self.saved is not None
        saved = torch.load(io.BytesIO(checkpoint.read(self._folder / self.saved)), weights_only=True)
        assert saved["progress"]["step"] == STEPS
        return dict(flat("", saved["state"]))


def flat(prefix: str, value: object) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors and numbers of a nested state, by path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(f"{prefix}/{key}", inner)
    elif isinstance(value, list):
        for key, inner in enumerate(value):
            yield from flat(f"{prefix}/{key}", inner)
    elif isinstance(value, torch.Tensor):
        yield prefix, value
    elif isinstance(value, int | float):
        yield prefix, torch.tensor(value)


PATTERNS = {
    "suspended and resumed": [(1, 12), (1, 30), (1, None)],
    "grown": [(1, 20), (2, None)],
    "grown and shrunk": [(1, 10), (2, 25), (1, 45), (2, None)],
    "more workers than in the demo": [(2, 15), (4, 35), (3, None)],
}


def test_any_pattern_of_stops_and_worker_counts_gives_the_same_bits(
    engine: LocalEngine, tmp_path: Path
) -> None:
    straight = Training(engine, tmp_path / "straight")
    assert straight.attempt(1) == "succeeded"
    expected = straight.model()
    assert len(expected) > 20
    for name, pattern in PATTERNS.items():
        zigzag = Training(engine, tmp_path / name.replace(" ", "-"))
        for workers, leave_at in pattern:
            outcome = zigzag.attempt(workers, leave_at=leave_at)
            assert outcome == ("succeeded" if leave_at is None else "suspended"), name
        got = zigzag.model()
        assert got.keys() == expected.keys()
        different = [key for key in expected if not torch.equal(got[key], expected[key])]
        assert different == [], name


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_worker_costs_time_but_not_a_bit(engine: LocalEngine, tmp_path: Path, rank: int) -> None:
    straight = Training(engine, tmp_path / "straight")
    straight.attempt(1)
    broken = Training(engine, tmp_path / "broken")
    assert broken.attempt(1, leave_at=10) == "suspended"
    assert broken.attempt(2, leave_at=30, kill=rank) == "lost"
    assert broken.attempt(2) == "succeeded"
    expected, got = straight.model(), broken.model()
    assert [key for key in expected if not torch.equal(got[key], expected[key])] == []


def test_a_damaged_checkpoint_is_noticed_and_the_one_before_is_used(
    engine: LocalEngine, tmp_path: Path
) -> None:
    straight = Training(engine, tmp_path / "straight")
    straight.attempt(1)
    damaged = Training(engine, tmp_path / "damaged")
    damaged.attempt(1, leave_at=10)
    damaged.attempt(1, leave_at=30)
    assert damaged.saved is not None
    newest = tmp_path / "damaged" / damaged.saved
    whole = bytearray(newest.read_bytes())
    whole[-100] ^= 1
    newest.write_bytes(whole)
    assert damaged.attempt(1) == "succeeded"
    expected, got = straight.model(), damaged.model()
    assert [key for key in expected if not torch.equal(got[key], expected[key])] == []
