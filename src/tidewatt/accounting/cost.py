"""Money: the electricity that a machine and its site drew."""

from tidewatt.accounting.factors import DEFAULTS, Factors, Impact
from tidewatt.domain.estimate import Estimate
from tidewatt.domain.units import JOULES_PER_KWH


def cost(energy_j: Estimate, factors: Factors = DEFAULTS) -> Impact:
    """US dollars for an energy of machines: ``E * PUE * price``; the machine itself is not in it."""
    kwh = energy_j.scaled(1 / JOULES_PER_KWH)
    amount = kwh * factors.pue.estimate * factors.price.estimate
    return Impact(amount, "USD", (factors.pue.id, factors.price.id), "electricity-cost/1")
