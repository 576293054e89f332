"""What the world outside was like while something ran: its signals by the hour, and the factors in force."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tidewatt.accounting.factors import DEFAULTS, Factors
from tidewatt.domain.estimate import Estimate
from tidewatt.domain.signal import Signal
from tidewatt.errors import UsageError

LATEST_METHOD = 2
"""Method 1 knew one PUE, one price and one water figure for every hour and zone."""


def _no_signals() -> dict[str, Signal]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Signals by zone, each of which may lack hours or zones, and factors.

    ``intensity`` is the average carbon intensity of a grid and ``marginal`` that of the power plant that a
    little more demand would bring on, both gCO2e/kWh and never mixed; ``prices`` are of electricity, USD/kWh;
    ``pue`` is facility energy per machine energy. What the last two lack is priced with factors.
    """

    intensity: Mapping[str, Signal] = field(default_factory=_no_signals)
    marginal: Mapping[str, Signal] = field(default_factory=_no_signals)
    prices: Mapping[str, Signal] = field(default_factory=_no_signals)
    pue: Mapping[str, Signal] = field(default_factory=_no_signals)
    factors: Factors = DEFAULTS

    def pue_at(self, zone: str, at: float) -> tuple[Estimate, str]:
        """The PUE of a zone's site at an instant, and what it comes from: the id of a factor, or a signal."""
        signal = self.pue.get(zone)
        reading = None if signal is None else signal.at(at)
        if reading is not None:
            return reading.estimate, f"hourly PUE, {reading.source}"
        factor = self.factors.of("pue", zone)
        return factor.estimate, factor.id

    def by_method(self, number: int) -> "Conditions":
        """The same as an earlier method of accounting saw it.

        Raises:
            UsageError: there is no method of that number.
        """
        if number == LATEST_METHOD:
            return self
        if number != 1:
            raise UsageError(f"method {number}", f"a number from 1 to {LATEST_METHOD}")
        return replace(self, prices={}, pue={}, factors=replace(self.factors, local={}))
