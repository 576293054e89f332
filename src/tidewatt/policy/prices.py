"""What a window at a site costs, by the objective: for energy drawn there, and for processors reserved."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tidewatt.domain.objective import Aim
from tidewatt.domain.signal import Forecast
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import JobView, Snapshot
from tidewatt.domain.units import HOUR_S

_UNKNOWN_G = 5000.0
"""gCO2e/kWh; the dirtiest grids have about 1,000."""
_TONNE_G = 1e6
_WATTS = 1000.0
"""A rate for a kilowatt and an hour, told in the unit of those for a watt and an hour."""


class Prices:
    """Cost for each kWh of machine energy by site and instant, and for each hour of a processor by site.

    The unit is that of the objective: grams of CO2e, money, or kWh.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._forecasts = {f.zone: f for f in snapshot.forecasts if f.windows}
        self._tariffs = {f.zone: f for f in snapshot.tariffs if f.windows}
        objective = snapshot.objective
        self._aim = objective.aim
        self._carbon = {Aim.CARBON: 1.0, Aim.MONEY: objective.carbon_price / _TONNE_G}.get(self._aim, 0.0)
        """Weight of a gram."""
        self._money = 1.0 if self._aim in (Aim.COST, Aim.MONEY) else 0.0
        self._energy = 1.0 if self._aim in (Aim.ENERGY, Aim.TIME) else 0.0

    def known(self, site: Site) -> bool:
        """Whether anything is known of the site's zone that the objective asks for."""
        return not self._carbon or site.zone in self._forecasts

    def at(self, site: Site, instant: float) -> float:
        """The price in a window; beyond the horizon, the mean of what is forecast.

        A zone without any forecast is priced above every real grid: it is used when nothing else will do.
        """
        return float(self._row(site, np.array([instant]))[0])

    def table(self, sites: Sequence[Site], starts: NDArray[np.float64]) -> NDArray[np.float64]:
        """The prices of sites (rows) in windows that begin at ``starts`` (columns), as ``at`` has them."""
        rows = [self._row(site, starts) for site in sites]
        return np.array(rows).reshape(len(rows), starts.size)

    def reserved(self, site: Site) -> float:
        """What a processor costs by being reserved.

        A second of ``n`` processors that draw ``w`` watts in all costs ``at * w + reserved * n``.
        """
        return (self._carbon * site.embodied_g + self._money * site.rent) * _WATTS

    def _row(self, site: Site, starts: NDArray[np.float64]) -> NDArray[np.float64]:
        rate = np.full(starts.size, self._energy)
        if self._carbon:
            rate += self._carbon * _means(self._forecasts.get(site.zone), starts, _UNKNOWN_G)
        if self._money:
            rate += self._money * _means(self._tariffs.get(site.zone), starts, site.tariff)
        return rate * site.pue


def linear(job: JobView) -> bool:
    """Whether power is in proportion to workers."""
    return all(abs(w - (n + 1) * job.watts[0]) <= 1e-9 * w for n, w in enumerate(job.watts))


def _means(forecast: Forecast | None, starts: NDArray[np.float64], otherwise: float) -> NDArray[np.float64]:
    if forecast is None:
        return np.full(starts.size, otherwise)
    begins = np.array([w.start_at for w in forecast.windows])
    means = np.array([w.mean for w in forecast.windows])
    index = np.searchsorted(begins, starts, side="right") - 1
    inside = (index >= 0) & (starts < begins[index] + HOUR_S)
    return np.where(inside, means[index], means.mean())
