"""The grid in a file: hourly carbon intensity of many zones, or prices, from Parquet or CSV."""

import math
from bisect import bisect_left, bisect_right
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tidewatt.adapters.grids.csv_rows import CsvTable
from tidewatt.adapters.grids.parquet_rows import ParquetTable
from tidewatt.adapters.grids.rows import INTENSITY, Measure, ZoneRows, ZoneTable
from tidewatt.adapters.grids.zones import unknown_zone
from tidewatt.domain.signal import Quality, Reading, Signal
from tidewatt.domain.units import HOUR_S, MINUTE_S
from tidewatt.errors import UsageError


class FileGrid:
    """A Grid over a ``.parquet``, ``.csv`` or ``.csv.gz`` file with zone, datetime_utc and what is measured.

    Rows are hours, named by their start, in any order; further columns are ignored. An hour without a row
    or with an empty value is absent from every signal. The file is read at once, a zone is checked when it is
    first asked for, so that a damaged zone harms no other.

    Args:
        path: the file.
        measure: what its hours say.

    Raises:
        UsageError: the file is missing, empty or damaged, or lacks a column.
    """

    def __init__(self, path: Path, measure: Measure = INTENSITY) -> None:
        self._path = path
        self._measure = measure
        self._table = _open(path, measure)
        self._zones = self._table.zones()
        if not self._zones:
            raise UsageError(f"{path.name}, which has no rows", "hourly rows", "give a file with data")
        self._readings: dict[str, tuple[Reading, ...]] = {}

    @property
    def name(self) -> str:
        """How the source is named wherever its figures are shown."""
        return f"file {self._path.name}"

    def zones(self) -> tuple[str, ...]:
        """Every zone in the file, sorted."""
        return self._zones

    def signal(self, zone: str, start_at: float, end_at: float) -> Signal:
        """The hours that overlap the interval, gCO2e/kWh or USD/kWh; hours without data are absent.

        An interval of no length lies in one hour. Outside the time that the file covers the signal is empty.

        Raises:
            UsageError: the zone is unknown, or its rows are damaged.
        """
        readings = self._of(zone)
        first = bisect_right(readings, start_at - HOUR_S, key=_start)
        last = max(bisect_left(readings, end_at, key=_start), bisect_right(readings, start_at, key=_start))
        return Signal(zone, readings[first:last])

    def gaps(self, zone: str, start_at: float, end_at: float) -> int:
        """How many of the hours that overlap the interval have no reading.

        Raises:
            UsageError: the zone is unknown, or its rows are damaged.
        """
        readings = self._of(zone)
        offset = readings[0].observed_at % HOUR_S if readings else 0.0
        first = math.floor((start_at - offset) / HOUR_S)
        hours = max(math.ceil((end_at - offset) / HOUR_S) - first, 1)
        return hours - len(self.signal(zone, start_at, end_at).readings)

    def _of(self, zone: str) -> tuple[Reading, ...]:
        if zone not in self._zones:
            raise unknown_zone(zone, self._zones, self.name)
        if zone not in self._readings:
            start_at, value = _checked(self._path, zone, self._table.rows(zone), self._measure)
            value = value * self._measure.per_unit
            reach = np.abs(value) * self._measure.relative_range
            self._readings[zone] = tuple(
                Reading(at, v, v - r, v + r, self.name, Quality.MEASURED)
                for at, v, r in zip(start_at.tolist(), value.tolist(), reach.tolist(), strict=True)
            )
        return self._readings[zone]


def _start(reading: Reading) -> float:
    return reading.observed_at


def _open(path: Path, measure: Measure) -> ZoneTable:
    if not path.is_file():
        raise UsageError(f"no file {path}", "a .parquet, .csv or .csv.gz file of grid data", "check the path")
    name = path.name.casefold()
    if name.endswith(".parquet"):
        return ParquetTable(path, measure)
    if name.endswith((".csv", ".csv.gz")):
        return CsvTable(path, measure)
    raise UsageError(
        f"{path.name}", "a .parquet, .csv or .csv.gz file of grid data", "convert or rename the file"
    )


def _checked(
    path: Path, zone: str, rows: ZoneRows, measure: Measure
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Starts and values of the hours that have one, in order of time; refuses what cannot be true."""

    def refuse(index: int, found: str, wanted: str, remedy: str) -> UsageError:
        at = rows.start_at[index]
        hour = "" if math.isnan(at) else f", hour {np.datetime64(int(at), 's').astype('datetime64[m]')}Z"
        where = f"row {rows.number[index]} of {path.name}, zone {zone}{hour}"
        return UsageError(f"{found} in {where}", wanted, remedy)

    def first(broken: NDArray[np.bool_]) -> int | None:
        return int(np.argmax(broken)) if broken.any() else None

    if (index := first(np.isnan(rows.start_at))) is not None:
        raise refuse(index, "no datetime_utc", "the start of an hour", "mend or remove the row")
    if (index := first((rows.value < measure.least) | (rows.value > measure.most))) is not None:
        raise refuse(index, *_out_of_bounds(float(rows.value[index]), measure))
    step = rows.start_at % HOUR_S
    if (index := first(step != step[0])) is not None:
        raise refuse(
            index,
            "a time off the step",
            f"hours that all begin at minute {step[0] / MINUTE_S:g}, as the zone's first row does",
            "average shorter intervals to hours",
        )
    order = np.argsort(rows.start_at, kind="stable")
    twice = np.flatnonzero(np.diff(rows.start_at[order]) == 0)
    if twice.size:
        raise refuse(
            int(order[twice[0] + 1]),
            "an hour given twice",
            "one row for each zone and hour",
            "remove one of them",
        )
    order = order[~np.isnan(rows.value[order])]
    return rows.start_at[order], rows.value[order]


def _out_of_bounds(value: float, measure: Measure) -> tuple[str, str, str]:
    """What is wrong with a value that cannot be true, what is wanted, and what to do."""
    if measure.least == 0 and value < 0:
        return (
            f"a negative {measure.column}, {value:g},",
            "zero or more",
            "empty the value if the hour has no data",
        )
    wanted = f"{measure.least:g} to {measure.most:g}" if measure.least else f"at most {measure.most:g}"
    return f"an absurd {measure.column}, {value:g},", wanted, measure.advice
