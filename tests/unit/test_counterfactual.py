"""The run that a saving is claimed against, and the saving, by hand-worked figures."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import records

from tidewatt.accounting.carbon import Operational, Spent, operational
from tidewatt.accounting.conditions import Conditions
from tidewatt.accounting.counterfactual import Counterfactual, Unknown, counterfactual
from tidewatt.accounting.factors import PUE, Factors
from tidewatt.accounting.pace import joules_per_step, stints
from tidewatt.accounting.saving import Saving, saving
from tidewatt.domain.estimate import Estimate
from tidewatt.domain.function import FunctionSpec, Kind, WorkerRange
from tidewatt.domain.job import Attempt, Job
from tidewatt.domain.ledger import Account, Allocation, Balance, Holder, LedgerEntry, Phase
from tidewatt.domain.lifecycle import State
from tidewatt.domain.signal import Quality, Reading, Signal

HOUR = 3600.0
SPEED = 3600.0
PLAIN = Factors(pue=replace(PUE, value=1.0, low=1.0, high=1.0))


def signal(*values: float, spread: float = 0.0) -> Signal:
    return Signal(
        "DE",
        tuple(
            Reading(i * HOUR, v, v * (1 - spread), v * (1 + spread), "test", Quality.MEASURED)
            for i, v in enumerate(values)
        ),
    )


def by(intensity: Signal, factors: Factors = PLAIN) -> Conditions:
    """A grid that was so, and a site."""
    return Conditions(intensity={"DE": intensity}, factors=factors)


def job(state: State = State.SUCCEEDED, *, steps: int = 100, total: int | None = 100) -> Job:
    function = FunctionSpec(name="digits", kind=Kind.TRAINING, workers=WorkerRange(1, 4), shards=4)
    draft = Job.draft(records.submission("job-1", function))
    return replace(
        draft, seq=1, state=state, token=2, steps_done=steps, steps_reached=steps, steps_total=total
    )


def attempt(
    token: int, workers: int, first: int, last: int, seconds: float, startup_s: float = 0.5
) -> Attempt:
    return replace(
        records.attempt("job-1", token),
        workers=workers,
        first_step=first,
        last_step=last,
        startup_wall_s=startup_s,
        training_wall_s=seconds,
        ended_wall=startup_s + seconds,
        outcome="succeeded",
    )


def entry(
    token: int, joules: float, phase: Phase = Phase.COMPUTE, hour: float = 0.0, spread: float = 0.0
) -> Balance:
    energy_uj = round(joules * 1_000_000)
    reading = replace(
        records.reading(energy_uj, start_at=hour * HOUR, busy_cpu_s=1.0, cpus=4),
        end_at=(hour + 1) * HOUR,
        low_uj=round(energy_uj * (1 - spread)),
        high_uj=round(energy_uj * (1 + spread)),
    )
    share = Allocation(
        account=Account(Holder.JOB, "job-1"), phase=phase, energy_uj=energy_uj, zone="DE", token=token
    )
    return Balance.of(LedgerEntry(reading=reading, allocation=share))


def known(found: Counterfactual | Unknown) -> Counterfactual:
    assert isinstance(found, Counterfactual)
    return found


def test_straight_through_at_the_observed_pace_and_energy() -> None:
    # 40 steps with one worker: 39 steps in 3.9 s, 80 J; so 100 steps take 10 s and 200 J, after 0.5 s and 3 J
    attempts = [attempt(1, 1, 1, 40, 3.9), attempt(2, 4, 41, 100, 2.0)]
    entries = [
        entry(1, 3.0, Phase.COLD_START),
        entry(1, 80.0),
        entry(1, 5.0, Phase.CHECKPOINT),
        entry(1, 1.0, Phase.SUSPEND),
        entry(2, 2.0, Phase.RESUME),
        entry(2, 7.0, Phase.REPLAY),
        entry(2, 300.0),
    ]
    other = known(counterfactual(job(), attempts, entries, by(signal(*[360.0] * 12)), SPEED))

    assert other.workers == 1
    assert other.zone == "DE"
    assert other.start_at == 0.0
    assert other.wall_s == pytest.approx(10.5)
    assert other.end_at == pytest.approx(10.5 * SPEED)
    assert other.energy_j.value == pytest.approx(203.0)
    assert other.carbon is not None
    assert other.carbon.amount.value == pytest.approx(203.0 * 360 / 3.6e6)
    assert other.machine_s == pytest.approx(10.5 / 4)
    assert not other.assumed


def test_its_hours_are_those_after_submission() -> None:
    # 2 s of work are 2 hours at this speed, one at 100 and one at 300 g/kWh; no start-up, no cold start
    done = [attempt(1, 1, 0, 100, 2.0, startup_s=0.0)]
    other = known(counterfactual(job(), done, [entry(1, 36.0, hour=9)], by(signal(100, 300, 900)), SPEED))
    assert other.carbon is not None
    assert other.carbon.amount.value == pytest.approx(36.0 * 200 / 3.6e6, rel=0.02)


def test_an_unseen_worker_count_is_inferred_and_said_to_be() -> None:
    # 4 workers: 100 steps at 20 a second, 3 J each; one worker is taken to do 5 a second
    done = [attempt(1, 4, 1, 100, 99 / 20)]
    other = known(counterfactual(job(), done, [entry(1, 300.0)], by(signal(100.0)), SPEED))
    assert other.wall_s == pytest.approx(0.5 + 20.0)
    assert other.energy_j.value == pytest.approx(300.0)
    assert other.assumed
    assert "other worker counts" in other.basis
    assert "in proportion" in other.basis


def test_work_done_again_is_not_work() -> None:
    # the first attempt reached step 50 and died; the second resumed from 41 and ended
    done = [attempt(1, 1, 1, 50, 5.0), attempt(2, 1, 41, 100, 6.0)]
    assert [s.steps for s in stints(done, [])] == [50, 50]


def test_steps_that_nobody_reported_belong_to_the_attempt_that_left() -> None:
    done = [attempt(1, 1, 1, 50, 5.0), attempt(2, 2, 56, 100, 6.0)]
    assert [s.steps for s in stints(done, [])] == [55, 45]


def test_attempts_that_differ_give_the_energy_of_a_step_a_range() -> None:
    done = [attempt(1, 1, 1, 50, 5.0), attempt(2, 1, 51, 100, 5.0), attempt(3, 1, 101, 102, 1.0)]
    seen = joules_per_step(stints(done, [entry(1, 100.0), entry(2, 200.0), entry(3, 50.0)]), 1)
    assert seen is not None
    assert seen.figure.low == pytest.approx(2.0)
    assert seen.figure.high == pytest.approx(4.0)
    assert seen.figure.value == pytest.approx(350 / 102)


def test_the_cold_start_is_the_mean_of_those_seen() -> None:
    done = [attempt(1, 1, 1, 50, 5.0, 1.0), attempt(2, 1, 51, 100, 5.0, 2.0)]
    entries = [
        entry(1, 2.0, Phase.COLD_START),
        entry(1, 50.0),
        entry(2, 4.0, Phase.COLD_START),
        entry(2, 50.0),
    ]
    other = known(counterfactual(job(), done, entries, by(signal(100.0)), SPEED))
    energy = other.energy_j
    assert (energy.value, energy.low, energy.high) == pytest.approx((103.0, 102.0, 104.0))
    assert "mean of 2" in other.basis


def test_a_job_under_way_is_compared_by_what_it_has_done() -> None:
    done = [attempt(1, 1, 1, 40, 3.9)]
    running = job(State.RUNNING, steps=40, total=100)
    other = known(counterfactual(running, done, [entry(1, 80.0)], by(signal(100.0)), SPEED))
    assert other.energy_j.value == pytest.approx(80.0)


def test_a_function_without_steps_is_compared_by_its_whole_attempt() -> None:
    whole = replace(attempt(1, 1, 0, 0, 0.0), first_step=None, last_step=None, ended_wall=4.5)
    done = job(steps=0, total=None)
    other = known(counterfactual(done, [whole], [entry(1, 12.0)], by(signal(100.0)), SPEED))
    assert other.energy_j.value == pytest.approx(12.0)
    assert other.wall_s == pytest.approx(4.5)
    assert not other.assumed


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_nothing_is_said_of_a_job_without_a_result(state: State) -> None:
    found = counterfactual(job(state), [attempt(1, 1, 1, 100, 9.9)], [entry(1, 9.0)], by(signal(1.0)), SPEED)
    assert isinstance(found, Unknown)
    assert str(state) in found.reason


def test_nothing_is_said_of_work_that_was_not_observed() -> None:
    assert isinstance(counterfactual(job(), [], [], by(signal(1.0)), SPEED), Unknown)


def test_without_a_signal_its_energy_is_known_and_its_carbon_is_not() -> None:
    done = [attempt(1, 1, 1, 100, 9.9)]
    other = known(counterfactual(job(), done, [entry(1, 100.0)], Conditions(factors=PLAIN), SPEED))
    assert other.energy_j.value == pytest.approx(100.0)
    assert other.carbon is None
    actual = operational([Spent.of(entry(1, 100.0))], Conditions(factors=PLAIN))
    found = saving(actual, 1.0, other, PLAIN)
    assert isinstance(found, Unknown)
    assert "DE" in found.reason


def drawn(*joules: float, grid: Signal, factors: Factors = PLAIN) -> Operational:
    """Energy by hour, as priced."""
    pieces = [
        Spent(
            zone="DE",
            start_at=i * HOUR,
            end_at=(i + 1) * HOUR,
            energy_j=Estimate.exact(j),
            meter=Estimate.exact(1.0),
        )
        for i, j in enumerate(joules)
    ]
    return operational(pieces, by(grid, factors))


def versus(actual: Operational, other: Operational, meter: Estimate) -> Saving:
    found = saving(
        actual,
        2.0,
        Counterfactual(
            start_at=0.0,
            end_at=HOUR,
            wall_s=1.0,
            machine_s=3.0,
            zone="DE",
            workers=1,
            energy_j=Estimate.exact(other.energy_j) * meter,
            meter=meter,
            operational=other,
            basis="",
            assumed=False,
        ),
        PLAIN,
    )
    assert isinstance(found, Saving)
    return found


ONE = Estimate.exact(1.0)


def test_a_saving_is_the_difference_in_grams() -> None:
    grid = signal(300.0, 100.0)
    found = versus(drawn(0.0, 3.6e6, grid=grid), drawn(3.6e6, 0.0, grid=grid), ONE)
    assert found.operational_g.value == pytest.approx(200.0)
    assert found.share is not None
    assert found.share.value == pytest.approx(2 / 3)
    # one machine second more in the other run, 946 kg over 35,040 h
    assert found.with_embodied_g.value == pytest.approx(200.0 + 946_000 / 35_040 / 3600)


def test_a_loss_is_a_saving_below_zero() -> None:
    grid = signal(300.0, 100.0)
    found = versus(drawn(3.6e6, 0.0, grid=grid), drawn(0.0, 3.6e6, grid=grid), Estimate(1.0, 0.5, 2.0))
    assert found.operational_g.value == pytest.approx(-200.0)
    assert found.operational_g.low == pytest.approx(-400.0)
    assert found.operational_g.high == pytest.approx(-100.0)
    assert found.share is not None
    assert found.share.value == pytest.approx(-2.0)


def test_the_meter_and_the_site_scale_a_saving_and_cannot_turn_it() -> None:
    grid = signal(300.0, 100.0)
    factors = Factors(pue=replace(PUE, value=1.5, low=1.0, high=2.0))
    found = versus(
        drawn(0.0, 3.6e6, grid=grid, factors=factors),
        drawn(3.6e6, 0.0, grid=grid, factors=factors),
        Estimate(1.0, 0.5, 2.0),
    )
    assert found.operational_g.low == pytest.approx(100.0)
    assert found.operational_g.high == pytest.approx(800.0)
    assert found.share is not None
    assert found.share.low == pytest.approx(found.share.high)


def test_an_hour_that_both_draw_in_has_one_intensity() -> None:
    grid = signal(200.0, spread=0.5)
    found = versus(drawn(1.8e6, grid=grid), drawn(3.6e6, grid=grid), ONE)
    assert found.share is not None
    assert found.share.low == pytest.approx(0.5)
    assert found.share.high == pytest.approx(0.5)
    assert found.operational_g.low == pytest.approx(50.0)
    assert found.operational_g.high == pytest.approx(150.0)


JOULES = st.lists(st.floats(0, 1e7), min_size=3, max_size=3)


@given(
    ours=JOULES,
    theirs=st.lists(st.floats(1, 1e7), min_size=3, max_size=3),
    values=st.lists(st.floats(1, 900), min_size=3, max_size=3),
    ends=st.lists(st.sampled_from([-1.0, -0.3, 0.0, 0.6, 1.0]), min_size=3, max_size=3),
)
def test_no_intensity_within_its_range_leads_out_of_the_range_of_the_saving(
    ours: list[float], theirs: list[float], values: list[float], ends: list[float]
) -> None:
    spread = 0.4
    grid = signal(*values, spread=spread)
    found = versus(drawn(*ours, grid=grid), drawn(*theirs, grid=grid), ONE)
    assert found.share is not None

    real = [v * (1 + spread * end) for v, end in zip(values, ends, strict=True)]
    a = sum(j * v for j, v in zip(ours, real, strict=True)) / 3.6e6
    c = sum(j * v for j, v in zip(theirs, real, strict=True)) / 3.6e6
    slack = 1e-9 * (a + c)
    assert found.operational_g.low - slack <= c - a <= found.operational_g.high + slack
    assert found.share.low - 1e-9 * (1 + a / c) <= 1 - a / c <= found.share.high + 1e-9 * (1 + a / c)
