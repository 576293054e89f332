"""What a window at a site costs: forecast intensity times overhead of the site."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tidewatt.domain.signal import Forecast
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import Snapshot
from tidewatt.domain.units import HOUR_S

_UNKNOWN_G = 5000.0
"""gCO2e/kWh; the dirtiest grids have about 1,000."""


class Prices:
    """Grams for each unit of machine energy, by site and instant."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._forecasts = {f.zone: f for f in snapshot.forecasts}

    def known(self, site: Site) -> bool:
        """Whether anything is known of the site's zone."""
        return site.zone in self._forecasts

    def at(self, site: Site, instant: float) -> float:
        """The price in a window; beyond the horizon, the mean of what is forecast.

        A zone without any forecast is priced above every real grid: it is used when nothing else will do.
        """
        forecast = self._forecasts.get(site.zone)
        if forecast is None or not forecast.windows:
            return _UNKNOWN_G * site.pue
        window = forecast.at(instant)
        mean = window.mean if window else _mean(forecast)
        return mean * site.pue

    def table(self, sites: Sequence[Site], starts: NDArray[np.float64]) -> NDArray[np.float64]:
        """The prices of sites (rows) in windows that begin at ``starts`` (columns), as ``at`` has them."""
        rows = [self._row(site, starts) for site in sites]
        return np.array(rows).reshape(len(rows), starts.size)

    def _row(self, site: Site, starts: NDArray[np.float64]) -> NDArray[np.float64]:
        forecast = self._forecasts.get(site.zone)
        if forecast is None or not forecast.windows:
            return np.full(starts.size, _UNKNOWN_G * site.pue)
        begins = np.array([w.start_at for w in forecast.windows])
        means = np.array([w.mean for w in forecast.windows])
        index = np.searchsorted(begins, starts, side="right") - 1
        inside = (index >= 0) & (starts < begins[index] + HOUR_S)
        return np.where(inside, means[index], _mean(forecast)) * site.pue


def _mean(forecast: Forecast) -> float:
    return sum(w.mean for w in forecast.windows) / len(forecast.windows)
