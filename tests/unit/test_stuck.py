"""When an attempt counts as stuck."""

from tidewatt.policy.stuck import Pulse, feel


def after(*looks: tuple[float, int, float]) -> Pulse:
    """The pulse after looks at (wall, step, cpu_s)."""
    pulse = None
    for look in looks:
        pulse = feel(pulse, *look)
    assert pulse is not None
    return pulse


def test_nothing_done_adds_up() -> None:
    assert after((0, 5, 1.0), (1, 5, 1.0), (2, 5, 1.005), (4, 5, 1.01)).still_s == 4


def test_a_step_starts_the_count_again() -> None:
    assert after((0, 5, 1.0), (1, 5, 1.0), (2, 6, 1.0)).still_s == 0


def test_work_without_a_step_is_no_standstill() -> None:
    assert after((0, 5, 1.0), (60, 5, 2.0), (120, 5, 60.0)).still_s == 0


def test_a_machine_that_slept_is_no_standstill_of_its_length() -> None:
    assert after((0, 5, 1.0), (86_400, 5, 1.0)).still_s == 5


def test_a_clock_set_back_takes_nothing_away() -> None:
    assert after((100, 5, 1.0), (104, 5, 1.0), (50, 5, 1.0), (54, 5, 1.0)).still_s == 8
