"""FileGrid reads what is well and refuses what is not, in words that name the place."""

import gzip
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tidewatt.adapters.grids.file import FileGrid
from tidewatt.adapters.grids.rows import INTENSITY, PRICE
from tidewatt.domain.signal import Quality
from tidewatt.domain.units import HOUR_S
from tidewatt.errors import UsageError

HEADER = "zone,datetime_utc,gco2_kwh\n"
START = datetime(2022, 1, 1, tzinfo=UTC)
START_AT = START.timestamp()


def grid(tmp_path: Path, body: str, header: str = HEADER) -> FileGrid:
    path = tmp_path / "grid.csv"
    path.write_text(header + body)
    return FileGrid(path)


def refusal(tmp_path: Path, body: str, header: str = HEADER) -> str:
    """What is said of DE in such a file, whether when it is opened or when it is asked for."""
    with pytest.raises(UsageError) as caught:
        grid(tmp_path, body, header).signal("DE", START_AT, START_AT + HOUR_S)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def parquet_file(tmp_path: Path, **columns: Any) -> Path:  # noqa: ANN401 - pyarrow ships no types
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the plan extra")
    arrow = pytest.importorskip("pyarrow", reason="needs the plan extra")
    path = tmp_path / "grid.parquet"
    parquet.write_table(arrow.table(columns), path)
    return path


def test_readings_carry_value_range_source_and_quality(tmp_path: Path) -> None:
    (reading,) = grid(tmp_path, "DE,2022-01-01T00:00:00Z,400\n").signal("DE", START_AT, START_AT + 1).readings
    assert reading.value == 400.0
    assert reading.low == pytest.approx(400 * (1 - INTENSITY.relative_range))
    assert reading.high == pytest.approx(400 * (1 + INTENSITY.relative_range))
    assert reading.source == "file grid.csv"
    assert reading.quality is Quality.MEASURED


def test_rows_may_be_unsorted_and_have_further_columns(tmp_path: Path) -> None:
    found = grid(
        tmp_path,
        "MW,2022-01-01 01:00:00+00:00,DE,2\nMW,2022-01-01T01:00:00+01:00,DE,1\n",
        "unit,datetime_utc,zone,gco2_kwh\n",
    )
    readings = found.signal("DE", START_AT, START_AT + 2 * HOUR_S).readings
    assert [(r.observed_at, r.value) for r in readings] == [(START_AT, 1.0), (START_AT + HOUR_S, 2.0)]


def test_hours_may_begin_at_half_past(tmp_path: Path) -> None:
    found = grid(tmp_path, "IN-WE,2022-01-01T00:30:00Z,600\nIN-WE,2022-01-01T01:30:00Z,610\n")
    readings = found.signal("IN-WE", START_AT, START_AT + 2 * HOUR_S).readings
    assert [r.observed_at - START_AT for r in readings] == [1800.0, 5400.0]
    assert found.gaps("IN-WE", START_AT + 1800, START_AT + 1800 + 2 * HOUR_S) == 0
    assert found.gaps("IN-WE", START_AT, START_AT + 2 * HOUR_S) == 1


@pytest.mark.parametrize("empty", ["", "nan", "NaN"])
def test_an_empty_value_is_a_missing_hour(tmp_path: Path, empty: str) -> None:
    found = grid(
        tmp_path,
        f"DE,2022-01-01T00:00:00Z,400\nDE,2022-01-01T01:00:00Z,{empty}\nDE,2022-01-01T03:00:00Z,410\n",
    )
    readings = found.signal("DE", START_AT, START_AT + 4 * HOUR_S).readings
    assert [r.value for r in readings] == [400.0, 410.0]
    assert found.gaps("DE", START_AT, START_AT + 4 * HOUR_S) == 2
    assert found.gaps("DE", START_AT, START_AT + HOUR_S) == 0


def test_a_zone_without_any_value_is_all_gaps(tmp_path: Path) -> None:
    found = grid(tmp_path, "DE,2022-01-01T00:00:00Z,\n")
    assert found.signal("DE", START_AT, START_AT + HOUR_S).readings == ()
    assert found.gaps("DE", START_AT, START_AT + 5 * HOUR_S) == 5


def test_a_damaged_zone_harms_no_other(tmp_path: Path) -> None:
    found = grid(tmp_path, "DE,2022-01-01T00:00:00Z,400\nPL,sometime,much\n")
    assert found.zones() == ("DE", "PL")
    assert len(found.signal("DE", START_AT, START_AT + HOUR_S).readings) == 1
    with pytest.raises(UsageError, match="zone PL"):
        found.signal("PL", START_AT, START_AT + HOUR_S)


