"""The meter that reads RAPL counters, on trees of files as the kernel lays them out."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.clocks import SetClock

from tidewatt.adapters.meters.detect import best_meter, survey
from tidewatt.adapters.meters.model import ModelMeter
from tidewatt.adapters.meters.powercap import MOST_W, PowercapMeter, energy_between
from tidewatt.adapters.meters.proc import Processors
from tidewatt.domain.estimate import Estimate, Tier
from tidewatt.domain.ledger import EnergyReading
from tidewatt.errors import TidewattError

RANGE_UJ = 262_143_328_850
JOULE = 1_000_000


class Sysfs:
    """A powercap folder, and a processor whose use can be told."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "powercap"
        self.root.mkdir()
        self.stat = folder / "stat"
        self.clock = SetClock()
        self.tick(0)

    def add(self, domain: str, name: str, count_uj: int, most_uj: int = RANGE_UJ) -> Path:
        """Write a domain and return its counter."""
        folder = self.root / domain
        folder.mkdir()
        (folder / "name").write_text(f"{name}\n")
        (folder / "max_energy_range_uj").write_text(f"{most_uj}\n")
        return self.count(domain, count_uj)

    def count(self, domain: str, count_uj: int) -> Path:
        """Put a counter."""
        file = self.root / domain / "energy_uj"
        file.write_text(f"{count_uj}\n")
        return file

    def tick(self, busy_s: int) -> None:
        """Put the processor time used so far."""
        self.stat.write_text(f"cpu0 {busy_s * os.sysconf('SC_CLK_TCK')} 0 0 0 0 0 0 0 0 0\n")

    def meter(self, idle_watts: Estimate | None = None) -> PowercapMeter:
        """A meter that has been read once."""
        meter = PowercapMeter(self.root, idle_watts, processors=Processors(self.stat, visible=None))
        meter.read(self.clock)
        return meter

    def after(self, meter: PowercapMeter, wall_s: float) -> EnergyReading:
        """The reading so many seconds later."""
        self.clock.instant += wall_s
        reading = meter.read(self.clock)
        assert reading is not None
        return reading


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    return Sysfs(tmp_path)


def test_packages_and_memory_count_once_and_their_parts_do_not(sysfs: Sysfs) -> None:
    (sysfs.root / "intel-rapl").mkdir()  # the control type itself, as the kernel has it
    (sysfs.root / "dtpm").mkdir()
    for socket in (0, 1):
        sysfs.add(f"intel-rapl:{socket}", f"package-{socket}", 0)
        sysfs.add(f"intel-rapl:{socket}:0", "core", 0)
        sysfs.add(f"intel-rapl:{socket}:1", "uncore", 0)
        sysfs.add(f"intel-rapl:{socket}:2", "dram", 0, most_uj=65_712_999_613)
    sysfs.add("intel-rapl:2", "psys", 0)
    sysfs.add("intel-rapl-mmio:0", "package-0", 0)
    meter = sysfs.meter()

    for domain, joules in (
        ("intel-rapl:0", 100),
        ("intel-rapl:1", 40),
        ("intel-rapl:0:0", 60),
        ("intel-rapl:0:1", 5),
        ("intel-rapl:0:2", 7),
        ("intel-rapl:1:2", 3),
        ("intel-rapl:2", 200),
        ("intel-rapl-mmio:0", 100),
    ):
        sysfs.count(domain, joules * JOULE)
    reading = sysfs.after(meter, 10.0)

    assert reading.energy_uj == (100 + 40 + 7 + 3) * JOULE
    assert reading.tier is Tier.COUNTER
    assert (reading.low_uj, reading.high_uj) == (142_500_000, 157_500_000)
    assert meter.why == f"4 RAPL counters below {sysfs.root}"


def test_a_counter_that_wrapped_goes_on(sysfs: Sysfs) -> None:
    sysfs.add("intel-rapl:0", "package-0", RANGE_UJ - 9 * JOULE + 1)
    meter = sysfs.meter()

    sysfs.count("intel-rapl:0", 11 * JOULE)
    reading = sysfs.after(meter, 1.0)

    assert reading.energy_uj == 20 * JOULE
    assert reading.tier is Tier.COUNTER


def test_idle_watts_are_those_of_the_model_unless_calibrated_and_never_above_the_total(sysfs: Sysfs) -> None:
    sysfs.add("intel-rapl:0", "package-0", 0)
    default, calibrated = sysfs.meter(), sysfs.meter(Estimate(4.0, 3.0, 5.0))
    thirsty = sysfs.meter(Estimate(90.0, 80.0, 100.0))

    sysfs.count("intel-rapl:0", 100 * JOULE)
    sysfs.clock.instant += 10.0
    static_uj = [
        reading.static_uj
        for meter in (default, calibrated, thirsty)
        if (reading := meter.read(sysfs.clock)) is not None
    ]

    assert static_uj == [7_400_000, 40_000_000, 100_000_000]


