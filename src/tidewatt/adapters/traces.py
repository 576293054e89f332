"""Reads traces of jobs from CSV or Parquet."""

import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from tidewatt.adapters.csvfile import opened
from tidewatt.adapters.parquetfile import library
from tidewatt.domain.trace import TracedJob
from tidewatt.domain.units import HOUR_S
from tidewatt.errors import UsageError

WANTED = "a row for each job with arrival_s, arrival_h or submitted_at, and length_s or length_h"
_MOST_PROCESSORS = 1_000_000
_Row = Mapping[str, object]


def read(path: Path) -> tuple[float | None, tuple[TracedJob, ...]]:
    """The jobs of a ``.parquet``, ``.csv`` or ``.csv.gz`` file, in order of arrival, and when the first came.

    The instant is in UTC seconds, None where the file tells times from its own start only. Optional columns
    are job, cpus, workers, deadline_s or deadline_h after the arrival, and zones (separated by spaces).

    Raises:
        UsageError: the file is missing or damaged, lacks a column, or a row cannot be true.
    """
    if not path.is_file():
        raise UsageError(f"no file {path}", f"a .parquet or .csv file with {WANTED}", "check the path")
    parquet = path.name.casefold().endswith(".parquet")
    rows = _parquet(path) if parquet else _csv(path)
    if not rows:
        raise UsageError(f"{path.name}, which has no rows", WANTED, "give a file with jobs")
    dated = "submitted_at" in rows[0]
    start_at = min(_instant(path, n, row) for n, row in enumerate(rows, 1)) if dated else None
    jobs = [_job(path, number, row, start_at) for number, row in enumerate(rows, 1)]
    return start_at, tuple(sorted(jobs, key=lambda job: job.arrival_s))


def _csv(path: Path) -> list[_Row]:
    with opened(path) as lines:
        header = [name.strip() for name in next(lines, list[str]())]
        rows = [dict(zip(header, row, strict=False)) for row in lines if row]
    short = next((n for n, row in enumerate(rows, 1) if len(row) != len(header)), None)
    if short is not None:
        raise UsageError(
            f"too few fields in row {short} of {path.name}", "as many as in its header", "mend or remove it"
        )
    return list(rows)


def _parquet(path: Path) -> list[_Row]:
    parquet = library(path, "pyarrow.parquet")
    try:
        rows: list[_Row] = parquet.read_table(path).to_pylist()
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"{path.name}, which cannot be read as Parquet ({reason})", "a readable file", "save it again"
        ) from error
    return rows


def _job(path: Path, number: int, row: _Row, start_at: float | None) -> TracedJob:
    where = f"in row {number} of {path.name}"
    arrival_s = _time(row, "arrival", where) if start_at is None else _instant(path, number, row) - start_at
    length_s = _time(row, "length", where)
    if arrival_s is None or length_s is None:
        found = ", ".join(row) or "none"
        raise UsageError(f"columns {found} {where}", WANTED, "rename or add columns")
    if length_s <= 0 or arrival_s < 0:
        raise UsageError(
            f"an arrival at {arrival_s:g} s and a length of {length_s:g} s {where}",
            "an arrival of zero or more and a length above zero",
            "mend or remove the row",
        )
    return TracedJob(
        name=str(row.get("job") or number),
        arrival_s=arrival_s,
        length_s=length_s,
        cpus=_count(row, "cpus", where) or 1,
        most=_count(row, "workers", where),
        deadline_s=_time(row, "deadline", where),
        zones=tuple(str(row.get("zones") or "").split()),
    )


def _time(row: _Row, name: str, where: str) -> float | None:
    """Seconds from ``name_s`` or ``name_h``, None if there is neither or it is empty."""
    for column, unit_s in ((f"{name}_s", 1.0), (f"{name}_h", HOUR_S)):
        value = _number(row, column, where)
        if value is not None:
            return value * unit_s
    return None


def _count(row: _Row, column: str, where: str) -> int | None:
    value = _number(row, column, where)
    if value is None:
        return None
    if value != int(value) or not 1 <= value <= _MOST_PROCESSORS:
        raise UsageError(f"{column} of {value:g} {where}", "a whole number of 1 or more", "mend the row")
    return int(value)


def _number(row: _Row, column: str, where: str) -> float | None:
    text = row.get(column)
    if text is None or text == "":
        return None
    try:
        value = float(str(text))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"{column} {text!r} {where}", "a number", "mend or remove the row")
    return value


def _instant(path: Path, number: int, row: _Row) -> float:
    value = row.get("submitted_at")
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(
            f"submitted_at {value!s} in row {number} of {path.name}",
            "a time with its UTC offset, such as 2022-01-31T23:00:00Z",
            "mend or remove the row",
        )
    return moment.timestamp()
