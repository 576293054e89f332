"""What a job may spend."""

from dataclasses import dataclass

from tidewatt.domain.units import parse_grams, parse_joules
from tidewatt.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Upper bounds on one job, as text with a unit: ``Budget(carbon="2 kg", energy="1 kWh")``."""

    carbon: str | None = None
    energy: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be read, at once.

        Raises:
            UsageError: a bound without a unit, or not above zero.
        """
        for name, bound in (("carbon", self.carbon_g), ("energy", self.energy_j)):
            if bound is not None and bound <= 0:
                raise UsageError(f"a {name} budget of {getattr(self, name)!r}", "a bound above zero")

    @property
    def carbon_g(self) -> float | None:
        """The bound on operational carbon, gCO2e."""
        return None if self.carbon is None else parse_grams(self.carbon)

    @property
    def energy_j(self) -> float | None:
        """The bound on energy, joules."""
        return None if self.energy is None else parse_joules(self.energy)
