"""Past hours as arrays, and what a method of forecasting is."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]
"""A value for each hour, NaN where there is none."""
Ints = NDArray[np.int64]

Predict = Callable[[Series, Ints, Ints], Series]
"""Hours known, origins, leads -> the expected value at ``origin + lead``, a row for each origin.

An origin is the first hour not known: only the hours before it have a part in its row.
"""


class Method(Protocol):
    """A way to forecast."""

    @property
    def name(self) -> str:
        """How it is named wherever its figures are shown."""
        ...

    @property
    def reach_h(self) -> int:
        """Hours of history that it looks at."""
        ...

    def prepare(self, zone: str, values: Series, first_h: int) -> Predict:
        """Learn from the hours known; ``first_h`` is the first of them, in hours since 1970."""
        ...


LEAD_EDGES_H = (0, 1, 2, 3, 5, 8, 12, 18, 24, 36, 48, 72)
"""Past errors are pooled over leads from each of these to the next, so that each pool is large enough."""


def errors(values: Series, origins: Ints, leads: Ints, predict: Predict) -> Series:
    """Actual less predicted at ``origin + lead``, NaN where the hour is not known."""
    target = origins[:, None] + leads
    actual = np.where(target < values.size, values[np.minimum(target, values.size - 1)], np.nan)
    found: Series = actual - predict(values, origins, leads)
    return found
