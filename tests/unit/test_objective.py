"""What plans make small: written down, priced, and followed by every policy that looks at prices."""

from dataclasses import replace

import numpy as np
import pytest
from tests.unit.snapshots import NOW, a_job, a_world, flat_forecast

from tidewatt.domain.objective import Aim, Objective, parse
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import Snapshot
from tidewatt.domain.units import HOUR_S
from tidewatt.errors import UsageError
from tidewatt.policy import cheapest
from tidewatt.policy.prices import Prices

CLEAN = [400.0, 100.0, 200.0]
CHEAP = [0.40, 0.30, 0.10]
HERE = Site("de", "DE", 4, pue=1.5, embodied_g=2.0, rent=0.01, tariff=0.25)


def world(objective: str, *, tariffs: bool = True, most: int = 1) -> Snapshot:
    snapshot = a_world(a_job(1, 3, most=most), sites=(HERE,), DE=CLEAN)
    priced = (flat_forecast("DE", *CHEAP),) if tariffs else ()
    return replace(snapshot, objective=parse(objective), tariffs=priced)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("carbon", Objective(Aim.CARBON)),
        ("cost", Objective(Aim.COST)),
        ("energy", Objective(Aim.ENERGY)),
        ("time", Objective(Aim.TIME)),
        ("money:80", Objective(Aim.MONEY, 80.0)),
        ("money:0", Objective(Aim.MONEY, 0.0)),
    ],
)
def test_an_objective_is_an_aim_and_perhaps_a_price(text: str, expected: Objective) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "water", "money", "money:", "money:-1", "money:nan", "money:inf", "carbon:5"]
)
def test_what_is_no_objective_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="money:PRICE"):
        parse(text)


@pytest.mark.parametrize(
    ("objective", "first_hour", "reserved"),
    [
        ("carbon", 1.5 * 400, 2.0 * 1000),
        ("cost", 1.5 * 0.40, 0.01 * 1000),
        ("energy", 1.5, 0.0),
        ("money:1000", 1.5 * (0.40 + 400 / 1000), (0.01 + 2.0 / 1000) * 1000),
    ],
)
def test_an_hour_is_priced_by_the_objective(objective: str, first_hour: float, reserved: float) -> None:
    prices = Prices(world(objective))
    assert prices.at(HERE, NOW) == pytest.approx(first_hour)
    assert prices.reserved(HERE) == pytest.approx(reserved)
    assert prices.table([HERE], np.array([NOW]))[0, 0] == prices.at(HERE, NOW)


@pytest.mark.parametrize(
    ("objective", "hour"),
    [
        ("carbon", 1),
        ("cost", 2),
        ("time", 0),
        ("money:0", 2),
        ("money:1000", 2),  # 0.8, 0.4 and 0.3 for a kWh
        ("money:4000", 1),  # 2.0, 0.7 and 0.9
    ],
)
def test_the_hour_that_is_best_by_the_objective_is_taken(objective: str, hour: int) -> None:
    (assignment,) = cheapest.decide(world(objective)).of("job")
    assert (assignment.start_at - NOW) / HOUR_S == hour


def test_without_hourly_prices_a_kwh_costs_the_tariff_of_the_site() -> None:
    assert Prices(world("cost", tariffs=False)).at(HERE, NOW) == pytest.approx(1.5 * 0.25)


def test_what_was_spent_on_making_the_machine_counts_against_growing() -> None:
    # At 100 a second worker that brings 0.8 is dearer than another hour at 110, but for what an hour costs.
    job = a_job(1.8, 3, most=2)
    snapshot = a_world(job, sites=(Site("de", "DE", 4),), DE=[400, 100, 130])
    assert {a.workers for a in cheapest.decide(snapshot).of("job")} == {2}
    heavy = replace(snapshot, sites=(Site("de", "DE", 4, embodied_g=1.0),))
    assert {a.workers for a in cheapest.decide(heavy).of("job")} == {1}
