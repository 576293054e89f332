"""Reads traces in the form of the Azure Functions Trace 2019: calls for each minute, and memory."""

from pathlib import Path

import numpy as np

from tidewatt.adapters.csvfile import opened
from tidewatt.errors import UsageError
from tidewatt.policy.idle.calls import Calls

_CALLS, _MEMORY = "_inv.csv.gz", "_mem.csv.gz"
_MEGABYTE_GB = 2**20 / 1e9


def traces(data: Path) -> dict[str, Calls]:
    """Every trace in a folder, or in `functions` in it, by the beginning of its files' names.

    The memory is that of the application a function belongs to, or the median of all where it was not
    sampled. It is known for whole applications only; use it to tell functions apart, not as their size.

    Raises:
        UsageError: there is no trace, or one lacks its memory.
    """
    found = sorted([*data.glob(f"*{_CALLS}"), *data.glob(f"functions/*{_CALLS}")])
    if not found:
        raise UsageError(
            f"no *{_CALLS} in {data}", "a folder with traces of functions", "say where it is: --data DIR"
        )
    return {path.name.removesuffix(_CALLS): _trace(path) for path in found}


def _trace(path: Path) -> Calls:
    memory_mb = _memory(path.with_name(path.name.replace(_CALLS, _MEMORY)))
    usual = float(np.median(list(memory_mb.values())))
    busy: list[list[bool]] = []
    memory_gb: list[float] = []
    with opened(path) as rows:
        names = next(rows)
        minutes = [place for place, name in enumerate(names) if name.startswith("minute_")]
        owner, app = names.index("HashOwner"), names.index("HashApp")
        for row in rows:
            busy.append([row[place] not in {"", "0"} for place in minutes])
            memory_gb.append(memory_mb.get((row[owner], row[app]), usual) * _MEGABYTE_GB)
    return Calls(np.array(busy), np.array(memory_gb))


def _memory(path: Path) -> dict[tuple[str, str], float]:
    """Megabytes by owner and application."""
    with opened(path) as rows:
        names = next(rows)
        places = [names.index(name) for name in ("HashOwner", "HashApp", "AverageAllocatedMb")]
        return {(row[places[0]], row[places[1]]): float(row[places[2]]) for row in rows}
