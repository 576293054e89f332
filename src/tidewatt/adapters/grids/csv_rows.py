"""Reads the rows of a grid file in CSV, plain or compressed by gzip."""

import math
from datetime import datetime
from pathlib import Path

import numpy as np

from tidewatt.adapters.csvfile import opened
from tidewatt.adapters.grids.rows import Measure, ZoneRows, check_columns
from tidewatt.errors import UsageError


class CsvTable:
    """A CSV file read once; the fields of a zone are parsed when that zone is asked for."""

    def __init__(self, path: Path, measure: Measure) -> None:
        self._path = path
        self._measure = measure
        self._fields: dict[str, list[tuple[int, str, str]]] = {}
        with opened(path) as lines:
            header = [name.strip() for name in next(lines, list[str]())]
            if not header:
                raise UsageError(f"{path.name}, which is empty", measure.wanted, "give a file with data")
            check_columns(path, header, measure)
            zone_at, time_at, value_at = (header.index(column) for column in measure.columns)
            for number, row in enumerate(lines, start=2):
                if not row:
                    continue
                if len(row) != len(header):
                    raise UsageError(
                        f"{len(row)} fields in row {number} of {path.name}",
                        f"{len(header)} as in its header",
                        "mend or remove the row",
                    )
                if not row[zone_at].strip():
                    raise UsageError(
                        f"row {number} of {path.name} without a zone",
                        measure.wanted,
                        "mend or remove the row",
                    )
                fields = (number, row[time_at].strip(), row[value_at].strip())
                self._fields.setdefault(row[zone_at].strip(), []).append(fields)

    def zones(self) -> tuple[str, ...]:
        """Every zone that the file names, sorted."""
        return tuple(sorted(self._fields))

    def rows(self, zone: str) -> ZoneRows:
        """The rows of a zone that the file names; ``number`` counts from the header, which is row 1.

        Raises:
            UsageError: a time or a number cannot be read, or a time has no UTC offset.
        """
        fields = self._fields[zone]
        return ZoneRows(
            np.array([number for number, _, _ in fields], dtype=np.int64),
            np.array([self._instant(zone, number, text) for number, text, _ in fields]),
            np.array([self._number(zone, number, text) for number, _, text in fields]),
        )

    def _instant(self, zone: str, number: int, text: str) -> float:
        where = f"in row {number} of {self._path.name}, zone {zone}"
        try:
            instant = datetime.fromisoformat(text)
        except ValueError as error:
            raise UsageError(
                f"datetime_utc {text!r} {where}",
                "a time such as 2022-01-31T23:00:00Z",
                "mend or remove the row",
            ) from error
        if instant.tzinfo is None:
            raise UsageError(
                f"datetime_utc {text!r} {where}, which has no UTC offset",
                "a time such as 2022-01-31T23:00:00Z",
                "add Z if the column is in UTC",
            )
        return instant.timestamp()

    def _number(self, zone: str, number: int, text: str) -> float:
        if not text:
            return math.nan
        try:
            return float(text)
        except ValueError as error:
            raise UsageError(
                f"{self._measure.column} {text!r} in row {number} of {self._path.name}, zone {zone}",
                "a number, or nothing for an hour without data",
                "mend the row",
            ) from error
