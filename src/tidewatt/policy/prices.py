"""What a window at a site costs: forecast intensity times overhead of the site."""

from tidewatt.domain.signal import Forecast
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import Snapshot

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


def _mean(forecast: Forecast) -> float:
    return sum(w.mean for w in forecast.windows) / len(forecast.windows)
