"""Shares the energy of one reading among accounts, so that the shares sum to it exactly."""

from collections.abc import Sequence
from fractions import Fraction
from math import floor, isfinite

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
    static = Fraction(min(reading.static_uj, reading.energy_uj))
    dynamic = reading.energy_uj - static
    reserved = _shares([u.reserved_cpu_s for u in usages], reading.cpus * Fraction(reading.wall_s))
    used = _shares([u.cpu_s for u in usages], Fraction(reading.busy_cpu_s))
    exact = [static * r + dynamic * u for r, u in zip(reserved, used, strict=True)]
    exact.append(reading.energy_uj - sum(exact, Fraction(0)))
    rounded = by_largest_remainder(exact, reading.energy_uj)
    shares = [
        Allocation(
            account=usage.account,
            phase=usage.phase,
            energy_uj=energy_uj,
            cpu_s=usage.cpu_s,
            spare_uj=_spare(usage, floor(static * held)),
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


def _shares(amounts: Sequence[float], available: Fraction) -> list[Fraction]:
    exact = [Fraction(a) for a in amounts]
    whole = max(available, sum(exact, Fraction(0)))
    return [a / whole if whole else Fraction(0) for a in exact]


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
    floors = [floor(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: floors[i] - exact[i])
    for index in by_remainder[: total - sum(floors)]:
        floors[index] += 1
    return floors
