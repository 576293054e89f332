"""What did no work, by hand-worked figures: every kind once, none of it twice, and nothing made up."""

import pytest

from tidewatt.domain.estimate import Tier
from tidewatt.domain.ledger import POOL, UNALLOCATED, Account, Balance, Holder, Phase
from tidewatt.report.period import charges
from tidewatt.report.waste import OVER_RESERVED, losses, unsaid_uj


def balance(account: Account, phase: Phase, energy_uj: int, spare_uj: int | None = 0) -> Balance:
    return Balance(
        account=account,
        phase=phase,
        token=1,
        zone="",
        workers=1,
        meter="test",
        tier=Tier.COUNTER,
        cpus=2,
        start_at=0.0,
        end_at=60.0,
        energy_uj=energy_uj,
        low_j=energy_uj / 1e6,
        high_j=energy_uj / 1e6,
        machine_s=1.0,
        spare_uj=spare_uj,
    )


ONE, TWO = Account(Holder.JOB, "one"), Account(Holder.JOB, "two")


def test_what_was_held_and_not_used_during_work_is_a_loss_of_its_own() -> None:
    found = charges(
        [
            balance(ONE, Phase.COMPUTE, 1_000_000, 300_000),
            balance(ONE, Phase.COMM, 200_000, 50_000),
            balance(ONE, Phase.STALLED, 100_000, 90_000),
            balance(TWO, Phase.COMPUTE, 500_000, 400_000),
            balance(POOL, Phase.WARM_IDLE, 70_000),
            balance(UNALLOCATED, Phase.NONE, 130_000),
        ],
        {},
        {},
    )
    by_kind = {loss.key: loss for loss in losses(found)}
    assert {key: loss.energy_uj for key, loss in by_kind.items()} == {
        OVER_RESERVED: 750_000,
        "unallocated": 130_000,
        "stalled": 100_000,
        "pool": 70_000,
    }
    mine = by_kind[OVER_RESERVED]
    assert mine.worst == "two"
    assert mine.share == pytest.approx(750 / 2000)
    assert mine.cost_usd == pytest.approx(0.75 / 3.6e6 * 1.56 * 0.155)
    assert "fewer cpus=" in mine.advice
    assert unsaid_uj(found) == 0


def test_what_an_older_version_recorded_is_not_known_and_never_0() -> None:
    found = charges(
        [balance(ONE, Phase.COMPUTE, 1_000, None), balance(TWO, Phase.COMPUTE, 500, 20)],
        {},
        {},
    )
    (only,) = losses(found)
    assert (only.key, only.energy_uj, only.worst) == (OVER_RESERVED, 20, "two")
    assert unsaid_uj(found) == 1_000
