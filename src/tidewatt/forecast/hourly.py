"""The method that needs nothing but numpy: the mean of the hour over a week, and decaying persistence."""

import numpy as np

from tidewatt.domain.signal import Forecast, Signal
from tidewatt.forecast.issue import issue
from tidewatt.forecast.series import Ints, Predict, Series
from tidewatt.forecast.spread import JUDGED_H

METHOD = "7-day hour mean with decaying persistence"

HALF_LIFE_H = 12.0
"""In how many hours the newest deviation from the usual hour is expected to halve."""

DAY_DECAY = 0.85
"""The weight of each day over that of the day after it."""

DAYS = 7
"""Days that the mean of an hour of day is taken over."""

REACH_H = JUDGED_H + DAYS * 24 + 24
"""Hours of history that are looked at."""


class Hourly:
    """The mean of an hour is that hour of day over the 7 days before, newer days weighing more.

    To it comes the newest deviation from the usual hour, halved every ``HALF_LIFE_H``.
    """

    name = METHOD
    reach_h = REACH_H

    def prepare(self, zone: str, values: Series, first_h: int) -> Predict:  # noqa: ARG002 - part of the protocol
        """Nothing is learnt beforehand."""
        return predict


def forecast(history: Signal, now: float, horizon_s: float) -> Forecast:
    """What the hours to come are expected to be by this method; see ``issue``."""
    return issue(Hourly(), history, now, horizon_s)


def predict(values: Series, origins: Ints, leads: Ints) -> Series:
    """The usual value of each hour and what is left of the newest deviation."""
    usual, before = usual_hours(values, origins)
    deviation = values[origins - 1] - before
    decay = 0.5 ** ((leads + 1) / HALF_LIFE_H)
    predicted: Series = usual[:, leads % 24] + deviation[:, None] * decay
    return predicted


def usual_hours(values: Series, origins: Ints) -> tuple[Series, Series]:
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
