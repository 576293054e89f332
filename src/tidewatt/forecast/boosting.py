"""Gradient-boosted trees on lags, the calendar and, where it is given, what is known of the hours ahead."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tidewatt.errors import UsageError
from tidewatt.forecast import hourly
from tidewatt.forecast.series import Ints, Predict, Series

NAME = "gradient boosting"
HELD_BACK_H = 336
"""The newest hours are not learnt from, so that the method can be judged by them."""
RETRAIN_H = 168
LEAST_H = 28 * 24
"""Hours to learn from; with fewer the fallback is better."""
_LEADS = np.concatenate((np.arange(12), np.arange(12, 48, 2)))
"""The leads learnt; longer ones are taken to be like the last."""
_LAST_LEAD = 47
_EVERY = 2
_ROWS = 250_000
"""Of training data at most; the newest are kept."""
_LAGS_H = (1, 2, 3, 6, 12, 24)
_DAYS = 3
_FIRST = 9 * 24
"""The first origin that has all its lags."""


@dataclass(frozen=True, slots=True, eq=False)
class Ahead:
    """What is foretold of every hour and known before it, such as weather: a row for each hour.

    ``first_h`` is the hour since 1970 of the first row. Where days ahead are asked for beyond the last row,
    and for NaN, the trees do without.
    """

    first_h: int
    columns: NDArray[np.float64]

    def at(self, hours: Ints) -> NDArray[np.float64]:
        """The rows of these hours, NaN where there are none."""
        index = hours - self.first_h
        inside = (index >= 0) & (index < len(self.columns))
        rows = self.columns[np.where(inside, index, 0)]
        return np.where(inside[..., None], rows, np.nan)


class _Trees(Protocol):
    """What is used of scikit-learn, which has no types."""

    def fit(self, rows: NDArray[np.float64], wanted: Series) -> "_Trees": ...

    def predict(self, rows: NDArray[np.float64]) -> Series: ...


class Boosting:
    """Trees that correct the 7-day mean of the hour, learnt anew each week from up to ``reach_h`` hours.

    Args:
        ahead: by zone, what else is known of the hours to come.
        reach_h: hours of history to learn from.

    Raises:
        UsageError: when it is asked for a forecast and scikit-learn is not installed.
    """

    name = NAME

    def __init__(self, ahead: Mapping[str, Ahead] | None = None, reach_h: int = 365 * 24) -> None:
        self._ahead = ahead or {}
        self.reach_h = reach_h
        self._learnt: dict[str, tuple[int, _Trees]] = {}

    def prepare(self, zone: str, values: Series, first_h: int) -> Predict:
        """Learn if a week has gone by since; the fallback if there is too little to learn from."""
        end_h = first_h + values.size
        if values.size - HELD_BACK_H < LEAST_H:
            return hourly.predict
        learnt_at, trees = self._learnt.get(zone, (0, None))
        if trees is None or not learnt_at <= end_h < learnt_at + RETRAIN_H:
            trees = self._learn(zone, values, first_h)
            self._learnt[zone] = (end_h, trees)
        model, ahead = trees, self._ahead.get(zone)

        def predict(values: Series, origins: Ints, leads: Ints) -> Series:
            rows, usual = _features(values, origins, leads, first_h, ahead)
            corrections = model.predict(rows).reshape(usual.shape)
            # Origins too early to have lags are those of the fallback.
            found: Series = np.where(np.isfinite(usual + corrections), usual + corrections, usual)
            return found

        return predict

    def _learn(self, zone: str, values: Series, first_h: int) -> _Trees:
        last = values.size - HELD_BACK_H - int(_LEADS[-1]) - 1
        origins = np.arange(last, _FIRST, -_EVERY)[: _ROWS // _LEADS.size][::-1]
        rows, usual = _features(values, origins, _LEADS, first_h, self._ahead.get(zone))
        wanted = (values[origins[:, None] + _LEADS] - usual).ravel()
        known = np.isfinite(wanted)
        return _trees(large=zone in self._ahead).fit(rows[known], wanted[known])


def _trees(*, large: bool) -> _Trees:
    """Untrained trees; larger ones pay where there is more to learn from than past hours."""
    try:
        ensemble = import_module("sklearn.ensemble")
    except ImportError as error:
        raise UsageError(
            "no scikit-learn", "what the trees are learnt with", "pip install 'tidewatt[plan]'"
        ) from error
    made: _Trees = ensemble.HistGradientBoostingRegressor(
        max_iter=300 if large else 120,
        learning_rate=0.04 if large else 0.06,
        max_leaf_nodes=31 if large else 15,
        min_samples_leaf=60,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=0,
    )
    return made


def _features(
    values: Series, origins: Ints, leads: Ints, first_h: int, ahead: Ahead | None
) -> tuple[NDArray[np.float64], Series]:
    """A row for each origin and lead, and the usual value that it corrects."""
    usual, before = hourly.usual_hours(values, origins)
    base: Series = usual[:, leads % 24]
    target = origins[:, None] + leads
    hour = target + first_h
    same_hour = origins[:, None] + leads % 24 - 24
    columns = [np.minimum(target - origins[:, None], _LAST_LEAD), hour % 24, (hour // 24 + 4) % 7, base]
    columns += [_at(values, same_hour - 24 * day) - base for day in range(_DAYS)]
    past = [_at(values, origins - lag) for lag in _LAGS_H]
    day, week = _mean(values, origins, 24), _mean(values, origins, 168)
    level = [past[0] - before, *past, day, day - week]
    columns += [np.broadcast_to(each[:, None], target.shape) for each in level]
    if ahead is not None:
        there = ahead.at(hour)
        change = there - ahead.at(same_hour + first_h)
        columns += [part[..., i] for part in (there, change) for i in range(there.shape[-1])]
    return np.stack(columns, axis=-1).reshape(target.size, -1).astype(np.float64), base


def _at(values: Series, index: Ints) -> Series:
    found: Series = np.where(index >= 0, values[np.maximum(index, 0)], np.nan)
    return found


def _mean(values: Series, origins: Ints, count: int) -> Series:
    """The mean of so many hours before each origin, as far as they are known."""
    known = ~np.isnan(values)
    sums = np.concatenate(([0.0], np.cumsum(np.nan_to_num(values))))
    counts = np.concatenate(([0], np.cumsum(known)))
    since = np.maximum(origins - count, 0)
    there = counts[origins] - counts[since]
    found: Series = np.where(there > 0, (sums[origins] - sums[since]) / np.maximum(there, 1), np.nan)
    return found
