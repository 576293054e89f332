"""How good a method would have been: its errors, its ranges, and what decisions by it would have cost."""

from dataclasses import dataclass

import numpy as np

from tidewatt.errors import SignalMissing
from tidewatt.forecast.series import Method, Series
from tidewatt.forecast.spread import spread

LEADS_H = (1, 3, 6, 12, 24, 48)
_DAY_H = 24
WORK_H = 4
"""Hours of work in the day ahead that are decided on."""
_LEAST_H = 48
"""Hours that a method has to have seen before it is judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a method would have done over ``days`` days.

    ``error`` is the mean absolute error at the leads of ``LEADS_H``, gCO2e/kWh (None where no hour so far
    ahead is known), and ``inside`` the share of
    hours that lay in its 80 % range. Each day the ``WORK_H`` cleanest hours by forecast are chosen:
    ``saving`` is what that saves of the day's mean, ``best`` what knowing the future would have, and
    ``regret`` the cost above the best, as a share of it.
    """

    method: str
    days: int
    error: tuple[float | None, ...]
    inside: float
    saving: float
    best: float
    regret: float

    @property
    def captured(self) -> float:
        """The share of the best saving that was had; 1 where there was nothing to save."""
        return self.saving / self.best if self.best > 0 else 1.0


def judge(method: Method, zone: str, values: Series, first_h: int, days: int) -> Judgement:
    """Issue a forecast at every midnight of the last days, from the hours before it alone.

    Args:
        method: the method; it learns as it would have.
        zone: of the values.
        values: hours, gCO2e/kWh, NaN where there is none, up to the end of a day.
        first_h: the first of them, in hours since 1970.
        days: how many days at the end of the values are judged.

    Raises:
        SignalMissing: there is no whole day with enough hours before it.
    """
    leads = np.arange(max(LEADS_H))
    missed: list[Series] = []
    covered: list[Series] = []
    costs: list[tuple[float, float, float]] = []
    midnights = _midnights(values, first_h, days)
    if not midnights:
        raise SignalMissing(
            f"{values.size} hours of {zone}", f"{_LEAST_H} and a day to be judged", "give more history"
        )
    for at in midnights:
        since = max(0, at - method.reach_h)
        known = values[since:at]
        predict = method.prepare(zone, known, first_h + since)
        origin = np.array([known.size])
        mean = predict(known, origin, leads)[0]
        actual = np.full(leads.size, np.nan)
        actual[: values.size - at] = values[at : at + leads.size]
        below, above = spread(known, leads, predict)
        missed.append(actual - mean)
        inside = (actual >= mean + below) & (actual <= mean + above)
        covered.append(np.where(np.isnan(actual), np.nan, inside)[:_DAY_H])
        costs.append(_costs(mean[:_DAY_H], actual[:_DAY_H]))
    paid, best, usual = np.nansum(np.array(costs).reshape(-1, 3), axis=0)
    far = np.abs(np.array(missed))
    return Judgement(
        method=method.name,
        days=len(costs),
        error=tuple(_mean(far[:, lead - 1]) for lead in LEADS_H),
        inside=float(np.nanmean(np.array(covered))),
        saving=float(1 - paid / usual),
        best=float(1 - best / usual),
        regret=float(paid / best - 1),
    )


def _mean(values: Series) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None


def _midnights(values: Series, first_h: int, days: int) -> list[int]:
    """The indices of the last midnights, UTC, that have a whole day after them and some hours before."""
    first = -first_h % _DAY_H
    every = [at for at in range(first, values.size - _DAY_H + 1, _DAY_H) if at >= _LEAST_H]
    return every[-days:]


def _costs(foretold: Series, actual: Series) -> tuple[float, float, float]:
    """Mean intensity of the hours chosen, of the best ones and of all; NaN for a day with gaps."""
    if np.isnan(actual).any():
        return float("nan"), float("nan"), float("nan")
    chosen = np.argsort(foretold, kind="stable")[:WORK_H]
    return float(actual[chosen].mean()), float(np.sort(actual)[:WORK_H].mean()), float(actual.mean())
