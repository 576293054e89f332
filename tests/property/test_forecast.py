"""A forecast sees nothing that has not ended, and covers its horizon, whatever the history."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tidewatt.domain.signal import Quality, Reading, Signal
from tidewatt.domain.units import HOUR_S
from tidewatt.forecast.gaps import fill
from tidewatt.forecast.hourly import forecast

BASE_AT = 1_655_000_400.0

VALUES = st.floats(0, 1500).map(lambda value: round(value, 1))
OFFSETS = st.sampled_from([0.0, 1800.0])
HORIZONS_S = st.floats(0, 200 * HOUR_S)


@st.composite
def histories(draw: st.DrawFn, least: int = 1) -> Signal:
    """Up to some weeks of hours, any of them absent."""
    values = draw(st.lists(st.none() | VALUES, min_size=least, max_size=500))
    values[0] = draw(VALUES)
    offset = draw(OFFSETS)
    return Signal(
        "DE",
        tuple(
            Reading(BASE_AT + offset + hour * HOUR_S, value, value, value, "test", Quality.MEASURED)
            for hour, value in enumerate(values)
            if value is not None
        ),
    )


@st.composite
def moments(draw: st.DrawFn) -> tuple[Signal, float]:
    """A history and a now by which at least one of its hours has ended."""
    history = draw(histories())
    first, last = history.readings[0].observed_at, history.readings[-1].observed_at
    return history, draw(st.floats(first + HOUR_S, last + 60 * HOUR_S))


@given(moments(), HORIZONS_S, st.data())
def test_it_looks_at_nothing_that_has_not_ended(
    moment: tuple[Signal, float], horizon_s: float, data: st.DataObject
) -> None:
    history, now = moment
    ended = tuple(r for r in history.readings if r.observed_at + HOUR_S <= now)
    following = ended[-1].observed_at + HOUR_S
    other = data.draw(st.lists(VALUES, max_size=40))
    invented = tuple(
        Reading(at, value, value, value, "test", Quality.MEASURED)
        for at, value in ((following + hour * HOUR_S, value) for hour, value in enumerate(other))
        if at + HOUR_S > now
    )
    expected = forecast(history, now, horizon_s)
    assert forecast(Signal("DE", ended), now, horizon_s) == expected
    assert forecast(Signal("DE", ended + invented), now, horizon_s) == expected


@given(moments(), HORIZONS_S)
def test_the_range_holds_the_mean(moment: tuple[Signal, float], horizon_s: float) -> None:
    history, now = moment
    found = forecast(history, now, horizon_s)
    for window in found.windows:
        assert math.isfinite(window.high)
        assert 0 <= window.low <= window.mean <= window.high
    values = {r.value for r in history.readings if r.observed_at + HOUR_S <= now}
    if len(values) > 1:
        assert all(window.low < window.high for window in found.windows)


@given(moments(), HORIZONS_S)
def test_the_windows_cover_the_horizon(moment: tuple[Signal, float], horizon_s: float) -> None:
    history, now = moment
    starts = [window.start_at for window in forecast(history, now, horizon_s).windows]
    assert starts[0] <= now < starts[0] + HOUR_S
    assert starts[-1] < max(now + horizon_s, now + 1e-3)
    assert starts[-1] + HOUR_S >= now + horizon_s
    assert all(later - sooner == HOUR_S for sooner, later in pairwise(starts))
    assert {start % HOUR_S for start in starts} == {history.readings[0].observed_at % HOUR_S}


@given(histories(), st.integers(-50, 550), st.integers(0, 100))
def test_a_filled_signal_has_every_hour_and_keeps_every_reading(
    history: Signal, begin: int, length: int
) -> None:
    offset = history.readings[0].observed_at - BASE_AT
    start_at = BASE_AT + offset + begin * HOUR_S
    end_at = start_at + length * HOUR_S
    filled = fill(history, start_at, end_at)
    assert [r.observed_at for r in filled.readings] == [
        start_at + hour * HOUR_S for hour in range(max(length, 1))
    ]
    for reading in filled.readings:
        assert reading.low <= reading.value <= reading.high
        known = history.at(reading.observed_at)
        if known is None:
            assert reading.quality is Quality.FILLED
            assert reading.low < reading.high or reading.value == 0
        else:
            assert reading == known