@pytest.mark.parametrize(
    ("count_uj", "wall_s"),
    [(5 * JOULE, 2.0), (150_000 * JOULE, 1200.0)],
    ids=["reset, as after sleep", "long enough to have wrapped twice"],
)
def test_what_counters_do_not_explain_is_modelled_and_says_so(
    sysfs: Sysfs, count_uj: int, wall_s: float
) -> None:
    sysfs.add("intel-rapl:0", "package-0", 100_000 * JOULE)
    sysfs.add("intel-rapl:0:0", "dram", 0)
    meter = sysfs.meter()

    sysfs.count("intel-rapl:0", count_uj)
    sysfs.tick(1)
    reading = sysfs.after(meter, wall_s)

    assert reading.tier is Tier.MODEL
    assert reading.meter.startswith("powercap (modelled")
    assert reading.energy_uj == pytest.approx((0.74 * wall_s + 2.76) * JOULE, abs=1)
    assert reading.high_uj > 2 * reading.energy_uj

    sysfs.count("intel-rapl:0", count_uj + 30 * JOULE)
    recovered = sysfs.after(meter, 1.0)
    assert (recovered.tier, recovered.energy_uj) == (Tier.COUNTER, 30 * JOULE)
    assert recovered.start_at == reading.end_at


def test_a_counter_that_vanishes_leaves_what_the_others_saw_as_a_floor(sysfs: Sysfs) -> None:
    sysfs.add("intel-rapl:0", "package-0", 0)
    sysfs.add("intel-rapl:1", "package-1", 0)
    meter = sysfs.meter()

    shutil.rmtree(sysfs.root / "intel-rapl:1")
    sysfs.count("intel-rapl:0", 80 * JOULE)
    reading = sysfs.after(meter, 1.0)

    assert reading.tier is Tier.MODEL
    assert reading.energy_uj == 80 * JOULE


def test_counters_that_stand_still_are_waited_for_and_then_not_believed(sysfs: Sysfs) -> None:
    sysfs.add("intel-rapl:0", "package-0", 500)
    meter = sysfs.meter()

    sysfs.clock.instant += 0.001
    assert meter.read(sysfs.clock) is None
    reading = sysfs.after(meter, 9.999)

    assert reading.tier is Tier.MODEL
    assert reading.wall_s == pytest.approx(10.0)
    assert reading.energy_uj == pytest.approx(7.4 * JOULE, abs=1)


def test_energy_between_needs_both_counts_and_one_answer() -> None:
    most_uj = round(MOST_W * 100 * JOULE)

    assert energy_between(None, 5, most_uj, 1.0) is None
    assert energy_between(5, None, most_uj, 1.0) is None
    assert energy_between(5, 9, most_uj, 1.0) == 4
    assert energy_between(most_uj, 0, most_uj, 1.0) == 1
    assert energy_between(9, 5, most_uj, 1.0) is None
    assert energy_between(0, 50, most_uj, 99.0) == 50
    assert energy_between(0, 50, most_uj, 99.1) is None


@contextmanager
def ordinary_rights() -> Iterator[None]:
    """Give up root's right to read everything, where this process has it."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that everybody may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_counters_for_root_alone_are_not_available_and_the_remedy_is_told(public_folder: Path) -> None:
    sysfs = Sysfs(public_folder)
    counter = sysfs.add("intel-rapl:0", "package-0", 0)
    counter.chmod(0o000)

    with ordinary_rights():
        meter = PowercapMeter(sysfs.root)
        finding = survey(sysfs.root)[0]
        chosen = best_meter(sysfs.root)

    assert not meter.available()
    assert str(counter) in meter.why
    assert f"sudo chmod a+r {sysfs.root}/intel-rapl*/energy_uj" in meter.why
    assert (finding.usable, finding.why) == (False, meter.why)
    assert isinstance(chosen, ModelMeter)
    with pytest.raises(TidewattError, match="only be read by root"):
        meter.read(sysfs.clock)


@pytest.mark.parametrize("content", ["", "many\n"], ids=["empty", "no number"])
def test_damaged_counters_are_not_available(sysfs: Sysfs, content: str) -> None:
    sysfs.add("intel-rapl:0", "package-0", 0).write_text(content)

    meter = PowercapMeter(sysfs.root)

    assert not meter.available()
    assert "cannot be read" in meter.why


def test_without_counters_the_survey_says_so_and_the_model_is_chosen(sysfs: Sysfs, tmp_path: Path) -> None:
    for root in (sysfs.root, tmp_path / "absent"):
        counters, model, gpus = survey(root)
        assert (counters.name, counters.tier, counters.usable) == ("powercap", Tier.COUNTER, False)
        assert f"no RAPL package below {root}" in counters.why
        assert (model.name, model.tier, model.usable) == ("cpu-time model", Tier.MODEL, True)
        assert (gpus.name, gpus.beside) == ("NVML", True)
        assert isinstance(best_meter(root), ModelMeter)


def test_counters_that_can_be_read_are_chosen(sysfs: Sysfs) -> None:
    sysfs.add("intel-rapl:0", "package-0", 0)

    assert survey(sysfs.root)[0].usable
    assert isinstance(best_meter(sysfs.root), PowercapMeter)
