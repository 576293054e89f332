"""For how long one machine stays warm, from when each of its functions was called."""

import math
from collections.abc import Iterable

import numpy as np

from tidewatt.domain.units import MINUTE_S
from tidewatt.policy.idle.calls import Calls, IdlePolicy

_DAY_MIN = 1440
_LEAST_MIN = 60
"""Minutes since the first call known, below which there is nothing to go by."""
_MOST_MIN = 240


def stay_s(
    policy: IdlePolicy, called: Iterable[tuple[str, float]], *, now: float, idle_s: float, memory_gb: float
) -> float:
    """Seconds from now for which a policy keeps warm what all functions share, if nothing calls them.

    All functions together are looked at as one more function. Of calls the last day counts; no calls, or none
    that is an hour old, say nothing, and nothing is stayed for.

    Args:
        policy: what decides.
        called: the function and the instant of each call.
        now: the instant to decide at, on the same clock.
        idle_s: for how long nothing has been at work, which may be less than since the last call.
        memory_gb: what it takes to stay warm, in 10^9 bytes.
    """
    ago = {(name, int((now - at) // MINUTE_S)) for name, at in called}
    ago = {(name, minutes) for name, minutes in ago if 0 <= minutes < _DAY_MIN}
    length = 1 + max((minutes for _, minutes in ago), default=0)
    if length <= _LEAST_MIN:
        return 0.0
    rows = {name: row for row, name in enumerate(sorted({name for name, _ in ago}))}
    busy = np.zeros((len(rows) + 1, length + _MOST_MIN), dtype=np.bool_)
    for name, minutes in ago:
        busy[rows[name], length - 1 - minutes] = True
    busy[-1] = busy.any(axis=0)
    idle_min = math.floor(idle_s / MINUTE_S)
    busy[-1, max(0, length - 1 - idle_min)] = True
    return MINUTE_S * policy.stay_min(Calls(busy, np.full(len(busy), memory_gb)), length)
