"""Reads the rows of a grid file in Parquet; the only file of the room that knows pyarrow."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidewatt.adapters.grids.rows import Measure, ZoneRows, check_columns
from tidewatt.adapters.parquetfile import library
from tidewatt.errors import UsageError


class ParquetTable:
    """A Parquet file whose three columns are read at once and split by zone when asked for."""

    def __init__(self, path: Path, measure: Measure) -> None:
        names, self._codes, self._start_at, self._value = _columns(path, measure)
        self._code_of = {name: code for code, name in enumerate(names)}

    def zones(self) -> tuple[str, ...]:
        """Every zone that the file names, sorted."""
        used = set(np.unique(self._codes).tolist())
        return tuple(sorted(name for name, code in self._code_of.items() if code in used))

    def rows(self, zone: str) -> ZoneRows:
        """The rows of a zone that the file names; ``number`` counts from 1."""
        index = np.flatnonzero(self._codes == self._code_of[zone])
        return ZoneRows(index + 1, self._start_at[index], self._value[index])


def _columns(
    path: Path, measure: Measure
) -> tuple[list[str], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Zone names, and for each row the place of its zone among them, UTC seconds and value."""
    # It is known here alone, as Any, and what it read leaves as numpy.
    arrow, parquet = (library(path, name) for name in ("pyarrow", "pyarrow.parquet"))
    try:
        # The caller may be a process that forks, so no pool of threads is started for so little work.
        with parquet.ParquetFile(path, pre_buffer=False) as file:
            schema: Any = file.schema_arrow
            check_columns(path, list(schema.names), measure)
            _check_types(path, arrow, schema, measure)
            table: Any = file.read(columns=list(measure.columns), use_threads=False)
        zone: Any = table.column("zone").combine_chunks()
        zone = zone if arrow.types.is_dictionary(zone.type) else zone.dictionary_encode()
        if zone.null_count:
            raise UsageError(
                f"{zone.null_count} rows of {path.name} without a zone",
                measure.wanted,
                "mend or remove the rows",
            )
        clock: Any = table.column("datetime_utc").cast(arrow.timestamp("ms", "UTC"), safe=False)
        names: list[str] = zone.dictionary.to_pylist()
        codes: NDArray[np.int64] = zone.indices.to_numpy(zero_copy_only=False)
        start_ms: NDArray[np.float64] = clock.cast(arrow.int64()).to_numpy().astype(np.float64)
        value: NDArray[np.float64] = table.column(measure.column).cast(arrow.float64()).to_numpy()
    except (arrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"{path.name}, which cannot be read as Parquet ({reason})",
            "a readable .parquet, .csv or .csv.gz file",
            "check the path and how the file was saved",
        ) from error
    return names, codes, start_ms / 1000, value


def _check_types(path: Path, arrow: Any, schema: Any, measure: Measure) -> None:  # noqa: ANN401 - pyarrow ships no types
    types = arrow.types
    zone, clock, value = (schema.field(column).type for column in measure.columns)
    text = zone.value_type if types.is_dictionary(zone) else zone
    checks = (
        ("zone", zone, types.is_string(text) or types.is_large_string(text), "text"),
        ("datetime_utc", clock, types.is_timestamp(clock), "timestamp with a timezone"),
        (measure.column, value, types.is_floating(value) or types.is_integer(value), "number"),
    )
    for column, found, fits, wanted in checks:
        if not fits:
            raise UsageError(
                f"column {column} of type {found} in {path.name}", f"a {wanted} column", "convert the column"
            )
    if clock.tz is None:
        raise UsageError(
            f"column datetime_utc of type {clock} in {path.name}, which has no timezone",
            "a timestamp column with a timezone",
            "localise the column to UTC before saving it",
        )
