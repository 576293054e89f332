"""Auditing what jobs shared, by hand-worked figures, and the curve of a node's power."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from tests import records

from tidewatt.accounting.allocate import allocate
from tidewatt.accounting.audit import MOST_JOBS, Audit, audit
from tidewatt.accounting.curve import PUBLISHED, Curve, fitted
from tidewatt.domain.estimate import Tier
from tidewatt.domain.ledger import (
    PLATFORM,
    POOL,
    UNALLOCATED,
    Account,
    EnergyReading,
    Holder,
    LedgerEntry,
    Phase,
    Usage,
)
from tidewatt.errors import UsageError
from tidewatt.report.audit import render, render_json

SHARES = [number / 100 for number in range(101)]


def reading(
    energy_uj: int = 1_000_000, busy_cpu_s: float = 2.0, *, tier: Tier = Tier.MODEL, at: float = 0.0
) -> EnergyReading:
    made = records.reading(energy_uj, start_at=at, static_uj=400_000, busy_cpu_s=busy_cpu_s, cpus=2)
    return replace(made, tier=tier)


def usage(job_id: str, cpu_s: float, reserved_cpu_s: float = 1.0) -> Usage:
    account = Account(Holder.JOB, job_id)
    return Usage(account=account, phase=Phase.COMPUTE, cpu_s=cpu_s, reserved_cpu_s=reserved_cpu_s)


def entries(*usages: Usage, of: EnergyReading | None = None) -> list[LedgerEntry]:
    read = of or reading()
    return [LedgerEntry(reading=read, allocation=share) for share in allocate(read, usages)]


def of(found: Audit, job_id: str) -> tuple[int, int, int]:
    (share,) = [share for share in found.shares if share.account.job_id == job_id]
    return share.ledger_uj, share.additive_uj, share.shapley_uj


def measured(exponent: float, shares: Sequence[float] = SHARES) -> list[EnergyReading]:
    """What a counter reads of a node of that curve, 10 W idle and 40 W more when busy."""
    return [
        reading(round(1e6 * (10 + 40 * (2 * u - u**exponent))), 2 * u, tier=Tier.COUNTER, at=100.0 + number)
        for number, u in enumerate(shares)
    ]


def test_who_uses_more_pays_less_of_a_concave_curve_than_in_proportion() -> None:
    found = audit("a", entries(usage("a", 1.5), usage("b", 0.5)))
    # a: half of the static 400 mJ; of the dynamic 600 mJ the mean of coming first and of coming second
    first, last = 1.5 - 0.75**1.4, 1 - (0.5 - 0.25**1.4)
    assert of(found, "a") == (650_000, 650_000, round(200_000 + 600_000 * (first + last) / 2))
    assert of(found, "a")[2] < 650_000
    assert of(found, "b")[2] == 1_000_000 - of(found, "a")[2]
    assert found.curve == PUBLISHED


def test_those_who_do_the_same_pay_the_same_by_any_curve() -> None:
    assert of(audit("a", entries(usage("a", 1.0), usage("b", 1.0))), "a") == (500_000, 500_000, 500_000)


def test_only_readings_that_are_shared_count() -> None:
    ledger = [
        *entries(usage("a", 1.0), of=reading(at=0)),
        *entries(usage("a", 1.0), usage("b", 1.0), of=reading(at=1)),
        *entries(usage("b", 1.0), usage("c", 1.0), of=reading(at=2)),
    ]
    found = audit("a", ledger)
    assert (found.readings, found.energy_uj) == (1, 1_000_000)
    assert [share.account.job_id for share in found.shares] == ["a", "b", ""]


def test_programs_of_others_and_what_is_kept_ready_are_players() -> None:
    pool = Usage(account=POOL, phase=Phase.WARM_IDLE, cpu_s=0.1)
    platform = Usage(account=PLATFORM, phase=Phase.NONE, cpu_s=0.1)
    found = audit("b", entries(usage("a", 0.5), usage("b", 0.5), pool, platform))
    assert [share.account.holder for share in found.shares] == [
        Holder.JOB,
        Holder.JOB,
        Holder.POOL,
        Holder.PLATFORM,
        Holder.UNALLOCATED,
    ]
    assert found.shares[0].account.job_id == "b"
    by_holder = {share.account.holder: share for share in found.shares}
    assert by_holder[Holder.POOL].shapley_uj == by_holder[Holder.PLATFORM].shapley_uj > 30_000
    assert by_holder[Holder.UNALLOCATED].account == UNALLOCATED


def test_reservations_beyond_the_node_cost_no_more_than_the_node() -> None:
    found = audit("a", entries(usage("a", 1.0, 2.0), usage("b", 1.0, 1.0)))
    # of 2 processors a reserves 2 and b 1: alone all and half of the static 400 mJ
    assert of(found, "a")[2] - 300_000 == (400_000 + 200_000) // 2
    assert of(found, "a")[0] - 300_000 == pytest.approx(400_000 * 2 / 3, abs=1)


def test_a_node_that_reads_power_over_idle_while_nobody_computes_charges_nobody() -> None:
    found = audit("a", entries(usage("a", 0.0), usage("b", 0.0), of=reading(busy_cpu_s=0.0)))
    assert [share.shapley_uj for share in found.shares] == [200_000, 200_000, 600_000]


def test_as_many_jobs_as_are_allowed_are_audited_and_one_more_is_refused() -> None:
    jobs = [usage(f"job-{number}", 0.1, 0.1) for number in range(MOST_JOBS + 1)]
    found = audit("job-0", entries(*jobs[:-1]))
    assert len(found.shares) == MOST_JOBS + 1
    assert len({share.shapley_uj for share in found.shares[:MOST_JOBS]}) <= 2  # alike, but for rounding
    with pytest.raises(UsageError, match="shared readings with 12 others; wanted at most 12 jobs in all"):
        audit("job-0", entries(*jobs))


def test_what_cannot_be_audited_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match="shared no reading with another job"):
        audit("a", entries(usage("a", 1.0)))
    old = [
        replace(e, allocation=replace(e.allocation, cpu_s=None))
        for e in entries(usage("a", 1), usage("b", 1))
    ]
    with pytest.raises(UsageError, match="1 readings that a shared, of which nobody kept who used what"):
        audit("a", old)
    found = audit("a", [*old, *entries(usage("a", 1.0), usage("b", 1.0), of=reading(at=1))])
    assert (found.readings, found.unknown) == (1, 1)
    assert "1 further readings are left out" in render(found)


@pytest.mark.parametrize("exponent", [1.0, 1.37, 2.0])
def test_a_nodes_own_counter_tells_its_curve(exponent: float) -> None:
    found = fitted(measured(exponent))
    assert found is not None
    assert found.exponent == pytest.approx(exponent, abs=0.011)
    assert found.readings == 101
    assert found.explained == pytest.approx(1.0)


def test_on_a_node_whose_power_is_a_straight_line_the_audit_and_the_ledger_agree() -> None:
    full = replace(measured(1.0)[-1], static_uj=10_000_000)
    together = entries(usage("a", 1.5), usage("b", 0.5), of=full)
    alone = [e for r in measured(1.0)[:-1] for e in entries(usage("a", 0.0), of=r)]
    found = audit("a", [*together, *alone])
    assert of(found, "a") == (35_000_000, 35_000_000, 35_000_000)
    assert "fitted to 101 readings of this node" in render(found)


def test_readings_that_cannot_tell_a_curve_tell_none() -> None:
    assert fitted([]) is None
    assert fitted(measured(1.5)[:59]) is None
    assert fitted(measured(1.5, [0.5 + n / 1000 for n in range(101)])) is None  # all about as busy
    assert fitted([replace(r, tier=Tier.MODEL) for r in measured(1.5)]) is None  # it would be the model's
    assert fitted([replace(r, energy_uj=10**6 * (i % 2)) for i, r in enumerate(measured(1.5))]) is None
    falling = [replace(r, energy_uj=10**8 - r.energy_uj) for r in measured(1.0)]
    assert fitted(falling) is None


def test_the_audit_is_told_alike_as_text_and_as_json() -> None:
    found = audit("a", entries(usage("a", 1.5), usage("b", 0.5)))
    shown, values = render(found), json.loads(render_json(found))
    assert "What a shared with b: 1 readings over" in shown
    assert "Both columns sum to 1,000,000 µJ" in shown
    assert "2u - u^1.40" in shown
    assert "Fan, Weber, Barroso" in shown
    assert values["node_uj"] == sum(account["shapley_uj"] for account in values["accounts"]) == 1_000_000
    assert values["check_off_uj"] == 0
    first = values["accounts"][0]
    assert (first["account"], first["job"], first["ledger_uj"]) == ("job", "a", 650_000)
    assert first["difference"] == pytest.approx(first["shapley_uj"] / first["ledger_uj"] - 1)
    assert values["curve"] == {"form": "2u - u^r", "r": 1.4, "fitted_readings": 0, "explained": None}


def test_a_curve_starts_at_nothing_ends_at_all_and_never_falls() -> None:
    shares = np.linspace(0.0, 1.0, 101)
    for exponent in (1.0, 1.4, 2.0):
        drawn = Curve(exponent).at(shares)
        assert (drawn[0], drawn[-1]) == (0.0, 1.0)
        assert np.all(np.diff(drawn) >= 0)
        halves = Curve(exponent).part(np.full(100, 0.5), shares[1:])
        assert halves == pytest.approx(Curve(exponent).at(shares[1:] / 2) / drawn[1:])
