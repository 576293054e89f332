"""Law 2 in bits: whatever happens to its workers, a training ends with the same model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

Begin = Callable[[str | Path], Any]

PATTERNS = {
    "suspended and resumed": [(1, 12), (1, 30), (1, None)],
    "grown": [(1, 20), (2, None)],
    "grown and shrunk": [(1, 10), (2, 25), (1, 45), (2, None)],
    "more workers than in the demo": [(2, 15), (4, 35), (3, None)],
}


def test_any_pattern_of_stops_and_worker_counts_gives_the_same_bits(training: Begin) -> None:
    straight = training("straight")
    assert straight.attempt(1) == "succeeded"
    expected = straight.model()
    assert len(expected) > 20
    for name, pattern in PATTERNS.items():
        zigzag = training(name.replace(" ", "-"))
        for workers, leave_at in pattern:
            outcome = zigzag.attempt(workers, leave_at=leave_at)
            assert outcome == ("succeeded" if leave_at is None else "suspended"), name
        got = zigzag.model()
        assert got.keys() == expected.keys()
        different = [key for key in expected if not torch.equal(got[key], expected[key])]
        assert different == [], name


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_worker_costs_time_but_not_a_bit(training: Begin, rank: int) -> None:
    straight = training("straight")
    straight.attempt(1)
    broken = training("broken")
    assert broken.attempt(1, leave_at=10) == "suspended"
    assert broken.attempt(2, leave_at=30, kill=rank) == "lost"
    assert broken.attempt(2) == "succeeded"
    expected, got = straight.model(), broken.model()
    assert [key for key in expected if not torch.equal(got[key], expected[key])] == []


def test_a_damaged_checkpoint_is_noticed_and_the_one_before_is_used(training: Begin) -> None:
    straight = training("straight")
    straight.attempt(1)
    damaged = training("damaged")
    damaged.attempt(1, leave_at=10)
    damaged.attempt(1, leave_at=30)
    assert damaged.saved is not None
    newest = damaged.folder / damaged.saved
    whole = bytearray(newest.read_bytes())
    whole[-100] ^= 1
    newest.write_bytes(whole)
    assert damaged.attempt(1) == "succeeded"
    expected, got = straight.model(), damaged.model()
    assert [key for key in expected if not torch.equal(got[key], expected[key])] == []
