"""What each worker count draws, from what attempts did."""

import pytest

from tidewatt.accounting.pace import Stint, watts, watts_seen


def stint(workers: int, steps: int, energy_j: float, timed_s: float) -> Stint:
    return Stint(workers, steps, energy_j, steps, timed_s)


def test_power_is_the_energy_of_a_step_times_the_steps_of_a_second() -> None:
    seen = watts_seen([stint(1, 100, 50.0, 20.0), stint(2, 60, 45.0, 5.0), stint(1, 300, 150.0, 60.0)])
    assert seen == {1: pytest.approx(2.5), 2: pytest.approx(9.0)}


def test_what_was_too_short_to_tell_says_nothing() -> None:
    assert watts_seen([stint(1, 2, 1.0, 20.0), stint(2, 50, 5.0, 0.1), stint(3, 50, 0.0, 9.0)]) == {}


def test_counts_not_seen_go_in_proportion_from_the_nearest() -> None:
    assert watts({2: 9.0}, 4, 3.5) == (4.5, 9.0, 13.5, 18.0)
    assert watts({1: 4.0, 4: 12.0}, 5, 3.5) == (4.0, 8.0, 9.0, 12.0, 15.0)
    assert watts({}, 2, 3.5) == (3.5, 7.0)
