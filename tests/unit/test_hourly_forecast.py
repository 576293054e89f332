"""The hourly forecast knows its shapes and says what it lacks; gaps are filled openly."""

import math
import statistics

import pytest

from tidewatt.adapters.grids.model import ModelGrid
from tidewatt.domain.signal import Forecast, Quality, Reading, Signal
from tidewatt.domain.units import DAY_S, HOUR_S
from tidewatt.errors import SignalMissing
from tidewatt.forecast.gaps import LEAST_RANGE, fill
from tidewatt.forecast.hourly import METHOD, forecast

NOW = 1_655_000_400.0
"""On an hour."""


def reading(at: float, value: float, quality: Quality = Quality.MEASURED) -> Reading:
    return Reading(at, value, value * 0.9, value * 1.1, "test", quality)


def wave(hours: int, level: float = 400.0) -> Signal:
    """A daily wave that ends with the hour before NOW, with a ripple that no day repeats."""
    return Signal(
        "DE",
        tuple(
            reading(
                NOW - age * HOUR_S,
                level + 100 * math.sin(2 * math.pi * (NOW - age * HOUR_S) / DAY_S) + 9 * math.sin(age * age),
            )
            for age in range(hours, 0, -1)
        ),
    )


def mean_width(found: Forecast) -> float:
    return statistics.fmean(window.high - window.low for window in found.windows)


def test_it_follows_the_hour_of_day() -> None:
    found = forecast(wave(14 * 24), NOW, 3 * DAY_S)
    assert found.method == METHOD
    assert found.zone == "DE"
    assert found.issued_at == NOW
    assert found.degraded == ""
    for window in found.windows:
        assert window.mean == pytest.approx(
            400 + 100 * math.sin(2 * math.pi * window.start_at / DAY_S), abs=20
        )


def test_the_newest_deviation_fades() -> None:
    usual = Signal("DE", tuple(reading(NOW - age * HOUR_S, 400.0) for age in range(14 * 24, 0, -1)))
    raised = Signal("DE", (*usual.readings[:-1], reading(NOW - HOUR_S, 500.0)))
    means = [window.mean for window in forecast(raised, NOW, 20 * HOUR_S).windows]
    assert 480 < means[0] < 500
    assert means == sorted(means, reverse=True)
    assert means[11] == pytest.approx(450.0)


def test_a_constant_history_is_foretold_as_it_is() -> None:
    usual = Signal("DE", tuple(reading(NOW - age * HOUR_S, 400.0) for age in range(14 * 24, 0, -1)))
    for window in forecast(usual, NOW, DAY_S).windows:
        assert (window.low, window.mean, window.high) == (400.0, 400.0, 400.0)


def test_the_first_window_is_the_hour_in_progress() -> None:
    starts = [window.start_at for window in forecast(wave(14 * 24), NOW + 1234, 2 * HOUR_S).windows]
    assert starts == [NOW, NOW + HOUR_S, NOW + 2 * HOUR_S]


def test_windows_keep_the_offset_of_the_history() -> None:
    shifted = Signal("IN-WE", tuple(reading(r.observed_at - 1800, r.value) for r in wave(48).readings))
    assert [w.start_at for w in forecast(shifted, NOW, HOUR_S).windows] == [NOW - 1800, NOW + 1800]


def test_an_hour_ahead_is_known_better_than_a_day_ahead() -> None:
    history = ModelGrid().signal("DE", NOW - 14 * DAY_S, NOW)
    windows = forecast(history, NOW, DAY_S).windows
    assert windows[0].high - windows[0].low < windows[23].high - windows[23].low


def test_the_range_holds_about_four_fifths_of_what_comes() -> None:
    held: list[bool] = []
    for zone in ("DE", "GB", "US-CAL-CISO", "AU-SA", "PL"):
        actual = ModelGrid().signal(zone, NOW, NOW + 120 * DAY_S)
        for day in range(15, 115, 5):
            now = NOW + day * DAY_S + day * HOUR_S
            for window in forecast(actual, now, 36 * HOUR_S).windows:
                truth = actual.at(window.start_at)
                assert truth is not None
                held.append(window.low <= truth.value <= window.high)
    assert 0.7 < statistics.fmean(held) < 0.92


def test_it_chooses_cleaner_hours_than_yesterday_would() -> None:
    ours = theirs = best = 0.0
    for zone in ("DE", "GB", "ES", "AU-SA", "DK-DK1", "US-TEX-ERCO"):
        actual = ModelGrid().signal(zone, NOW, NOW + 200 * DAY_S)
        values = {r.observed_at: r.value for r in actual.readings}
        for day in range(15, 190, 5):
            now = NOW + day * DAY_S + (day % 24) * HOUR_S
            windows = forecast(actual, now, DAY_S).windows
            chosen = sorted(windows, key=lambda w: w.mean)[:6]
            ours += sum(values[w.start_at] for w in chosen)
            yesterday = sorted(windows, key=lambda w: values[w.start_at - DAY_S])[:6]
            theirs += sum(values[w.start_at] for w in yesterday)
            best += sum(sorted(values[w.start_at] for w in windows)[:6])
    assert ours - best < theirs - best


