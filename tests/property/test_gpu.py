"""What is decided about GPUs: how counter and power are held against each other, and whose the energy is."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import records

from tidewatt.accounting import gpu
from tidewatt.accounting.gpu import Instance, Look, Span
from tidewatt.control.devices import charged, owned
from tidewatt.domain.estimate import Estimate, Tier
from tidewatt.domain.ledger import UNALLOCATED, EnergyReading, Holder, Phase
from tidewatt.ports import DeviceReading, DeviceUse, WorkerUsage

LIMIT_W = 700.0
WALL_S = st.floats(0.001, 120.0)
LOOKS = st.builds(
    Look,
    count_mj=st.none() | st.integers(0, 2**63 - 1) | st.integers(0, 200_000),
    power_w=st.none() | st.floats(0.0, 1000.0),
)
SPANS = st.lists(
    st.builds(Span, st.floats(0.01, 20.0), st.floats(0.0, 10_000.0), st.floats(0.0, 10_000.0)), max_size=40
)


@given(LOOKS, LOOKS, WALL_S, SPANS, st.floats(0.0, 900.0))
def test_whatever_a_gpu_says_figures_are_in_order_and_flagged_ones_say_why(
    before: Look, after: Look, wall_s: float, spans: list[Span], last_w: float
) -> None:
    drawn = gpu.drawn(before, after, wall_s, spans, LIMIT_W, last_w)
    energy = drawn.energy_j

    assert 0 <= energy.low <= energy.value <= energy.high < math.inf
    assert (drawn.tier is Tier.COUNTER) == (drawn.how == "")
    if drawn.tier is Tier.MODEL:
        assert after.power_w is None
        assert drawn.note
    energy_uj, static_uj, low_uj, high_uj = gpu.microjoules(energy, Estimate(50.0, 45.0, 55.0), wall_s)
    assert 0 <= static_uj <= energy_uj
    assert 0 <= low_uj <= energy_uj <= high_uj


@given(st.lists(st.tuples(st.floats(0.01, 5.0), st.integers(1, 700)), min_size=1, max_size=30))
def test_no_energy_is_lost_between_looks_at_a_counter(steps: list[tuple[float, int]]) -> None:
    looks, count_mj = [Look(count_mj=7, power_w=None)], 7
    for wall_s, watts in steps:
        count_mj += max(1, round(wall_s * watts * 1000))
        looks.append(Look(count_mj=count_mj, power_w=None))
    used = [
        gpu.counted_j(a, b, wall_s, LIMIT_W)
        for a, b, (wall_s, _) in zip(looks, looks[1:], steps, strict=False)
    ]

    assert sum(j for j in used if j is not None) == pytest.approx((count_mj - 7) / 1000)


@pytest.mark.parametrize(
    ("before", "after", "wall_s", "wanted"),
    [
        (1000, 251_000, 1.0, 250.0),
        (251_000, 1000, 1.0, None),
        (1000, 9_000_000, 1.0, None),
        (1000, 1000, 1.0, None),
        (1000, 1000, 0.01, 0.0),
        (None, 1000, 1.0, None),
        (1000, None, 1.0, None),
    ],
    ids=["counts", "reset", "more than it can draw", "stuck", "a moment", "new", "gone"],
)
def test_a_counter_is_believed_where_it_can_be(
    before: int | None, after: int | None, wall_s: float, wanted: float | None
) -> None:
    first, second = Look(count_mj=before, power_w=None), Look(count_mj=after, power_w=None)

    assert gpu.counted_j(first, second, wall_s, LIMIT_W) == wanted


@given(st.floats(1.0, 700.0), st.floats(0.905, 1.1))
def test_a_counter_that_power_bears_out_is_a_counter(watts: float, ratio: float) -> None:
    spans = [Span(1.0, watts * min(ratio, 1 / 0.9), watts)] * 10

    assert gpu.disagreement(spans) is None


@given(st.floats(10.0, 700.0), st.floats(0.02, 0.85) | st.floats(1.2, 9.0))
def test_a_counter_that_power_contradicts_is_flagged_and_the_range_holds_both(
    watts: float, ratio: float
) -> None:
    spans = [Span(1.0, watts * ratio, watts)] * 10
    looks = [
        Look(count_mj=0, power_w=watts),
        Look(count_mj=round(watts * ratio * 1000), power_w=watts),
    ]

    drawn = gpu.drawn(looks[0], looks[1], 1.0, spans, 10_000.0, watts)

    assert drawn.tier is Tier.HYBRID
    assert drawn.how == "counter and power disagree"
    assert f"its power {watts:.0f} W" in drawn.note
    assert drawn.energy_j.low <= min(watts, watts * ratio) * 1.01
    assert drawn.energy_j.high >= max(watts, watts * ratio) * 0.99


def test_one_interval_of_a_changing_load_proves_nothing() -> None:
    spans = gpu.recent((), Span(1.0, 700.0, 350.0))
    assert gpu.disagreement(spans) is None
    for _ in range(9):
        spans = gpu.recent(spans, Span(1.0, 350.0, 350.0))

    assert gpu.disagreement(spans) is None


@given(SPANS.filter(bool))
def test_the_window_is_no_longer_than_it_has_to_be(spans: list[Span]) -> None:
    kept = gpu.recent(spans, Span(1.0, 1.0, 1.0))

    assert kept[-1] == Span(1.0, 1.0, 1.0)
    assert sum(span.wall_s for span in kept[1:]) < gpu.WINDOW_S
    assert len(kept) == len(spans) + 1 or sum(span.wall_s for span in kept) >= gpu.WINDOW_S


INSTANCES = st.lists(
    st.builds(
        Instance, parts=st.integers(1, 7), processes=st.lists(st.integers(1, 40), max_size=4).map(tuple)
    ),
    max_size=7,
)


@given(INSTANCES, WALL_S)
def test_what_is_held_is_what_instances_have_in_which_something_lives(
    instances: list[Instance], wall_s: float
) -> None:
    held = gpu.held_s(instances, wall_s)

    lived_in = sum(instance.parts for instance in instances if instance.processes)
    assert sum(held.values()) == pytest.approx(lived_in * wall_s)


def worker(job: str, *processes: int, phase: Phase = Phase.COMPUTE) -> WorkerUsage:
    return WorkerUsage(
        job_id=job,
        token=1,
        zone="DE",
        workers=1,
        cpus=1,
        phase=phase,
        cpu_s={phase: 1.0},
        processes=processes,
    )


def reading(
    energy_uj: int, static_uj: int, busy_s: float, wall_s: float = 1.0, parts: int = 1
) -> EnergyReading:
    read = records.reading(energy_uj, static_uj=static_uj, busy_cpu_s=busy_s, wall_s=wall_s, cpus=parts)
    return replace(read, meter="NVML GPU 0")


USES = st.lists(
    st.builds(
        DeviceUse,
        ancestry=st.lists(st.integers(1, 12), min_size=1, max_size=3).map(tuple),
        busy_s=st.floats(0.0, 9.0),
        held_s=st.floats(0.0, 9.0),
    ),
    max_size=8,
)


@given(USES, st.integers(0, 10**12), st.integers(0, 10**12), st.floats(1e-3, 60.0), st.integers(1, 7))
def test_every_microjoule_of_a_gpu_has_one_owner(
    uses: list[DeviceUse], energy_uj: int, static_uj: int, wall_s: float, parts: int
) -> None:
    busy_s = sum(use.busy_s for use in uses)
    device = DeviceReading(reading=reading(energy_uj, static_uj, busy_s, wall_s, parts), uses=tuple(uses))

    read, shares = charged(device, [worker("a", 1, 2), worker("b", 3)], {})

    assert sum(share.energy_uj for share in shares) == read.energy_uj
    assert all(share.energy_uj >= 0 for share in shares)
    assert all(share.reserved_cpu_s == 0 for share in shares)  # the machine's time is told once


def test_energy_goes_to_the_job_that_started_the_process_and_the_rest_to_nobody() -> None:
    uses = (
        DeviceUse(ancestry=(50, 11, 1), busy_s=0.3, held_s=0.25),  # a child of a worker
        DeviceUse(ancestry=(12,), busy_s=0.1, held_s=0.25),
        DeviceUse(ancestry=(77, 1), busy_s=0.4, held_s=0.25),  # somebody else's
    )
    device = DeviceReading(reading=reading(1_000_000, 200_000, 0.8), uses=uses)
    attempts = [worker("a", 11, phase=Phase.COLD_START), worker("b", 12), worker("c", 13)]

    _, shares = charged(device, attempts, {("b", 1): Phase.STALLED})

    assert [(s.account.holder, s.account.job_id, s.phase, s.energy_uj) for s in shares] == [
        (Holder.JOB, "a", Phase.COLD_START, 50_000 + 300_000),
        (Holder.JOB, "b", Phase.STALLED, 50_000 + 100_000),
        (UNALLOCATED.holder, "", Phase.NONE, 50_000 + 400_000 + 50_000),
    ]


def test_processes_of_several_workers_are_their_attempts() -> None:
    uses = [DeviceUse(ancestry=(n,), busy_s=1.0, held_s=0.5) for n in (1, 2, 9)]

    assert owned(uses, [worker("a", 1, 2)]) == {("a", 1): DeviceUse(ancestry=(), busy_s=2.0, held_s=1.0)}
