"""What a planner may know of prices: as much as a day-ahead market has told, and no more."""

from collections.abc import Sequence

from tidewatt.control.foresight import day_ahead
from tidewatt.domain.signal import Forecast, Quality, Reading, Signal
from tidewatt.domain.units import DAY_S, HOUR_S
from tidewatt.forecast.hourly import Hourly

MIDNIGHT = 1_654_041_600.0
HISTORY_H = 7 * 24


class Prices:
    """Prices from a week before a midnight on."""

    name = "prices"

    def __init__(self, *coming: float) -> None:
        values = [0.1] * HISTORY_H + list(coming)
        self._readings = tuple(
            Reading(MIDNIGHT + (i - HISTORY_H) * HOUR_S, v, v, v, self.name, Quality.MEASURED)
            for i, v in enumerate(values)
        )

    def zones(self) -> tuple[str, ...]:
        return ("DE",)

    def signal(self, zone: str, start_at: float, end_at: float) -> Signal:
        readings = (r for r in self._readings if start_at - HOUR_S < r.observed_at < end_at)
        return Signal(zone, tuple(readings))


def foreseen(now: float, coming: Sequence[float]) -> Forecast:
    found = day_ahead(Hourly(), Prices(*coming))("DE", now, 2 * DAY_S)
    assert found is not None
    return found


def test_in_the_morning_todays_prices_are_known_and_tomorrows_are_not() -> None:
    today, tomorrow = [0.3 + h / 100 for h in range(24)], [9.0] * 24
    found = foreseen(MIDNIGHT + 9 * HOUR_S, [*today, *tomorrow])
    assert [w.mean for w in found.windows[:15]] == today[9:]
    assert all(w.mean < 1 for w in found.windows)
    assert found.windows[-1].start_at + HOUR_S >= MIDNIGHT + 9 * HOUR_S + 2 * DAY_S


def test_from_noon_on_tomorrows_prices_are_known() -> None:
    found = foreseen(MIDNIGHT + 12.5 * HOUR_S, [0.3] * 24 + [9.0] * 24 + [7.0] * 24)
    assert [w.mean for w in found.windows[:36]] == [0.3] * 12 + [9.0] * 24
    assert 7.0 not in [w.mean for w in found.windows]


def test_hours_follow_each_other_where_knowing_ends() -> None:
    starts = [w.start_at for w in foreseen(MIDNIGHT + 9.25 * HOUR_S, [0.3] * 48).windows]
    assert starts == [MIDNIGHT + (9 + i) * HOUR_S for i in range(len(starts))]


def test_being_paid_to_take_is_no_reason_to_take_more() -> None:
    assert foreseen(MIDNIGHT, [-0.5] * 24).windows[0].mean == 0.0


def test_of_a_zone_without_prices_nothing_is_foreseen() -> None:
    assert day_ahead(Hourly(), Prices())("FR", MIDNIGHT, DAY_S) is None


def test_where_the_market_has_not_told_yet_prices_are_forecast() -> None:
    found = foreseen(MIDNIGHT, [])
    assert abs(found.windows[0].mean - 0.1) < 1e-9
