"""The machine's clock is set, or the machine sleeps, while real workers run: nothing is lost or doubled.

The loop, the engine, the store, the grid and the meter are real; the clock is one that can be set, since that
of the machine is not for a test to set. ``test_kills`` stops all processes at once, as sleep does.
"""

import fcntl
from collections.abc import Callable, Generator
from contextlib import ExitStack
from itertools import count, pairwise
from pathlib import Path

import psutil
import pytest
from typing_extensions import override

from tidewatt import wiring
from tidewatt.adapters.bell import Bell
from tidewatt.adapters.clocks.real import RealClock
from tidewatt.adapters.engines.local import LocalEngine
from tidewatt.adapters.meters.detect import at_hand
from tidewatt.control.loop import Loop
from tidewatt.control.parts import Parts
from tidewatt.domain.job import Job
from tidewatt.domain.lifecycle import ENDED, State
from tidewatt.domain.units import DAY_S, HOUR_S
from tidewatt.policy import cheapest
from tidewatt.sdk.client import Client, Options
from tidewatt.sdk.load import load

LOOK_S = 1.0
"""Between two looks at the clocks."""
YEAR_S = 365 * DAY_S
JOBS = """
from pathlib import Path
from threading import Event
import torch
import tidewatt as tw

@tw.training(checkpoint_every="50 ms")
def learn(run, steps):
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1)
    run.track(model, torch.optim.SGD(model.parameters(), lr=0.01))
    for (x,) in run.batches((torch.randn(steps, 4),), size=1):
        run.step(model(x).square().mean())
    return model.weight.tolist()

@tw.function(retries=1, backoff="2 s")
def second_time(marker):
    if not Path(marker).exists():
        Path(marker).touch()
        raise ValueError("not yet")
    return "now"

@tw.function(timeout="2 min")
def wait_for(marker):
    while not Path(marker).exists():
        Event().wait(0.01)
    return "seen"
"""


class SetClock(RealClock):
    """The real clock, which can be set, and moved on as if the machine had stood still."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead_s = 0.0
        self.stood_s = 0.0

    @override
    def now(self) -> float:
        return super().now() + self.stood_s + self.ahead_s

    @override
    def wall(self) -> float:
        return super().wall() + self.stood_s


class Machine:
    """A supervisor in this process, whose turns are taken one by one."""

    def __init__(self, client: Client, clock: SetClock, stack: ExitStack, file: Path) -> None:
        self.client, self.clock = client, clock
        self._file = file
        lock = stack.enter_context(client.home.lock.open("a+"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        self._bell = Bell(client.home.socket)
        stack.callback(self._bell.close)
        self._engine = LocalEngine("tidewatt.elastic.trainer:make")
        stack.callback(self._engine.close)
        self._engine.listen(self._bell.fileno(), self._bell.visit)
        self._meters = stack.enter_context(at_hand(client.home.calibrations, None))
        self._loop: Loop | None = None

    def submit(self, function: str, **arguments: object) -> str:
        """A job of one of the functions."""
        path, handle = load(f"{self._file}:{function}")
        return self.client.submit(handle, arguments, Options(source=path))

    def until(self, happened: Callable[[], bool]) -> None:
        """Take turns until something has come about."""
        if self._loop is None:
            self._loop = self._made()
            self._loop.begin()
        while not happened():
            self._loop.turn()

    def job(self, job_id: str) -> Job:
        """A job as it stands."""
        return self.client.job(job_id)

    def finish(self, *jobs: str) -> list[object]:
        """Results, once all have ended; each ended once, and by attempts one after the other."""
        self.until(lambda: all(self.job(job).state in ENDED for job in jobs))
        for job in jobs:
            moves = [event for event in self.client.store.events(job) if event.before != event.after]
            assert all(one.after == two.before for one, two in pairwise(moves))
            assert [move.after for move in moves if move.after in ENDED] == [State.SUCCEEDED], moves
        return [self.client.result(job) for job in jobs]

    def _made(self) -> Loop:
        world, grid = self.client.store.world(), wiring.open_grid("")
        parts = Parts(
            store=self.client.store,
            engine=self._engine,
            grid=grid,
            meter=self._meters[0],
            clock=self.clock,
            feed=self._bell,
            sites=lambda _: wiring.sites_of(self.client.store.world()),
            prospect=wiring.prospect_on(grid, {}),
            world=world,
            folder=self.client.home.jobs,
            longest_s=LOOK_S,
        )
        return Loop(parts, cheapest.decide)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Machine]:
    """A machine whose clock can be set, and of whose processes none is left in the end."""
    monkeypatch.setenv("TIDEWATT_ZONE", "DE")
    file = tmp_path / "jobs.py"
    file.write_text(JOBS)
    before = psutil.Process().children(recursive=True)
    with ExitStack() as stack:
        yield Machine(stack.enter_context(Client(tmp_path / "home")), SetClock(), stack, file)
    assert psutil.Process().children(recursive=True) == before


@pytest.mark.parametrize("jumps_s", [(YEAR_S, -YEAR_S), (-2 * HOUR_S, HOUR_S)])
def test_the_clock_is_set_while_jobs_run_and_wait(
    machine: Machine, tmp_path: Path, jumps_s: tuple[float, float]
) -> None:
    straight = machine.submit("learn", steps=400)
    (weights,) = machine.finish(straight)
    learning = machine.submit("learn", steps=400)
    failing = machine.submit("second_time", marker=str(tmp_path / "marker"))
    machine.until(lambda: machine.job(learning).steps_reached > 0)
    machine.clock.ahead_s += jumps_s[0]
    late = machine.submit("wait_for", marker=str(tmp_path / "marker"))
    machine.until(lambda: machine.job(failing).failures == 1 or machine.job(learning).state in ENDED)
    machine.clock.ahead_s += jumps_s[1]
    assert machine.finish(learning, failing, late) == [weights, "now", "seen"]
    entries = machine.client.store.ledger()
    readings = {entry.reading for entry in entries}
    assert sum(e.allocation.energy_uj for e in entries) == sum(r.energy_uj for r in readings)


def test_a_retry_is_not_put_off_until_an_hour_that_the_clock_no_longer_shows(
    machine: Machine, tmp_path: Path
) -> None:
    machine.clock.ahead_s = YEAR_S
    marker = tmp_path / "marker"
    failing = machine.submit("second_time", marker=str(marker))
    machine.until(lambda: machine.job(failing).failures == 1)
    machine.clock.ahead_s = 0.0
    assert machine.finish(failing) == ["now"]


def test_a_time_out_does_not_count_while_the_machine_stands_still(machine: Machine, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    waiting = machine.submit("wait_for", marker=str(marker))
    machine.until(lambda: machine.job(waiting).state is State.RUNNING)
    machine.clock.stood_s += HOUR_S
    turns = count()
    machine.until(lambda: next(turns) > 3)
    marker.touch()
    assert machine.finish(waiting) == ["seen"]
