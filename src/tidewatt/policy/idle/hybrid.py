"""The hybrid histogram of Shahrad et al., "Serverless in the Wild" (USENIX ATC 2020, section 4.2)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidewatt.policy.idle.calls import Calls, Mask, last_warm

_LEAST_FOR_A_LINE = 3
"""Idle times from which an autoregression is fitted; below it the last one is expected again."""


@dataclass(frozen=True, slots=True)
class HybridHistogram:
    """After each call unload, load again before the head of the idle times, and stay until their tail.

    Idle times of a function are counted in bins of a minute. Where the bins' counts vary little (their
    coefficient of variation is below ``least_variation``) or nothing was counted, it stays warm for the whole
    range. Where most idle times are longer than the range the next one is predicted from those before, and
    the function is warm for ``series_margin`` of it on each side.

    The paper fits an ARIMA there, by ``auto_arima``; this is its AR(1) case, fitted by least squares: no
    library for the other cases is among our dependencies. Its "too many" out-of-range times are taken
    as more than half, which it leaves open. A minute without a call is warm or not as a whole, as for all
    policies here.
    """

    head: float = 0.05
    tail: float = 0.99
    margin: float = 0.10
    range_min: int = 240
    least_variation: float = 2.0
    most_beyond: float = 0.5
    series_margin: float = 0.15

    def __call__(self, calls: Calls) -> Mask:
        """Warm between the two windows, function by function."""
        warm = np.zeros_like(calls.busy)
        for row, busy in zip(warm, calls.busy, strict=True):
            self._fill(row, np.flatnonzero(busy))
        return warm

    def stay_min(self, calls: Calls, now: int) -> int:
        """Until the later window ends: what cannot be loaded again is not unloaded before it."""
        return last_warm(self(calls), now)

    def _fill(self, warm: NDArray[np.bool_], minutes: NDArray[np.intp]) -> None:
        """Mark the warm minutes of one function, called in these minutes."""
        counts = np.zeros(self.range_min)
        idle_times: list[int] = []
        ends = np.append(minutes, len(warm))[1:]
        for minute, next_minute in zip(minutes.tolist(), ends.tolist(), strict=True):
            idle = next_minute - minute - 1
            if idle:
                first, last = self._window(counts, idle_times)
                warm[min(minute + first, next_minute) : min(minute + last + 1, next_minute)] = True
            idle_times.append(idle)
            if idle < self.range_min:
                counts[idle] += 1

    def _window(self, counts: NDArray[np.float64], idle_times: list[int]) -> tuple[int, int]:
        """The first and the last idle minute to be warm in; the first minute after a call is 1."""
        within = counts.sum()
        if idle_times and len(idle_times) - within > self.most_beyond * len(idle_times):
            expected = _next_of(idle_times)
            reach = self.series_margin * expected
            return max(1, math.floor(expected - reach) + 1), math.ceil(expected + reach)
        if not within or counts.std() < self.least_variation * counts.mean():
            return 1, self.range_min
        shares = np.cumsum(counts) / within
        head, tail = (int(np.searchsorted(shares, share - 1e-12)) for share in (self.head, self.tail))
        first = min(math.floor(head * (1 - self.margin)) + 1, head)  # warm before a call after `head` minutes
        return max(1, first), math.ceil((tail + 1) * (1 + self.margin))


def _next_of(idle_times: list[int]) -> float:
    """The idle time that an AR(1) process expects after those seen."""
    if len(idle_times) < _LEAST_FOR_A_LINE:
        return float(idle_times[-1])
    times = np.array(idle_times, dtype=np.float64)
    before, after = times[:-1] - times[:-1].mean(), times[1:] - times[1:].mean()
    spread = float(before @ before)
    slope = min(1.0, max(-1.0, float(before @ after) / spread)) if spread else 0.0
    return max(0.0, float(times[1:].mean()) + slope * float(times[-1] - times[:-1].mean()))
