"""Forecasts the hours to come of a zone from the hours that have ended."""

import math

import numpy as np
from numpy.typing import NDArray

from tidewatt.domain.signal import Forecast, ForecastWindow, Quality, Reading, Signal
from tidewatt.domain.units import HOUR_S
from tidewatt.errors import SignalMissing

Series = NDArray[np.float64]

METHOD = "7-day hour mean with decaying persistence"

HALF_LIFE_H = 12.0
"""In how many hours the newest deviation from the usual hour is expected to halve."""

DAY_DECAY = 0.85
"""The weight of each day over that of the day after it."""

DAYS = 7
"""Days that the mean of an hour of day is taken over."""

JUDGED_H = 168
"""Past hours from which the method is run again to learn how far it errs."""

REACH_H = JUDGED_H + DAYS * 24 + 24
"""Hours of history that are looked at."""

LEAD_EDGES_H = (0, 1, 2, 3, 5, 8, 12, 18, 24, 36, 48, 72)
"""Past errors are pooled over leads from each of these to the next, so that each pool is large enough."""

WIDENED = 1.1
WIDENED_PER_DAY = 0.05
"""What the range is widened by, and further for each day ahead: a week of errors is a small sample."""

LEAST_SHARE = 0.02
"""The least distance of low and high from the mean, of the difference between all hours known."""

_FIRST_ORIGIN = 25
"""The first hour that the method can be judged at: a day and an hour lie before it."""

STALE_S = 3 * HOUR_S
"""A newest reading that ended longer ago than this degrades the forecast."""


