"""What a run took less, or more, than the one that it is compared with."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isclose

from tidewatt.accounting.carbon import Lot, Operational
from tidewatt.accounting.counterfactual import Counterfactual, Unknown
from tidewatt.accounting.embodied import embodied
from tidewatt.accounting.factors import DEFAULTS, Factors
from tidewatt.domain.estimate import ZERO, Estimate, total
from tidewatt.domain.units import JOULES_PER_KWH


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """A difference in carbon, gCO2e; below zero the run took more than the other.

    ``operational_g`` is what the choice of hours, places and worker counts did; ``share`` is the same as
    a share of the other run's carbon (None if that is 0). ``with_embodied_g`` adds the difference in
    embodied carbon.
    """

    operational_g: Estimate
    share: Estimate | None
    with_embodied_g: Estimate


@dataclass(frozen=True, slots=True)
class _Hour:
    """What both runs drew in one hour of one zone, joules, and its intensity, PUE included if that varies."""

    ours_j: float
    theirs_j: Estimate
    intensity: Estimate


def saving(
    actual: Operational, machine_s: float, other: Counterfactual, factors: Factors = DEFAULTS
) -> Saving | Unknown:
    """The other run less the actual one.

    The error of the meter is the same for both, and so is a PUE that does not change by the hour: they scale
    a saving and cannot change its sign. And an hour in which both drew power has one intensity, not two. All
    else is taken at its worst for the low bound and at its best for the high one.

    Args:
        actual: What the run took.
        machine_s: Real seconds of the whole machine that it reserved.
        other: The run to compare it with.
        factors: Those that both were priced with.
    """
    if actual.carbon is None or other.operational.carbon is None:
        zones = sorted({*actual.unpriced_zones, *other.operational.unpriced_zones})
        return Unknown(f"no carbon intensity is known for {', '.join(z or 'an unnamed zone' for z in zones)}")
    lots = (*actual.lots, *other.operational.lots)
    common = lots[0].pue if len({lot.pue for lot in lots}) == 1 else None
    hours = _align(actual.lots, other.operational.lots, with_pue=common is None)
    difference = total(_difference(hour) for hour in hours).scaled(1 / JOULES_PER_KWH)
    operational_g = difference.times(other.meter if common is None else common * other.meter)
    seconds = Estimate.exact(other.machine_s - machine_s)
    embodied_g = seconds.times(embodied(1.0, factors).amount)
    return Saving(
        operational_g=operational_g, share=_share(hours), with_embodied_g=operational_g + embodied_g
    )


def _align(ours: Iterable[Lot], theirs: Iterable[Lot], *, with_pue: bool) -> list[_Hour]:
    def weight(lot: Lot) -> Estimate:
        return lot.intensity * lot.pue if with_pue else lot.intensity

    hours: dict[tuple[str, float, bool], _Hour] = {}
    for lot in ours:
        hours[lot.zone, lot.hour_at, lot.filled] = _Hour(lot.energy_j.value, ZERO, weight(lot))
    for lot in theirs:
        key = (lot.zone, lot.hour_at, lot.filled)
        shared = hours.get(key)
        hours[key] = _Hour(shared.ours_j if shared else 0.0, lot.energy_j, weight(lot))
    return list(hours.values())


def _difference(hour: _Hour) -> Estimate:
    least, most = hour.theirs_j.low - hour.ours_j, hour.theirs_j.high - hour.ours_j
    return Estimate(
        (hour.theirs_j.value - hour.ours_j) * hour.intensity.value,
        min(least * hour.intensity.low, least * hour.intensity.high),
        max(most * hour.intensity.low, most * hour.intensity.high),
    )


def _share(hours: list[_Hour]) -> Estimate | None:
    if sum(h.theirs_j.low * h.intensity.low for h in hours) <= 0:
        return None
    value = sum(h.ours_j * h.intensity.value for h in hours) / sum(
        h.theirs_j.value * h.intensity.value for h in hours
    )
    worst = _extreme([(h.ours_j, h.theirs_j.low, h.intensity.low, h.intensity.high) for h in hours])
    best = _extreme([(h.ours_j, h.theirs_j.high, h.intensity.high, h.intensity.low) for h in hours])
    return Estimate(1 - value, 1 - worst, 1 - best)


def _extreme(hours: list[tuple[float, float, float, float]]) -> float:
    """The extreme ratio of ours to theirs over all intensities in their ranges.

    Each hour is (ours, theirs, the intensity that suits theirs, the one that suits ours). A ratio of sums
    is extreme where every hour sits at one end of its range; Dinkelbach's iteration (Management Science
    13, 1967) finds which, in a few rounds, each at least as extreme as the one before.
    """
    found = sum(o * f for o, _, f, _ in hours) / sum(t * f for _, t, f, _ in hours)
    for _ in range(len(hours) + 1):
        chosen = [(o, t, ours if o > found * t else theirs) for o, t, theirs, ours in hours]
        ratio = sum(o * i for o, _, i in chosen) / sum(t * i for _, t, i in chosen)
        if isclose(ratio, found, rel_tol=1e-12, abs_tol=1e-15):
            break
        found = ratio
    return found
