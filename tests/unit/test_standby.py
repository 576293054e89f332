"""A supervisor with nothing to do stays as long as its idle policy says, in virtual time."""

import pytest
from tests import virtual
from tests.records import attempt, submission
from tests.virtual import START

from tidewatt.control.standby import Standby, cold_start_s
from tidewatt.domain.function import FunctionSpec, Kind
from tidewatt.domain.lifecycle import State
from tidewatt.domain.site import Site
from tidewatt.policy import asap
from tidewatt.policy.idle.names import named
from tidewatt.simulation.engine import Workload

LINGER_S = 5.0
WORK_S = 30.0


class Machine(virtual.Machine):
    """A supervisor at a site of its own, which stays as an idle policy says."""

    def __init__(self, idle: str | None) -> None:
        super().__init__(Site("de", "DE", 4), policy=asap.decide)
        self.standby = Standby(self.store, self.clock, None if idle is None else named(idle))

    def called(self, minutes_ago: float) -> None:
        """A call that has long been dealt with."""
        job = self.call(START - 60 * minutes_ago)
        self.store.move(job, State.QUEUED, State.CANCELLED, at=START, wall=START)

    def comes(self, after_s: float) -> None:
        """Let a job come in later."""

        def come() -> None:
            self.call(START + after_s)

        self.engine.visit_at(START + after_s, come)

    def call(self, at: float = START, kind: Kind = Kind.FUNCTION) -> str:
        """A job of half a minute."""
        name = f"job-{len(self.workloads)}"
        spec = FunctionSpec(name="resize", kind=kind, length_s=WORK_S)
        self.submit(submission(name, spec, at=at), Workload(WORK_S, (1.0,)))
        return name

    def lived_s(self) -> float:
        """Run until the supervisor leaves; seconds since then beyond the work and the lingering."""
        self.standby.run(self.loop, LINGER_S)
        ended = max(job.ended_at or 0.0 for job in self.store.jobs())
        return self.clock.wall() - ended


def test_without_a_history_it_lingers_as_told() -> None:
    for idle in ("fixed:10min", "hybrid", "priced", None):
        machine = Machine(idle)
        machine.call()
        assert machine.lived_s() == pytest.approx(LINGER_S)


def test_with_a_history_it_stays_as_its_policy_says_and_then_leaves() -> None:
    machine = Machine("fixed:10min")
    machine.called(90)
    machine.call()
    assert machine.lived_s() == pytest.approx(600 + LINGER_S)


def test_without_a_policy_a_history_changes_nothing() -> None:
    machine = Machine(None)
    machine.called(90)
    machine.call()
    assert machine.lived_s() == pytest.approx(LINGER_S)


def test_what_comes_while_it_stays_is_done_and_stayed_for_anew() -> None:
    machine = Machine("fixed:10min")
    machine.called(90)
    machine.call()
    machine.comes(400)
    assert machine.lived_s() == pytest.approx(600, abs=60 + LINGER_S)
    assert all(job.at_rest for job in machine.store.jobs())
    assert machine.clock.wall() > START + 1000


def test_a_zygote_is_kept_for_what_is_due_while_it_would_be_stayed_for() -> None:
    machine = Machine("fixed:10min")
    assert not machine.standby.keeps(90)
    machine.called(90)
    machine.call()
    assert machine.standby.keeps(590)
    assert not machine.standby.keeps(700)
    assert not Machine(None).standby.keeps(90)


def test_a_cold_start_is_told_by_the_slowest_and_the_fastest_of_a_function() -> None:
    machine = Machine(None)
    for took_s, kind in (
        (2.5, Kind.FUNCTION),
        (0.5, Kind.FUNCTION),
        (0.75, Kind.FUNCTION),
        (60.0, Kind.CALLS),
    ):
        job = machine.call(kind=kind)
        machine.store.begin_attempt(job, State.QUEUED, attempt(job, at=START))
        at = START + took_s
        machine.store.move(job, State.STARTING, State.RUNNING, at=at, wall=at)
    calls = machine.store.called_since(START)
    assert cold_start_s(machine.store, calls) == pytest.approx(2.0)
    assert cold_start_s(machine.store, calls[:1]) is None
