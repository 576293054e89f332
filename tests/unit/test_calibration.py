"""What a machine draws at rest and at full load: measured, given, kept, refused where it does not hold."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests import records
from tests.unit.pynvml_like import Board, Pynvml

from tidewatt.accounting import calibration as figures
from tidewatt.accounting.calibration import Calibration
from tidewatt.adapters.meters import calibrate
from tidewatt.adapters.meters.calibrate import Against
from tidewatt.adapters.meters.detect import best_meter, survey
from tidewatt.adapters.meters.nvml import NvmlMeter
from tidewatt.adapters.meters.powercap import PowercapMeter
from tidewatt.adapters.meters.proc import Processors
from tidewatt.domain.estimate import Estimate, Tier
from tidewatt.domain.ledger import EnergyReading
from tidewatt.errors import Refused, UsageError

MADE = Calibration(
    version=3,
    made_wall=1_700_000_000.0,
    machine="Some CPU, 2 processors, 8 GB, 0123abcd",
    counter="powercap",
    cpus=2,
    seconds=10.0,
    samples=20,
    idle_w=Estimate(8.0, 7.0, 9.0),
    busy_w=Estimate(30.0, 28.0, 33.0),
    gpus_idle_w={"GPU-1": Estimate(70.0, 66.0, 74.0)},
)


def reading(watts: float, busy: float, wall_s: float = 1.0, cpus: int = 2) -> EnergyReading:
    energy_uj = round(watts * wall_s * 1e6)
    read = records.reading(energy_uj, wall_s=wall_s, busy_cpu_s=busy * cpus * wall_s, cpus=cpus)
    return replace(read, low_uj=round(energy_uj * 0.95), high_uj=round(energy_uj * 1.05))


def test_power_at_rest_is_the_mean_between_the_least_and_the_most_seen() -> None:
    idle = figures.at_rest([reading(10.0, 0.01, 3.0), reading(14.0, 0.02, 1.0)])

    assert (idle.value, idle.low, idle.high) == pytest.approx((11.0, 9.5, 14.7))


def test_a_machine_that_is_not_at_rest_is_not_calibrated() -> None:
    with pytest.raises(Refused, match=r"a machine that is 30% busy; wanted one at rest"):
        figures.at_rest([reading(10.0, 0.3)])


def test_full_load_is_on_the_line_through_what_was_reached() -> None:
    idle = Estimate.exact(10.0)

    assert figures.at_full_load([reading(28.0, 0.9)], idle).value == pytest.approx(30.0)
    with pytest.raises(Refused, match="50% busy at full load"):
        figures.at_full_load([reading(28.0, 0.5)], idle)
    with pytest.raises(Refused, match="more at full load than at rest"):
        figures.at_full_load([reading(9.0, 1.0)], idle)


@pytest.mark.parametrize("given", [(0.0, 9.0), (9.0, 9.0), (50.0, 40.0), (-1.0, 5.0), (5.0, float("inf"))])
def test_figures_that_no_machine_draws_are_refused(given: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="two powers above 0"):
        figures.from_wall_meter(*given)


def test_a_calibration_is_kept_beside_those_before_it(tmp_path: Path) -> None:
    folder = tmp_path / "calibrations"
    assert calibrate.load(folder, lambda: MADE.machine)[0] is None
    assert calibrate.next_version(folder) == 1
    calibrate.save(folder, replace(MADE, version=9))
    calibrate.save(folder, replace(MADE, version=10))

    found, told = calibrate.load(folder, lambda: MADE.machine)

    assert found == replace(MADE, version=10)
    assert told == (
        "calibration 10: 8.0 W at rest (7.0 to 9.0), 30.0 W at full load (28.0 to 33.0), "
        "11.0 W for each busy processor, by powercap; GPU GPU-1 70.0 W at rest"
    )
    assert calibrate.next_version(folder) == 11
    assert sorted(file.name for file in folder.iterdir()) == ["10.json", "9.json"]


def test_a_calibration_of_other_hardware_is_refused_in_words(tmp_path: Path) -> None:
    calibrate.save(tmp_path, MADE)

    found, why = calibrate.load(tmp_path, lambda: "Some CPU, 4 processors, 8 GB, 0123abcd")

    assert found is None
    assert "is of Some CPU, 2 processors" in why
    assert "this is Some CPU, 4 processors" in why
    assert "calibrate again" in why


def test_a_damaged_calibration_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "4.json").write_text("{")

    found, why = calibrate.load(tmp_path, lambda: MADE.machine)

    assert found is None
    assert "4.json cannot be read" in why
    assert calibrate.next_version(tmp_path) == 5


def test_a_machine_is_its_processors_its_memory_and_which_one_it_is(tmp_path: Path) -> None:
    cpuinfo, identity = tmp_path / "cpuinfo", tmp_path / "machine-id"
    cpuinfo.write_text("processor : 0\nmodel name\t: Some CPU @ 2 GHz\n")
    identity.write_text("aaaa\n")
    one = calibrate.machine(cpuinfo, identity)
    identity.write_text("bbbb\n")

    assert one.startswith("Some CPU @ 2 GHz, ")
    assert one == calibrate.machine(cpuinfo, identity).rpartition(", ")[0] + ", " + one.rpartition(", ")[2]
    assert one != calibrate.machine(cpuinfo, identity)
    assert calibrate.machine(tmp_path / "none", tmp_path / "none")


@dataclass
class Machine:
    """A machine of two processors with a counter, whose time passes by waiting."""

    folder: Path
    real: float = 1_700_000_000.0
    count_uj: int = 0
    busy_s: float = 0.0
    speed: float = 1.0
    load: Callable[[], float] = field(default=lambda: 0.0)

    def __post_init__(self) -> None:
        """Lay out the kernel's files."""
        package = self.folder / "powercap" / "intel-rapl:0"
        package.mkdir(parents=True)
        (package / "name").write_text("package-0\n")
        (package / "max_energy_range_uj").write_text("262143328850\n")
        self.wait(0.0)

    def now(self) -> float:
        return self.real

    def wall(self) -> float:
        return self.real

    def wait(self, seconds: float) -> None:
        load = self.load()
        self.real += seconds
        self.busy_s += 2 * load * seconds
        self.count_uj += round((6.0 + 24.0 * load) * seconds * 1e6)
        (self.folder / "powercap" / "intel-rapl:0" / "energy_uj").write_text(f"{self.count_uj}\n")
        ticks = round(self.busy_s * os.sysconf("SC_CLK_TCK"))
        (self.folder / "stat").write_text(f"cpu0 {ticks} 0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\n")

    @property
    def counters(self) -> PowercapMeter:
        return PowercapMeter(
            self.folder / "powercap", processors=Processors(self.folder / "stat", visible=None)
        )


