"""When an attempt counts as stuck."""

import pytest

from tidewatt.domain.function import FunctionSpec, Kind
from tidewatt.policy.stuck import Pulse, feel, patience_s


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


@pytest.mark.parametrize(
    ("kind", "timeout_s", "stepped", "wanted_s"),
    [
        (Kind.TRAINING, None, True, 300),
        (Kind.TRAINING, None, False, 3600),
        (Kind.TRAINING, 60.0, False, 3600),
        (Kind.FUNCTION, None, True, 3600),
        (Kind.FUNCTION, 86_400.0, True, None),
        (Kind.COMMAND, None, False, None),
        (Kind.CALLS, None, True, None),
    ],
)
def test_what_may_wait_for_somebody_may_stand_still_for_longer(
    kind: Kind, timeout_s: float | None, stepped: bool, wanted_s: float | None
) -> None:
    function = FunctionSpec(name="f", kind=kind, timeout_s=timeout_s)
    assert patience_s(function, stepped=stepped, stuck_after_s=300) == wanted_s
