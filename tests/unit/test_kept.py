"""What a loop keeps does not grow with the jobs that have ended, whatever they were."""

from collections import Counter
from dataclasses import replace

from tests.kept import sizes
from tests.records import submission
from tests.virtual import Machine

from tidewatt.domain.budget import Budget
from tidewatt.domain.function import FunctionSpec, Kind, WorkerRange
from tidewatt.domain.lifecycle import State, Wish
from tidewatt.domain.site import Site
from tidewatt.simulation.engine import Workload
from tidewatt.simulation.world import NO_CODE

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


def submit(machine: Machine, spec: FunctionSpec) -> None:
    """A job of a quarter of an hour at one worker, that dies now and then."""
    name = f"job-{len(machine.workloads)}"
    code = replace(NO_CODE, function=spec.name, sha256=spec.name)
    workload = Workload(900.0, (1.0, 1.9, 2.7, 3.4), mean_life_s=3600.0)
    machine.submit(submission(name, spec, code, machine.clock.now()), workload)
    if spec.name == "unwanted":
        machine.store.wish(name, Wish.CANCEL)


def kept_after(machine: Machine, rounds: int) -> Counter[str]:
    """How much the loop keeps once so many more of each have ended, one round after the other."""
    for _ in range(rounds):
        for spec in ROUND:
            submit(machine, spec)
        machine.until_idle()
    return sizes(machine.loop, apart=[machine.store, machine.engine])


def test_what_is_kept_of_a_job_is_forgotten_with_its_end() -> None:
    machine = Machine(Site("de", "DE", CPUS), Site("fr", "FR", CPUS), metered=True)
    machine.loop.begin()
    first, then = kept_after(machine, 2), kept_after(machine, MORE)
    ended = {(job.function.name, job.state) for job in machine.store.jobs()}
    assert ended == {(spec.name, ENDS.get(spec.name, State.SUCCEEDED)) for spec in ROUND}
    assert {way: (first[way], size) for way, size in then.items() if size - first[way] >= MORE} == {}
