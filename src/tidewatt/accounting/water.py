"""Water: what cools the machine on site, and what its electricity took to make."""

from collections.abc import Iterable

from tidewatt.accounting.carbon import Spent, facility
from tidewatt.accounting.conditions import Conditions
from tidewatt.accounting.factors import Impact
from tidewatt.domain.estimate import ZERO
from tidewatt.domain.units import JOULES_PER_KWH


def water(spent: Iterable[Spent], conditions: Conditions) -> Impact:
    """Litres consumed for energies of machines: ``sum E * WUE + E * PUE * EWIF``, WUE and EWIF by zone.

    Water on site is told for energy of the machine, so PUE does not come into it. Source of the formula: Li,
    Yang, Islam, Ren, "Making AI Less Thirsty" (arXiv 2304.03271), section 3.
    """
    litres, known_by = ZERO, dict[str, None]()
    for piece in spent:
        on_site = conditions.factors.of("wue", piece.zone)
        off_site = conditions.factors.of("ewif", piece.zone)
        for share, pue, source in facility(piece, conditions):
            known_by |= {on_site.id: None, source: None, off_site.id: None}
            energy_kwh = piece.energy_j.scaled(share / JOULES_PER_KWH) * piece.meter
            litres = litres + energy_kwh * on_site.estimate + energy_kwh * pue * off_site.estimate
    local = conditions.factors.local and any(key[0] in {"wue", "ewif"} for key in conditions.factors.local)
    hourly = any(source.startswith("hourly") for source in known_by)
    return Impact(litres, "L", tuple(known_by), "water/2" if local or hourly else "water/1")
