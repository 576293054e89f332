"""Law 1: for every reading, allocations sum to it exactly."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from tests import records

from tidewatt.accounting.allocate import allocate
from tidewatt.domain.ledger import (
    PLATFORM,
    POOL,
    UNALLOCATED,
    Account,
    EnergyReading,
    Holder,
    Phase,
    Usage,
)

ACCOUNTS = st.sampled_from([PLATFORM, POOL, Account(Holder.JOB, "a"), Account(Holder.JOB, "b")])
SECONDS = st.one_of(
    st.just(0.0),
    st.floats(min_value=0, max_value=1e6, allow_nan=False),
    st.floats(min_value=0, max_value=1e-9, allow_nan=False),
)


@st.composite
def readings(draw: st.DrawFn) -> EnergyReading:
    """Readings of any size, idle and busy ones, and ones below the calibrated idle power."""
    energy_uj = draw(st.one_of(st.integers(0, 10), st.integers(0, 10**30)))
    return records.reading(
        energy_uj,
        wall_s=draw(st.floats(min_value=1e-6, max_value=1e6, allow_nan=False)),
        static_uj=draw(st.integers(0, 2 * energy_uj)),
        busy_cpu_s=draw(SECONDS),
        cpus=draw(st.integers(1, 512)),
    )


USAGES = st.lists(
    st.builds(
        Usage,
        account=ACCOUNTS,
        phase=st.sampled_from(Phase),
        cpu_s=SECONDS,
        reserved_cpu_s=SECONDS,
        zone=st.sampled_from(["", "DE"]),
        workers=st.integers(0, 8),
        token=st.integers(0, 3),
    ),
    max_size=8,
)


@given(readings(), USAGES)
def test_allocations_sum_to_the_reading_exactly(reading: EnergyReading, usages: list[Usage]) -> None:
    shares = allocate(reading, usages)

    assert sum(share.energy_uj for share in shares) == reading.energy_uj
    assert all(share.energy_uj >= 0 for share in shares)
    assert all(share.spare_uj is not None and 0 <= share.spare_uj <= share.energy_uj for share in shares)


@given(readings(), USAGES)
def test_every_usage_gets_one_allocation_and_the_rest_is_unallocated(
    reading: EnergyReading, usages: list[Usage]
) -> None:
    *shares, rest = allocate(reading, usages)

    assert rest.account == UNALLOCATED
    assert rest.phase is Phase.NONE
    assert [(s.account, s.phase, s.reserved_cpu_s, s.zone, s.workers, s.token) for s in shares] == [
        (u.account, u.phase, u.reserved_cpu_s, u.zone, u.workers, u.token) for u in usages
    ]


@given(readings(), USAGES)
def test_no_share_is_wrong_by_a_microjoule(reading: EnergyReading, usages: list[Usage]) -> None:
    def share(amount: float, available: Fraction, amounts: list[float]) -> Fraction:
        whole = max(available, sum(map(Fraction, amounts), Fraction(0)))
        return Fraction(amount) / whole if whole else Fraction(0)

    static = min(reading.static_uj, reading.energy_uj)
    held, used = [u.reserved_cpu_s for u in usages], [u.cpu_s for u in usages]
    node, busy = reading.cpus * Fraction(reading.wall_s), Fraction(reading.busy_cpu_s)
    for usage, got in zip(usages, allocate(reading, usages), strict=False):
        exact = static * share(usage.reserved_cpu_s, node, held)
        exact += (reading.energy_uj - static) * share(usage.cpu_s, busy, used)
        assert abs(got.energy_uj - exact) < 1


@given(readings(), USAGES, st.integers(0, 7))
def test_using_more_never_costs_less(reading: EnergyReading, usages: list[Usage], index: int) -> None:
    if not usages:
        return
    index %= len(usages)
    more = list(usages)
    one = more[index]
    more[index] = Usage(
        account=one.account,
        phase=one.phase,
        cpu_s=2 * one.cpu_s,
        reserved_cpu_s=2 * one.reserved_cpu_s,
    )

    before, after = allocate(reading, usages)[index], allocate(reading, more)[index]

    assert after.energy_uj >= before.energy_uj - 1  # the last microjoule may be rounded away


@given(readings())
def test_an_idle_machine_belongs_to_nobody(reading: EnergyReading) -> None:
    assert [(s.account, s.energy_uj) for s in allocate(reading, [])] == [(UNALLOCATED, reading.energy_uj)]
