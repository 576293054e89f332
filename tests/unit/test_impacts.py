"""Carbon, water, money and embodied carbon, by hand-worked figures."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests import records

from tidewatt.accounting.carbon import Operational, Spent, marginal, market_based, operational, slice_hours
from tidewatt.accounting.conditions import Conditions
from tidewatt.accounting.cost import electricity, idle_share, machine
from tidewatt.accounting.embodied import embodied, machine_seconds
from tidewatt.accounting.factors import (
    CPU_MAX_WATTS,
    CPU_MIN_WATTS,
    DEFAULTS,
    ELECTRICITY_PRICE,
    EWIF,
    MEMORY_WATTS,
    NETWORK,
    PUE,
    SERVER_EMBODIED,
    SERVER_LIFESPAN,
    STORAGE,
    WUE,
    Factor,
    Factors,
)
from tidewatt.accounting.transfer import network, storage, transferred
from tidewatt.accounting.water import water
from tidewatt.domain.estimate import Estimate
from tidewatt.domain.job import Attempt, SavedCheckpoint
from tidewatt.domain.ledger import Account, Allocation, Balance, Holder, LedgerEntry, Phase
from tidewatt.domain.signal import Quality, Reading, Signal
from tidewatt.errors import UsageError

HOUR = 3600.0
KWH = 3_600_000.0


def point(factor: Factor, value: float) -> Factor:
    return replace(factor, value=value, low=value, high=value)


def signal(*values: float | None, spread: float = 0.0) -> Signal:
    """Hours from 0 on; None is an hour without a reading."""
    return Signal(
        "DE",
        tuple(
            Reading(i * HOUR, v, v * (1 - spread), v * (1 + spread), "test", Quality.MEASURED)
            for i, v in enumerate(values)
            if v is not None
        ),
    )


def spent(start_h: float, end_h: float, energy_j: float = KWH, zone: str = "DE") -> Spent:
    return Spent(
        zone=zone,
        start_at=start_h * HOUR,
        end_at=end_h * HOUR,
        energy_j=Estimate.exact(energy_j),
        meter=Estimate.exact(1.0),
    )


def grams(result: Operational) -> Estimate:
    assert result.carbon is not None
    return result.carbon.amount


PLAIN = Factors(pue=point(PUE, 1.5))


def by(intensity: dict[str, Signal]) -> Conditions:
    return Conditions(intensity=intensity, factors=PLAIN)


def test_energy_over_two_hours_is_priced_at_their_mean() -> None:
    # 3.6 MJ = 1 kWh, half at 100 and half at 300 g/kWh, times 1.5
    result = operational([spent(0, 2)], by({"DE": signal(100.0, 300.0)}))
    assert grams(result).value == pytest.approx(300.0)
    assert result.intensity == pytest.approx(200.0)
    assert result.filled_share == 0.0
    assert result.carbon is not None
    assert result.carbon.factors == (PUE.id,)


def test_an_interval_that_straddles_an_hour_is_weighted_by_time() -> None:
    # from 0:45 to 1:45: a quarter at 100, three quarters at 300 = 250
    result = operational([spent(0.75, 1.75)], by({"DE": signal(100.0, 300.0)}))
    assert grams(result).value == pytest.approx(375.0)


def test_ranges_of_meter_intensity_and_pue_all_widen_the_carbon() -> None:
    factors = Factors(pue=replace(PUE, value=1.5, low=1.0, high=2.0))
    measured = replace(spent(0, 1), meter=Estimate(1.0, 0.5, 2.0))
    result = operational([measured], Conditions(intensity={"DE": signal(100.0, spread=0.1)}, factors=factors))
    assert grams(result).value == pytest.approx(150.0)
    assert grams(result).low == pytest.approx(0.5 * 90 * 1.0)
    assert grams(result).high == pytest.approx(2.0 * 110 * 2.0)


def test_an_hour_without_data_is_priced_at_the_mean_of_the_others_with_their_range() -> None:
    result = operational([spent(0, 3, 3 * KWH)], by({"DE": signal(100.0, None, 300.0)}))
    assert grams(result).value == pytest.approx(1.5 * (100 + 200 + 300))
    assert grams(result).low == pytest.approx(1.5 * (100 + 100 + 300))
    assert grams(result).high == pytest.approx(1.5 * (100 + 300 + 300))
    assert result.filled_j == pytest.approx(KWH)
    assert result.filled_share == pytest.approx(1 / 3)


def test_energy_outside_the_signal_is_filled_and_never_free() -> None:
    for interval in (spent(-2, -1), spent(5, 6), spent(5, 5)):
        result = operational([interval], by({"DE": signal(100.0, 300.0)}))
        assert grams(result).value == pytest.approx(300.0)
        assert result.filled_share == pytest.approx(1.0)


def test_a_zone_without_any_data_makes_carbon_unknown_and_not_zero() -> None:
    pieces = [spent(0, 1), spent(0, 1, zone="FR")]
    for signals in ({"DE": signal(100.0)}, {"DE": signal(100.0), "FR": Signal("FR", ())}):
        result = operational(pieces, by(signals))
        assert result.carbon is None
        assert result.intensity is None
        assert result.unpriced_zones == ("FR",)
        assert result.unpriced_j == KWH


def test_no_energy_is_no_carbon() -> None:
    assert grams(operational([], by({}))) == Estimate(0.0, 0.0, 0.0)


@pytest.mark.parametrize(("start_h", "end_h"), [(0.0, 3.0), (0.3, 0.4), (-1.5, 4.2), (0.9, 2.1)])
def test_slices_of_an_interval_sum_to_it(start_h: float, end_h: float) -> None:
    slices = slice_hours(signal(100.0, None, 300.0), start_h * HOUR, end_h * HOUR)
    assert sum(part.share for part in slices) == pytest.approx(1.0)
    assert all(part.share > 0 for part in slices)


def test_slices_agree_with_the_mean_of_the_signal() -> None:
    full = signal(100.0, 250.0, 70.0, spread=0.2)
    slices = slice_hours(full, 0.4 * HOUR, 2.7 * HOUR)
    mean = full.mean(0.4 * HOUR, 2.7 * HOUR)
    assert mean is not None
    assert sum(part.share * part.intensity.value for part in slices) == pytest.approx(mean.value)
    assert sum(part.share * part.intensity.high for part in slices) == pytest.approx(mean.high)


def test_readings_that_begin_at_half_past_are_sliced_there() -> None:
    half = Signal("IN-WE", (Reading(HOUR / 2, 600.0, 600.0, 600.0, "test", Quality.MEASURED),))
    slices = slice_hours(half, 0.0, 2 * HOUR)
    assert [(part.filled, part.share) for part in slices] == [
        (True, 0.25),
        (False, 0.5),
        (True, 0.25),
    ]


def test_water_is_what_cools_plus_what_the_power_took() -> None:
    factors = Factors(pue=point(PUE, 1.5), wue=point(WUE, 2.0), ewif=point(EWIF, 4.0))
    result = water([spent(0, 1)], Conditions(factors=factors))
    assert result.amount.value == pytest.approx(2.0 + 1.5 * 4.0)
    assert result.unit == "L"
    assert set(result.factors) == {WUE.id, PUE.id, EWIF.id}


def test_cost_is_paid_for_the_power_of_the_site() -> None:
    factors = Factors(pue=point(PUE, 1.5), price=point(ELECTRICITY_PRICE, 0.2))
    drawn = replace(spent(0, 1), meter=Estimate(1.0, 0.5, 2.0))
    result = electricity([drawn], Conditions(factors=factors))
    assert result.amount.value == pytest.approx(0.3)
    assert result.amount.low == pytest.approx(0.15)
    assert result.amount.high == pytest.approx(0.6)
    assert result.unit == "USD"


def test_embodied_carbon_is_spread_over_the_life_of_the_machine() -> None:
    # an hour of the whole of a machine of 946 kg that serves 35,040 hours
    result = embodied(HOUR)
    assert result.amount.value == pytest.approx(946_000 / 35_040)
    assert result.amount.low == pytest.approx(540_000 / 43_800)
    assert result.amount.high == pytest.approx(1_579_000 / 26_280)


def test_embodied_time_is_real_and_by_reservation() -> None:
    reading = replace(records.reading(10, busy_cpu_s=2.0, cpus=8), end_at=HOUR)
    mine = Allocation(account=Account(Holder.JOB, "a"), phase=Phase.COMPUTE, energy_uj=5, reserved_cpu_s=2.0)
    entry = Balance.of(LedgerEntry(reading=reading, allocation=mine))
    assert machine_seconds([entry, entry]) == pytest.approx(0.5)


EVERY_FACTOR = (
    PUE,
    WUE,
    EWIF,
    SERVER_EMBODIED,
    SERVER_LIFESPAN,
    ELECTRICITY_PRICE,
    NETWORK,
    STORAGE,
    CPU_MIN_WATTS,
    CPU_MAX_WATTS,
    MEMORY_WATTS,
)


def test_every_factor_names_a_source_and_lies_in_its_range() -> None:
    assert len({factor.id for factor in EVERY_FACTOR}) == len(EVERY_FACTOR)
    for factor in EVERY_FACTOR:
        assert factor.low <= factor.value <= factor.high
        assert factor.source
        assert factor.valid
        assert factor.licence
        assert factor.unit


def test_the_reference_lists_every_factor_as_it_is() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "accounting.md"
    written = page.read_text(encoding="utf-8")
    for f in EVERY_FACTOR:
        span = f"{f.low:,g} to {f.high:,g}"
        assert f"| `{f.id}` | {f.value:,g} | {span} | {f.unit} | {f.source} | {f.licence} |" in written


def test_factors_are_found_by_id_in_a_stable_order() -> None:
    assert DEFAULTS.by_id(frozenset({EWIF.id, PUE.id})) == (PUE, EWIF)


def hours(*values: float | None) -> dict[str, Signal]:
    return {"DE": signal(*values)}


def test_a_pue_of_the_hour_replaces_the_factor_and_is_named() -> None:
    conditions = Conditions(intensity=hours(100.0, 300.0), pue=hours(1.1, None), factors=PLAIN)
    result = operational([spent(0, 2, 2 * KWH)], conditions)
    assert grams(result).value == pytest.approx(1.1 * 100 + 1.5 * 300)
    assert result.carbon is not None
    assert result.carbon.factors == ("hourly PUE, test", PUE.id)
    assert result.carbon.method == "operational/2"
    assert water([spent(0, 2, 2 * KWH)], conditions).amount.value == pytest.approx(
        2 * WUE.value + (1.1 + 1.5) * EWIF.value
    )


def test_prices_of_the_hour_may_be_below_zero_and_hours_without_one_cost_the_tariff() -> None:
    factors = Factors(pue=point(PUE, 1.5), price=point(ELECTRICITY_PRICE, 0.2))
    conditions = Conditions(prices=hours(0.5, -0.1, None), factors=factors)
    result = electricity([replace(spent(0, 3, 3 * KWH), meter=Estimate(1.0, 0.5, 2.0))], conditions)
    assert result.amount.value == pytest.approx(1.5 * (0.5 - 0.1 + 0.2))
    assert result.amount.low == pytest.approx(1.5 * (0.5 * 0.5 - 2 * 0.1 + 0.5 * 0.2))
    assert result.amount.high == pytest.approx(1.5 * (2 * 0.5 - 0.5 * 0.1 + 2 * 0.2))
    assert set(result.factors) == {PUE.id, ELECTRICITY_PRICE.id, "hourly prices"}


def test_average_marginal_and_bought_carbon_are_three_figures() -> None:
    contract = Factor("market/wind/1", 20.0, 10.0, 30.0, "gCO2e/kWh", "a contract", "2026")
    known = Conditions(
        intensity=hours(100.0),
        marginal=hours(700.0),
        factors=replace(PLAIN, local={("market", "DE"): contract}),
    )
    one = [spent(0, 1)]
    assert grams(operational(one, known)).value == pytest.approx(150.0)
    marginal_g, bought_g = marginal(one, known), market_based(one, known)
    assert marginal_g is not None
    assert bought_g is not None
    assert marginal_g.method == "marginal/1"
    assert marginal_g.amount.value == pytest.approx(1050.0)
    assert (bought_g.amount.value, bought_g.amount.high) == pytest.approx((30.0, 45.0))
    away = [spent(0, 1, zone="FR")]
    assert marginal(away, known) is None
    assert market_based(away, known) is None
    assert market_based(one, Conditions(intensity=hours(100.0))) is None


def test_a_zone_has_factors_of_its_own() -> None:
    thirsty = point(EWIF, 10.0)
    conditions = Conditions(factors=replace(PLAIN, local={("ewif", "DE"): thirsty}))
    here = water([spent(0, 1)], conditions).amount.value
    there = water([spent(0, 1, zone="FR")], conditions).amount
    assert here == pytest.approx(WUE.value + 1.5 * 10.0)
    assert (there.value, there.low) == pytest.approx((WUE.value + 1.5 * EWIF.value, WUE.low + 1.5 * EWIF.low))


def test_an_earlier_method_knows_nothing_of_hours_and_zones() -> None:
    now = Conditions(
        intensity=hours(100.0),
        prices=hours(9.0),
        pue=hours(1.1),
        factors=replace(PLAIN, local={("ewif", "DE"): point(EWIF, 10.0)}),
    )
    then = now.by_method(1)
    assert now.by_method(2) == now
    assert grams(operational([spent(0, 1)], then)).value == pytest.approx(150.0)
    assert electricity([spent(0, 1)], then).method == "electricity-cost/1"
    assert water([spent(0, 1)], then).method == "water/1"
    with pytest.raises(UsageError, match="method 3"):
        now.by_method(3)


def test_an_idle_share_divides_what_nobody_used_by_energy() -> None:
    cost = electricity([spent(0, 1, KWH)], Conditions(factors=PLAIN))
    # a quarter of the energy of all jobs, beside half as much again for nobody
    share = idle_share(cost, job_uj=100, jobs_uj=400, shared_uj=200)
    assert share.amount.value == pytest.approx(cost.amount.value * 0.5)


def test_a_machine_costs_what_somebody_said_and_else_nothing_is_known() -> None:
    rent = Factor("machine/ours/1", 4.0, 4.0, 4.0, "USD", "a bill", "2026")
    told = machine(1800.0, replace(PLAIN, machine=rent))
    assert told is not None
    assert told.amount.value == pytest.approx(2.0)
    assert machine(1800.0, PLAIN) is None


def test_bytes_are_sent_to_a_storage_and_to_other_sites_and_kept_two_at_a_time() -> None:
    saved = [SavedCheckpoint(at, token, 1, 10**9) for at, token in ((0.0, 1), (HOUR, 1), (2 * HOUR, 2))]
    here = Attempt(job_id="a", token=1, site="here", zone="DE", workers=1, started_at=0.0, started_wall=0.0)
    away = replace(here, token=2, site="there")
    alone = transferred(saved, [here, away], stored=False, until_at=4 * HOUR)
    assert (alone.sent_bytes, alone.kept_byte_s) == (10**9, 0.0)
    copied = transferred(saved, [here, away], stored=True, until_at=4 * HOUR)
    assert copied.sent_bytes == 4 * 10**9
    assert copied.kept_byte_s == pytest.approx(10**9 * HOUR * (2 + 3 + 2))
    assert network(10**9).value == pytest.approx(0.001 * KWH)
    assert storage(10**12 * HOUR).value == pytest.approx(3.6 * 3600)
