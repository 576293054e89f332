"""Simulated worlds whose sums can be worked out by hand."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tidewatt.adapters.stores.memory import MemoryStore
from tidewatt.control.foresight import Prospect, by
from tidewatt.domain.signal import Quality, Reading, Signal
from tidewatt.domain.site import Site
from tidewatt.domain.trace import TracedJob
from tidewatt.domain.units import HOUR_S
from tidewatt.errors import SignalMissing, UsageError
from tidewatt.forecast.hourly import Hourly
from tidewatt.simulation.bound import least_grams
from tidewatt.simulation.compare import Comparison, compare
from tidewatt.simulation.foresight import perfect
from tidewatt.simulation.scenario import Scenario
from tidewatt.simulation.tally import Tally

START = 1_654_041_600.0
WATTS = 1000.0
"""A kilowatt for each processor makes a gram of each gCO2e/kWh and hour."""


class Given:
    """A grid of hours from the start on; the day before is like the first."""

    name = "given"

    def __init__(self, **hours: Sequence[float]) -> None:
        self._signals: dict[str, Signal] = {}
        for zone, values in hours.items():
            readings = (
                Reading(START + i * HOUR_S, v, v, v, "given", Quality.MEASURED) for i, v in enumerate(values)
            )
            self._signals[zone] = Signal(zone, tuple(readings))

    def zones(self) -> tuple[str, ...]:
        return tuple(self._signals)

    def signal(self, zone: str, start_at: float, end_at: float) -> Signal:
        readings = self._signals[zone].readings
        return Signal(zone, tuple(r for r in readings if start_at - HOUR_S < r.observed_at < end_at))


def a_scenario(*jobs: TracedJob, sites: tuple[Site, ...] = (Site("de", "DE", 8),)) -> Scenario:
    return Scenario(jobs=jobs, sites=sites, start_at=START, slack_s=3 * HOUR_S)


def job(hours: float, at_h: float = 0.0, *, cpus: int = 1, zones: tuple[str, ...] = ()) -> TracedJob:
    return TracedJob(name="j", arrival_s=at_h * HOUR_S, length_s=hours * HOUR_S, cpus=cpus, zones=zones)


def play(scenario: Scenario, grid: Given, *policies: str) -> Comparison:
    return compare(
        scenario,
        grid,
        policies,
        open_store=MemoryStore,
        prospect=lambda: Prospect(carbon=perfect(grid)),
        watts=WATTS,
    )


DAY = Given(DE=[300, 100, 200, 400, 500] + [600] * 60, FR=[90, 350, 50, 600, 600] + [600] * 60)


def test_running_now_takes_the_hours_that_come() -> None:
    (outcome,) = play(a_scenario(job(2, cpus=2)), DAY, "run-now").outcomes
    assert outcome.carbon_g == pytest.approx(2 * (300 + 100))
    assert outcome.energy_kwh == pytest.approx(4.0)
    assert (outcome.ended, outcome.missed, outcome.starts, outcome.wait_s) == (1, 0, 1, 0.0)
    assert outcome.by_hour_of_day[:3] == pytest.approx((2.0, 2.0, 0.0))


def test_the_optimum_is_the_cheapest_hours_and_waiting_for_them_reaches_it() -> None:
    found = play(a_scenario(job(2)), DAY, "run-now", "cheapest-windows")
    now, planned = found.outcomes
    assert found.least_g == pytest.approx(100 + 200)
    assert planned.carbon_g == pytest.approx(300)
    assert (found.above(planned), found.saved(planned)) == pytest.approx((0.0, 0.25))
    assert (found.above(now), found.saved(now)) == pytest.approx((1 / 3, 0.0))
    assert planned.wait_s == pytest.approx(HOUR_S)


def test_pue_tariff_rent_and_manufacture_count() -> None:
    site = Site("de", "DE", 8, pue=1.5, embodied_g=7.0, rent=2.0, tariff=0.1)
    (outcome,) = play(a_scenario(job(1, cpus=2), sites=(site,)), DAY, "run-now").outcomes
    assert outcome.embodied_g == pytest.approx(14)
    assert outcome.carbon_g == pytest.approx(1.5 * 2 * 300 + 14)
    assert outcome.cost == pytest.approx(1.5 * 2 * 0.1 + 2 * 2.0)


def test_another_site_counts_in_the_optimum_only_where_it_is_permitted() -> None:
    sites = (Site("de", "DE", 8), Site("fr", "FR", 8))
    assert play(a_scenario(job(2), sites=sites), DAY, "run-now").least_g == pytest.approx(90 + 50)
    bound = a_scenario(job(2, zones=("DE",)), sites=sites)
    assert play(bound, DAY, "run-now").least_g == pytest.approx(300)


def test_what_does_not_fit_at_once_takes_dearer_hours() -> None:
    # Two jobs of two hours, one processor: of the first five hours, which are all there is, the best four.
    scenario = a_scenario(job(2), job(2), sites=(Site("de", "DE", 1),))
    tally = Tally(DAY, scenario.sites, START, scenario.end_at)
    assert least_grams(scenario, tally, WATTS) == pytest.approx(300 + 100 + 200 + 400, rel=1e-3)


def test_starts_that_take_time_are_paid_for() -> None:
    quick, slow = (
        play(replace(a_scenario(job(1)), startup_s=seconds), DAY, "run-now").outcomes[0]
        for seconds in (0.0, 1800.0)
    )
    assert slow.carbon_g == pytest.approx(quick.carbon_g + 0.5 * 100)


def test_attempts_that_die_cost_what_was_not_saved_and_come_the_same_again() -> None:
    flat = Given(DE=[100] * 400)
    scenario = a_scenario(*(job(4, at_h=n) for n in range(10)))
    scenario = replace(scenario, slack_s=100 * HOUR_S, mean_life_s=3 * HOUR_S, checkpoint_every_s=1800.0)
    (first,), (again,) = (play(scenario, flat, "run-now").outcomes for _ in range(2))
    assert first == again
    assert first.ended == 10
    assert first.starts > 10
    lost = first.starts - 10
    # Of every death at most half an hour is lost.
    assert 4000 < first.carbon_g <= 4000 + lost * 50
    (other,) = play(replace(scenario, seed=1), flat, "run-now").outcomes
    assert other != first


def test_what_cannot_be_done_in_time_is_refused_and_no_share_is_told() -> None:
    hasty = replace(job(4), deadline_s=HOUR_S)
    found = play(a_scenario(job(1), hasty), DAY, "run-now", "cheapest-windows")
    assert [(o.accepted, o.refused, o.ended) for o in found.outcomes] == [(1, 1, 1)] * 2
    assert found.above(found.outcomes[1]) is None
    assert found.saved(found.outcomes[1]) is not None


def test_a_grid_that_knows_nothing_of_the_time_is_refused() -> None:
    late = replace(a_scenario(job(1)), start_at=START + 1000 * HOUR_S)
    with pytest.raises(SignalMissing, match="no reading of DE in the time of the trace"):
        play(late, DAY, "run-now")
    with pytest.raises(UsageError, match="policy 'best'"):
        play(a_scenario(job(1)), DAY, "best")


def test_knowing_the_future_is_knowing_every_hour_as_it_will_be() -> None:
    issued = perfect(Given(DE=[5, 6, 7, 8]))("DE", START + 1.5 * HOUR_S, 4 * HOUR_S)
    assert issued is not None
    assert [w.mean for w in issued.windows] == [6, 7, 8, 8, 8]
    assert issued.windows[0].start_at == START + HOUR_S
    assert perfect(Given(DE=[5]))("DE", START + 50 * HOUR_S, HOUR_S) is None


def test_what_is_foreseen_otherwise_comes_from_the_past() -> None:
    grid = Given(DE=[100] * 48 + [900] * 48)
    issued = by(Hourly(), grid)("DE", START + 48 * HOUR_S, 12 * HOUR_S)
    assert issued is not None
    assert max(w.mean for w in issued.windows) == pytest.approx(100)
    assert by(Hourly(), grid)("DE", START, HOUR_S) is None


def test_a_move_takes_network_energy_where_it_leads_to() -> None:
    sites = (Site("de", "DE", 8), Site("fr", "FR", 8))
    grid = Given(DE=[10, 900] + [900] * 60, FR=[900, 20] + [900] * 60)
    free, costly = (
        play(replace(a_scenario(job(2), sites=sites), move_j=joules), grid, "cheapest-windows").outcomes[0]
        for joules in (0.0, 360_000.0)
    )
    assert free.carbon_g == pytest.approx(10 + 20)
    assert costly.carbon_g == pytest.approx(free.carbon_g + 0.1 * 20)
    assert costly.energy_kwh == pytest.approx(free.energy_kwh + 0.1)
