"""Shares the energy of one reading among accounts, so that the shares sum to it exactly."""

from collections.abc import Sequence
from fractions import Fraction
from math import isfinite, lcm

from tidewatt.domain.ledger import UNALLOCATED, Allocation, EnergyReading, Phase, Usage
from tidewatt.errors import TidewattError


def allocate(reading: EnergyReading, usages: Sequence[Usage]) -> tuple[Allocation, ...]:
    """Give every microjoule of a reading to an account.

    Static energy is shared by reservation, ``reserved_cpu_s / (cpus * wall_s)``, and dynamic energy by
    processor time, ``cpu_s / busy_cpu_s``; what nobody reserved or used is unallocated. Where the usages
    exceed what the node can have (clock granularity, oversubscription) they are scaled to fit. The exact
    shares are rounded by the largest remainder, ties in order. A meter may read less than the calibrated
    idle power would draw; all of such a reading is static.

    Args:
        reading: The energy of the node over one interval.
        usages: What each account used in it; several may belong to one account.

    Returns:
        One allocation for each usage, in order, and a last one for UNALLOCATED, even when it is 0.

    Raises:
        TidewattError: a negative energy or usage, a figure that is not finite, an interval without
            length or a node without processors.
    """
    _check(reading, usages)
    static_uj = min(reading.static_uj, reading.energy_uj)
    reserved, node = _parts([u.reserved_cpu_s for u in usages], reading.wall_s, reading.cpus)
    used, busy = _parts([u.cpu_s for u in usages], reading.busy_cpu_s)
    for_reserved, for_used = static_uj * busy, (reading.energy_uj - static_uj) * node
    exact = [for_reserved * r + for_used * u for r, u in zip(reserved, used, strict=True)]
    rounded = _round(exact, reading.energy_uj, node * busy)
    shares = [
        Allocation(
            account=usage.account,
            phase=usage.phase,
            energy_uj=energy_uj,
            cpu_s=usage.cpu_s,
            spare_uj=_spare(usage, static_uj * held // node),
            reserved_cpu_s=usage.reserved_cpu_s,
            zone=usage.zone,
            workers=usage.workers,
            token=usage.token,
        )
        for usage, energy_uj, held in zip(usages, rounded, reserved, strict=False)
    ]
    rest = Allocation(account=UNALLOCATED, phase=Phase.NONE, energy_uj=rounded[-1], spare_uj=0)
    return (*shares, rest)


def _check(reading: EnergyReading, usages: Sequence[Usage]) -> None:
    if reading.energy_uj < 0 or reading.static_uj < 0:
        raise TidewattError(
            f"a reading of {reading.energy_uj} µJ, {reading.static_uj} µJ of it static",
            "energies of 0 or more",
        )
    if not isfinite(reading.wall_s) or reading.wall_s <= 0:
        raise TidewattError(f"a reading over {reading.wall_s:g} s", "an interval longer than 0 s")
    if reading.cpus < 1:
        raise TidewattError(f"a reading of {reading.cpus} processors", "1 or more")
    seconds = [reading.busy_cpu_s, *(s for u in usages for s in (u.cpu_s, u.reserved_cpu_s))]
    wrong = next((s for s in seconds if not isfinite(s) or s < 0), None)
    if wrong is not None:
        raise TidewattError(f"a usage of {wrong:g} processor seconds", "finite figures of 0 or more")


def _parts(amounts: Sequence[float], available: float, times: int = 1) -> tuple[list[int], int]:
    """Amounts and what they are parts of as whole numbers of one unit, so that no step rounds.

    A float is a whole number over a power of two: the smallest of those is the unit. Whole numbers share
    as exactly as fractions do, and at a tenth of the cost.
    """
    ratios = [amount.as_integer_ratio() for amount in (*amounts, available)]
    unit = max(denominator for _, denominator in ratios)
    *parts, whole = [numerator * (unit // denominator) for numerator, denominator in ratios]
    return parts, max(whole * times, sum(parts)) or 1


def _spare(usage: Usage, static_uj: int) -> int:
    """Of a usage's static energy, what is for processors held and not used; it is no part of the sum."""
    if usage.cpu_s >= usage.reserved_cpu_s:
        return 0
    return min(static_uj, int(static_uj * (1 - usage.cpu_s / usage.reserved_cpu_s)))


def by_largest_remainder(exact: Sequence[Fraction], total: int) -> list[int]:
    """Whole numbers that sum to ``total``, each within 1 of its exact share; ties go to the first.

    Args:
        exact: shares that sum to ``total``.
        total: what is shared.
    """
    unit = lcm(*(share.denominator for share in exact))
    *shares, _ = (share.numerator * (unit // share.denominator) for share in exact)
    return _round(shares, total, unit)


def _round(exact: list[int], total: int, unit: int) -> list[int]:
    """Whole microjoules of each and of what is left over, from amounts of which ``unit`` make one."""
    exact.append(total * unit - sum(exact))
    floors = [share // unit for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: floors[i] * unit - exact[i])
    for index in by_remainder[: total - sum(floors)]:
        floors[index] += 1
    return floors