def test_lines_without_anything_are_passed_over(tmp_path: Path) -> None:
    assert grid(tmp_path, "\nDE,2022-01-01T00:00:00Z,400\n\n").gaps("DE", START_AT, START_AT + HOUR_S) == 0


def test_of_many_zones_only_a_few_are_named(tmp_path: Path) -> None:
    found = grid(tmp_path, "".join(f"Z{index:02},2022-01-01T00:00:00Z,1\n" for index in range(30)))
    with pytest.raises(UsageError, match=r"one of the 30 zones of file grid\.csv; .*such as Z00, Z01, Z02$"):
        found.signal("~", START_AT, START_AT + HOUR_S)


def test_zero_is_a_value(tmp_path: Path) -> None:
    (reading,) = grid(tmp_path, "DE,2022-01-01T00:00:00Z,0\n").signal("DE", START_AT, START_AT + 1).readings
    assert reading.value == 0.0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("DE,2022-01-01T00:00:00,400\n", ["no UTC offset", "row 2", "grid.csv", "DE", "add Z"]),
        ("DE,2022-01-01,400\n", ["no UTC offset", "row 2"]),
        ("DE,1st of May,400\n", ["'1st of May'", "row 2", "grid.csv", "DE"]),
        ("DE,,400\n", ["datetime_utc ''", "row 2"]),
        (
            "DE,2022-01-01T00:00:00Z,400\nDE,2022-01-01T00:00:00Z,401\n",
            ["given twice", "row 3", "grid.csv", "DE", "2022-01-01T00:00Z", "remove one"],
        ),
        (
            "DE,2022-01-01T05:00:00Z,-3\n",
            ["negative", "-3", "row 2", "grid.csv", "DE", "2022-01-01T05:00Z", "zero or more"],
        ),
        ("DE,2022-01-01T00:00:00Z,inf\n", ["absurd", "inf", "row 2", "5000"]),
        ("DE,2022-01-01T00:00:00Z,400000\n", ["absurd", "400000", "row 2", "check the unit"]),
        ("DE,2022-01-01T00:00:00Z,12x\n", ["'12x'", "row 2", "grid.csv", "zone DE", "a number"]),
        (
            "DE,2022-01-01T00:00:00Z,1\nDE,2022-01-01T00:15:00Z,1\n",
            ["off the step", "row 3", "minute 0", "average shorter intervals"],
        ),
        ("DE,2022-01-01T00:00:00Z\n", ["2 fields", "row 2", "3 as in its header"]),
        (",2022-01-01T00:00:00Z,4\n", ["row 2", "without a zone"]),
        ("", ["no rows", "grid.csv"]),
    ],
)
def test_damaged_rows_are_refused_by_name(tmp_path: Path, body: str, words: list[str]) -> None:
    message = refusal(tmp_path, body)
    for word in words:
        assert word in message


def test_absent_columns_are_refused_by_name(tmp_path: Path) -> None:
    message = refusal(tmp_path, "DE,2022,4\n", "zone,time,carbon\n")
    assert "columns zone, time, carbon" in message
    assert "gco2_kwh" in message
    assert "add datetime_utc, gco2_kwh" in message


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert "grid.csv, which is empty" in refusal(tmp_path, "", "")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no file .*nowhere\.csv.*check the path"):
        FileGrid(tmp_path / "nowhere.csv")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file"):
        FileGrid(tmp_path)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "grid.xlsx"
    path.write_text("x")
    with pytest.raises(UsageError, match=r"grid\.xlsx.*\.parquet, \.csv or \.csv\.gz"):
        FileGrid(path)


@pytest.mark.parametrize("name", ["grid.parquet", "grid.csv.gz", "grid.csv"])
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path, name: str) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="needs the plan extra")
    path = tmp_path / name
    path.write_bytes(b"\xff\xfe neither text nor table \x00" * 10)
    with pytest.raises(UsageError, match=rf"{name}, which cannot be read as"):
        FileGrid(path)


def test_a_compressed_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "grid.csv.gz"
    whole = gzip.compress((HEADER + "DE,2022-01-01T00:00:00Z,400\n" * 50).encode())
    path.write_bytes(whole[:-12])
    with pytest.raises(UsageError, match="cannot be read as CSV"):
        FileGrid(path)


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "grid.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'tidewatt\[plan\]'"):
        FileGrid(path)


