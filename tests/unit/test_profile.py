"""What is left of a job, from what is known of its speed."""

import pytest

from tidewatt.domain.function import FunctionSpec, Kind
from tidewatt.policy.profile import Extent, Profile, learn, remaining, typical

FUNCTION = FunctionSpec(name="f", kind=Kind.TRAINING, length_s=3600.0)
SEEN = Profile({1: 10.0}, startup_s=1.0, startup_seen=True)
SPEED = 60.0


def test_steps_left_at_the_rate_seen() -> None:
    found = remaining(FUNCTION, SEEN, Extent(total=1000, done=400), SPEED, 1e6)
    assert found is not None
    assert found.expected_s == pytest.approx(600 / 10 * SPEED)
    assert found.high_s > found.expected_s


def test_a_declared_length_stands_in_until_a_rate_is_seen() -> None:
    found = remaining(FUNCTION, learn([]), Extent(total=1000, done=400), SPEED, 1e6)
    assert found is not None
    assert found.expected_s == pytest.approx(0.6 * 3600)


@pytest.mark.parametrize("profile", [SEEN, learn([])], ids=["seen", "declared"])
def test_a_job_that_has_not_ended_has_something_left_even_without_a_step(profile: Profile) -> None:
    # It would never be started again otherwise, if it was suspended after its last step.
    found = remaining(FUNCTION, profile, Extent(total=1000, done=1000), SPEED, 1e6)
    assert found is not None
    assert found.expected_s > 0


def test_the_typical_run_is_the_median_and_the_margin_holds_nine_of_ten() -> None:
    assert typical([5.0]) == (0, 1.0)
    assert typical([30.0, 10.0, 20.0]) == (2, 1.5)
    assert typical([float(n) for n in range(1, 11)]) == (4, 9 / 5)


def test_work_that_took_others_much_longer_has_a_wider_margin() -> None:
    extent = Extent(total=1000, done=0)
    usual, wide = (remaining(FUNCTION, SEEN, extent, SPEED, 1e6, margin) for margin in (1.0, 3.0))
    assert usual is not None
    assert wide is not None
    assert wide.expected_s == usual.expected_s
    assert wide.high_s == pytest.approx(3 * wide.expected_s)
