"""What may be known of the hours to come: forecasts made from the hours that have ended."""

from collections.abc import Callable

from tidewatt.domain.signal import Forecast
from tidewatt.domain.units import DAY_S, HOUR_S
from tidewatt.errors import SignalMissing
from tidewatt.forecast.issue import issue
from tidewatt.forecast.series import Method
from tidewatt.ports import Grid

Foresight = Callable[[str, float, float], Forecast | None]
"""Zone, now and horizon in seconds -> a forecast, or None where there is nothing to make it from."""
_LEAST_HISTORY_S = 14 * DAY_S


def by(method: Method, grid: Grid) -> Foresight:
    """Forecasts of a grid's zones by a method, from what has ended when they are asked for."""
    history_s = max(_LEAST_HISTORY_S, method.reach_h * HOUR_S)

    def foresee(zone: str, now: float, horizon_s: float) -> Forecast | None:
        try:
            return issue(method, grid.signal(zone, now - history_s, now), now, horizon_s)
        except SignalMissing:
            return None

    return foresee