def test_parquet_with_plain_text_zones_and_a_null_value(tmp_path: Path) -> None:
    path = parquet_file(
        tmp_path,
        zone=["DE", "DE"],
        datetime_utc=[START, START + timedelta(hours=1)],
        gco2_kwh=[400, None],
        note=["kept out", ""],
    )
    found = FileGrid(path)
    assert [r.value for r in found.signal("DE", START_AT, START_AT + 2 * HOUR_S).readings] == [400.0]
    assert found.gaps("DE", START_AT, START_AT + 2 * HOUR_S) == 1


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"zone": ["DE"], "gco2_kwh": [1.0]}, ["columns zone, gco2_kwh", "add datetime_utc"]),
        (
            {"zone": ["DE"], "datetime_utc": [START.replace(tzinfo=None)], "gco2_kwh": [1.0]},
            ["timestamp[us]", "no timezone", "grid.parquet", "localise"],
        ),
        (
            {"zone": ["DE"], "datetime_utc": ["2022-01-01"], "gco2_kwh": [1.0]},
            ["datetime_utc of type string", "timestamp with a timezone"],
        ),
        (
            {"zone": ["DE"], "datetime_utc": [START], "gco2_kwh": ["many"]},
            ["gco2_kwh of type string", "number"],
        ),
        ({"zone": [7], "datetime_utc": [START], "gco2_kwh": [1.0]}, ["zone of type int64", "text"]),
        (
            {"zone": ["DE", None], "datetime_utc": [START, START], "gco2_kwh": [1.0, 1.0]},
            ["1 rows", "without a zone"],
        ),
        (
            {"zone": ["DE", "DE"], "datetime_utc": [START, None], "gco2_kwh": [1.0, 1.0]},
            ["no datetime_utc", "row 2", "zone DE"],
        ),
        (
            {"zone": ["PL", "DE", "DE"], "datetime_utc": [START] * 3, "gco2_kwh": [1.0, 1.0, 2.0]},
            ["given twice", "row 3", "zone DE", "2022-01-01T00:00Z"],
        ),
        (
            {"zone": ["DE"], "datetime_utc": [START], "gco2_kwh": [-1.0]},
            ["negative", "row 1", "grid.parquet", "zone DE"],
        ),
        ({"zone": ["DE"], "datetime_utc": [START], "gco2_kwh": [float("inf")]}, ["absurd", "row 1"]),
    ],
)
def test_damaged_parquet_is_refused_by_name(
    tmp_path: Path,
    columns: dict[str, Any],
    words: list[str],
) -> None:
    path = parquet_file(tmp_path, **columns)
    with pytest.raises(UsageError) as caught:
        FileGrid(path).signal("DE", START_AT, START_AT + HOUR_S)
    for word in words:
        assert word in str(caught.value)


def test_parquet_without_rows_is_refused(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="needs the plan extra")
    path = parquet_file(
        tmp_path,
        zone=arrow.array([], arrow.string()),
        datetime_utc=arrow.array([], arrow.timestamp("us", "UTC")),
        gco2_kwh=arrow.array([], arrow.float64()),
    )
    with pytest.raises(UsageError, match="no rows"):
        FileGrid(path)


def test_prices_are_told_by_the_kilowatt_hour_and_may_be_below_zero(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("zone,datetime_utc,usd_mwh\nDE,2022-01-01T00:00:00Z,120\nDE,2022-01-01T01:00:00Z,-50\n")
    readings = FileGrid(path, PRICE).signal("DE", START_AT, START_AT + 2 * HOUR_S).readings
    assert [(r.value, r.low, r.high) for r in readings] == [(0.12, 0.12, 0.12), (-0.05, -0.05, -0.05)]


def test_an_absurd_price_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("zone,datetime_utc,usd_mwh\nDE,2022-01-01T00:00:00Z,-1e6\n")
    with pytest.raises(UsageError, match=r"absurd usd_mwh, -1e\+06.*-20000 to 20000.*check the unit"):
        FileGrid(path, PRICE).signal("DE", START_AT, START_AT + HOUR_S)


def test_prices_are_no_intensities(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("zone,datetime_utc,usd_mwh\nDE,2022-01-01T00:00:00Z,120\n")
    with pytest.raises(UsageError, match="rename or add gco2_kwh"):
        FileGrid(path)
