"""The offline grid model is steady, plausible and says how well it knows."""

import dataclasses
import os
import re
import statistics
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from tidewatt.adapters.grids.file import FileGrid
from tidewatt.adapters.grids.model import FACTORS, ModelGrid, generation
from tidewatt.adapters.grids.model_zones import ZONES, ZoneModel
from tidewatt.domain.signal import Quality
from tidewatt.domain.units import DAY_S, HOUR_S

YEAR_AT = datetime(2022, 1, 1, tzinfo=UTC).timestamp()
YEAR_S = 365 * DAY_S

YEARLY_G = {
    "DE": 450.0,
    "FR": 75.0,
    "PL": 750.0,
    "GB": 260.0,
    "SE-SE3": 25.0,
    "NO-NO1": 28.0,
    "US-CAL-CISO": 280.0,
    "US-TEX-ERCO": 400.0,
    "AU-SA": 230.0,
    "ES": 200.0,
    "IT-NO": 370.0,
    "IN-WE": 620.0,
    "JP-TK": 550.0,
}
"""Well-known life-cycle means of about 2022, gCO2e/kWh."""


def by_hour(zone: str, start_at: float = YEAR_AT, length_s: float = YEAR_S) -> dict[int, float]:
    """The mean of each UTC hour of day."""
    readings = ModelGrid().signal(zone, start_at, start_at + length_s).readings
    return {
        hour: statistics.fmean(r.value for r in readings if r.observed_at % DAY_S == hour * HOUR_S)
        for hour in range(24)
    }


@pytest.mark.parametrize(("zone", "expected_g"), YEARLY_G.items())
def test_yearly_means_are_those_known_within_a_quarter(zone: str, expected_g: float) -> None:
    readings = ModelGrid().signal(zone, YEAR_AT, YEAR_AT + YEAR_S).readings
    assert statistics.fmean(r.value for r in readings) == pytest.approx(expected_g, rel=0.25)


@pytest.mark.parametrize(
    ("zone", "noon_utc", "evening_utc"),
    [("US-CAL-CISO", 20, 3), ("DE", 11, 18), ("ES", 12, 19), ("AU-SA", 3, 10)],
)
def test_the_sun_digs_a_hollow_at_midday(zone: str, noon_utc: int, evening_utc: int) -> None:
    hours = by_hour(zone)
    assert hours[noon_utc] < 0.8 * hours[evening_utc]
    assert min(hours, key=lambda hour: hours[hour]) in range(noon_utc - 3, noon_utc + 4)


def test_the_hollow_is_deeper_in_summer() -> None:
    winter = by_hour("DE", YEAR_AT, 60 * DAY_S)
    summer = by_hour("DE", YEAR_AT + 150 * DAY_S, 60 * DAY_S)
    assert summer[20] - summer[11] > winter[20] - winter[11]


def test_the_seasons_are_turned_round_in_the_south() -> None:
    january, july = (
        np.arange(start, start + 30 * DAY_S, HOUR_S) for start in (YEAR_AT, YEAR_AT + 181 * DAY_S)
    )
    for zone, sunny, dark in (("AU-SA", january, july), ("ES", july, january)):
        model = ZONES[zone]
        assert generation(model, sunny)["solar"].mean() > generation(model, dark)["solar"].mean()


def test_the_sun_does_not_shine_at_night() -> None:
    midnight = np.arange(YEAR_AT, YEAR_AT + YEAR_S, DAY_S)
    assert generation(ZONES["DE"], midnight)["solar"].max() < 1e-6


@pytest.mark.parametrize("zone", ["FR", "SE-SE3", "NO-NO1", "CA-QC"])
def test_zones_of_water_and_atoms_stay_low(zone: str) -> None:
    assert max(r.value for r in ModelGrid().signal(zone, YEAR_AT, YEAR_AT + YEAR_S).readings) < 150


@pytest.mark.parametrize("zone", ZONES)
def test_generation_is_never_negative_and_covers_demand(zone: str) -> None:
    instants = np.arange(YEAR_AT, YEAR_AT + YEAR_S, HOUR_S)
    supply = generation(ZONES[zone], instants)
    assert set(supply) == {*FACTORS, "import"}
    assert min(output.min() for output in supply.values()) >= 0
    assert np.sum(list(supply.values()), axis=0).mean() >= 0.97


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("year", [1999, 2022, 2040])
def test_any_instant_has_a_reading_with_a_range_and_an_honest_label(zone: str, year: int) -> None:
    start_at = datetime(year, 2, 27, tzinfo=UTC).timestamp()
    readings = ModelGrid().signal(zone, start_at, start_at + 14 * DAY_S).readings
    assert len(readings) == 14 * 24
    for reading in readings:
        assert 0 < reading.low < reading.value < reading.high < 1500
        assert reading.source == "offline grid model v1"
        assert reading.quality is Quality.MODELLED


def test_a_reading_does_not_depend_on_what_else_was_asked_for() -> None:
    grid = ModelGrid()
    long = grid.signal("DE", YEAR_AT, YEAR_AT + 30 * DAY_S)
    short = grid.signal("DE", YEAR_AT + 9 * DAY_S, YEAR_AT + 9 * DAY_S + HOUR_S)
    assert short.readings == long.readings[9 * 24 : 9 * 24 + 1]


def test_no_two_zones_share_their_weather() -> None:
    assert len({model.seed for model in ZONES.values()}) == len(ZONES)


def test_the_reference_page_tells_every_parameter_and_factor() -> None:
    lines = (Path(__file__).parents[2] / "docs" / "reference" / "grid-model.md").read_text().splitlines()
    header = next(line for line in lines if "`latitude`" in line)
    names = re.findall(r"`(\w+)`", header)
    assert set(names) == {field.name for field in dataclasses.fields(ZoneModel)}
    told = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]]
        for line in lines[lines.index(header) :]
    }
    for zone, model in ZONES.items():
        values = [getattr(model, name) for name in names]
        cells = [("no", "yes")[value] if isinstance(value, bool) else f"{value:g}" for value in values]
        assert told[zone] == cells
    for plant, factor in FACTORS.items():
        assert any(
            line.startswith(f"| {plant} | {factor.value:g} | {factor.low:g} | {factor.high:g} |")
            for line in lines
        )


def test_it_is_near_the_real_grid_of_2022() -> None:
    folder = os.environ.get("TIDEWATT_DATA")
    if folder is None:
        pytest.skip("TIDEWATT_DATA names no folder of grid data")
    real = FileGrid(Path(folder) / "carbon" / "zones_2022.parquet")
    for zone in ModelGrid().zones():
        measured = [r.value for r in real.signal(zone, YEAR_AT, YEAR_AT + YEAR_S).readings]
        modelled = [r.value for r in ModelGrid().signal(zone, YEAR_AT, YEAR_AT + YEAR_S).readings]
        assert statistics.fmean(modelled) == pytest.approx(statistics.fmean(measured), rel=0.25), zone
