"""Who waits for a job hears of its rest: once it rests, and not because it is looked at no more."""

from dataclasses import dataclass, field
from pathlib import Path

from tidewatt.adapters.grids.model import ModelGrid
from tidewatt.adapters.stores.memory import MemoryStore
from tidewatt.control import unplanned
from tidewatt.control.foresight import Prospect, by
from tidewatt.control.loop import Loop
from tidewatt.control.parts import Parts
from tidewatt.domain.function import FunctionSpec, Kind, Payload
from tidewatt.domain.job import Submission
from tidewatt.domain.lifecycle import Wish
from tidewatt.domain.site import Site
from tidewatt.domain.units import HOUR_S
from tidewatt.forecast.hourly import Hourly
from tidewatt.policy import cheapest
from tidewatt.ports import Update
from tidewatt.simulation.clock import VirtualClock
from tidewatt.simulation.engine import SimulatedEngine, Workload

START = 1_654_041_600.0


@dataclass
class Heard:
    """A feed that keeps what it is told of rests."""

    store: MemoryStore
    heard: bool = False
    ended: list[str] = field(default_factory=list[str])
    held: list[str] = field(default_factory=list[str])

    def publish(self, update: Update) -> None:
        """Nobody follows."""

    def rests(self, job_id: str, *, ended: bool) -> None:
        """Somebody may wait for it."""
        job = self.store.job(job_id)
        assert job is not None
        assert job.at_rest, "whoever waits would ask again at once, for ever"
        (self.ended if ended else self.held).append(job_id)


class Machine:
    """A supervisor of one processor in virtual time."""

    def __init__(self) -> None:
        self.clock = VirtualClock(START)
        self.store = MemoryStore()
        self.feed = Heard(self.store)
        self.workloads: dict[str, Workload] = {}
        grid = ModelGrid()
        self.loop = Loop(
            Parts(
                store=self.store,
                engine=SimulatedEngine(self.clock, self.workloads),
                grid=grid,
                meter=None,
                clock=self.clock,
                feed=self.feed,
                sites=lambda _: (Site("de", "DE", 1),),
                prospect=Prospect(carbon=by(Hourly(), grid)),
                world=None,
                sample_every_s=HOUR_S,
                folder=Path(),
            ),
            cheapest.decide,
        )
        self.loop.begin()

    def submit(self, name: str, spec: FunctionSpec) -> None:
        self.workloads[name] = Workload(60.0, (1.0,))
        self.store.submit(
            Submission(
                id=name,
                function=spec,
                payload=Payload(form="simulated", path="", function=spec.name, sha256=spec.name),
                arguments={},
                submitted_at=self.clock.now(),
                submitted_wall=self.clock.now(),
                deadline_at=None,
                home_zone="DE",
            )
        )

    def until_idle(self) -> None:
        while self.loop.turn():
            pass


def test_a_job_that_others_overtake_or_whose_function_is_full_does_not_rest() -> None:
    machine = Machine()
    late = FunctionSpec(name="late", kind=Kind.FUNCTION)
    single = FunctionSpec(name="single", kind=Kind.FUNCTION, concurrency=1)
    first = FunctionSpec(name="first", kind=Kind.FUNCTION, priority=1)
    for number in range(3):
        machine.submit(f"late-{number}", late)
        machine.submit(f"single-{number}", single)
    machine.loop.turn()
    for number in range(2 * unplanned.AT_HAND):
        machine.submit(f"first-{number}", first)
    machine.until_idle()
    assert machine.feed.held == []
    assert sorted(machine.feed.ended) == sorted(machine.workloads)


def test_a_job_that_is_put_aside_or_taken_back_rests() -> None:
    machine = Machine()
    for name in ("kept", "held", "unwanted"):
        machine.submit(name, FunctionSpec(name="call", kind=Kind.FUNCTION))
    machine.loop.turn()
    machine.store.wish("held", Wish.HOLD)
    machine.store.wish("unwanted", Wish.CANCEL)
    machine.until_idle()
    assert machine.feed.held == ["held"]
    assert sorted(machine.feed.ended) == ["kept", "unwanted"]
