"""The method to beat: tomorrow will be like today."""

import numpy as np

from tidewatt.forecast.series import Ints, Predict, Series
from tidewatt.forecast.spread import JUDGED_H

NAME = "persistence"


class Persistence:
    """An hour is expected to be what the same hour was on the newest day that is known."""

    name = NAME
    reach_h = JUDGED_H + 72

    def prepare(self, zone: str, values: Series, first_h: int) -> Predict:  # noqa: ARG002 - part of the protocol
        """Nothing is learnt beforehand."""
        return predict


def predict(values: Series, origins: Ints, leads: Ints) -> Series:
    """The same hour of the newest day known; the mean of all hours known before where there is none."""
    index = origins[:, None] + leads % 24 - 24
    known = np.where(index >= 0, values[np.maximum(index, 0)], np.nan)
    sums = np.concatenate(([0.0], np.cumsum(np.nan_to_num(values))))[origins]
    counts = np.concatenate(([0], np.cumsum(~np.isnan(values))))[origins]
    found: Series = np.where(np.isnan(known), (sums / np.maximum(counts, 1))[:, None], known)
    return found
