"""Where work can run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Site:
    """A place with room for ``cpus`` worker processors, in one grid zone.

    ``pue`` is the power usage effectiveness: facility energy over machine energy. ``embodied_g`` are grams
    of CO2e of manufacture, and ``rent`` is money, for each hour that a processor is reserved; ``tariff`` is
    money for a kWh of facility energy where no hourly price of the zone is known.
    """

    name: str
    zone: str
    cpus: int
    pue: float = 1.0
    embodied_g: float = 0.0
    rent: float = 0.0
    tariff: float = 0.0
