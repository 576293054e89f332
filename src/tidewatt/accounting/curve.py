"""How the power of a node bends over its busy share: as published, or as its own readings show."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidewatt.domain.estimate import Tier
from tidewatt.domain.ledger import EnergyReading

Floats = NDArray[np.float64]

_LEAST_READINGS = 60
_LEAST_SPREAD = 0.3
"""Of busy shares, from the tenth to the ninetieth percentile: over less, a line and a curve look alike."""
_LEAST_EXPLAINED = 0.8
_EXPONENTS = np.linspace(1.0, 2.0, 101)


@dataclass(frozen=True, slots=True)
class Curve:
    """Dynamic power as ``2u - u^r`` of its maximum, u the busy share of the node.

    It is concave and never falls for r from 1, a straight line, to 2. ``readings`` are those that r was
    fitted to, 0 where it is the published one; ``explained`` is the part of their variance that it explains.

    Source: Fan, Weber, Barroso: Power Provisioning for a Warehouse-sized Computer, ISCA 2007.
    """

    exponent: float
    readings: int = 0
    explained: float | None = None

    def at(self, busy: Floats) -> Floats:
        """The part of the most that is drawn at busy shares from 0 to 1."""
        drawn: Floats = 2 * busy - busy**self.exponent
        return drawn

    def part(self, of_use: Floats, busy: Floats) -> Floats:
        """What a part of the use draws, over what all of it draws, which makes the node ``busy``.

        It is ``at(busy * of_use) / at(busy)``, in a form that also holds where ``busy`` is next to nothing.
        """
        slope = self.exponent - 1
        part: Floats = of_use * (2 - (busy * of_use) ** slope) / (2 - busy**slope)
        return part


PUBLISHED = Curve(1.4)
"""What the authors calibrated on servers of Google; source as for the curve."""


def fitted(readings: Iterable[EnergyReading]) -> Curve | None:
    """The curve that has the least squared error of power over readings of a counter, by time.

    Returns:
        None where they cannot tell: a meter that models power shows but its own line; too few readings, or
        busy shares too much alike; or power that does not follow the busy share.
    """
    counted = [r for r in readings if r.tier <= Tier.HYBRID]
    if len(counted) < _LEAST_READINGS:
        return None
    wall_s = np.array([r.wall_s for r in counted])
    power = np.array([r.energy_uj for r in counted]) / wall_s
    busy = np.minimum(1.0, np.array([r.busy_cpu_s / r.cpus for r in counted]) / wall_s)
    low, high = np.quantile(busy, (0.1, 0.9))
    if high - low < _LEAST_SPREAD:
        return None
    explained, exponent = max(
        (_explained(Curve(float(r)).at(busy), power, wall_s), -float(r)) for r in _EXPONENTS
    )
    return Curve(-exponent, len(counted), explained) if explained >= _LEAST_EXPLAINED else None


def _explained(shape: Floats, power: Floats, weight: Floats) -> float:
    """The part of the variance of power that a rising straight line over a shape explains."""
    shape = shape - np.average(shape, weights=weight)
    power = power - np.average(power, weights=weight)
    together = float(weight @ (shape * power))
    variance = float(weight @ shape**2) * float(weight @ power**2)
    return together**2 / variance if together > 0 and variance > 0 else 0.0
