"""Who waits for a job hears of its rest: once it rests, and not because it is looked at no more."""

from dataclasses import dataclass, field

from tests.records import submission
from tests.virtual import Machine

from tidewatt.adapters.stores.memory import MemoryStore
from tidewatt.control import unplanned
from tidewatt.domain.function import FunctionSpec, Kind
from tidewatt.domain.lifecycle import Wish
from tidewatt.domain.site import Site
from tidewatt.ports import Update
from tidewatt.simulation.engine import Workload


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


def listened_to() -> tuple[Machine, Heard]:
    """A supervisor of one processor that has begun, and who listens to it."""
    store = MemoryStore()
    feed = Heard(store)
    machine = Machine(Site("de", "DE", 1), store=store, feed=feed)
    machine.loop.begin()
    return machine, feed


def submit(machine: Machine, name: str, spec: FunctionSpec) -> None:
    """A job of a minute."""
    machine.submit(submission(name, spec, at=machine.clock.now()), Workload(60.0, (1.0,)))


def test_a_job_that_others_overtake_or_whose_function_is_full_does_not_rest() -> None:
    machine, feed = listened_to()
    late = FunctionSpec(name="late", kind=Kind.FUNCTION)
    single = FunctionSpec(name="single", kind=Kind.FUNCTION, concurrency=1)
    first = FunctionSpec(name="first", kind=Kind.FUNCTION, priority=1)
    for number in range(3):
        submit(machine, f"late-{number}", late)
        submit(machine, f"single-{number}", single)
    machine.loop.turn()
    for number in range(2 * unplanned.AT_HAND):
        submit(machine, f"first-{number}", first)
    machine.until_idle()
    assert feed.held == []
    assert sorted(feed.ended) == sorted(machine.workloads)


def test_a_job_that_is_put_aside_or_taken_back_rests() -> None:
    machine, feed = listened_to()
    for name in ("kept", "held", "unwanted"):
        submit(machine, name, FunctionSpec(name="call", kind=Kind.FUNCTION))
    machine.loop.turn()
    machine.store.wish("held", Wish.HOLD)
    machine.store.wish("unwanted", Wish.CANCEL)
    machine.until_idle()
    assert feed.held == ["held"]
    assert sorted(feed.ended) == ["kept", "unwanted"]
