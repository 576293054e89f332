"""What the readers of grid files agree on: the columns wanted, and the raw rows of one zone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tidewatt.errors import UsageError

COLUMNS = ("zone", "datetime_utc", "gco2_kwh")
WANTED = "columns zone, datetime_utc (start of the hour, UTC) and gco2_kwh"


@dataclass(frozen=True, slots=True)
class ZoneRows:
    """The rows of one zone as they stand in the file, three arrays of one length.

    ``number`` is where a row stands, as the file's reader counts; ``start_at`` is in UTC seconds and
    ``value`` in gCO2e/kWh; NaN stands for an empty field.
    """

    number: NDArray[np.int64]
    start_at: NDArray[np.float64]
    value: NDArray[np.float64]


class ZoneTable(Protocol):
    """The rows of a grid file, by zone."""

    def zones(self) -> tuple[str, ...]:
        """Every zone that the file names, sorted."""
        ...

    def rows(self, zone: str) -> ZoneRows:
        """The rows of a zone that the file names.

        Raises:
            UsageError: a field of the zone cannot be read.
        """
        ...


def check_columns(path: Path, found: list[str]) -> None:
    """Refuse a file that lacks a column; further ones are welcome and ignored.

    Raises:
        UsageError: naming the columns found and wanted.
    """
    absent = [column for column in COLUMNS if column not in found]
    if absent:
        raise UsageError(
            f"{path.name} with columns {', '.join(found) or 'none'}",
            WANTED,
            f"rename or add {', '.join(absent)}",
        )
