"""The meter that infers energy from processor time, on written and on real kernel files."""

import os
from pathlib import Path

import psutil
import pytest
from tests.clocks import SetClock

from tidewatt.adapters.cgroup import Limit
from tidewatt.adapters.clocks.real import RealClock
from tidewatt.adapters.meters.model import ModelMeter, PowerModel, memory_gb
from tidewatt.adapters.meters.proc import Processors
from tidewatt.domain.estimate import Estimate, Tier
from tidewatt.domain.ledger import EnergyReading
from tidewatt.errors import TidewattError, UsageError
from tidewatt.ports import Clock, Meter

HERTZ = os.sysconf("SC_CLK_TCK")


def write_stat(path: Path, *lines: str) -> Path:
    path.write_text("cpu  0 0 0 0 0 0 0 0 0 0\n" + "\n".join(lines) + "\nintr 5 4 3\n")
    return path


def next_reading(meter: Meter, clock: Clock) -> EnergyReading:
    reading = meter.read(clock)
    assert reading is not None
    return reading


def test_power_is_idle_plus_busy_plus_memory(tmp_path: Path) -> None:
    stat = write_stat(tmp_path / "stat", "cpu0 0 0 0 0 0 0 0 0 0 0", "cpu1 0 0 0 0 0 0 0 0 0 0")
    model = PowerModel(
        idle_w_per_cpu=Estimate(2.0, 1.0, 3.0),
        max_w_per_cpu=Estimate(10.0, 6.0, 20.0),
        memory_gb=4.0,
        memory_w_per_gb=Estimate(0.5, 0.25, 0.75),
    )
    meter, clock = ModelMeter(model, Processors(stat, visible=None)), SetClock()
    meter.read(clock)

    write_stat(stat, f"cpu0 {3 * HERTZ} 0 {HERTZ} 0 0 0 0 0 0 0", "cpu1 0 0 0 0 0 0 0 0 0 0")
    clock.instant += 10.0
    reading = next_reading(meter, clock)

    assert reading.tier is Tier.MODEL
    assert reading.busy_cpu_s == 4.0
    assert reading.static_uj == (2 * 2 + 4 * 0.5) * 10 * 1_000_000
    assert reading.energy_uj == reading.static_uj + 4 * (10 - 2) * 1_000_000
    assert reading.low_uj == ((2 * 1 + 4 * 0.25) * 10 + 4 * (6 - 1)) * 1_000_000
    assert reading.high_uj == ((2 * 3 + 4 * 0.75) * 10 + 4 * (20 - 3)) * 1_000_000


def test_idle_waiting_and_stolen_time_is_not_busy_and_unseen_processors_do_not_count(tmp_path: Path) -> None:
    stat = write_stat(tmp_path / "stat", *(f"cpu{n} 0 0 0 0 0 0 0 0 0 0" for n in range(12)))
    meter, clock = ModelMeter(PowerModel(), Processors(stat, visible=frozenset({1, 11}))), SetClock()
    meter.read(clock)

    #           user nice system idle iowait irq softirq steal guest guest_nice
    seen = f"cpu1 {HERTZ} {HERTZ} {HERTZ} 900 900 {HERTZ} {HERTZ} 900 {HERTZ} 0"
    write_stat(stat, "cpu0 7777 0 0 0 0 0 0 0 0 0", seen, "cpu11 0 0 0 0 0 0 0 0 0 0")
    clock.instant += 10.0
    reading = next_reading(meter, clock)

    assert reading.busy_cpu_s == 5.0
    assert reading.cpus == 2


def test_processor_time_that_went_backwards_is_none(tmp_path: Path) -> None:
    stat = write_stat(tmp_path / "stat", "cpu0 500 0 0 0 0 0 0 0 0 0")
    meter, clock = ModelMeter(PowerModel(), Processors(stat, visible=None)), SetClock()
    meter.read(clock)

    write_stat(stat, "cpu0 400 0 0 0 0 0 0 0 0 0")
    clock.instant += 1.0
    reading = next_reading(meter, clock)

    assert reading.busy_cpu_s == 0.0
    assert reading.energy_uj == reading.static_uj == 740_000


def test_a_microjoule_is_waited_for(tmp_path: Path) -> None:
    stat = write_stat(tmp_path / "stat", "cpu0 0 0 0 0 0 0 0 0 0 0")
    meter, clock = ModelMeter(PowerModel(), Processors(stat, visible=None)), SetClock(instant=0.0)
    meter.read(clock)

    clock.instant = 1e-6  # 0.74 µJ
    assert meter.read(clock) is None
    clock.instant = 4e-6
    reading = next_reading(meter, clock)

    assert reading.energy_uj == 2
    assert reading.start_at == 0.0


def test_a_container_has_the_processors_that_it_is_granted_and_its_own_use(tmp_path: Path) -> None:
    lines = [f"cpu{n} 0 0 0 0 0 0 0 0 0 0" for n in range(64)]
    stat = write_stat(tmp_path / "stat", *lines)
    counter = tmp_path / "cpu.stat"
    counter.write_text("usage_usec 4000000\n")
    processors = Processors(stat, visible=None, limit=Limit(2.5, counter))
    meter, clock = ModelMeter(PowerModel(), processors), SetClock()
    meter.read(clock)

    write_stat(stat, f"cpu0 {900 * HERTZ} 0 0 0 0 0 0 0 0 0", *lines[1:])  # the neighbours on the host
    counter.write_text("usage_usec 7000000\n")
    clock.instant += 10.0
    reading = next_reading(meter, clock)

    assert (reading.cpus, reading.busy_cpu_s) == (2, 3.0)
    counter.unlink()
    with pytest.raises(TidewattError, match="cannot be read any more"):
        meter.read(clock)


def test_where_the_system_has_no_stat_file_psutil_answers(tmp_path: Path) -> None:
    moment = Processors(tmp_path / "none").look(SetClock())

    assert 0 < moment.busy_cpu_s <= sum(psutil.cpu_times())
    assert moment.cpus == psutil.cpu_count()


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs the processor times of Linux")
def test_work_of_this_process_shows_in_the_real_processor_time() -> None:
    meter, clock = ModelMeter(PowerModel(memory_gb=memory_gb())), RealClock()
    meter.read(clock)
    before_s = own_cpu_s()

    while own_cpu_s() - before_s < 0.3:
        sum(range(100_000))
    worked_s = own_cpu_s() - before_s
    reading = next_reading(meter, clock)

    # The node's time is sampled in ticks where that of a process is exact, hence the half.
    assert reading.busy_cpu_s > worked_s / 2
    assert reading.static_uj < reading.energy_uj
    assert reading.cpus == len(os.sched_getaffinity(0))


def own_cpu_s() -> float:
    times = os.times()
    return times.user + times.system


@pytest.mark.parametrize(
    "figures",
    [
        {"idle_w_per_cpu": Estimate(2.0, 3.0, 4.0)},
        {"idle_w_per_cpu": Estimate(-1.0, -2.0, 4.0)},
        {"max_w_per_cpu": Estimate(0.5, 0.4, 0.6)},
        {"memory_w_per_gb": Estimate(1.0, 1.0, float("inf"))},
        {"idle_w_per_cpu": Estimate.exact(0.0), "max_w_per_cpu": Estimate.exact(1.0)},
    ],
    ids=["out of order", "negative", "busy below idle", "infinite", "nothing drawn at rest"],
)
def test_a_model_that_cannot_be_is_refused(figures: dict[str, Estimate]) -> None:
    with pytest.raises(UsageError, match="wanted"):
        PowerModel(**figures)  # type: ignore[arg-type]  # all figures given here are estimates
