"""Real hours, jobs and profiles for the planner's benchmarks, from a folder beside the project."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tidewatt.errors import UsageError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Hours:
    """Carbon intensity, gCO2e/kWh: a row for each zone, a column for each hour from ``start_at`` (UTC) on."""

    zones: tuple[str, ...]
    start_at: float
    values: Floats

    def of(self, zone: str) -> Floats:
        """The hours of one zone."""
        found: Floats = self.values[self.zones.index(zone)]
        return found


def zones_2022(data: Path) -> Hours:
    """All zones of ``carbon/zones_2022.parquet``.

    Raises:
        UsageError: the file is not there, or its zones do not have the same hours.
    """
    path = wanted(data / "carbon" / "zones_2022.parquet")
    table = pq.read_table(path)
    names = np.array(table["zone"].to_pylist())
    at = table["datetime_utc"].cast(pa.timestamp("s", tz="UTC")).cast("int64").to_numpy()
    value = table["gco2_kwh"].to_numpy().astype(np.float64)
    order = np.lexsort((at, names))
    zones = tuple(np.unique(names).tolist())
    hours = at[order].reshape(len(zones), -1)
    if not (hours == hours[0]).all():
        raise UsageError(f"{path.name} with other hours in some zones", "the same in all", "mend the file")
    return Hours(zones, float(hours[0, 0]), value[order].reshape(len(zones), -1))


def wanted(path: Path) -> Path:
    """The path, if there is a file.

    Raises:
        UsageError: there is none.
    """
    if not path.is_file():
        raise UsageError(f"no {path}", "the data that the benchmark reads", "say where it is: --data FOLDER")
    return path
