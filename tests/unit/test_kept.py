"""What a loop keeps does not grow with the jobs that have ended, whatever they were."""

from collections import Counter
from pathlib import Path

from tests.kept import sizes

from tidewatt.adapters.grids.model import ModelGrid
from tidewatt.adapters.stores.memory import MemoryStore
from tidewatt.control.foresight import Prospect, by
from tidewatt.control.loop import Loop
from tidewatt.control.parts import Parts
from tidewatt.domain.budget import Budget
from tidewatt.domain.function import FunctionSpec, Kind, Payload, WorkerRange
from tidewatt.domain.job import Submission
from tidewatt.domain.lifecycle import State, Wish
from tidewatt.domain.site import Site
from tidewatt.domain.units import HOUR_S
from tidewatt.forecast.hourly import Hourly
from tidewatt.policy import cheapest
from tidewatt.simulation.clock import VirtualClock
from tidewatt.simulation.engine import SimulatedEngine, Workload
from tidewatt.simulation.node import Nobody, SimulatedMeter

START = 1_654_041_600.0
CPUS = 8
ROUND = (
    FunctionSpec(name="call", kind=Kind.FUNCTION),
    FunctionSpec(name="planned", kind=Kind.FUNCTION, length_s=60.0),
    FunctionSpec(name="fit", kind=Kind.TRAINING, workers=WorkerRange(1, 4), shards=4, length_s=900.0),
    FunctionSpec(name="sweep", kind=Kind.COMMAND, grace_s=1.0),
    FunctionSpec(name="dear", kind=Kind.TRAINING, budget=Budget(energy="1 J", when_reached="stop")),
    FunctionSpec(name="short", kind=Kind.TRAINING, timeout_s=30.0, retries=1),
    FunctionSpec(name="unwanted", kind=Kind.TRAINING, length_s=60.0),
)
"""What is submitted at once; the last is cancelled before it has begun."""
ENDS = {"dear": State.FAILED, "short": State.FAILED, "unwanted": State.CANCELLED}
MORE = 8
"""Rounds between two looks."""


class Machine:
    """A supervisor in virtual time."""

    def __init__(self) -> None:
        self.clock = VirtualClock(START)
        self.store = MemoryStore()
        self.workloads: dict[str, Workload] = {}
        self.engine = SimulatedEngine(self.clock, self.workloads)
        grid = ModelGrid()
        self.loop = Loop(
            Parts(
                store=self.store,
                engine=self.engine,
                grid=grid,
                meter=SimulatedMeter(self.engine, CPUS, 10.0, 3.5),
                clock=self.clock,
                feed=Nobody(),
                sites=lambda _: (Site("de", "DE", CPUS), Site("fr", "FR", CPUS)),
                prospect=Prospect(carbon=by(Hourly(), grid)),
                world=None,
                sample_every_s=HOUR_S,
                folder=Path(),
            ),
            cheapest.decide,
        )
        self.loop.begin()

    def submit(self, spec: FunctionSpec) -> None:
        """A job of a quarter of an hour at one worker, that dies now and then."""
        name = f"job-{len(self.workloads)}"
        self.workloads[name] = Workload(900.0, (1.0, 1.9, 2.7, 3.4), mean_life_s=3600.0)
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
        if spec.name == "unwanted":
            self.store.wish(name, Wish.CANCEL)

    def kept_after(self, rounds: int) -> Counter[str]:
        """How much the loop keeps once so many more of each have ended, one round after the other."""
        for _ in range(rounds):
            for spec in ROUND:
                self.submit(spec)
            while self.loop.turn():
                pass
        return sizes(self.loop, apart=[self.store, self.engine])


def test_what_is_kept_of_a_job_is_forgotten_with_its_end() -> None:
    machine = Machine()
    first, then = machine.kept_after(2), machine.kept_after(MORE)
    ended = {(job.function.name, job.state) for job in machine.store.jobs()}
    assert ended == {(spec.name, ENDS.get(spec.name, State.SUCCEEDED)) for spec in ROUND}
    assert {way: (first[way], size) for way, size in then.items() if size - first[way] >= MORE} == {}
