"""Warm zero priced against true zero: warm as long as a call is likely enough to pay for it."""

from dataclasses import dataclass, replace

import numpy as np

from tidewatt.policy.idle.calls import Calls, Mask, Reals
from tidewatt.policy.idle.odds import odds

_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What starting, waiting for it and standing by take, all in joules.

    ``start_j`` is the energy of getting warm, whoever asked for it; ``wait_j`` what it is worth on top that
    a call need not wait; ``idle_w_per_gb`` the power of each 10^9 bytes kept warm.
    """

    start_j: float
    wait_j: float
    idle_w_per_gb: float

    def idle_j(self, memory_gb: Reals) -> Reals:
        """What a warm minute takes."""
        return memory_gb * (self.idle_w_per_gb * _MINUTE_S)

    @property
    def cold_j(self) -> float:
        """What a call that finds nothing warm costs in all."""
        return self.start_j + self.wait_j

    def worth(self, minutes: float, memory_gb: float) -> "Price":
        """The same, with waiting priced so that a cold call costs as much as so many warm minutes."""
        cold_j = minutes * float(self.idle_j(np.array(memory_gb)))
        return replace(self, wait_j=max(0.0, cold_j - self.start_j))


@dataclass(frozen=True, slots=True)
class Priced:
    """Warm through a minute if what its cold call would cost, times its odds, pays for the minute.

    Being warm in a minute changes nothing about later ones but for a start, so minutes are judged one by one:
    the newsvendor's rule, with the odds that an idle time ends now in the place of a demand. What is cold has
    its start to pay as well: it takes better odds to warm up ahead of a call than to stay warm.
    """

    price: Price

    def __call__(self, calls: Calls) -> Mask:
        """Warm where it pays."""
        return self.decided(calls, odds(calls.busy))

    def stay_min(self, calls: Calls, now: int) -> int:
        """The minutes with the best balance of what they are expected to save and to take.

        A minute is reached if no call has come before it; in it a cold call is saved with the odds of the
        function that is likeliest to be called, which may come at any moment of the minute after it.
        """
        likely = odds(calls.busy)[:, now:].max(axis=0, initial=0.0)
        reached = np.cumprod(np.append(1.0, 1 - likely))[:-1]
        idle_j = self.price.idle_j(calls.memory_gb).max(initial=0.0)
        balance = np.cumsum(reached * (likely * self.price.cold_j - idle_j))
        best = int(balance.argmax())
        return min(best + 2, len(balance)) if balance[best] > 0 else 0

    def decided(self, calls: Calls, likely: Reals) -> Mask:
        """The same, by odds that were worked out before: they do not depend on the price."""
        gain_j = likely * self.price.cold_j
        idle_j = self.price.idle_j(calls.memory_gb)[:, None]
        stays = (likely > 0) & (gain_j >= idle_j)
        wakes = stays & (gain_j >= idle_j + self.price.start_j)
        warm = np.zeros_like(calls.busy)
        before = np.zeros(len(warm), dtype=np.bool_)
        for minute in range(warm.shape[1]):
            warm[:, minute] = wakes[:, minute] | (stays[:, minute] & before)
            before = warm[:, minute] | calls.busy[:, minute]
        return warm
