"""What a stretch of running costs at a site: integrals over its hours, worked out once."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tidewatt.domain.site import Site
from tidewatt.domain.units import HOUR_S, JOULES_PER_KWH
from tidewatt.errors import SignalMissing
from tidewatt.ports import Grid

Floats = NDArray[np.float64]


class Tally:
    """Grams of operational carbon, or money, for each watt of machine power between two instants, by site.

    An hour without a reading counts as the one before it, the first ones as the first that there is.

    Raises:
        SignalMissing: a zone has no reading at all in the interval.
    """

    def __init__(self, grid: Grid, sites: Iterable[Site], start_at: float, end_at: float) -> None:
        self._edges: dict[str, Floats] = {}
        self._sums: dict[str, Floats] = {}
        for site in sites:
            edges, values = _hours(grid, site.zone, start_at, end_at)
            each = values * site.pue * HOUR_S / JOULES_PER_KWH
            self._edges[site.name] = edges
            self._sums[site.name] = np.concatenate(([0.0], np.cumsum(each)))

    def each_watt(self, site: str, start_at: Floats, end_at: Floats) -> Floats:
        """For each stretch, what a watt drawn all through it comes to."""
        edges, sums = self._edges[site], self._sums[site]
        found: Floats = np.interp(end_at, edges, sums) - np.interp(start_at, edges, sums)
        return found

    def edges(self, site: str) -> Floats:
        """Where the hours begin, and where the last one ends."""
        return self._edges[site]


def _hours(grid: Grid, zone: str, start_at: float, end_at: float) -> tuple[Floats, Floats]:
    """Edges of the hours that overlap the interval, and the value of each."""
    readings = grid.signal(zone, start_at, end_at).readings
    if not readings:
        raise SignalMissing(
            f"no reading of {zone} in the time of the trace",
            "hours for all of it",
            "choose another --start, or a file that covers it",
        )
    at: Floats = np.array([reading.observed_at for reading in readings])
    offset = readings[0].observed_at % HOUR_S
    first = math.floor((start_at - offset) / HOUR_S) * HOUR_S + offset
    count = math.ceil((end_at - first) / HOUR_S)
    starts = first + HOUR_S * np.arange(count)
    values = np.array([reading.value for reading in readings])
    known = np.maximum(np.searchsorted(at, starts, side="right") - 1, 0)
    return first + HOUR_S * np.arange(count + 1, dtype=np.float64), values[known]
