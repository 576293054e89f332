"""The same scenario played by several policies."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tidewatt.control.foresight import Prospect
from tidewatt.domain.units import DAY_S
from tidewatt.policy.names import named
from tidewatt.ports import Grid, Store
from tidewatt.simulation.bound import least_grams
from tidewatt.simulation.outcome import Bill, Outcome, measure
from tidewatt.simulation.scenario import Scenario
from tidewatt.simulation.tally import Tally
from tidewatt.simulation.world import Manner, SimulatedWorld

BASE = "run-now"
"""The policy that savings are told against."""
_OVERRUN_S = 14 * DAY_S
"""Jobs that are late run on after the last deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What came of each policy, and what none can beat; carbon in grams."""

    outcomes: tuple[Outcome, ...]
    least_g: float

    def saved(self, outcome: Outcome) -> float | None:
        """The share of the carbon of running now that was saved; None if that was not played alike."""
        base = next((o for o in self.outcomes if o.policy == BASE), None)
        if base is None or base.refused != outcome.refused or base.carbon_g <= 0:
            return None
        return 1 - outcome.carbon_g / base.carbon_g

    def above(self, outcome: Outcome) -> float | None:
        """How far it lies above the least, as a share of it; None if some jobs were refused."""
        if self.least_g <= 0 or outcome.refused:
            return None
        return outcome.carbon_g / self.least_g - 1


def compare(
    scenario: Scenario,
    grid: Grid,
    policies: Sequence[str],
    *,
    open_store: Callable[[], Store],
    prospect: Callable[[], Prospect],
    watts: float,
    prices: Grid | None = None,
) -> Comparison:
    """Play a scenario by each policy.

    Args:
        scenario: what comes in and where it can run.
        grid: the truth; a policy sees of it what ``prospect`` lets through.
        policies: their names.
        open_store: a new store for each.
        prospect: a new one for each, since methods keep what they learn.
        watts: what a busy processor draws.
        prices: of electricity by the hour, USD/kWh, for the zones that they know.

    Raises:
        UsageError: no policy has such a name.
    """
    until = scenario.end_at + _OVERRUN_S
    tally = Tally(grid, scenario.sites, scenario.start_at, until)
    priced = [site for site in scenario.sites if prices is not None and site.zone in prices.zones()]
    paid = {site.name: Tally(prices, [site], scenario.start_at, until) for site in priced if prices}
    bill = Bill(carbon=tally, prices=paid, move_j=scenario.move_j)
    sites = {site.name: site for site in scenario.sites}

    def outcomes() -> Iterator[Outcome]:
        for name in policies:
            store = open_store()
            manner = Manner(prospect=replace(prospect(), move_j=scenario.move_j), metered=False)
            world = SimulatedWorld(store, grid, scenario.sites, named(name), scenario.start_at, manner)
            world.play(scenario.arrivals())
            yield replace(measure(store, name, sites, bill, watts), refused=len(world.refused))

    for name in policies:
        named(name)
    return Comparison(outcomes=tuple(outcomes()), least_g=least_grams(scenario, tally, watts))
