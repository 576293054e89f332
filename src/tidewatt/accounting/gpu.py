"""What a GPU drew between two looks at it, and which of its processes used and held how much of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidewatt.domain.estimate import Estimate, Tier
from tidewatt.domain.units import MICROJOULES

ERROR_SHARE = 0.05
"""Half the width of the range of a board's sensor, from which its energy counter is made as well.

Source: NVIDIA, NVML API reference, nvmlDeviceGetPowerUsage: within 5 % of the present draw. Yang, Adamek,
Armour: Part-time Power Measurements (SC 2024, arXiv 2312.02741) measured boards against an external meter
and found that some are sensed for a quarter of the time only, which no bound of ours covers.
"""
BOUND = 0.10
"""Counter and power may differ by this share of the larger: both ends of the sensor's own error."""
WINDOW_S = 30.0
"""They are compared over so many seconds: one interval of a load that changes proves nothing."""
_LEAST_S = 5.0
"""Over less than this they are not compared."""
_STUCK_S = 0.5
"""A counter that stands still for so long is stuck: boards bring it up to date many times a second."""
_SLACK_S = 1.0
_ABOVE_LIMIT = 2.0
"""A board may exceed its power limit for a moment, and never by this factor over an interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a GPU said at one moment; what it does not say, or not any more, is None."""

    count_mj: int | None
    """Millijoules since its driver was loaded."""
    power_w: float | None


@dataclass(frozen=True, slots=True)
class Span:
    """One interval in which a GPU told both its count and its power."""

    wall_s: float
    counted_j: float
    integrated_j: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Energy of an interval in joules, how well it is known, and what is wrong with it in words."""

    energy_j: Estimate
    tier: Tier
    how: str
    """In a word or two, empty for a counter that power agrees with."""
    note: str = ""


def counted_j(before: Look, after: Look, wall_s: float, most_w: float) -> float | None:
    """Joules by the counter, or None if it does not tell: missing, reset, stuck or not to be believed."""
    if before.count_mj is None or after.count_mj is None or after.count_mj < before.count_mj:
        return None
    used_j = (after.count_mj - before.count_mj) / 1000
    if used_j > _ABOVE_LIMIT * most_w * (wall_s + _SLACK_S) or (used_j == 0 and wall_s > _STUCK_S):
        return None
    return used_j


def integrated_j(before: Look, after: Look, wall_s: float) -> Estimate | None:
    """Joules from the power at both ends: their mean, between the lower and the higher.

    Where the first is not known the last stands for both. None where the last is not: the GPU may be gone.
    """
    if after.power_w is None:
        return None
    seen = [after.power_w, after.power_w if before.power_w is None else before.power_w]
    return Estimate(
        sum(seen) / 2 * wall_s,
        min(seen) * wall_s * (1 - ERROR_SHARE),
        max(seen) * wall_s * (1 + ERROR_SHARE),
    )


def recent(spans: Sequence[Span], new: Span) -> tuple[Span, ...]:
    """The newest intervals that together make up the window, the new one included."""
    kept = [new]
    for span in reversed(spans):
        if sum(one.wall_s for one in kept) >= WINDOW_S:
            break
        kept.append(span)
    return tuple(reversed(kept))


def disagreement(spans: Sequence[Span]) -> tuple[float, float] | None:
    """Mean watts by the counter and by power where they differ by more than the bound, else None."""
    wall_s = sum(span.wall_s for span in spans)
    counted = sum(span.counted_j for span in spans)
    integrated = sum(span.integrated_j for span in spans)
    if wall_s < _LEAST_S or abs(counted - integrated) <= BOUND * max(counted, integrated):
        return None
    return counted / wall_s, integrated / wall_s


def drawn(
    before: Look, after: Look, wall_s: float, spans: Sequence[Span], most_w: float, last_w: float
) -> Drawn:
    """The best that can be said of an interval, and never that nothing was drawn where nothing is known.

    Args:
        before: the look at its start.
        after: that at its end.
        wall_s: its length.
        spans: the recent intervals, this one included if it tells both.
        most_w: the power limit of the board.
        last_w: its power when it was last known.
    """
    counted, power = counted_j(before, after, wall_s, most_w), integrated_j(before, after, wall_s)
    if counted is not None:
        return _by_counter(counted, power, disagreement(spans))
    if power is not None:
        reset = before.count_mj is not None or after.count_mj is not None
        note = "its energy counter was reset or stands still" if reset else ""
        return Drawn(energy_j=power, tier=Tier.HYBRID, how="sampled power", note=note)
    return Drawn(
        energy_j=Estimate(min(last_w, most_w) * wall_s, 0.0, most_w * wall_s),
        tier=Tier.MODEL,
        how="lost, its last power",
        note="it cannot be read any more, and is taken to draw what it drew last",
    )


def _by_counter(counted: float, power: Estimate | None, apart_w: tuple[float, float] | None) -> Drawn:
    energy_j = Estimate(counted, counted * (1 - ERROR_SHARE), counted * (1 + ERROR_SHARE))
    if apart_w is None or power is None:
        return Drawn(energy_j=energy_j, tier=Tier.COUNTER, how="")
    by_counter_w, by_power_w = apart_w
    other = counted * by_power_w / by_counter_w if by_counter_w > 0 else power.value
    low, high = min(counted, other), max(counted, other)
    return Drawn(
        energy_j=Estimate(counted, low * (1 - ERROR_SHARE), high * (1 + ERROR_SHARE)),
        tier=Tier.HYBRID,
        how="counter and power disagree",
        note=f"its counter says {by_counter_w:.0f} W and its power {by_power_w:.0f} W",
    )


def microjoules(drawn_j: Estimate, idle_w: Estimate, wall_s: float) -> tuple[int, int, int, int]:
    """Energy, its static part, and its bounds low and high, in whole microjoules."""
    energy_uj = round(drawn_j.value * MICROJOULES)
    static_uj = min(energy_uj, round(idle_w.value * wall_s * MICROJOULES))
    low_uj = min(energy_uj, int(drawn_j.low * MICROJOULES))
    return energy_uj, static_uj, low_uj, max(energy_uj, int(drawn_j.high * MICROJOULES) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A part of a GPU that is told apart (MIG), or all of it: its size, and the processes that live in it."""

    parts: int
    processes: tuple[int, ...]


def held_s(instances: Sequence[Instance], wall_s: float) -> dict[int, float]:
    """Part-seconds that each process holds: those of its instance, divided among all that live there.

    A process that keeps a context on a GPU keeps others from what it holds, whether or not it computes.
    """
    held: dict[int, float] = {}
    for instance in instances:
        for process in instance.processes:
            share = instance.parts * wall_s / len(instance.processes)
            held[process] = held.get(process, 0.0) + share
    return held


def busy_s(busy_share: Mapping[int, float], wall_s: float) -> dict[int, float]:
    """Seconds in which each process had an undivided GPU compute, from its share of the GPU's processors."""
    return {process: wall_s * min(1.0, max(0.0, share)) for process, share in busy_share.items()}
