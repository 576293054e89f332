"""Sharing one reading among accounts, by hand-worked figures."""

import math
from dataclasses import replace

import pytest
from tests import records

from tidewatt.accounting.allocate import allocate
from tidewatt.domain.ledger import PLATFORM, POOL, UNALLOCATED, Account, EnergyReading, Holder, Phase, Usage
from tidewatt.errors import TidewattError

JOB = Account(Holder.JOB, "job-1")


def reading(
    energy_uj: int = 1_000,
    static_uj: int = 400,
    *,
    wall_s: float = 1.0,
    busy_cpu_s: float = 4.0,
    cpus: int = 8,
) -> EnergyReading:
    made = records.reading(energy_uj, wall_s=wall_s, static_uj=static_uj, busy_cpu_s=busy_cpu_s, cpus=cpus)
    return replace(made, end_at=3600.0)


def usage(cpu_s: float, reserved_cpu_s: float = 0.0, account: Account = JOB) -> Usage:
    return Usage(account=account, phase=Phase.COMPUTE, cpu_s=cpu_s, reserved_cpu_s=reserved_cpu_s)


def energies(*usages: Usage, of: EnergyReading) -> list[int]:
    return [share.energy_uj for share in allocate(of, usages)]


def test_static_energy_goes_by_reservation_and_dynamic_by_processor_time() -> None:
    # static 400 by 2 of 8 reserved seconds: 100; dynamic 600 by 1 of 4 busy seconds: 150
    assert energies(usage(1.0, 2.0), of=reading()) == [250, 750]


def test_only_dynamic_energy_without_a_reservation() -> None:
    assert energies(usage(1.0, account=POOL), usage(0.5, account=PLATFORM), of=reading()) == [150, 75, 775]


def test_oversubscribed_processors_share_all_of_the_energy() -> None:
    # 8 + 8 reserved of 8, 6 + 2 used of 4: scaled to fit, nothing is left
    assert energies(usage(6.0, 8.0), usage(2.0, 8.0), of=reading()) == [650, 350, 0]


def test_a_node_that_counts_no_busy_time_gives_dynamic_energy_to_what_was_used() -> None:
    assert energies(usage(0.1, 8.0), of=reading(busy_cpu_s=0.0)) == [1_000, 0]


def test_nothing_used_and_nothing_reserved_leaves_all_unallocated() -> None:
    assert energies(usage(0.0), of=reading(busy_cpu_s=0.0)) == [0, 1_000]


def test_the_largest_remainder_gets_the_last_microjoule_and_ties_go_in_order() -> None:
    third = reading(energy_uj=10, static_uj=0, busy_cpu_s=3.0)
    assert energies(usage(1.0), usage(1.0), usage(1.0), of=third) == [4, 3, 3, 0]
    assert energies(usage(1.0), usage(2.0), of=third) == [3, 7, 0]


def test_a_reading_below_idle_power_is_all_static() -> None:
    assert energies(usage(4.0, 2.0), of=reading(energy_uj=300)) == [75, 225]


def test_real_seconds_count_even_when_the_world_runs_faster() -> None:
    assert energies(usage(0.0, 1.0), of=reading(static_uj=1_000, wall_s=0.5)) == [250, 750]


def test_sums_stay_exact_beyond_the_precision_of_floats() -> None:
    huge = reading(energy_uj=10**30 + 7, static_uj=10**29 + 3, busy_cpu_s=3.0)
    assert sum(energies(usage(0.1, 0.3), usage(0.7, 0.1), of=huge)) == 10**30 + 7


def test_what_the_usage_says_passes_through() -> None:
    mine = Usage(account=JOB, phase=Phase.COMM, cpu_s=1.0, reserved_cpu_s=2.0, zone="DE", workers=4, token=3)
    share, rest = allocate(reading(), [mine])
    assert (share.account, share.phase, share.zone, share.workers, share.token) == (
        JOB,
        Phase.COMM,
        "DE",
        4,
        3,
    )
    assert (share.cpu_s, share.reserved_cpu_s) == (1.0, 2.0)
    assert (rest.account, rest.phase, rest.cpu_s) == (UNALLOCATED, Phase.NONE, None)


def spares(*usages: Usage, of: EnergyReading) -> list[int | None]:
    return [share.spare_uj for share in allocate(of, usages)]


def test_the_static_energy_of_what_is_held_and_not_used_is_kept_apart() -> None:
    # of static 400 each gets 2 of 8 reserved seconds: 100; a half, none and all of it was not used
    three = (usage(1.0, 2.0), usage(2.5, 2.0), usage(0.0, 2.0))
    assert spares(*three, of=reading()) == [50, 0, 100, 0]
    assert spares(usage(1.0), of=reading()) == [0, 0]  # nothing was held
    # 16 reserved of 8: static 400 is shared in halves, and of the first half all but a quarter is spare
    assert spares(usage(2.0, 8.0), usage(8.0, 8.0), of=reading(busy_cpu_s=8.0)) == [150, 0, 0]


@pytest.mark.parametrize(
    "wrong",
    [
        reading(energy_uj=-1),
        reading(static_uj=-1),
        reading(wall_s=0.0),
        reading(wall_s=-1.0),
        reading(wall_s=math.nan),
        reading(cpus=0),
        reading(busy_cpu_s=-0.5),
    ],
)
def test_impossible_readings_are_refused(wrong: EnergyReading) -> None:
    with pytest.raises(TidewattError, match="found a"):
        allocate(wrong, [])


@pytest.mark.parametrize("wrong", [usage(-1.0), usage(0.0, -1.0), usage(math.inf), usage(math.nan)])
def test_impossible_usages_are_refused(wrong: Usage) -> None:
    with pytest.raises(TidewattError, match="processor seconds"):
        allocate(reading(), [wrong])
