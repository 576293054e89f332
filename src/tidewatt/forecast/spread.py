"""How far a method may err: from what it erred by over the last week."""

import numpy as np

from tidewatt.forecast.series import LEAD_EDGES_H, Ints, Predict, Series, errors

JUDGED_H = 168
"""Past hours from which the method is run again to learn how far it errs."""

WIDENED = 1.1
WIDENED_PER_DAY = 0.05
"""What the range is widened by, and further for each day ahead: a week of errors is a small sample."""

LEAST_SHARE = 0.02
"""The least distance of low and high from the mean, of the difference between all hours known."""

_FIRST_ORIGIN = 25
"""The first hour that a method can be judged at: a day and an hour lie before it."""


def spread(values: Series, leads: Ints, predict: Predict) -> tuple[Series, Series]:
    """How far below and above the mean the 10 % and 90 % points lie, for each lead."""
    size = values.size
    breadth = float(np.nanmax(values) - np.nanmin(values))
    origins = np.arange(max(_FIRST_ORIGIN, size - JUDGED_H), size)
    if origins.size < 24:
        # Too little to judge the method by: any hour known may come again.
        width = np.full(leads.size, breadth)
        return -width, width
    tried = np.arange(min(LEAD_EDGES_H[-1], size - _FIRST_ORIGIN))
    target, missed = origins[:, None] + tried, errors(values, origins, tried, predict)
    scale = _scale(missed, target % 24)
    below, above = _by_lead(missed / scale[target % 24])
    pool = np.minimum(np.searchsorted(LEAD_EDGES_H, leads, side="right") - 1, below.size - 1)
    least = LEAST_SHARE * breadth
    wide = scale[(size + leads) % 24] * (WIDENED + WIDENED_PER_DAY * leads / 24)
    return np.minimum(below[pool] * wide, -least), np.maximum(above[pool] * wide, least)


def _scale(missed: Series, hour: Ints) -> Series:
    """How erratic each hour of day is: its root mean square error with those of its two neighbours."""
    squares = np.zeros(24)
    counts = np.zeros(24)
    valid = ~np.isnan(missed)
    np.add.at(squares, hour[valid], missed[valid] ** 2)
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
        pooled = scaled[:, begin:end]
        pooled = pooled[~np.isnan(pooled)]
        if pooled.size:
            points[:, pool] = np.quantile(pooled, (0.1, 0.9))
    return np.minimum.accumulate(np.minimum(points[0], 0.0)), np.maximum.accumulate(
        np.maximum(points[1], 0.0)
    )
