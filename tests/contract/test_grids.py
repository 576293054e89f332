"""Every Grid keeps the same promises: one suite over each adapter."""

import csv
import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tidewatt.adapters.grids.file import FileGrid
from tidewatt.adapters.grids.model import ModelGrid
from tidewatt.domain.units import DAY_S, HOUR_S
from tidewatt.errors import UsageError
from tidewatt.ports import Grid

START = datetime(2022, 6, 1, tzinfo=UTC)
START_AT = START.timestamp()
HOURS = 48
ABSENT = 30
"""The hour that the files below lack for FR."""

Row = tuple[str, datetime, float]


def rows() -> list[Row]:
    return [
        (zone, START + timedelta(hours=hour), base + hour)
        for zone, base in (("FR", 60.0), ("DE", 400.0), ("US-CAL-CISO", 250.0))
        for hour in range(HOURS)
        if (zone, hour) != ("FR", ABSENT)
    ]


def csv_grid(folder: Path) -> Grid:
    path = folder / "grid.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("zone", "datetime_utc", "gco2_kwh"), *rows()])
    return FileGrid(path)


def gzip_grid(folder: Path) -> Grid:
    path = folder / "grid.csv.gz"
    with gzip.open(path, "wt", newline="") as file:
        csv.writer(file).writerows([("zone", "datetime_utc", "gco2_kwh"), *rows()])
    return FileGrid(path)


def parquet_grid(folder: Path) -> Grid:
    arrow = pytest.importorskip("pyarrow", reason="needs the plan extra")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the plan extra")
    zones, times, values = zip(*rows(), strict=True)
    table = arrow.table(
        {
            "zone": arrow.array(zones).dictionary_encode(),
            "datetime_utc": arrow.array(times, arrow.timestamp("us", "UTC")),
            "gco2_kwh": arrow.array(values, arrow.float32()),
        }
    )
    path = folder / "grid.parquet"
    parquet.write_table(table, path, row_group_size=50)
    return FileGrid(path)


def model_grid(folder: Path) -> Grid:
    del folder
    return ModelGrid()


@pytest.fixture(params=[csv_grid, gzip_grid, parquet_grid, model_grid])
def grid(request: pytest.FixtureRequest, tmp_path: Path) -> Grid:
    make: Callable[[Path], Grid] = request.param
    return make(tmp_path)


def test_it_has_a_name_and_says_it_in_every_reading(grid: Grid) -> None:
    readings = grid.signal("DE", START_AT, START_AT + DAY_S).readings
    assert grid.name
    assert {reading.source for reading in readings} == {grid.name}


def test_zones_are_sorted_and_each_has_a_signal(grid: Grid) -> None:
    assert list(grid.zones()) == sorted(set(grid.zones()))
    assert {"DE", "FR", "US-CAL-CISO"} <= set(grid.zones())
    for zone in grid.zones():
        signal = grid.signal(zone, START_AT, START_AT + HOUR_S)
        assert signal.zone == zone
        assert len(signal.readings) == 1


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("de", "DE"),
        ("Germany", "DE"),
        ("germny", "DE"),
        ("us-cal-cisso", "US-CAL-CISO"),
        ("US-CAL", "US-CAL-CISO"),
    ],
)
def test_an_unknown_zone_is_refused_with_what_may_have_been_meant(grid: Grid, asked: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        grid.signal(asked, START_AT, START_AT + HOUR_S)
    message = str(caught.value)
    assert repr(asked) in message
    assert f"{len(grid.zones())} zones" in message
    assert f"did you mean {meant}" in message


def test_a_zone_like_no_other_is_refused_with_examples(grid: Grid) -> None:
    with pytest.raises(UsageError, match="DE"):
        grid.signal("~", START_AT, START_AT + HOUR_S)


def test_readings_are_whole_hours_in_order(grid: Grid) -> None:
    readings = grid.signal("DE", START_AT, START_AT + HOURS * HOUR_S).readings
    assert [reading.observed_at for reading in readings] == [
        START_AT + hour * HOUR_S for hour in range(HOURS)
    ]


@pytest.mark.parametrize(
    ("start_s", "end_s", "hours"),
    [
        (0.0, 7200.0, [0, 1]),
        (1.0, 7200.0, [0, 1]),
        (0.0, 7201.0, [0, 1, 2]),
        (3599.0, 3601.0, [0, 1]),
        (3600.0, 3600.0, [1]),
        (5400.0, 5400.0, [1]),
    ],
)
def test_the_hours_are_those_that_overlap_the_interval(
    grid: Grid, start_s: float, end_s: float, hours: list[int]
) -> None:
    readings = grid.signal("DE", START_AT + start_s, START_AT + end_s).readings
    assert [(reading.observed_at - START_AT) / HOUR_S for reading in readings] == hours


def test_every_reading_says_how_well_it_is_known(grid: Grid) -> None:
    for zone in grid.zones():
        for reading in grid.signal(zone, START_AT, START_AT + DAY_S).readings:
            assert 0 <= reading.low < reading.value < reading.high


def test_asking_twice_gives_the_same(grid: Grid) -> None:
    assert grid.signal("FR", START_AT, START_AT + DAY_S) == grid.signal("FR", START_AT, START_AT + DAY_S)


@pytest.mark.parametrize("make", [csv_grid, gzip_grid, parquet_grid])
def test_absent_hours_are_absent(make: Callable[[Path], Grid], tmp_path: Path) -> None:
    signal = make(tmp_path).signal("FR", START_AT, START_AT + HOURS * HOUR_S)
    assert len(signal.readings) == HOURS - 1
    assert signal.at(START_AT + ABSENT * HOUR_S) is None
    assert signal.at(START_AT + (ABSENT + 1) * HOUR_S) is not None


@pytest.mark.parametrize("make", [csv_grid, gzip_grid, parquet_grid])
def test_beyond_the_data_nothing_is_made_up(make: Callable[[Path], Grid], tmp_path: Path) -> None:
    grid = make(tmp_path)
    assert grid.signal("FR", START_AT - DAY_S, START_AT).readings == ()
    assert grid.signal("FR", START_AT + HOURS * HOUR_S, START_AT + 99 * DAY_S).readings == ()
