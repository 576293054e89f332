"""The same bits over suspends and worker counts, on a processor and on an accelerator if there is one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

TRAINING = Path(__file__).with_name("trainings") / "gpu_training.py"


@pytest.mark.parametrize(
    "kind",
    [
        "cpu",
        pytest.param(
            "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
        ),
    ],
)
def test_a_device_gives_the_same_bits_over_suspends_and_worker_counts(
    training: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind == "cpu":
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    straight, stopped = (training(name, source=TRAINING) for name in ("straight", "stopped"))
    assert straight.attempt(1) == "succeeded"
    for workers, leave_at in ((1, 30), (2, 100), (1, 200)):
        assert stopped.attempt(workers, leave_at=leave_at) == "suspended"
    assert stopped.attempt(2) == "succeeded"
    assert straight.result()[0] == kind
    assert stopped.result() == straight.result()
