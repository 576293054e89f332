"""Loops of Hugging Face and Lightning: stopped anywhere, they end with the same bits."""

import os
import signal
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from benchmarks.elastic.attempts import Job, gated
from tests.integration.shells import Shell

from tidewatt.adapters.engines.local import LocalEngine
from tidewatt.ports import Rung, Started

TRAININGS = Path(__file__).with_name("trainings")
HUGGINGFACE, LIGHTNING = TRAININGS / "huggingface_training.py", TRAININGS / "lightning_training.py"


def arguments(source: Path, out: Path) -> dict[str, Any]:
    """What the training of a file is given."""
    return {"out": str(out)} if source == HUGGINGFACE else {"validate": 11}


@pytest.mark.parametrize(("source", "name"), [(HUGGINGFACE, "bert"), (LIGHTNING, "net")])
def test_suspends_and_deaths_leave_no_trace_in_weights_and_optimizer(
    engine: LocalEngine, tmp_path: Path, source: Path, name: str
) -> None:
    (tmp_path / "gate").mkdir()
    with gated(engine, tmp_path / "gate") as gate:

        def begin(folder: str) -> Job:
            return Job(engine, tmp_path / folder, name, file=source)

        straight, stopped = begin("straight"), begin("stopped")
        straight.start(**arguments(source, tmp_path / "a"))
        expected = straight.result(straight.end())
        there = {"gate": str(gate.folder), **arguments(source, tmp_path / "b")}
        for turns in (3, 8, 13):
            stopped.start(after=turns, **there)
            stopped.until(Rung)
            stopped.suspend()
            gate.let_through()
            stopped.end("suspended")
        stopped.start(after=9, **there)
        pids = [pid for pid, _ in stopped.until(Started).processes]
        stopped.until(Rung)
        os.kill(pids[0], signal.SIGKILL)
        stopped.end("lost")
        stopped.start(**arguments(source, tmp_path / "b"))
        assert stopped.result(stopped.end()) == expected
    assert [path.name for path in stopped.folder.iterdir() if "driven" in path.name] == []


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
    copytree(TRAININGS, tmp_path / "trainings")
    several = tmp_path / "trainings" / "several.py"
    text = LIGHTNING.read_text().replace("@tw.training(", "@tw.training(workers=(1, 2), ")
    several.write_text(text)
    _, err = shell.run("run", str(several), code=1)
    assert "found a loop of another framework on up to 2 workers; wanted workers=1" in err
