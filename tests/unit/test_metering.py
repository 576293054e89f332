"""Charging: what waits to be saved, what is noted, and a meter that fails."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tidewatt.accounting.factors import DEFAULTS
from tidewatt.adapters.cgroup import Limit
from tidewatt.adapters.engines.local import LocalEngine
from tidewatt.adapters.grids.model import ModelGrid
from tidewatt.adapters.meters.model import ModelMeter, PowerModel
from tidewatt.adapters.meters.proc import Processors
from tidewatt.adapters.stores.memory import MemoryStore
from tidewatt.control.books import Books, Places
from tidewatt.control.foresight import Prospect, by
from tidewatt.control.loop import Loop, Parts
from tidewatt.control.metering import MOST_UNSAVED, SAVE_EVERY_S, Metering
from tidewatt.control.unplanned import AT_HAND
from tidewatt.domain.function import FunctionSpec, Kind, Payload
from tidewatt.domain.job import Submission
from tidewatt.domain.ledger import Holder
from tidewatt.domain.lifecycle import State, Wish
from tidewatt.domain.site import Site
from tidewatt.domain.units import HOUR_S
from tidewatt.forecast.hourly import Hourly
from tidewatt.policy import cheapest
from tidewatt.ports import Clock, Store
from tidewatt.simulation.clock import VirtualClock
from tidewatt.simulation.engine import SimulatedEngine, Workload
from tidewatt.simulation.node import Nobody, SimulatedMeter

START = 1_654_041_600.0


@dataclass
class SetClock:
    """A clock that stands wherever it is put."""

    speed: float = 1.0
    instant: float = 1_700_000_000.0

    def now(self) -> float:
        return self.instant

    def wall(self) -> float:
        return self.instant


def no_books(store: Store, clock: Clock) -> Books:
    """Totals of a place of which nothing is known."""
    return Books(store, clock, Places(lambda: (), DEFAULTS), "")


@pytest.fixture
def engine() -> Iterator[LocalEngine]:
    with closing(LocalEngine("nothing:at_all")) as made:
        yield made


def a_call(name: str) -> Submission:
    """A job that waits for room alone."""
    return Submission(
        id=name,
        function=FunctionSpec(name="call", kind=Kind.FUNCTION),
        payload=Payload(form="simulated", path="", function="call", sha256="call"),
        arguments={},
        submitted_at=START,
        submitted_wall=START,
        deadline_at=None,
        home_zone="DE",
    )


def test_readings_wait_to_be_saved_together_and_none_is_lost(engine: LocalEngine) -> None:
    store, clock = MemoryStore(), SetClock()
    metering = Metering(store, engine, ModelMeter(PowerModel()), clock, no_books(store, clock))
    metering.begin([])
    for _ in range(int(SAVE_EVERY_S) - 1):
        clock.instant += 1.0
        metering.sample({}, save=False)
    assert store.ledger() == []

    clock.instant += 1.0
    metering.sample({}, save=False)
    saved = {entry.reading for entry in store.ledger()}
    assert len(saved) == SAVE_EVERY_S
    clock.instant += 0.5
    metering.sample({})
    assert sum(reading.wall_s for reading in {e.reading for e in store.ledger()}) == SAVE_EVERY_S + 0.5
    clock.instant += 0.5
    metering.sample({}, save=False)
    metering.save()
    assert sum(reading.wall_s for reading in {e.reading for e in store.ledger()}) == SAVE_EVERY_S + 1.0


def test_however_many_readings_there_are_only_so_many_wait_to_be_saved(engine: LocalEngine) -> None:
    store, clock = MemoryStore(), SetClock()
    metering = Metering(store, engine, ModelMeter(PowerModel()), clock, no_books(store, clock))
    metering.begin([])
    taken = 2 * MOST_UNSAVED + 1
    for _ in range(taken):
        clock.instant += SAVE_EVERY_S / (4 * MOST_UNSAVED)
        metering.sample({}, save=False)
    assert len({entry.reading for entry in store.ledger()}) == 2 * MOST_UNSAVED
    metering.save()
    assert len({entry.reading for entry in store.ledger()}) == taken


def test_a_job_that_is_taken_back_before_it_began_calls_for_no_reading() -> None:
    clock, store, grid = VirtualClock(START), MemoryStore(), ModelGrid()
    waiting = [f"waiting-{number}" for number in range(3 * AT_HAND)]
    engine = SimulatedEngine(clock, {name: Workload(60.0, (1.0,)) for name in ("first", *waiting)})
    parts = Parts(
        store=store,
        engine=engine,
        grid=grid,
        meter=SimulatedMeter(engine, 1, 10.0, 3.5),
        clock=clock,
        feed=Nobody(),
        sites=lambda _: (Site("de", "DE", 1),),
        prospect=Prospect(carbon=by(Hourly(), grid)),
        world=None,
        sample_every_s=HOUR_S,
        folder=Path(),
    )
    loop = Loop(parts, cheapest.decide)
    loop.begin()
    store.submit(a_call("first"))
    for number, name in enumerate(waiting):
        store.submit(a_call(name))
        engine.visit_at(START + 1.0 + number / 2, partial(store.wish, name, Wish.CANCEL))
    while loop.turn():
        pass
    states = Counter(job.state for job in store.jobs())
    assert states == {State.SUCCEEDED: 1, State.CANCELLED: len(waiting)}
    assert len({entry.reading for entry in store.ledger()}) < AT_HAND


def test_a_meter_that_fails_ends_nothing(engine: LocalEngine, tmp_path: Path) -> None:
    stat, counter = tmp_path / "stat", tmp_path / "cpuacct.usage"
    stat.write_text("cpu0 1 0 0 0 0 0 0 0 0 0\ncpu1 1 0 0 0 0 0 0 0 0 0\n")
    counter.write_text("5\n")
    store, clock = MemoryStore(), SetClock()
    meter = ModelMeter(PowerModel(), Processors(stat, visible=None, limit=Limit(1.0, counter)))
    metering = Metering(store, engine, meter, clock, no_books(store, clock))
    metering.begin([])
    counter.unlink()
    clock.instant += 1.0
    metering.sample({})
    assert store.ledger() == []

    counter.write_text("7\n")
    clock.instant += 1.0
    metering.sample({})
    (reading,) = {entry.reading for entry in store.ledger()}
    assert reading.wall_s == 2.0  # what could not be read then is read now
    assert {entry.allocation.account.holder for entry in store.ledger()} == {
        Holder.POOL,
        Holder.PLATFORM,
        Holder.UNALLOCATED,
    }
