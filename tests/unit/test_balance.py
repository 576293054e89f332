"""Sums of the ledger: what is alike, and which readings of the node belong to a job's time."""

from dataclasses import replace

import pytest
from tests import records

from tidewatt.accounting.balance import balances, beside
from tidewatt.domain.ledger import (
    PLATFORM,
    UNALLOCATED,
    Account,
    Allocation,
    Holder,
    LedgerEntry,
    Phase,
)


def reading(start_at: float, end_at: float, *accounts: Account, meter: str = "test") -> list[LedgerEntry]:
    """A reading of 10 µJ for each of its accounts."""
    read = records.reading(10 * len(accounts), start_at=start_at, wall_s=end_at - start_at)
    node = replace(read, meter=meter)
    return [
        LedgerEntry(reading=node, allocation=Allocation(account=a, phase=Phase.NONE, energy_uj=10))
        for a in accounts
    ]


JOB, OTHER = Account(Holder.JOB, "a"), Account(Holder.JOB, "b")


def test_all_accounts_of_a_jobs_readings_count_and_those_around_it_in_its_time() -> None:
    ledger = [
        *reading(0, 5, UNALLOCATED),  # before it was submitted
        *reading(8, 12, UNALLOCATED, PLATFORM),  # while it waited
        *reading(12, 15, JOB, OTHER, PLATFORM),
        *reading(15, 18, UNALLOCATED),  # while it was suspended
        *reading(18, 20, JOB, UNALLOCATED),
        *reading(20, 25, UNALLOCATED),  # after its end
    ]
    assert beside(ledger, "a", 10, 20) == {
        Holder.JOB: 30,
        Holder.PLATFORM: 20,
        Holder.UNALLOCATED: 30,
    }


def test_a_device_is_read_with_the_node_and_counts_with_it() -> None:
    ledger = [
        *reading(8, 12, UNALLOCATED),
        *reading(8, 12, UNALLOCATED, meter="gpu 0"),
        *reading(8, 12, UNALLOCATED, meter="gpu 1"),
        *reading(12, 15, JOB, PLATFORM),
        *reading(12, 15, JOB, UNALLOCATED, meter="gpu 0"),
        *reading(12, 15, OTHER, meter="gpu 1"),
        *reading(15, 18, PLATFORM),
        *reading(15, 18, UNALLOCATED, meter="gpu 0"),
    ]
    assert beside(ledger, "a", 10, 20) == {
        Holder.JOB: 30,
        Holder.PLATFORM: 20,
        Holder.UNALLOCATED: 50,
    }


def test_another_replay_of_the_same_hours_does_not_count() -> None:
    ledger = [*reading(10, 15, OTHER), *reading(10, 15, JOB, PLATFORM), *reading(11, 14, OTHER)]
    assert beside(ledger, "a", 10, 15) == {Holder.JOB: 10, Holder.PLATFORM: 10}


def test_a_job_without_energy_has_no_readings() -> None:
    assert beside(reading(0, 5, UNALLOCATED), "a", 0, 5) == {}


def test_entries_of_a_quarter_of_an_hour_are_summed_and_those_of_two_are_not() -> None:
    ledger = [
        *reading(10, 20, JOB, OTHER),
        *reading(20, 30, JOB),
        *reading(3590, 3610, JOB),  # its quarters may have two prices
        *reading(3595, 3605, JOB),
        *reading(3700, 3710, JOB),
    ]
    mine = [b for b in balances(ledger) if b.account == JOB]
    assert [(b.start_at, b.end_at, b.energy_uj) for b in mine] == [
        (10, 30, 20),
        (3590, 3610, 10),
        (3595, 3605, 10),
        (3700, 3710, 10),
    ]
    assert sum(b.energy_uj for b in balances(ledger)) == sum(e.allocation.energy_uj for e in ledger)


def test_a_balance_has_the_range_of_its_readings() -> None:
    (sure,) = reading(10, 20, JOB)
    unsure = LedgerEntry(reading=replace(sure.reading, low_uj=5, high_uj=30), allocation=sure.allocation)
    (balance,) = balances([sure, unsure])
    assert balance.energy_uj == 20
    assert (balance.low_j, balance.high_j) == pytest.approx((15e-6, 40e-6))
