"""Knowing the future, as no planner does: the yardstick for those that only forecast."""

import math

from tidewatt.control.foresight import Foresight
from tidewatt.domain.signal import Forecast, ForecastWindow
from tidewatt.domain.units import HOUR_S
from tidewatt.ports import Grid

NAME = "perfect"


def perfect(grid: Grid) -> Foresight:
    """The hours as they will be; an absent hour is taken to be like the one before it."""

    def foresee(zone: str, now: float, horizon_s: float) -> Forecast | None:
        readings = grid.signal(zone, now, now + horizon_s).readings
        if not readings:
            return None
        first = readings[0].observed_at
        first += math.floor((now - first) / HOUR_S) * HOUR_S
        known = {reading.observed_at: reading.value for reading in readings}
        windows: list[ForecastWindow] = []
        value = readings[0].value
        for hour in range(max(1, math.ceil((now + horizon_s - first) / HOUR_S))):
            value = known.get(first + hour * HOUR_S, value)
            windows.append(ForecastWindow(first + hour * HOUR_S, value, value, value))
        return Forecast(zone, now, NAME, tuple(windows))

    return foresee
