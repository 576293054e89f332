"""What the readers of grid files agree on: the columns wanted, and the raw rows of one zone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tidewatt.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What a file of hours says of each: the column, what is taken for true, and how it is told on.

    A value is ``per_unit`` times that of the column; its range is ``relative_range`` of it, either side.
    """

    column: str
    least: float
    most: float
    advice: str
    per_unit: float = 1.0
    relative_range: float = 0.0

    @property
    def columns(self) -> tuple[str, str, str]:
        """The columns that a file of it must have."""
        return ("zone", "datetime_utc", self.column)

    @property
    def wanted(self) -> str:
        """The same, in words."""
        return f"columns zone, datetime_utc (start of the hour, UTC) and {self.column}"


INTENSITY = Measure(
    column="gco2_kwh",
    least=0.0,
    most=5000.0,
    advice="check the unit: g per kWh equals kg per MWh",
    relative_range=0.10,
)
"""Carbon intensity, gCO2e/kWh. No grid comes near the most: burning lignite badly gives 1500.

The range stands for what hourly averages are uncertain by at least, files of this kind give none: the factor
of coal alone spans -10 % to +11 % of its median (IPCC AR5 WG3 Annex III), and revisions come on top.
"""
PRICE = Measure(
    column="usd_mwh", least=-20_000.0, most=20_000.0, advice="check the unit: USD per MWh", per_unit=0.001
)
"""Day-ahead prices of electricity, told on as USD/kWh; below zero in hours with more than anybody wants."""


EFFECTIVENESS = Measure(column="pue", least=1.0, most=10.0, advice="a site draws no less than its machines")
"""Power usage effectiveness of the site in a zone: facility energy per machine energy."""


@dataclass(frozen=True, slots=True)
class ZoneRows:
    """The rows of one zone as they stand in the file, three arrays of one length.

    ``number`` is where a row stands, as the file's reader counts; ``start_at`` is in UTC seconds and
    ``value`` in the unit of its column; NaN stands for an empty field.
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


def check_columns(path: Path, found: list[str], measure: Measure) -> None:
    """Refuse a file that lacks a column; further ones are welcome and ignored.

    Raises:
        UsageError: naming the columns found and wanted.
    """
    absent = [column for column in measure.columns if column not in found]
    if absent:
        raise UsageError(
            f"{path.name} with columns {', '.join(found) or 'none'}",
            measure.wanted,
            f"rename or add {', '.join(absent)}",
        )
