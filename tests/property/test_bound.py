"""No policy does better than the optimum that simulations are measured against, foresight or not."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidewatt.adapters.grids.model import ModelGrid
from tidewatt.adapters.stores.memory import MemoryStore
from tidewatt.control.foresight import Prospect
from tidewatt.domain.site import Site
from tidewatt.domain.trace import TracedJob
from tidewatt.domain.units import DAY_S, HOUR_S
from tidewatt.policy.names import POLICIES
from tidewatt.simulation.compare import compare
from tidewatt.simulation.foresight import perfect
from tidewatt.simulation.scenario import Scenario

YEAR_START = 1_735_689_600.0
GRID = ModelGrid()
ZONES = ("DE", "FR", "PL")


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """A few jobs and one or two sites, roomy or not."""
    zones = draw(st.lists(st.sampled_from(ZONES), min_size=1, max_size=2, unique=True))
    cpus = draw(st.sampled_from([2, 4, 100]))
    jobs = tuple(
        TracedJob(
            name=f"{place}",
            arrival_s=draw(st.floats(0, 12)) * HOUR_S,
            length_s=draw(st.floats(0.1, 8)) * HOUR_S,
            cpus=draw(st.integers(1, 2)),
            most=draw(st.integers(1, 3)),
            zones=draw(st.sampled_from([(), (zones[0],)])),
        )
        for place in range(draw(st.integers(1, 5)))
    )
    return Scenario(
        jobs=jobs,
        sites=tuple(Site(zone, zone, cpus, pue=1.2, embodied_g=draw(st.floats(0, 1))) for zone in zones),
        start_at=YEAR_START + draw(st.integers(0, 360)) * DAY_S,
        slack_s=draw(st.floats(4, 30)) * HOUR_S,
        scaling=draw(st.sampled_from([1.0, 0.9, 0.5])),
        startup_s=draw(st.sampled_from([0.0, 60.0])),
        mean_life_s=draw(st.sampled_from([float("inf"), 5 * HOUR_S])),
    )


@pytest.mark.parametrize("policy", POLICIES)
@settings(deadline=None, max_examples=25, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios())
def test_no_policy_beats_the_optimum(policy: str, scenario: Scenario) -> None:
    found = compare(
        scenario,
        GRID,
        [policy],
        open_store=MemoryStore,
        prospect=lambda: Prospect(carbon=perfect(GRID)),
        watts=3.5,
    )
    above = found.above(found.outcomes[0])
    assert above is None or above >= -1e-6
