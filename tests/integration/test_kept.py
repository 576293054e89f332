"""A supervisor that works off a queue keeps no more after many jobs than after some."""

import fcntl
from collections import Counter
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from tests.kept import sizes

import tidewatt as tw
from tidewatt import wiring
from tidewatt.adapters import cgroup
from tidewatt.adapters.bell import Bell
from tidewatt.adapters.engines.door import Place
from tidewatt.adapters.engines.local import LocalEngine
from tidewatt.adapters.meters.detect import at_hand
from tidewatt.control.loop import Loop
from tidewatt.control.parts import Parts
from tidewatt.control.unplanned import AT_HAND
from tidewatt.domain.lifecycle import State
from tidewatt.policy import cheapest
from tidewatt.sdk.client import Client, Options


@tw.function()
def twice(number: int) -> int:
    return 2 * number


class Machine:
    """A supervisor in this process, whose turns are taken one by one."""

    def __init__(self, client: Client, stack: ExitStack) -> None:
        self.client = client
        home = client.home
        fcntl.flock(stack.enter_context(home.lock.open("a+")), fcntl.LOCK_EX)
        self.bell = Bell(home.socket)
        stack.callback(self.bell.close)
        self.clock = wiring.clock_of(None)
        place = Place(
            socket=home.door,
            jobs=home.jobs,
            limits=wiring.call_limits(home),
            zones=lambda: ("DE",),
            processors=cgroup.processors(),
            warm_s=60.0,
            wall=self.clock.wall,
        )
        self.engine = LocalEngine("tidewatt.elastic.trainer:make", place=place)
        stack.callback(self.engine.close)
        self.engine.listen(self.bell.fileno(), self.bell.visit)
        self.meter, self.devices = stack.enter_context(at_hand(home.calibrations, None))

    def loop(self) -> Loop:
        """The loop of the world that there is by now."""
        store, grid = self.client.store, wiring.open_grid("")
        parts = Parts(
            store=store,
            engine=self.engine,
            grid=grid,
            meter=self.meter,
            devices=self.devices,
            clock=self.clock,
            feed=self.bell,
            sites=lambda _: wiring.sites_of(store.world()),
            prospect=wiring.prospect_on(grid, {}),
            world=store.world(),
            folder=self.client.home.jobs,
        )
        return Loop(parts, cheapest.decide)

    def kept_after(self, loop: Loop, jobs: int) -> Counter[str]:
        """How much the loop and all that it works with keep once so many more jobs have ended."""
        goal = self.client.store.counts()[State.SUCCEEDED] + jobs
        for number in range(jobs):
            self.client.submit(twice, {"number": number}, Options())
            loop.turn()
        while self.client.store.counts()[State.SUCCEEDED] < goal:
            loop.turn()
        return sizes(loop, apart=[self.bell])  # it keeps the last thousand names: tests/unit/test_bell.py


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Machine]:
    monkeypatch.setenv("TIDEWATT_ZONE", "DE")
    before = psutil.Process().children(recursive=True)
    with ExitStack() as stack:
        yield Machine(stack.enter_context(Client(tmp_path / "home")), stack)
    assert psutil.Process().children(recursive=True) == before


def test_nothing_is_kept_of_calls_that_have_ended(machine: Machine) -> None:
    machine.client.submit(twice, {"number": 0}, Options())
    loop = machine.loop()
    loop.begin()
    first, then = machine.kept_after(loop, 100), machine.kept_after(loop, 200)
    assert {way: (first[way], size) for way, size in then.items() if size > first[way] + AT_HAND} == {}
    assert any(way.endswith("._hall._crews") for way in first)
