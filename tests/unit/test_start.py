"""When to start, worked out by hand, and never too late whatever the forecast says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidewatt.domain.signal import Forecast, ForecastWindow
from tidewatt.domain.units import HOUR_S, MINUTE_S
from tidewatt.policy.start import Run, Start, decide, expected_hours

NOW = 1_000_000 * HOUR_S


def coming(*means: float | None, begin: float = NOW) -> Forecast:
    """Hours from ``begin`` on; None is an hour that the forecast lacks."""
    return Forecast(
        "DE",
        begin,
        "by hand",
        tuple(
            ForecastWindow(begin + i * HOUR_S, mean, 0.5 * mean, 2 * mean)
            for i, mean in enumerate(means)
            if mean is not None
        ),
    )


def run(hours: float, deadline_h: float, now: float = NOW) -> Run:
    return Run(zone="DE", length_s=hours * HOUR_S, deadline_at=now + deadline_h * HOUR_S)


def hour(start: Start) -> float:
    return (start.at - NOW) / HOUR_S


def means(start: Start) -> tuple[float, float]:
    assert start.at_once is not None
    assert start.then is not None
    return start.at_once.value, start.then.value


def test_it_waits_for_the_cleanest_block() -> None:
    start = decide(run(2, 6), coming(5, 4, 1, 2, 1, 9), NOW)
    assert hour(start) == 2
    assert means(start) == (4.5, 1.5)
    assert start.then is not None
    assert (start.then.low, start.then.high) == (0.75, 3.0)
    assert start.again_at == NOW + HOUR_S
    assert start.why == "the cheapest start before the deadline"


def test_the_cleanest_hour_is_not_the_cleanest_block() -> None:
    start = decide(run(3, 7), coming(5, 1, 9, 3, 3, 3, 9), NOW)
    assert hour(start) == 3
    assert means(start) == (5.0, 3.0)


def test_what_is_cleaner_beyond_the_deadline_is_not_waited_for() -> None:
    start = decide(run(2, 4), coming(5, 4, 3, 2, 1, 1), NOW)
    assert hour(start) == 2  # done at the deadline, to the second
    assert means(start) == (4.5, 2.5)


def test_the_first_of_equals_is_taken() -> None:
    assert hour(decide(run(1, 5), coming(5, 2, 3, 2, 2), NOW)) == 1


def test_an_hour_that_has_begun_counts_as_far_as_it_is_left() -> None:
    now = NOW + 40 * MINUTE_S
    later = decide(run(1, 4, now), coming(1, 10, 4, 4, 9), now)
    assert hour(later) == 2
    assert means(later) == pytest.approx(((20 * 1 + 40 * 10) / 60, 4.0))
    assert later.again_at == NOW + HOUR_S
    at_once = decide(run(1, 4, now), coming(1, 5, 4, 4, 9), now)
    assert at_once.at == at_once.again_at == now
    assert means(at_once) == pytest.approx(((20 * 1 + 40 * 5) / 60,) * 2)


def test_it_decides_again_at_the_start_where_that_is_next() -> None:
    now = NOW + 1.5 * MINUTE_S
    start = decide(run(0.5, 3, now), coming(5, 1, 2, 2), now)
    assert start.at == start.again_at == NOW + HOUR_S


@pytest.mark.parametrize("minute", [0.0, 7.3, 40.0, 59.99])
def test_on_a_flat_grid_now_is_as_good_as_it_gets(minute: float) -> None:
    now = NOW + minute * MINUTE_S
    start = decide(run(2.7, 20, now), coming(*[123.456] * 24), now)
    assert start.at == now
    assert start.why == "now is as good as it gets before the deadline"


def test_hours_that_begin_at_half_past_are_heeded() -> None:
    start = decide(run(1, 4), coming(5, 4, 1, 4, 5, begin=NOW - HOUR_S / 2), NOW)
    assert start.again_at == NOW + HOUR_S / 2
    assert start.at == NOW + 1.5 * HOUR_S
    assert means(start) == (4.5, 1.0)


def test_without_a_signal_there_is_no_waiting() -> None:
    for nothing in (None, coming()):
        start = decide(run(1, 6), nothing, NOW)
        assert start.at == start.again_at == NOW
        assert start.at_once is None
        assert start.why == "no carbon intensity is known for DE: not waiting blindly"


def test_a_deadline_within_the_hour_leaves_no_time_to_wait() -> None:
    now = NOW + 10 * MINUTE_S
    start = decide(run(1, 1.5, now), coming(9, 1, 1), now)
    assert start.at == now
    assert start.why == "the deadline leaves no time to wait for another hour"


def test_when_the_latest_start_has_gone_by_it_starts_now() -> None:
    start = decide(run(2, 1.5), coming(9, 1, 1), NOW)
    assert start.at == start.again_at == NOW


def test_beyond_the_horizon_and_in_gaps_the_mean_of_what_is_forecast_counts() -> None:
    short = decide(run(1, 10), coming(6, 2), NOW)
    assert hour(short) == 1
    gap = decide(run(1, 10), coming(6, None, 5, 7), NOW)
    assert hour(gap) == 2
    beyond = decide(run(1, 10), coming(8, 6), NOW - HOUR_S / 2)
    assert beyond.at <= run(1, 10).latest_at


def test_a_block_that_the_forecast_does_not_cover_has_no_expectation() -> None:
    start = decide(run(2, 10), coming(6, 2), NOW)
    assert means(decide(run(2, 10), coming(6, 2, 2), NOW)) == (4.0, 2.0)
    assert hour(start) == 1  # 2 and, for the hour not forecast, 4: less than 6 and 2
    assert start.at_once is not None
    assert start.then is None


def test_a_forecast_reads_as_hours_with_its_ranges() -> None:
    hours = expected_hours(coming(6, None, 2))
    assert [(r.observed_at, r.value, r.low, r.high) for r in hours.readings] == [
        (NOW, 6, 3, 12),
        (NOW + 2 * HOUR_S, 2, 1, 4),
    ]


@given(
    values=st.lists(st.one_of(st.none(), st.floats(0, 1000)), max_size=40),
    begun_s=st.floats(0, 3599),
    length_h=st.floats(0.01, 30),
    slack_h=st.floats(-2, 30),
)
def test_a_start_is_never_in_the_past_nor_too_late(
    values: list[float | None], begun_s: float, length_h: float, slack_h: float
) -> None:
    now = NOW + begun_s
    asked = run(length_h, length_h + slack_h, now)
    start = decide(asked, coming(*values), now)
    assert now <= start.again_at <= start.at <= max(now, asked.latest_at)
    if start.at > now:
        assert start.again_at > now
        assert start.then is None or start.at_once is None or start.then.value < start.at_once.value