def forecast(history: Signal, now: float, horizon_s: float) -> Forecast:
    """What the hours from the one that holds ``now`` to the end of the horizon are expected to be.

    The mean of an hour is that hour of day over the 7 days before, newer days weighing more, plus the
    newest deviation from it, halved every ``HALF_LIFE_H``. Low and high are the 10 % and 90 % points of the
    errors that the same method made over the last week, by lead, scaled by how erratic that hour of day is.
    Only readings whose hour has ended by ``now`` are looked at.

    Args:
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
    values = _hours(ended)
    first = math.floor((now - newest) / HOUR_S)
    count = max(math.ceil((now + horizon_s - newest) / HOUR_S) - first, 1)
    leads = np.arange(first - 1, first - 1 + count)
    mean = _predict(values, np.array([values.size]), leads)[0]
    below, above = _spread(values, leads)
    degraded = _degraded(ended, values, now)
    if degraded:
        extra = 0.5 * (above - below) + 0.1 * mean
        below, above = below - extra, above + extra
    mean, low, high = (np.maximum(series, 0.0) for series in (mean, mean + below, mean + above))
    starts = newest + (leads + 1) * HOUR_S
    return Forecast(
        history.zone,
        now,
        METHOD,
        tuple(
            ForecastWindow(*window)
            for window in zip(starts.tolist(), mean.tolist(), low.tolist(), high.tolist(), strict=True)
        ),
        degraded,
    )


def _hours(ended: list[Reading]) -> Series:
    """One value for each of the last hours up to the newest, NaN where there is no reading."""
    newest = ended[-1].observed_at
    ages = [(round((newest - reading.observed_at) / HOUR_S), reading.value) for reading in ended[-REACH_H:]]
    length = min(ages[0][0] + 1, REACH_H)
    values = np.full(length, np.nan)
    for age, value in ages:
        if age < length:
            values[length - 1 - age] = value
    return values


def _predict(values: Series, origins: NDArray[np.int64], leads: NDArray[np.int64]) -> Series:
    """The expected value at ``origin + lead`` for each origin (row) and lead (column).

    An origin is the first hour not known; only ``values[:origin]`` has a part in its row.
    """
    usual, before = _usual(values, origins)
    deviation = values[origins - 1] - before
    decay = 0.5 ** ((leads + 1) / HALF_LIFE_H)
    predicted: Series = usual[:, leads % 24] + deviation[:, None] * decay
    return predicted


def _usual(values: Series, origins: NDArray[np.int64]) -> tuple[Series, Series]:
    """Of each origin, the usual value of the 24 hours from it on, and of the hour before it.

    Where no day has the hour, the mean of the hours known takes its place.
    """
    hours = np.arange(-1, 24)
    days = np.arange(1, DAYS + 1)
    index = origins[:, None, None] + hours[None, :, None] - 24 * days
    known = np.where(index >= 0, values[np.maximum(index, 0)], np.nan)
    weights = np.where(np.isnan(known), 0.0, DAY_DECAY**days)
    total = weights.sum(axis=2)
    mean = (np.nan_to_num(known) * weights).sum(axis=2) / np.maximum(total, 1e-12)
    present = ~np.isnan(values)
    sums = np.concatenate(([0.0], np.cumsum(np.nan_to_num(values))))[origins]
    counts = np.concatenate(([0], np.cumsum(present)))[origins]
    usual = np.where(total > 0, mean, (sums / np.maximum(counts, 1))[:, None])
    return usual[:, 1:], usual[:, 0]


def _spread(values: Series, leads: NDArray[np.int64]) -> tuple[Series, Series]:
    """How far below and above the mean the 10 % and 90 % points lie, for each lead."""
    size = values.size
    breadth = float(np.nanmax(values) - np.nanmin(values))
    origins = np.arange(max(_FIRST_ORIGIN, size - JUDGED_H), size)
    if origins.size < 24:
        # Too little to judge the method by: any hour known may come again.
        width = np.full(leads.size, breadth)
        return -width, width
    tried = np.arange(min(LEAD_EDGES_H[-1], size - _FIRST_ORIGIN))
    target = origins[:, None] + tried
    actual = np.where(target < size, values[np.minimum(target, size - 1)], np.nan)
    errors = actual - _predict(values, origins, tried)
    scale = _scale(errors, target % 24)
    below, above = _by_lead(errors / scale[target % 24])
    pool = np.minimum(np.searchsorted(LEAD_EDGES_H, leads, side="right") - 1, below.size - 1)
    least = LEAST_SHARE * breadth
    wide = scale[(size + leads) % 24] * (WIDENED + WIDENED_PER_DAY * leads / 24)
    return np.minimum(below[pool] * wide, -least), np.maximum(above[pool] * wide, least)


def _scale(errors: Series, hour: NDArray[np.int64]) -> Series:
    """How erratic each hour of day is: its root mean square error with those of its two neighbours."""
    squares = np.zeros(24)
    counts = np.zeros(24)
    valid = ~np.isnan(errors)
    np.add.at(squares, hour[valid], errors[valid] ** 2)
    np.add.at(counts, hour[valid], 1)
    squares, counts = (np.roll(a, 1) + a + np.roll(a, -1) for a in (squares, counts))
    scale = np.sqrt(squares / np.maximum(counts, 1))
    usual = float(np.sqrt(squares.sum() / max(counts.sum(), 1))) or 1.0
    # An hour that happened to be foretold well is not taken to be certain.
    return np.maximum(scale, 0.25 * usual)


def _by_lead(scaled: Series) -> tuple[Series, Series]:
    """The 10 % and 90 % points of each pool of leads; a longer lead is never known better."""
    edges = [edge for edge in LEAD_EDGES_H if edge < scaled.shape[1]]
    points = np.zeros((2, len(edges)))
    for pool, (begin, end) in enumerate(zip(edges, [*edges[1:], scaled.shape[1]], strict=True)):
        errors = scaled[:, begin:end]
        errors = errors[~np.isnan(errors)]
        if errors.size:
            points[:, pool] = np.quantile(errors, (0.1, 0.9))
    return np.minimum.accumulate(np.minimum(points[0], 0.0)), np.maximum.accumulate(
        np.maximum(points[1], 0.0)
    )


def _degraded(ended: list[Reading], values: Series, now: float) -> str:
    """In words, what the forecast had to do without; empty when nothing was missing."""
    lacks: list[str] = []
    if values.size < 24:
        lacks.append(f"only {values.size} h of history")
    recent = values[-DAYS * 24 :]
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
