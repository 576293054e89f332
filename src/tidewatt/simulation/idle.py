"""What a day of calls costs under an idle policy, and what it would cost with foresight."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidewatt.policy.idle.calls import Calls, Mask, Reals, ages
from tidewatt.policy.idle.priced import Price


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """What came of it, function by function.

    ``calls`` counts busy minutes, ``cold`` those of them that found nothing warm, ``ahead`` starts that no
    call had asked for yet, ``idle_gb_min`` 10^9 bytes kept warm, times minutes.
    """

    calls: NDArray[np.int64]
    cold: NDArray[np.int64]
    ahead: NDArray[np.int64]
    idle_gb_min: Reals

    @property
    def cold_pct(self) -> float:
        """Cold calls among all, percent."""
        return 100.0 * float(self.cold.sum()) / float(self.calls.sum())

    @property
    def idle_gb_h(self) -> float:
        """Memory kept warm while idle, in 10^9 bytes times hours."""
        return float(self.idle_gb_min.sum()) / 60

    def joules(self, price: Price) -> float:
        """The energy of standing by and of all starts; what waiting is worth is no part of it."""
        starts = float((self.cold + self.ahead).sum())
        return float(price.idle_j(self.idle_gb_min).sum()) + starts * price.start_j


def play(calls: Calls, warm: Mask) -> Tally:
    """Play one day.

    All calls of a minute come at its beginning and keep their function busy through it, one instance serving
    them all. A minute without calls is spent warm or not, as the policy says.
    """
    busy = calls.busy
    idle = warm & ~busy
    ready = np.zeros_like(busy)
    ready[:, 1:] = (busy | idle)[:, :-1]
    return Tally(
        calls=busy.sum(axis=1),
        cold=(busy & ~ready).sum(axis=1),
        ahead=(idle & ~ready).sum(axis=1),
        idle_gb_min=idle.sum(axis=1) * calls.memory_gb,
    )


def foreseen(calls: Calls, price: Price, *, ahead: bool) -> Mask:
    """What to keep warm if the future were known: the least price that any policy can have.

    Each idle time is stayed through if that costs less than a cold call; the first call of a function is
    cold. With ``ahead`` it may also be slept
    through up to its last minute, which then costs that minute and a start; without, this is the bound
    for policies that never start before a call does.
    """
    idle_j = price.idle_j(calls.memory_gb)[:, None]
    length = _length_of_gaps(calls.busy)
    stay_j = np.where(length > 0, length * idle_j, np.inf)
    wake_j = idle_j + price.start_j if ahead else np.full_like(idle_j, np.inf)
    stays = (stay_j <= price.cold_j) & (stay_j <= wake_j)
    wakes = ~stays & (wake_j < price.cold_j) & (length > 0)
    last = np.zeros_like(calls.busy)
    last[:, :-1] = calls.busy[:, 1:]
    return np.asarray((stays | (wakes & last)) & ~calls.busy)


def _length_of_gaps(busy: Mask) -> NDArray[np.int64]:
    """For each idle minute between two calls how long that idle time is in all; 0 elsewhere."""
    before, after = ages(busy), ages(busy[:, ::-1])[:, ::-1]
    return np.where((before > 0) & (after > 0), before + after - 1, 0)
