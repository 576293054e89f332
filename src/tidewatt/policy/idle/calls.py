"""What an idle policy sees and says: minutes with calls, and minutes to be kept warm through."""

from dataclasses import dataclass
from typing import Protocol

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


class IdlePolicy(Protocol):
    """What decides when to be warm."""

    def __call__(self, calls: Calls) -> Mask:
        """Whether each function is kept warm through each minute, if nothing calls it in that minute.

        The answer for a minute may depend on that minute and on those before it alone. A call is served warm
        if the minute before it was busy or kept warm. Where nothing was warm before, being warm means
        starting ahead of a call.
        """
        ...

    def stay_min(self, calls: Calls, now: int) -> int:
        """For how many minutes from minute ``now`` on to stay warm where nothing can start ahead of a call.

        One answer for all functions, which are kept warm by the same. No minute of ``calls`` from ``now`` on
        is busy; the answer is at most as many minutes as there are.
        """
        ...


def last_warm(warm: Mask, now: int) -> int:
    """Minutes from ``now`` on to the last one that any function is to be kept warm through."""
    wanted = np.flatnonzero(np.count_nonzero(warm[:, now:], axis=0))
    return 1 + int(wanted[-1]) if len(wanted) else 0


def ages(busy: Mask) -> NDArray[np.int64]:
    """How many minutes each function has been idle by the end of each; ``NEVER`` before its first call."""
    minutes: NDArray[np.int64] = np.arange(busy.shape[1], dtype=np.int64)
    last = np.where(busy, minutes, NEVER)
    np.maximum.accumulate(last, axis=1, out=last)
    return np.where(last == NEVER, NEVER, minutes - last)
