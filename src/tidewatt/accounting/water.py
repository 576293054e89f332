"""Water: what cools the machine on site, and what its electricity took to make."""

from tidewatt.accounting.factors import DEFAULTS, Factors, Impact
from tidewatt.domain.estimate import Estimate
from tidewatt.domain.units import JOULES_PER_KWH


def water(energy_j: Estimate, factors: Factors = DEFAULTS) -> Impact:
    """Litres consumed for an energy of machines: ``E * WUE + E * PUE * EWIF``.

    Source of the formula: Li, Yang, Islam, Ren, "Making AI Less Thirsty" (arXiv 2304.03271), section 3.
    """
    kwh = energy_j.scaled(1 / JOULES_PER_KWH)
    on_site = kwh * factors.wue.estimate
    off_site = kwh * factors.pue.estimate * factors.ewif.estimate
    ids = (factors.wue.id, factors.pue.id, factors.ewif.id)
    return Impact(on_site + off_site, "L", ids, "water/1")
