"""What holds processors and hardly uses them is stalled."""

import pytest

from tidewatt.accounting.stall import told_apart
from tidewatt.domain.ledger import Phase


@pytest.mark.parametrize(
    ("spent", "phase", "wall_s", "expected"),
    [
        ({Phase.COMPUTE: 0.04}, Phase.COMPUTE, 1.0, {Phase.STALLED: 0.04}),
        ({Phase.COMPUTE: 0.11}, Phase.COMPUTE, 1.0, {Phase.COMPUTE: 0.11}),
        ({Phase.COMPUTE: 0.0}, Phase.COMPUTE, 2.0, {Phase.STALLED: 0.0}),
        ({Phase.COMPUTE: 0.0}, Phase.COMPUTE, 0.1, {Phase.COMPUTE: 0.0}),
        ({Phase.COLD_START: 0.0}, Phase.COLD_START, 9.0, {Phase.COLD_START: 0.0}),
        (
            {Phase.COMPUTE: 0.01, Phase.COMM: 0.02},
            Phase.COMPUTE,
            1.0,
            {Phase.STALLED: 0.01, Phase.COMM: 0.02},
        ),
        (
            {Phase.COMPUTE: 0.05, Phase.COMM: 0.06},
            Phase.COMPUTE,
            1.0,
            {Phase.COMPUTE: 0.05, Phase.COMM: 0.06},
        ),
    ],
)
def test_below_a_twentieth_of_two_processors_it_waits(
    spent: dict[Phase, float], phase: Phase, wall_s: float, expected: dict[Phase, float]
) -> None:
    assert told_apart(spent, phase, 2 * wall_s, wall_s) == expected


def test_the_threshold_is_the_users_and_nothing_is_lost() -> None:
    spent = {Phase.COMPUTE: 0.4, Phase.CHECKPOINT: 0.1}
    assert told_apart(spent, Phase.COMPUTE, 1.0, 1.0, 0.6) == {Phase.STALLED: 0.4, Phase.CHECKPOINT: 0.1}
    assert told_apart(spent, Phase.COMPUTE, 1.0, 1.0, 0.0) == spent
