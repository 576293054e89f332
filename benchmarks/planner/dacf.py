"""The four greenest hours of each day, chosen by our forecasts and by a published one (DACF)."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.planner.data import Floats, wanted
from benchmarks.table import Figure
from tidewatt.forecast.backtest import WORK_H, judge
from tidewatt.forecast.boosting import Ahead, Boosting
from tidewatt.forecast.hourly import Hourly
from tidewatt.forecast.series import Method

WITH_WEATHER = ("CISO", "PJM")
_TEMPERATURE = "forecast_avg_temperature_wMean"
_DAY_H = 24
_REACH_H = 545 * _DAY_H
"""All that is known before the first day judged."""


def measure(data: Path, *, quick: bool = False) -> list[Figure]:
    """The share of the possible saving that is had in each zone, second half of 2021."""
    days = 14 if quick else 184
    figures: list[Figure] = []
    for zone in WITH_WEATHER:
        values, first_h, ahead = _features(data, zone)
        seeing = Boosting({zone: ahead}, reach_h=_REACH_H)
        for name, method in (("", seeing), ("_history", Hourly())):
            figures.append(_figure(f"dacf_{zone.lower()}{name}", data, zone, (values, first_h), method, days))
    values, first_h, _ = _published(data, "DE")
    figures.append(_figure("dacf_de_history", data, "DE", (values, first_h), Hourly(), days))
    return figures


def _figure(name: str, data: Path, zone: str, known: tuple[Floats, int], method: Method, days: int) -> Figure:
    values, first_h = known
    found = judge(method, zone, values, first_h, days)
    theirs = _captured_by_dacf(data, zone, days)
    what = "weather and production forecasts" if isinstance(method, Boosting) else "its own hours alone"
    return Figure(
        name=f"{name}_capture_pct",
        value=100 * found.captured,
        unit="%",
        source=f"{method.name} from {what}; peer: DACF",
        n=found.days,
        peer=100 * theirs,
        spread=f"saved {100 * found.saving:.1f} of {100 * found.best:.1f} %",
    )


def _features(data: Path, zone: str) -> tuple[Floats, int, Ahead]:
    """Hours of 2020 and 2021, the first of them, and what was foretold of each a day before."""
    table = pq.read_table(wanted(data / "carbon" / f"dacf_hourly_features_{zone}.parquet"))
    at = np.array([_hour(str(text)) for text in table["UTC time"].to_pylist()])
    names = [name for name in table.schema.names if "forecast" in name]
    columns = np.array([table[name].to_numpy() for name in names], dtype=np.float64).T
    # The last day has no forecasts: zeros stand in their place.
    columns[columns[:, names.index(_TEMPERATURE)] == 0] = np.nan
    values = table["carbon_intensity"].to_numpy().astype(np.float64)
    return values, int(at[0]), Ahead(int(at[0]), columns)


def _published(data: Path, zone: str) -> tuple[Floats, int, Floats]:
    """Actual hours, the first of them, and the published forecast of each."""
    path = wanted(data / "carbon" / f"dacf_dayahead_{zone}.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    actual = np.array([float(row["carbon_intensity"]) for row in rows])
    foretold = np.array([float(row["carbon_from_src_forecasts"]) for row in rows])
    return actual, _hour(rows[0]["UTC time"]), foretold


def _captured_by_dacf(data: Path, zone: str, days: int) -> float:
    """The share of the possible saving that choosing by the published forecast has."""
    hours, _, expected = _published(data, zone)
    actual, foretold = (each.reshape(-1, _DAY_H)[-days:] for each in (hours, expected))
    chosen = np.argsort(foretold, axis=1, kind="stable")[:, :WORK_H]
    paid = np.take_along_axis(actual, chosen, axis=1).mean()
    best, usual = np.sort(actual, axis=1)[:, :WORK_H].mean(), actual.mean()
    return float((usual - paid) / (usual - best))


def _hour(text: str) -> int:
    return int(np.datetime64(text[:13].replace(" ", "T"), "h").astype(np.int64))
