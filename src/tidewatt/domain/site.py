"""Where work can run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Site:
    """A place with room for ``cpus`` worker processors, in one grid zone.

    ``pue`` is the power usage effectiveness: facility energy over machine energy.
    """

    name: str
    zone: str
    cpus: int
    pue: float = 1.0
