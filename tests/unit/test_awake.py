"""Sleep and a clock that was set are told from time that has gone by."""

import pytest

from tidewatt.control.awake import Awake


class Hands:
    """A clock whose hands are moved by hand."""

    speed = 60.0

    def __init__(self) -> None:
        self.world, self.real = 1_000_000.0, 5_000.0

    def now(self) -> float:
        return self.world

    def wall(self) -> float:
        return self.real

    def go_on(self, real_s: float) -> None:
        self.real += real_s
        self.world += self.speed * real_s


def test_what_was_meant_to_pass_is_neither_sleep_nor_a_jump() -> None:
    hands = Hands()
    awake = Awake(hands)
    for meant_s in (1.0, 3600.0, float("inf")):
        hands.go_on(min(meant_s, 7200.0))
        assert awake.look(meant_s) is False
    assert awake.since_s(5_000.0) == pytest.approx(1.0 + 3600.0 + 7200.0)


def test_sleep_counts_for_nobody_who_was_there_before_it() -> None:
    hands = Hands()
    awake = Awake(hands)
    hands.go_on(3601.0)
    assert awake.look(1.0) is False
    assert awake.since_s(5_000.0) == pytest.approx(1.0)
    woke = hands.wall()
    hands.go_on(2.0)
    assert awake.since_s(woke) == pytest.approx(2.0)


@pytest.mark.parametrize("jump_s", [-86_400.0, 86_400.0])
def test_a_clock_that_was_set_is_noticed_once(jump_s: float) -> None:
    hands = Hands()
    awake = Awake(hands)
    hands.go_on(1.0)
    hands.world += jump_s
    assert awake.look(1.0) is True
    hands.go_on(1.0)
    assert awake.look(1.0) is False
