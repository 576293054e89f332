"""Random schedules of worker counts, suspends and kills over four models: the same bits every time.

The schedules and the models are those of the benchmark, so that its figure and this test mean the same.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tidewatt.adapters.engines.local import LocalEngine

ROOT = Path(__file__).parents[2]
SEEDS = {"mlp": (0, 6), "cnn": (4, 10), "transformer": (2, 8), "economy": (3, 7, 11)}


@pytest.fixture
def exactness(engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(ROOT)
    attempts = importlib.import_module("benchmarks.elastic.attempts")
    gates = tmp_path / "gate"
    gates.mkdir()
    with attempts.gated(engine, gates) as gate:
        yield importlib.import_module("benchmarks.elastic.exactness").Exactness(engine, gate, tmp_path)


@pytest.mark.parametrize("model", SEEDS)
def test_no_schedule_leaves_a_trace_in_weights_optimizer_schedule_loss_or_result(
    exactness: Any,  # noqa: ANN401 - the benchmarks are found when the test runs
    model: str,
) -> None:
    for seed in SEEDS[model]:
        assert exactness.different(model, seed) == [], f"seed {seed}"


def test_the_straight_run_moved_everything_that_is_compared(exactness: Any) -> None:  # noqa: ANN401 - the same
    state = exactness.straight("transformer").checkpoint["state"]
    assert state["scheduler"]["last_epoch"] == 60
    assert all(moments["step"] == 60 for moments in state["optimizer"]["state"].values())
    averages = exactness.straight("cnn").checkpoint["state"]["model"]
    assert averages["1.num_batches_tracked"] == 60
    assert averages["1.running_mean"].abs().sum() > 0


def test_the_straight_run_stopped_early_and_went_on_with_the_next_loop(exactness: Any) -> None:  # noqa: ANN401 - the same
    progress = exactness.straight("economy").checkpoint["progress"]
    assert (progress["step"], progress["stage"], progress["stage_began"]) == (60, 1, 20)
    assert progress["stopping"]["since"] < 4


def test_a_difference_of_one_bit_a_type_or_a_key_is_found(exactness: Any) -> None:  # noqa: ANN401 - the same
    found = importlib.import_module("benchmarks.elastic.exactness").differences
    state = exactness.straight("mlp").checkpoint
    momentum = state["state"]["optimizer"]["state"]
    other = {**momentum, 0: {"momentum_buffer": -momentum[0]["momentum_buffer"]}}
    assert list(found("", momentum, momentum)) == []
    assert list(found("", momentum, other)) == ["/0/momentum_buffer"]
    numbers, others = {"lr": 0.1, "last": 0.0}, {"lr": 0.1 + 2**-56, "last": -0.0}
    assert sorted(found("", numbers, others)) == ["/last", "/lr"]
    assert sorted(found("", {"a": [1, 2]}, {"a": [1, 2, 3], "b": 1})) == ["/a/2", "/b"]
    assert list(found("", {"a": 1}, {"a": 1.0})) == ["/a"]
