"""Several methods at once, each weighing as much as it has been right of late, lead by lead."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from tidewatt.forecast.series import LEAD_EDGES_H, Ints, Method, Predict, Series, errors

JUDGED_H = 336
"""Past hours by which the methods are judged."""
_MOST_LEADS = 48
_LEAST_ERRORS = 24
_TINY = 1e-12


class Blend:
    """The mean of methods, weighted by one over their mean square error of the last two weeks in the zone."""

    def __init__(self, methods: Sequence[Method]) -> None:
        self._methods = tuple(methods)
        self.name = f"blend of {', '.join(method.name for method in self._methods)}"
        self.reach_h = max(method.reach_h for method in self._methods)

    def prepare(self, zone: str, values: Series, first_h: int) -> Predict:
        """Let each method learn, then judge them; all weigh the same while there is little to judge by."""
        predictors = [method.prepare(zone, values, first_h) for method in self._methods]
        weights = _weights(values, predictors)

        def predict(values: Series, origins: Ints, leads: Ints) -> Series:
            pool = np.minimum(np.searchsorted(LEAD_EDGES_H, leads, side="right") - 1, weights.shape[1] - 1)
            each = [each(values, origins, leads) for each in predictors]
            total: Series = sum(
                (weight[pool] * part for weight, part in zip(weights, each, strict=True)),
                start=np.zeros_like(each[0]),
            )
            return total

        return predict


def _weights(values: Series, predictors: Sequence[Predict]) -> Series:
    """A row for each method, a column for each pool of leads; columns add up to 1."""
    pools = len(LEAD_EDGES_H) - 1
    equal = np.full((len(predictors), pools), 1 / len(predictors))
    origins = np.arange(max(25, values.size - JUDGED_H), values.size)
    if origins.size < _LEAST_ERRORS:
        return equal
    leads = np.arange(_MOST_LEADS)
    squares = np.array([errors(values, origins, leads, predict) ** 2 for predict in predictors])
    weights = equal.copy()
    for pool, (begin, end) in enumerate(pairwise(LEAD_EDGES_H)):
        part = squares[:, :, begin:end]
        known = np.isfinite(part).all(axis=0)
        if known.sum() < _LEAST_ERRORS:
            weights[:, pool] = weights[:, pool - 1] if pool else equal[:, 0]
            continue
        worth = 1 / np.maximum(part[:, known].mean(axis=1), _TINY)
        weights[:, pool] = worth / worth.sum()
    return weights
