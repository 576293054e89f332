"""What every meter keeps: time without gaps or overlap, energy without losses, figures in order."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.pynvml_like import Board, Pynvml

from tidewatt.adapters.cgroup import Limit
from tidewatt.adapters.meters.model import ModelMeter, PowerModel
from tidewatt.adapters.meters.nvml import NvmlMeter
from tidewatt.adapters.meters.powercap import PowercapMeter
from tidewatt.adapters.meters.proc import Processors
from tidewatt.adapters.meters.replay import ReplayMeter, Stretch
from tidewatt.adapters.meters.standby import StandbyMeter
from tidewatt.domain.estimate import Estimate
from tidewatt.domain.ledger import EnergyReading
from tidewatt.ports import Meter

KINDS = ("powercap", "model", "limited", "replay", "standby")
RANGE_UJ = 65_532_610_987
"""Where the counters of many laptops begin again: 65 kJ."""
UNTIMED = settings(deadline=None)
"""Each example writes and reads dozens of files, on a machine that may have other things to do."""


@dataclass
class SetClock:
    """A clock that stands wherever it is put; its world runs ``speed`` times as fast."""

    speed: float = 3600.0
    real: float = 1_700_000_000.0
    world: float = 1_650_000_000.0

    def now(self) -> float:
        return self.world

    def wall(self) -> float:
        return self.real


@dataclass
class Node:
    """A node of two processors and one package, whose kernel files lie in a folder."""

    folder: Path
    clock: SetClock = field(default_factory=SetClock)
    ticks: int = 1000
    count_uj: int = RANGE_UJ - 50_000_000
    drawn_uj: int = 0

    def __post_init__(self) -> None:
        """Lay out the kernel's files."""
        package = self.folder / "powercap" / "intel-rapl:0"
        package.mkdir(parents=True)
        (package / "name").write_text("package-0\n")
        (package / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
        self.run(wall_s=0.0, ticks=0, watts=0)

    def run(self, *, wall_s: float, ticks: int, watts: int) -> None:
        """Let real time pass, with so many ticks of processor time and so much power."""
        self.clock.real += wall_s
        self.clock.world += wall_s * self.clock.speed
        self.ticks += ticks
        self.drawn_uj += round(wall_s * watts * 1_000_000)
        self.count_uj = (self.count_uj + round(wall_s * watts * 1_000_000)) % (RANGE_UJ + 1)
        (self.folder / "powercap" / "intel-rapl:0" / "energy_uj").write_text(f"{self.count_uj}\n")
        (self.folder / "stat").write_text(
            f"cpu  {self.ticks} 0 0 900 7 0 0 5 0 0\n"
            f"cpu0 {self.ticks} 0 0 400 3 0 0 2 0 0\n"
            "cpu1 0 0 0 500 4 0 0 3 0 0\nintr 1 2 3\nctxt 99\n"
        )
        host = "".join(f"cpu{n} 77 0 0 0 0 0 0 0 0 0\n" for n in range(8))
        (self.folder / "stat-of-host").write_text(host)
        (self.folder / "cpuacct.usage").write_text(f"{self.ticks * 10**9 // os.sysconf('SC_CLK_TCK')}\n")

    def meter(self, kind: str) -> Meter:
        processors = Processors(self.folder / "stat", visible=None)
        model = ModelMeter(PowerModel(memory_gb=8.0), processors)
        log = Stretch(start_s=5.0, end_s=1e9, power_w=Estimate(25.0, 20.0, 30.0), static_w=11.0)
        if kind == "model":
            return model
        if kind == "limited":
            limit = Limit(2.0, self.folder / "cpuacct.usage")
            limited = Processors(self.folder / "stat-of-host", visible=None, limit=limit)
            return ModelMeter(PowerModel(memory_gb=8.0), limited, "calibration 1")
        if kind == "replay":
            return ReplayMeter((log,), processors)
        if kind == "standby":
            return StandbyMeter(ReplayMeter((log,), processors), model)
        return PowercapMeter(self.folder / "powercap", processors=processors)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_read_has_nothing_to_tell_and_the_second_has(kind: str, node: Node) -> None:
    meter = node.meter(kind)

    assert meter.read(node.clock) is None
    node.run(wall_s=2.0, ticks=150, watts=30)
    reading = meter.read(node.clock)

    assert reading is not None
    assert reading.meter == meter.name
    assert reading.energy_uj > 0
    assert reading.wall_s == 2.0
    assert reading.end_at - reading.start_at == 2.0 * node.clock.speed
    assert reading.busy_cpu_s == pytest.approx(150 / os.sysconf("SC_CLK_TCK"))
    assert reading.cpus == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_read_in_no_time_is_covered_by_the_next(kind: str, node: Node) -> None:
    patient, eager = node.meter(kind), node.meter(kind)
    patient.read(node.clock)
    eager.read(node.clock)

    node.run(wall_s=0.0, ticks=40, watts=0)
    assert eager.read(node.clock) is None
    node.run(wall_s=1.5, ticks=60, watts=25)

    assert eager.read(node.clock) == patient.read(node.clock)


@pytest.mark.parametrize("kind", KINDS)
def test_a_clock_that_is_set_back_yields_nothing_and_loses_no_time(kind: str, node: Node) -> None:
    meter = node.meter(kind)
    meter.read(node.clock)
    start_at = node.clock.now()

    node.run(wall_s=-5.0, ticks=10, watts=-1)
    assert meter.read(node.clock) is None
    node.run(wall_s=15.0, ticks=10, watts=20)
    reading = meter.read(node.clock)

    assert reading is not None
    assert reading.start_at == start_at
    assert reading.wall_s == 10.0


STEPS = st.lists(
    st.tuples(
        st.one_of(st.just(0.0), st.floats(1e-6, 1e-3), st.floats(0.001, 90.0)),
        st.integers(0, 400),
        st.integers(1, 250),
    ),
    min_size=1,
    max_size=25,
)


@contextmanager
def watched(
    kind: str, steps: list[tuple[float, int, int]]
) -> Iterator[tuple[list[EnergyReading], Node, Meter]]:
    """Readings of a meter that is read after every step, beside one that was read only at the start."""
    with tempfile.TemporaryDirectory() as folder:
        node = Node(Path(folder))
        often, once = node.meter(kind), node.meter(kind)
        often.read(node.clock)
        once.read(node.clock)
        readings = []
        # The last step is long enough for any meter, so that nothing is pending in the end.
        for wall_s, ticks, watts in [*steps, (1.0, 10, 10)]:
            node.run(wall_s=wall_s, ticks=ticks, watts=watts)
            readings.append(often.read(node.clock))
        yield [reading for reading in readings if reading is not None], node, once


@pytest.mark.parametrize("kind", KINDS)
@UNTIMED
@given(steps=STEPS)
def test_readings_are_in_order_and_cover_time_once(kind: str, steps: list[tuple[float, int, int]]) -> None:
    with watched(kind, steps) as (readings, node, _):
        assert readings[-1].end_at == node.clock.now()
        for before, after in pairwise(readings):
            assert before.end_at == after.start_at
        for reading in readings:
            assert all(
                type(figure) is int
                for figure in (reading.energy_uj, reading.static_uj, reading.low_uj, reading.high_uj)
            )
            assert 0 <= reading.low_uj <= reading.energy_uj <= reading.high_uj
            assert 0 <= reading.static_uj <= reading.energy_uj
            assert reading.energy_uj > 0
            assert reading.start_at <= reading.end_at
            assert reading.wall_s > 0
            assert reading.busy_cpu_s >= 0


@pytest.mark.parametrize("kind", KINDS)
@UNTIMED
@given(steps=STEPS)
def test_no_energy_is_lost_between_reads(kind: str, steps: list[tuple[float, int, int]]) -> None:
    with watched(kind, steps) as (readings, node, once):
        whole = once.read(node.clock)
        assert whole is not None
        assert sum(reading.busy_cpu_s for reading in readings) == pytest.approx(whole.busy_cpu_s)
        assert sum(reading.wall_s for reading in readings) == pytest.approx(whole.wall_s)
        # One reading over a long time may miss a wrap, so that counters are held to what was drawn.
        expected_uj = node.drawn_uj if kind == "powercap" else whole.energy_uj
        assert abs(sum(reading.energy_uj for reading in readings) - expected_uj) <= 2


BOARDS: dict[str, Callable[[], Board]] = {
    "counter": lambda: Board(residents=[11], use={11: 50}),
    "power": lambda: Board(count_mj=None, residents=[11], use=None),
    "divided": lambda: Board(instances=[(3, [11]), (2, []), (2, [12, 13])]),
    "lost on the way": Board,
}


@pytest.mark.parametrize("kind", BOARDS)
@UNTIMED
@given(steps=STEPS)
def test_a_device_tells_of_the_same_intervals_as_the_node(
    kind: str, steps: list[tuple[float, int, int]]
) -> None:
    board = BOARDS[kind]()
    with tempfile.TemporaryDirectory() as folder:
        node = Node(Path(folder))
        meter, devices = node.meter("model"), NvmlMeter(Pynvml([board]), ancestry=lambda pid: (pid,))
        meter.read(node.clock)
        assert devices.read(None) == ()
        for wall_s, ticks, watts in steps:
            node.run(wall_s=wall_s, ticks=ticks, watts=watts)
            board.run(wall_s, watts)
            board.lost = kind == "lost on the way" and ticks > 200
            over = meter.read(node.clock)
            for device in () if over is None else devices.read(over):
                reading = device.reading
                assert over is not None
                assert (reading.start_at, reading.end_at) == (over.start_at, over.end_at)
                assert reading.wall_s == over.wall_s
                assert 0 <= reading.low_uj <= reading.energy_uj <= reading.high_uj
                assert 0 <= reading.static_uj <= reading.energy_uj
                assert reading.energy_uj > 0 or reading.wall_s < 0.5
                assert reading.cpus >= 1
                whole_s = reading.cpus * reading.wall_s
                assert sum(use.held_s for use in device.uses) <= whole_s * 1.000001 or board.lost
                assert 0 <= reading.busy_cpu_s <= whole_s * 1.000001 or board.lost
