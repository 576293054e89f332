"""What may be known of the hours to come: forecasts made from the hours that have ended."""

from collections.abc import Callable
from dataclasses import dataclass

from tidewatt.domain.objective import CARBON, Objective
from tidewatt.domain.signal import Forecast, ForecastWindow
from tidewatt.domain.units import DAY_S, HOUR_S
from tidewatt.errors import SignalMissing
from tidewatt.forecast.issue import issue
from tidewatt.forecast.series import Method
from tidewatt.ports import Grid

Foresight = Callable[[str, float, float], Forecast | None]
"""Zone, now and horizon in seconds -> a forecast, or None where there is nothing to make it from."""
_LEAST_HISTORY_S = 14 * DAY_S
_PUBLISHED_AT_S = 12 * HOUR_S
"""Day-ahead markets have told the prices of a whole day by noon (UTC) of the day before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What a planner may know of the hours to come, and what it is to make small.

    Without ``tariffs``, and in zones of which they know nothing, the tariff of a site counts at every hour.
    Bringing a job's state to another site takes ``move_j`` joules of network energy.
    """

    carbon: Foresight
    tariffs: Foresight | None = None
    objective: Objective = CARBON
    move_j: float = 0.0


def by(method: Method, grid: Grid) -> Foresight:
    """Forecasts of a grid's zones by a method, from what has ended when they are asked for."""
    history_s = max(_LEAST_HISTORY_S, method.reach_h * HOUR_S)

    def foresee(zone: str, now: float, horizon_s: float) -> Forecast | None:
        try:
            return issue(method, grid.signal(zone, now - history_s, now), now, horizon_s)
        except SignalMissing:
            return None

    return foresee


def day_ahead(method: Method, prices: Grid) -> Foresight:
    """Prices of electricity: known as far as a day-ahead market has told them, and from there on by a method.

    An hour in which takers are paid counts as free: nothing is run for the sake of it.
    """
    history_s = max(_LEAST_HISTORY_S, method.reach_h * HOUR_S)
    zones = frozenset(prices.zones())

    def foresee(zone: str, now: float, horizon_s: float) -> Forecast | None:
        if zone not in zones:
            return None
        told_until = ((now + _PUBLISHED_AT_S) // DAY_S + 1) * DAY_S
        signal = prices.signal(zone, now - history_s, told_until)
        told = [reading for reading in signal.readings if reading.observed_at + HOUR_S > now]
        if not told:
            return by(method, prices)(zone, now, horizon_s)
        until = told[-1].observed_at + HOUR_S
        values = [(reading.observed_at, max(0.0, reading.value)) for reading in told]
        windows = [ForecastWindow(at, value, value, value) for at, value in values]
        if until < now + horizon_s:
            windows += issue(method, signal, until, now + horizon_s - until).windows
        return Forecast(zone, now, f"day-ahead prices, then {method.name}", tuple(windows))

    return foresee
