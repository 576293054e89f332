"""Charging: what waits to be saved, what is noted, and a meter that fails."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from tests.clocks import SetClock
from tests.records import submission
from tests.virtual import START, Machine

from tidewatt.accounting.factors import DEFAULTS
from tidewatt.adapters.cgroup import Limit
from tidewatt.adapters.engines.local import LocalEngine
from tidewatt.adapters.meters.model import ModelMeter, PowerModel
from tidewatt.adapters.meters.proc import Processors
from tidewatt.adapters.stores.memory import MemoryStore
from tidewatt.control.books import Books, Places
from tidewatt.control.metering import MOST_UNSAVED, SAVE_EVERY_S, Metering
from tidewatt.control.unplanned import AT_HAND
from tidewatt.domain.function import FunctionSpec, Kind
from tidewatt.domain.ledger import Holder
from tidewatt.domain.lifecycle import State, Wish
from tidewatt.domain.site import Site
from tidewatt.ports import Clock, Store
from tidewatt.simulation.engine import Workload


def no_books(store: Store, clock: Clock) -> Books:
    """Totals of a place of which nothing is known."""
    return Books(store, clock, Places(lambda: (), DEFAULTS), "")


@pytest.fixture
def engine() -> Iterator[LocalEngine]:
    with closing(LocalEngine("nothing:at_all")) as made:
        yield made


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
    machine = Machine(Site("de", "DE", 1), metered=True)
    machine.loop.begin()
    waiting = [f"waiting-{number}" for number in range(3 * AT_HAND)]
    for name in ("first", *waiting):
        call = submission(name, FunctionSpec(name="call", kind=Kind.FUNCTION), at=START)
        machine.submit(call, Workload(60.0, (1.0,)))
    for number, name in enumerate(waiting):
        machine.engine.visit_at(START + 1.0 + number / 2, partial(machine.store.wish, name, Wish.CANCEL))
    machine.until_idle()
    states = Counter(job.state for job in machine.store.jobs())
    assert states == {State.SUCCEEDED: 1, State.CANCELLED: len(waiting)}
    assert len({entry.reading for entry in machine.store.ledger()}) < AT_HAND


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
