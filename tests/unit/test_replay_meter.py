"""The meter that plays a log, and what goes on when the log has ended."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.clocks import SetClock

from tidewatt.adapters.meters.detect import best_meter, survey
from tidewatt.adapters.meters.model import ModelMeter, PowerModel
from tidewatt.adapters.meters.proc import Processors
from tidewatt.adapters.meters.replay import ReplayMeter, Stretch, read_log
from tidewatt.adapters.meters.standby import StandbyMeter, after
from tidewatt.domain.estimate import Estimate, Tier
from tidewatt.domain.ledger import EnergyReading
from tidewatt.errors import TidewattError, UsageError
from tidewatt.ports import Clock, Meter

HEADER = "start_s,end_s,power_w,low_w,high_w\n"
LOG = HEADER + "0,10,100,90,110\n10,20,40,36,44\n"
JOULE = 1_000_000
SPEED = 10.0
"""Of the world: a log is played in real time."""


def written(folder: Path, text: str) -> Path:
    file = folder / "log.csv"
    file.write_text(text)
    return file


def node(folder: Path) -> Processors:
    stat = folder / "stat"
    stat.write_text("cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\n")
    return Processors(stat, visible=None)


def test_power_is_played_from_the_first_reading_on(tmp_path: Path) -> None:
    clock = SetClock(SPEED)
    meter = ReplayMeter(read_log(written(tmp_path, LOG)), node(tmp_path))
    assert meter.read(clock) is None

    clock.instant += 15.0
    reading = meter.read(clock)

    assert reading is not None
    assert (reading.meter, reading.tier) == ("replay", Tier.MODEL)
    assert reading.energy_uj == (10 * 100 + 5 * 40) * JOULE
    assert (reading.low_uj, reading.high_uj) == ((900 + 180) * JOULE, (1100 + 220) * JOULE)
    assert (reading.wall_s, reading.end_at - reading.start_at, reading.cpus) == (15.0, 150.0, 2)
    assert reading.static_uj == 0


def test_what_a_log_knows_of_itself_is_taken_from_it(tmp_path: Path) -> None:
    text = "tier,start_s,end_s,power_w,low_w,high_w,static_w\n1,1700000000.5,1700000060.5,50,49,51,30\n"
    clock, meter = SetClock(SPEED), ReplayMeter(read_log(written(tmp_path, text)), node(tmp_path))
    meter.read(clock)
    clock.instant += 2.0
    reading = meter.read(clock)

    assert reading is not None
    assert (reading.tier, reading.energy_uj, reading.static_uj) == (Tier.COUNTER, 100 * JOULE, 60 * JOULE)


@given(st.lists(st.floats(0.001, 9.0), min_size=1, max_size=20))
def test_the_sum_of_readings_is_that_of_the_log(steps: list[float]) -> None:
    stretches = tuple(
        Stretch(start_s=n * 7.0, end_s=n * 7.0 + 7.0, power_w=Estimate.exact(10.0 + n)) for n in range(30)
    )
    clock = SetClock(SPEED, 0.0)
    often, once = ReplayMeter(stretches, Processors()), ReplayMeter(stretches, Processors())
    often.read(clock)
    once.read(clock)
    total = 0
    for step in steps:
        clock.instant += step
        reading = often.read(clock)
        assert reading is not None
        total += reading.energy_uj
    whole = once.read(clock)

    assert whole is not None
    assert total == whole.energy_uj


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("start_s,end_s,power_w\n0,1,5\n", "no column low_w, high_w in log.csv"),
        (HEADER.strip() + ",colour\n0,1,5,4,6,red\n", "a column colour in log.csv"),
        (HEADER, "log.csv, which has no lines"),
        ("", "no column start_s"),
        (HEADER + "0,1,-5,-6,-4\n", "a negative power in log.csv, line 2"),
        (HEADER + "0,1,nan,4,6\n", "power_w 'nan' in log.csv, line 2"),
        (HEADER + "0,1,inf,4,inf\n", "power_w 'inf'"),
        (HEADER + "0,1,much,4,6\n", "power_w 'much'"),
        (HEADER + "0,1,5\n", "low_w '' in log.csv, line 2"),
        (HEADER + "0,1,5,6,7\n", "power 5 outside of 6 to 7"),
        (HEADER + "2,1,5,4,6\n", "an interval from 2 to 1"),
        (HEADER + "5,6,5,4,6\n0,1,5,4,6\n", "a clock that goes back from 5 to 0 at log.csv, line 3"),
        (HEADER + "0,3,5,4,6\n2,4,5,4,6\n", "an overlap of 1 s at log.csv, line 3"),
        (HEADER + "0,1,5,4,6\n3,4,5,4,6\n", "a gap of 2 s before log.csv, line 3"),
        (HEADER.strip() + ",tier\n0,1,5,4,6,best\n", "tier 'best'"),
    ],
)
def test_a_log_that_cannot_be_is_refused_in_words(tmp_path: Path, text: str, found: str) -> None:
    with pytest.raises(UsageError) as error:
        read_log(written(tmp_path, text))

    assert str(error.value).startswith(f"found {found}")
    assert error.value.wanted


def test_a_log_that_is_not_there_is_refused_and_named_by_the_survey(tmp_path: Path) -> None:
    missing = tmp_path / "absent.csv"
    with pytest.raises(UsageError, match=r"absent\.csv"):
        best_meter(log=missing)
    finding = survey(log=missing)[0]

    assert (finding.name, finding.usable) == ("replay", False)
    assert "absent.csv" in finding.why


def pair(folder: Path, text: str = LOG) -> StandbyMeter:
    stretches, processors = read_log(written(folder, text)), node(folder)
    return StandbyMeter(ReplayMeter(stretches, processors), ModelMeter(PowerModel(), processors))


def told(meter: Meter, clock: Clock) -> EnergyReading:
    reading = meter.read(clock)
    assert reading is not None
    return reading


def test_where_a_log_ends_the_next_meter_has_the_whole_interval(tmp_path: Path) -> None:
    clock, meter = SetClock(SPEED), pair(tmp_path)
    meter.read(clock)
    clock.instant += 19.0
    before = told(meter, clock)
    assert meter.name == "replay"
    clock.instant += 4.0
    across = told(meter, clock)
    clock.instant += 1.0
    beyond = told(meter, clock)

    assert before.meter == "replay"
    assert across.meter == beyond.meter == meter.name == "cpu-time model in place of replay"
    assert (across.start_at, across.wall_s) == (before.end_at, 4.0)
    assert beyond.start_at == across.end_at
    assert across.energy_uj == round(2 * 0.74 * 4.0 * JOULE)
    assert across.tier is Tier.MODEL


def test_the_next_meter_may_be_a_better_one_than_the_model(tmp_path: Path) -> None:
    package = tmp_path / "powercap" / "intel-rapl:0"
    package.mkdir(parents=True)
    (package / "name").write_text("package-0\n")
    (package / "max_energy_range_uj").write_text("262143328850\n")
    (package / "energy_uj").write_text("1000\n")
    clock = SetClock(SPEED)
    meter = best_meter(tmp_path / "powercap", written(tmp_path, HEADER + "0,1,5,4,6\n"))
    meter.read(clock)
    clock.instant += 0.5
    (package / "energy_uj").write_text(f"{1000 + 10 * JOULE}\n")
    assert told(meter, clock).meter == "replay"
    clock.instant += 1.0
    (package / "energy_uj").write_text(f"{1000 + 17 * JOULE}\n")
    reading = told(meter, clock)

    assert (reading.meter, reading.energy_uj) == ("powercap in place of replay", 7 * JOULE)


class Stubborn:
    """A meter that tells its first interval and then cannot be read."""

    name = "stubborn"

    def __init__(self, folder: Path) -> None:
        self._inner = ModelMeter(PowerModel(), node(folder))
        self._reads = 0

    def read(self, clock: Clock) -> EnergyReading | None:
        self._reads += 1
        if self._reads > 2:
            raise TidewattError("a meter that is gone")
        return self._inner.read(clock)


class Slow:
    """A meter that has nothing to tell the first time that it is asked after it began."""

    name = "slow"

    def __init__(self, folder: Path) -> None:
        self._inner = ModelMeter(PowerModel(), node(folder))
        self._reads = 0

    def read(self, clock: Clock) -> EnergyReading | None:
        self._reads += 1
        return None if self._reads == 2 else self._inner.read(clock)


def test_no_time_is_told_twice_even_if_the_next_meter_had_nothing_to_tell(tmp_path: Path) -> None:
    clock, meter = SetClock(SPEED), StandbyMeter(Stubborn(tmp_path), Slow(tmp_path))
    meter.read(clock)
    clock.instant += 2.0
    first = told(meter, clock)
    clock.instant += 6.0
    second = told(meter, clock)

    assert (second.start_at, second.wall_s) == (first.end_at, 6.0)
    assert second.energy_uj == 3 * first.energy_uj


READINGS = st.builds(
    EnergyReading,
    meter=st.just("m"),
    tier=st.just(Tier.MODEL),
    start_at=st.floats(0.0, 100.0),
    end_at=st.floats(100.5, 200.0),
    wall_s=st.floats(0.1, 10.0),
    energy_uj=st.integers(100, 10**12),
    static_uj=st.integers(0, 100),
    low_uj=st.integers(0, 100),
    high_uj=st.integers(10**12, 10**13),
    busy_cpu_s=st.floats(0.0, 10.0),
    cpus=st.just(2),
)


@given(READINGS, st.floats(-10.0, 210.0))
def test_a_part_of_a_reading_is_in_order(reading: EnergyReading, instant: float) -> None:
    part = after(reading, instant)

    assert 0 <= part.static_uj <= part.energy_uj <= reading.energy_uj
    assert part.low_uj <= part.energy_uj <= part.high_uj
    assert 0 < part.wall_s <= reading.wall_s
    assert part.end_at == reading.end_at
    assert part.start_at >= reading.start_at
