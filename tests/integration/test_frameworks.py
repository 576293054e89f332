"""Loops of Hugging Face and Lightning: stopped anywhere, they end with the same bits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.shells import Shell

Begin = Callable[..., Any]
TRAININGS = Path(__file__).with_name("trainings")
HUGGINGFACE, LIGHTNING = TRAININGS / "huggingface_training.py", TRAININGS / "lightning_training.py"


def arguments(source: Path, out: Path) -> dict[str, Any]:
    return {"source": source} | ({"out": str(out)} if source == HUGGINGFACE else {"validate": 11})


@pytest.mark.parametrize("source", [HUGGINGFACE, LIGHTNING], ids=["huggingface", "lightning"])
def test_suspends_and_deaths_leave_no_trace_in_weights_and_optimizer(
    training: Begin, source: Path, tmp_path: Path
) -> None:
    straight = training("straight", **arguments(source, tmp_path / "a"))
    assert straight.attempt(1) == "succeeded"
    expected, steps = straight.result(), straight.step
    stopped = training("stopped", **arguments(source, tmp_path / "b"))
    for leave_at in (2, steps // 5, steps // 2):
        assert stopped.attempt(1, leave_at=leave_at) == "suspended"
    assert stopped.attempt(1, leave_at=steps * 3 // 5, kill=0) == "lost"
    assert stopped.attempt(1) == "succeeded"
    assert stopped.result() == expected
    assert stopped.errors == []
    left = [path.name for path in stopped.folder.iterdir() if "driven" in path.name]
    assert left == []


REFUSED = [
    (HUGGINGFACE, "save_only_model=True", "found save_only_model or ignore_data_skip"),
    (LIGHTNING, "plain=True", "found a DataLoader, which cannot be resumed in the middle of an epoch"),
    (LIGHTNING, "accumulate=25", "found 25 batches with one optimizer step before an epoch ends"),
    (LIGHTNING, "validate=2", "found 2 batches with one optimizer step before an epoch ends or validation"),
]


@pytest.mark.parametrize(("source", "argument", "words"), REFUSED)
def test_what_could_not_be_resumed_exactly_is_refused_in_words(
    shell: Shell, tmp_path: Path, source: Path, argument: str, words: str
) -> None:
    out = ("--arg", f"out={tmp_path}") if source == HUGGINGFACE else ()
    _, err = shell.run("run", str(source), "--arg", argument, *out, code=1)
    assert words in err


def test_a_framework_that_knows_one_worker_is_given_one(shell: Shell, tmp_path: Path) -> None:
    several = tmp_path / "several.py"
    text = LIGHTNING.read_text().replace("@tw.training(", "@tw.training(workers=(1, 2), ")
    several.write_text(text)
    _, err = shell.run("run", str(several), code=1)
    assert "found a loop of another framework on up to 2 workers; wanted workers=1" in err