def test_a_counter_is_read_at_rest_and_then_with_the_processors_busy(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    began = machine.real
    machine.load = lambda: 0.0 if machine.real < began + 10.0 else 1.0

    idle_w, busy_w, samples = calibrate.measured(machine.counters, machine, machine.wait, 10.0)

    assert idle_w.value == pytest.approx(6.0)
    assert busy_w.value == pytest.approx(30.0)
    assert idle_w.low == pytest.approx(5.7)
    assert samples == 20


def test_without_a_counter_it_is_said_plainly_and_figures_are_taken(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    bare = Against(PowercapMeter(tmp_path / "none"), None, "no driver", machine, machine.wait)

    with pytest.raises(UsageError, match=r"nothing to calibrate against: no RAPL package .* NVML: no driver"):
        bare.calibrate(1, 10.0, None)
    with pytest.raises(UsageError, match="--seconds 0"):
        bare.calibrate(1, 0.0, None)
    made = bare.calibrate(1, 10.0, (40.0, 95.0))

    assert (made.counter, made.idle_w, made.seconds) == ("wall meter", Estimate(40.0, 34.0, 46.0), 0.0)
    assert made.busy_w is not None
    assert made.machine == calibrate.machine()


def test_figures_beside_a_counter_are_refused(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    against = Against(machine.counters, None, "", machine, machine.wait)

    with pytest.raises(UsageError, match="figures of a wall meter on a machine with a counter"):
        against.calibrate(1, 10.0, (40.0, 95.0))


def test_gpus_are_calibrated_where_nothing_lives_on_them(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    boards = [Board(power_mw=70_000), Board(uuid="GPU-2", power_mw=300_000, residents=[5])]
    against = Against(PowercapMeter(tmp_path / "none"), NvmlMeter(Pynvml(boards)), "", machine, machine.wait)

    made = against.calibrate(2, 5.0, None)

    assert made.idle_w is None
    assert made.gpus_idle_w == {"GPU-1": Estimate(70.0, 66.5, 73.5)}
    assert calibrate.power_model(made) is None


def test_meters_use_a_calibration_and_are_named_by_it(tmp_path: Path) -> None:
    by_wall = replace(MADE, counter="wall meter")
    model = best_meter(tmp_path, calibration=by_wall)
    findings = survey(tmp_path, calibration=by_wall)

    assert model.name == "cpu-time model, calibration 3"
    assert [f.tier for f in findings if f.name == model.name] == [Tier.HYBRID]
    machine = Machine(tmp_path)
    counters = best_meter(machine.folder / "powercap", calibration=MADE)
    assert counters.name == "powercap, calibration 3"
    counters.read(machine)
    machine.wait(2.0)
    read = counters.read(machine)
    assert read is not None
    assert (read.energy_uj, read.static_uj) == (12_000_000, 12_000_000)  # 8 W at rest were calibrated
    assert best_meter(machine.folder / "powercap", calibration=by_wall).name == "powercap"


def test_a_calibrated_model_is_the_line_between_its_two_powers() -> None:
    model = calibrate.power_model(MADE)
    assert model is not None

    static, dynamic = model.energy_uj(2, 2 * 10.0, 10.0)

    assert static.value == pytest.approx(80e6)
    assert (static + dynamic).value == pytest.approx(300e6)
    assert (static + dynamic).low == pytest.approx(280e6)
    assert MADE.w_per_busy_cpu == Estimate(11.0, 10.5, 12.0)
