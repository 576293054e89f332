"""The laws, over random worlds played through the live loop in virtual time."""

from dataclasses import replace
from itertools import pairwise

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.records import submission

from tidewatt.adapters.grids.model import ModelGrid
from tidewatt.adapters.stores.sql import SqlStore
from tidewatt.domain.function import FunctionSpec, Kind, WorkerRange
from tidewatt.domain.ledger import Holder
from tidewatt.domain.lifecycle import State
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import Snapshot
from tidewatt.domain.units import DAY_S, HOUR_S
from tidewatt.policy import asap
from tidewatt.policy.names import DEFAULT, POLICIES
from tidewatt.simulation.engine import Workload
from tidewatt.simulation.world import Arrival, SimulatedWorld

YEAR_START = 1_735_689_600.0
"""2025-01-01 in UTC seconds."""
GRID = ModelGrid()
ZONES = ("DE", "FR", "PL", "GB")


@st.composite
def arrivals(draw: st.DrawFn, start_at: float, *, known: bool) -> list[Arrival]:
    """A few jobs whose declared length is the true one; some deadlines are tight, some impossible.

    Unless all is ``known``, they start slowly and scale badly, which nobody has declared.
    """
    count = draw(st.integers(1, 5 if known else 1))
    result: list[Arrival] = []
    for index in range(count):
        kind = draw(st.sampled_from([Kind.TRAINING, Kind.TRAINING, Kind.FUNCTION]))
        most = draw(st.integers(1, 4)) if kind is Kind.TRAINING else 1
        efficiency = draw(st.sampled_from([1.0, 0.9] if known else [1.0, 0.6, 0.0]))
        length_s = draw(st.floats(0.2, 6)) * HOUR_S
        startup_s = draw(st.sampled_from([0.0, 1.0] if known else [0.0, 60.0, 600.0]))
        slack = draw(st.floats(0.4, 4))
        at = start_at + draw(st.floats(0, 6)) * HOUR_S
        function = FunctionSpec(
            name="job",
            kind=kind,
            workers=WorkerRange(1, most),
            shards=most,
            length_s=length_s,
            deadline_s=length_s * slack + HOUR_S,
            zones=tuple(draw(st.sets(st.sampled_from(ZONES), max_size=2))),
        )
        submitted = replace(
            submission(f"job-{index}", function, at=at),
            arguments={"n": str(index)},
            deadline_at=at + length_s * slack + HOUR_S,
        )
        speedup = tuple(float(n) ** efficiency for n in range(1, most + 1))
        result.append(Arrival(submitted, Workload(length_s, speedup, startup_s)))
    return result


@st.composite
def worlds(draw: st.DrawFn, *, known: bool = True) -> tuple[float, tuple[Site, ...], list[Arrival]]:
    """A start within a year, sites, and what comes in."""
    start_at = YEAR_START + draw(st.integers(0, 364)) * DAY_S + draw(st.integers(0, 86_399))
    zones = draw(st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True))
    sites = tuple(Site(f"site-{zone.lower()}", zone, draw(st.integers(1, 4))) for zone in zones)
    return start_at, sites, draw(arrivals(start_at, known=known))


def play(
    world: tuple[float, tuple[Site, ...], list[Arrival]], policy: str = DEFAULT
) -> tuple[SqlStore, SimulatedWorld]:
    """Everything that comes of a world."""
    start_at, sites, coming = world
    store = SqlStore.open("sqlite://")
    simulated = SimulatedWorld(store, GRID, sites, POLICIES[policy], start_at)
    simulated.play(coming)
    return store, simulated


relaxed = settings(
    deadline=None, max_examples=25, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.parametrize("policy", POLICIES)
@given(world=worlds())
@relaxed
def test_what_was_accepted_ends_once_in_time_and_where_it_may(
    policy: str, world: tuple[float, tuple[Site, ...], list[Arrival]]
) -> None:
    store, simulated = play(world, policy)
    accepted = {job.id for job in store.jobs()}
    assert accepted | simulated.refused.keys() == {a.submission.id for a in world[2]}
    for job in store.jobs():
        assert job.state is State.SUCCEEDED
        assert job.ended_at is not None
        assert job.submission.deadline_at is not None
        assert job.ended_at <= job.submission.deadline_at
        ends = [e for e in store.events(job.id) if e.after is State.SUCCEEDED]
        assert len(ends) == 1
        for attempt in store.attempts(job.id):
            assert not job.function.zones or attempt.zone in job.function.zones


@given(worlds(known=False))
@relaxed
def test_a_job_alone_is_in_time_even_if_it_starts_slowly_and_scales_badly(
    world: tuple[float, tuple[Site, ...], list[Arrival]],
) -> None:
    store, _ = play(world)
    for job in store.jobs():
        function, work = job.function, world[2][0].workload
        room = max(s.cpus for s in world[1] if not function.zones or s.zone in function.zones)
        needed_s = work.startup_s + work.length_s / work.speedup[min(function.workers.most, room) - 1]
        assert function.deadline_s is not None
        assert job.submission.deadline_at is not None
        assert job.ended_at is not None
        # What nobody knew may cost a start more, and the time until it was seen.
        if needed_s * 1.1 + 2 * work.startup_s <= function.deadline_s:
            assert job.ended_at <= job.submission.deadline_at


@pytest.mark.parametrize("policy", POLICIES)
@given(world=worlds())
@relaxed
def test_recorded_decisions_replay_to_the_same_plans(
    policy: str, world: tuple[float, tuple[Site, ...], list[Arrival]]
) -> None:
    store, _ = play(world, policy)
    for snapshot, plan in store.plans():
        copy = msgspec.json.decode(msgspec.json.encode(snapshot), type=Snapshot)
        assert POLICIES[plan.policy](copy) == plan.about({job.id for job in snapshot.jobs})


@given(worlds())
@relaxed
def test_every_microjoule_of_every_reading_has_one_owner(
    world: tuple[float, tuple[Site, ...], list[Arrival]],
) -> None:
    store, _ = play(world)
    shares: dict[tuple[float, float], int] = {}
    readings: dict[tuple[float, float], int] = {}
    held: set[Holder] = set()
    for entry in store.ledger():
        interval = (entry.reading.start_at, entry.reading.end_at)
        shares[interval] = shares.get(interval, 0) + entry.allocation.energy_uj
        readings[interval] = entry.reading.energy_uj
        held.add(entry.allocation.account.holder)
    assert shares == readings
    assert not shares or Holder.UNALLOCATED in held
    ends = sorted(readings)
    assert all(before[1] == after[0] for before, after in pairwise(ends))


@given(worlds())
@relaxed
def test_what_is_refused_could_not_be_done(world: tuple[float, tuple[Site, ...], list[Arrival]]) -> None:
    """A job alone is refused only if no permitted site is fast enough, by what is known of it."""
    start_at, sites, coming = world
    for arrival in coming:
        alone = SimulatedWorld(SqlStore.open("sqlite://"), GRID, sites, asap.decide, start_at)
        alone.play([arrival])
        function, work = arrival.submission.function, arrival.workload
        room = [s.cpus for s in sites if not function.zones or s.zone in function.zones]
        if arrival.submission.id not in alone.refused:
            assert room
        elif room:
            widest = min(function.workers.most, max(room))
            assert function.deadline_s is not None
            # Scaling with the 0.9th power is what is believed until it has been seen.
            assert function.deadline_s < work.length_s / widest**0.9 * 1.001 + 10
