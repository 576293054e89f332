"""What an idle policy sees and says: minutes with calls, and minutes to be kept warm through."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
"""Functions by minutes."""
Reals = NDArray[np.float64]

NEVER = -1
"""The age of a function that was not called yet."""


@dataclass(frozen=True, slots=True, eq=False)
class Calls:
    """The past of functions, minute by minute.

    ``busy[f, t]`` says that function f was called in minute t, or was still at work in it; ``memory_gb[f]``
    is what it takes to keep it warm, in 10^9 bytes. All calls of a minute come at its beginning.
    """

    busy: Mask
    memory_gb: Reals

    def of(self, functions: NDArray[np.intp]) -> "Calls":
        """Some of the functions, in the order given."""
        return Calls(self.busy[functions], self.memory_gb[functions])


IdlePolicy = Callable[[Calls], Mask]
"""Says of each function and minute whether it is kept warm through that minute, if nothing calls it in it.

The answer for a minute may depend on that minute and on those before it alone. A call is served warm if
the minute before it was busy or kept warm. Where nothing was warm before, being warm means starting ahead
of a call.
"""


def ages(busy: Mask) -> NDArray[np.int64]:
    """How many minutes each function has been idle by the end of each; ``NEVER`` before its first call."""
    minutes: NDArray[np.int64] = np.arange(busy.shape[1], dtype=np.int64)
    last = np.where(busy, minutes, NEVER)
    np.maximum.accumulate(last, axis=1, out=last)
    return np.where(last == NEVER, NEVER, minutes - last)
