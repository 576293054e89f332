"""Issues a forecast of a zone by any method, from the hours that have ended."""

import math

import numpy as np

from tidewatt.domain.signal import Forecast, ForecastWindow, Quality, Reading, Signal
from tidewatt.domain.units import HOUR_S
from tidewatt.errors import SignalMissing
from tidewatt.forecast.series import Method, Series
from tidewatt.forecast.spread import spread

STALE_S = 3 * HOUR_S
"""A newest reading that ended longer ago than this degrades the forecast."""
_WEEK_H = 168


def issue(method: Method, history: Signal, now: float, horizon_s: float) -> Forecast:
    """What the hours from the one that holds ``now`` to the end of the horizon are expected to be.

    Low and high are the 10 % and 90 % points of the errors that the same method made over the last week, by
    lead, scaled by how erratic that hour of day is. Only readings whose hour has ended are looked at.

    Args:
        method: how to forecast.
        history: readings of one zone, any of which may be absent or lie in the future.
        now: UTC seconds.
        horizon_s: how far to look ahead, in seconds; the hour in progress is always included.

    Raises:
        SignalMissing: no reading has ended by ``now``.
    """
    ended = [reading for reading in history.readings if reading.observed_at + HOUR_S <= now]
    if not ended:
        raise SignalMissing(
            f"no reading of zone {history.zone} that has ended by now",
            "at least one hour of history",
            "check the grid source and the time asked for",
        )
    newest = ended[-1].observed_at
    values = hours(ended, method.reach_h)
    first = math.floor((now - newest) / HOUR_S)
    count = max(math.ceil((now + horizon_s - newest) / HOUR_S) - first, 1)
    leads = np.arange(first - 1, first - 1 + count)
    predict = method.prepare(history.zone, values, math.floor(newest / HOUR_S) - values.size + 1)
    mean = predict(values, np.array([values.size]), leads)[0]
    below, above = spread(values, leads, predict)
    degraded = _degraded(ended, values, now)
    if degraded:
        extra = 0.5 * (above - below) + 0.1 * mean
        below, above = below - extra, above + extra
    mean, low, high = (np.maximum(series, 0.0) for series in (mean, mean + below, mean + above))
    starts = newest + (leads + 1) * HOUR_S
    rows = zip(starts.tolist(), mean.tolist(), low.tolist(), high.tolist(), strict=True)
    windows = tuple(ForecastWindow(*row) for row in rows)
    return Forecast(history.zone, now, method.name, windows, degraded)


def hours(ended: list[Reading], reach_h: int) -> Series:
    """One value for each of the last hours up to the newest, NaN where there is no reading."""
    newest = ended[-1].observed_at
    ages = [(round((newest - reading.observed_at) / HOUR_S), reading.value) for reading in ended[-reach_h:]]
    length = min(ages[0][0] + 1, reach_h)
    values = np.full(length, np.nan)
    for age, value in ages:
        if age < length:
            values[length - 1 - age] = value
    return values


def _degraded(ended: list[Reading], values: Series, now: float) -> str:
    """In words, what the forecast had to do without; empty when nothing was missing."""
    lacks: list[str] = []
    if values.size < 24:
        lacks.append(f"only {values.size} h of history")
    recent = values[-_WEEK_H:]
    absent = int(np.isnan(recent).sum())
    if absent:
        lacks.append(f"{absent} of the last {recent.size} hours absent")
    since = ended[-1].observed_at - recent.size * HOUR_S
    filled = sum(r.quality is Quality.FILLED and r.observed_at > since for r in ended)
    if filled:
        lacks.append(f"{filled} of the last {recent.size} hours filled")
    age_s = now - ended[-1].observed_at - HOUR_S
    if age_s > STALE_S:
        lacks.append(f"newest reading {age_s / HOUR_S:.0f} h old")
    return "; ".join(lacks)
