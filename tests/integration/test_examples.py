"""The examples, run as a user would."""

import itertools
from pathlib import Path

from tests.integration.shells import Shell

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_language_model_learns_the_same_on_any_number_of_workers(shell: Shell) -> None:
    shell.extra["TIDEWATT_POLICY"] = "run-now"
    short = ("--arg", "epochs=1", "--arg", "sources=1")
    one, two = (
        shell.json("run", str(EXAMPLES / "charlm.py"), *short, "--workers", workers) for workers in ("1", "2")
    )
    assert one["result"] == two["result"]
    assert 0 < one["result"]["bits"] < one["result"]["bits_blind"]
    losses = [one["first_loss"], one["last_loss"], 0.0]
    assert all(before > after for before, after in itertools.pairwise(losses))


def test_intents_are_learnt_by_reading_first_the_same_on_any_number_of_workers(shell: Shell) -> None:
    shell.extra["TIDEWATT_POLICY"] = "run-now"
    short = ("--arg", "reading=2", "--arg", "epochs=12")
    one, two = (
        shell.json("run", str(EXAMPLES / "queries.py"), *short, "--workers", workers)
        for workers in ("1", "2")
    )
    assert one["result"] == two["result"]
    assert one["result"]["right"] > 3 * one["result"]["right_blind"]