@pytest.mark.parametrize(
    ("history", "words"),
    [
        (wave(1), "only 1 h of history"),
        (wave(5), "only 5 h of history"),
        (
            Signal("DE", wave(14 * 24).readings[:-30] + wave(14 * 24).readings[-27:]),
            "3 of the last 168 hours absent",
        ),
        (Signal("DE", wave(14 * 24).readings[:-5]), "newest reading 5 h old"),
        (
            Signal(
                "DE",
                (*(r for r in wave(48).readings if r.observed_at != NOW - 9 * HOUR_S),),
            ),
            "1 of the last 48 hours absent",
        ),
    ],
)
def test_what_is_missing_is_said_and_widens_the_range(history: Signal, words: str) -> None:
    found = forecast(history, NOW, DAY_S)
    assert words in found.degraded
    assert len(found.windows) == 24
    assert mean_width(found) > mean_width(forecast(wave(14 * 24), NOW, DAY_S))


def test_filled_hours_are_said_too() -> None:
    readings = list(wave(14 * 24).readings)
    readings[-7] = reading(readings[-7].observed_at, readings[-7].value, Quality.FILLED)
    found = forecast(Signal("DE", tuple(readings)), NOW, DAY_S)
    assert found.degraded == "1 of the last 168 hours filled"


def test_an_old_history_still_answers_for_now() -> None:
    found = forecast(Signal("DE", wave(20 * 24).readings[: -9 * 24]), NOW, DAY_S)
    assert found.windows[0].start_at == NOW
    assert found.degraded == "newest reading 216 h old"


@pytest.mark.parametrize("history", [Signal("DE", ()), Signal("DE", (reading(NOW - 1800, 400.0),))])
def test_without_an_ended_hour_there_is_no_forecast(history: Signal) -> None:
    with pytest.raises(SignalMissing, match="zone DE"):
        forecast(history, NOW, DAY_S)


def test_filling_leaves_what_is_there() -> None:
    whole = wave(48)
    assert fill(whole, NOW - 48 * HOUR_S, NOW) == whole


def test_an_absent_hour_is_filled_from_the_same_hour_of_other_days() -> None:
    whole = wave(72)
    gap_at = NOW - 30 * HOUR_S
    gapped = Signal("DE", tuple(r for r in whole.readings if r.observed_at != gap_at))
    filled = fill(gapped, NOW - 36 * HOUR_S, NOW).at(gap_at)
    donors = [gapped.at(gap_at - DAY_S), gapped.at(gap_at + DAY_S)]
    assert filled is not None
    assert filled.quality is Quality.FILLED
    assert filled.source == "test, filled"
    assert filled.value == pytest.approx(statistics.fmean(d.value for d in donors if d))
    assert filled.low <= min(filled.value * (1 - LEAST_RANGE), *(d.low for d in donors if d))
    assert filled.high >= max(filled.value * (1 + LEAST_RANGE), *(d.high for d in donors if d))


def test_only_the_week_around_is_used_while_it_has_data() -> None:
    far = tuple(reading(NOW - 20 * DAY_S + hour * HOUR_S, 900.0) for hour in range(24))
    near = tuple(reading(NOW - 2 * DAY_S + hour * HOUR_S, 100.0) for hour in range(24))
    (filled,) = fill(Signal("DE", far + near), NOW, NOW + HOUR_S).readings
    assert filled.value == pytest.approx(100.0)
    (filled,) = fill(Signal("DE", far), NOW, NOW + HOUR_S).readings
    assert filled.value == pytest.approx(900.0)


def test_one_hour_alone_fills_any_other() -> None:
    filled = fill(Signal("DE", (reading(NOW, 200.0),)), NOW, NOW + 3 * HOUR_S)
    assert [r.quality for r in filled.readings] == [Quality.MEASURED, Quality.FILLED, Quality.FILLED]
    assert [r.value for r in filled.readings] == [200.0, 200.0, 200.0]


def test_what_was_filled_fills_nothing() -> None:
    with pytest.raises(SignalMissing):
        fill(Signal("DE", (reading(NOW, 1.0, Quality.FILLED),)), NOW, NOW + 2 * HOUR_S)


def test_nothing_is_filled_from_nothing() -> None:
    with pytest.raises(SignalMissing, match="zone DE"):
        fill(Signal("DE", ()), NOW, NOW + HOUR_S)
