"""Telling work from waiting: processors that are held and hardly used."""

from collections.abc import Mapping

from tidewatt.domain.ledger import Phase

SHARE = 0.05
"""Of the processors held: what uses less while it should compute is stalled."""
_LEAST_S = 0.5
"""Processor time is told in ticks: over a shorter interval it says too little."""


def told_apart(
    spent: Mapping[Phase, float], phase: Phase, held_cpu_s: float, wall_s: float, share: float = SHARE
) -> dict[Phase, float]:
    """Processor seconds of an attempt by phase, what it computed being stalled if that was next to nothing.

    A worker that waits for data, for a lock or for the network is resident and costs its share of the power
    that is always drawn. Starting, saving and leaving are phases of their own and never stalled.

    Args:
        spent: by phase, over one interval.
        phase: the one that it is in now.
        held_cpu_s: processors that it holds, times the interval.
        wall_s: the interval.
        share: of what it holds; using less is a stall.
    """
    found = dict(spent)
    if phase is not Phase.COMPUTE or wall_s < _LEAST_S or sum(found.values()) >= share * held_cpu_s:
        return found
    waited_s = found.pop(Phase.COMPUTE, 0.0)
    found[Phase.STALLED] = found.get(Phase.STALLED, 0.0) + waited_s
    return found
