"""Callers that would wait for themselves are told apart from those that have to wait their turn."""

import socket
from collections.abc import Iterator

import pytest

from tidewatt.adapters.engines.crew import Crew, Line, Warm
from tidewatt.adapters.engines.times import Times
from tidewatt.adapters.engines.waits import in_vain, need_of
from tidewatt.domain.function import FunctionSpec, Kind
from tidewatt.runtime.channel import Channel
from tidewatt.runtime.messages import Dial, Where

HERE = Where("", ())


class Floor:
    """Crews of functions that may have one worker each, and who is at what."""

    def __init__(self) -> None:
        self.crews: dict[str, Crew] = {}
        self._numbers = iter(range(1, 100))
        self._opened: list[socket.socket | Channel] = []

    def worker(self, name: str) -> Warm:
        """A worker of a function, with nothing to do."""
        ours, theirs = Channel.pair()
        self._opened += [ours, theirs]
        spec = FunctionSpec(name=name, kind=Kind.FUNCTION, concurrency=1)
        crew = self.crews.setdefault(name, Crew(name, spec, HERE, "DE"))
        crew.workers.append(Warm(next(self._numbers), ours, crew, Times()))
        return crew.workers[-1]

    def line(self, name: str, asker: Warm | None) -> Line:
        """Somebody calls a function."""
        sock, other = socket.socketpair()
        self._opened += [sock, other]
        return Line(sock, Dial("1", self.crews[name].function, "DE", HERE), asker)

    def serves(self, worker: Warm, asker: Warm | None) -> None:
        """A worker is at the call of somebody."""
        worker.line, worker.calling = self.line(worker.crew.job_id, asker), True

    def waits(self, name: str, asker: Warm | None) -> Line:
        """Somebody waits for a worker of a function."""
        line = self.line(name, asker)
        self.crews[name].waiting.append(line)
        return line

    def close(self) -> None:
        """Hang up everything."""
        for each in self._opened:
            each.close()


@pytest.fixture
def floor() -> Iterator[Floor]:
    floor = Floor()
    yield floor
    floor.close()


def test_a_worker_that_calls_its_own_function_waits_in_vain(floor: Floor) -> None:
    one = floor.worker("f")
    floor.serves(one, None)
    line = floor.waits("f", one)
    assert in_vain(line, floor.crews.values())
    assert need_of(line, floor.crews["f"], floor.crews.values(), 2).in_vain


def test_a_worker_that_waits_for_one_at_the_call_of_another_does_not(floor: Floor) -> None:
    caller, other, busy = floor.worker("f"), floor.worker("f"), floor.worker("g")
    floor.serves(caller, None)
    floor.serves(other, None)
    floor.serves(busy, other)
    assert not in_vain(floor.waits("g", caller), floor.crews.values())


def test_nobody_else_waits_in_vain(floor: Floor) -> None:
    one = floor.worker("f")
    floor.serves(one, None)
    floor.waits("f", one)
    assert not in_vain(floor.waits("f", None), floor.crews.values())


def test_a_ring_is_seen_however_long(floor: Floor) -> None:
    workers = [floor.worker(name) for name in "fgh"]
    floor.serves(workers[0], None)
    floor.serves(workers[1], workers[0])
    floor.serves(workers[2], workers[1])
    assert in_vain(floor.waits("f", workers[2]), floor.crews.values())


def test_two_that_wait_for_each_others_functions_are_a_ring(floor: Floor) -> None:
    first, second = floor.worker("f"), floor.worker("g")
    floor.serves(first, None)
    floor.serves(second, None)
    once = floor.waits("g", first)
    assert not in_vain(once, floor.crews.values())
    assert in_vain(floor.waits("f", second), floor.crews.values())


def test_another_worker_that_will_come_free_is_waited_for(floor: Floor) -> None:
    first, second = floor.worker("f"), floor.worker("f")
    floor.serves(first, None)
    floor.serves(second, None)
    assert not in_vain(floor.waits("f", first), floor.crews.values())
    assert in_vain(floor.waits("f", second), floor.crews.values())
