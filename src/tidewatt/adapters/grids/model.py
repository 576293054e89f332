"""The offline grid model: an hourly carbon intensity for a few zones at any instant, without any data.

Every term, parameter and factor is told in ``docs/reference/grid-model.md``.
"""

import math

import numpy as np
from numpy.typing import NDArray

from tidewatt.adapters.grids.model_zones import ZONES, ZoneModel
from tidewatt.adapters.grids.zones import unknown_zone
from tidewatt.domain.estimate import Estimate
from tidewatt.domain.signal import Quality, Reading, Signal
from tidewatt.domain.units import DAY_S, HOUR_S

Series = NDArray[np.float64]

SOURCE = "offline grid model v1"

FACTORS: dict[str, Estimate] = {
    "coal": Estimate(820.0, 740.0, 910.0),
    "gas": Estimate(490.0, 410.0, 650.0),
    "biomass": Estimate(230.0, 130.0, 420.0),
    "solar": Estimate(48.0, 18.0, 180.0),
    "hydro": Estimate(24.0, 1.0, 147.0),
    "nuclear": Estimate(12.0, 3.7, 110.0),
    "wind": Estimate(11.0, 7.0, 56.0),
}
"""Life-cycle emissions, gCO2e/kWh: median, minimum and maximum of IPCC AR5 WG3 Annex III, table A.III.2.

The maximum of hydro is that of UNECE (2022): the 2200 of the IPCC is a tropical reservoir, and no zone here
has one.
"""

IMPORT_RANGE = 0.4
"""Relative range of what neighbours send: their mix is not modelled."""

MIX_RANGE = 0.25
"""Relative range of the mix itself: the bound that yearly means of the model were tuned to."""

_YEAR_D = 365.2422
_WIND_PERIODS_H = (17.0, 31.0, 67.0, 109.0, 191.0, 457.0)
_WIND_WEIGHTS = (0.25, 0.45, 0.8, 0.8, 0.6, 0.5)
_CLOUD_PERIODS_H = (19.0, 43.0, 89.0, 173.0, 401.0)
_CLOUD_WEIGHTS = (0.4, 0.7, 0.8, 0.6, 0.5)


class ModelGrid:
    """A Grid that needs neither network nor file; the same instant always gives the same reading."""

    @property
    def name(self) -> str:
        """How the source is named wherever its figures are shown."""
        return SOURCE

    def zones(self) -> tuple[str, ...]:
        """Every zone that the model has parameters for, sorted."""
        return tuple(sorted(ZONES))

    def signal(self, zone: str, start_at: float, end_at: float) -> Signal:
        """The whole UTC hours that overlap the interval, none absent; gCO2e/kWh.

        An interval of no length lies in one hour.

        Raises:
            UsageError: the zone is unknown; similar names are suggested.
        """
        model = ZONES.get(zone)
        if model is None:
            raise unknown_zone(zone, self.zones(), self.name)
        first = math.floor(start_at / HOUR_S)
        last = max(math.ceil(end_at / HOUR_S), first + 1)
        hours = np.arange(first, last, dtype=np.float64) * HOUR_S
        # Vectorised sines differ in their last bit with the length of the array; a reading must not.
        value, low, high = np.round(intensity(model, generation(model, hours + HOUR_S / 2)), 6)
        return Signal(
            zone,
            tuple(
                Reading(at, v, lo, hi, SOURCE, Quality.MODELLED)
                for at, v, lo, hi in zip(
                    hours.tolist(), value.tolist(), low.tolist(), high.tolist(), strict=True
                )
            ),
        )


def generation(model: ZoneModel, instants: Series) -> dict[str, Series]:
    """What each plant type delivers at each instant (UTC seconds), in multiples of mean demand.

    The keys are those of ``FACTORS`` and ``import``. Together they cover demand; what exceeds it is exported.
    """
    demand = _demand(model, instants)
    supply = {
        "solar": model.solar * _sunlight(model, instants),
        "wind": model.wind * _wind(model, instants),
        "nuclear": model.nuclear * (1 + 0.08 * _winter(model, instants)),
        "biomass": np.full_like(instants, model.biomass),
        "coal": np.full_like(instants, model.coal_must_run),
        "gas": np.full_like(instants, model.gas_must_run),
    }
    missing = np.maximum(demand - np.sum(list(supply.values()), axis=0), 0.0)
    # Reservoirs are emptied at the peaks, so hydro follows demand more than in proportion.
    supply["hydro"] = np.minimum(missing, model.hydro * demand**2)
    missing = missing - supply["hydro"]
    room = {"coal": model.coal - model.coal_must_run, "gas": model.gas - model.gas_must_run}
    for fuel in ("coal", "gas") if model.coal_first else ("gas", "coal"):
        dispatched = np.minimum(missing, max(room[fuel], 0.0))
        supply[fuel] = supply[fuel] + dispatched
        missing = missing - dispatched
    supply["import"] = missing
    return supply


def intensity(model: ZoneModel, supply: dict[str, Series]) -> tuple[Series, Series, Series]:
    """The generation-weighted mean of the factors with its low and high, gCO2e/kWh."""
    imported = Estimate(
        model.import_g, model.import_g * (1 - IMPORT_RANGE), model.import_g * (1 + IMPORT_RANGE)
    )
    factors = {**FACTORS, "import": imported}
    total = np.sum(list(supply.values()), axis=0)

    def mean(of: dict[str, float]) -> Series:
        weighted: Series = np.sum([supply[plant] * of[plant] for plant in supply], axis=0) / total
        return weighted

    return (
        mean({plant: factor.value for plant, factor in factors.items()}),
        mean({plant: factor.low for plant, factor in factors.items()}) * (1 - MIX_RANGE),
        mean({plant: factor.high for plant, factor in factors.items()}) * (1 + MIX_RANGE),
    )


def _winter(model: ZoneModel, instants: Series) -> Series:
    """1 in the middle of January north of the equator and of July south of it, -1 half a year later."""
    phase = 2 * np.pi * (instants / DAY_S - 15.0) / _YEAR_D
    wave: Series = np.cos(phase) * math.copysign(1.0, model.latitude)
    return wave


def _demand(model: ZoneModel, instants: Series) -> Series:
    local_d = (instants + model.utc_offset_h * HOUR_S) / DAY_S
    hour = (local_d % 1.0) * 24
    shape = -0.75 * np.cos(2 * np.pi * (hour - 4.0) / 24) - 0.35 * np.cos(4 * np.pi * (hour - 1.5) / 24)
    weekend = (np.floor(local_d) + 3) % 7 >= 5  # 1970-01-01 was a Thursday
    return (
        1.0
        + model.daily * shape
        + model.winter * _winter(model, instants)
        - model.weekend * (weekend - 2 / 7)
    )


def _sunlight(model: ZoneModel, instants: Series) -> Series:
    """Output over capacity of a level panel: Haurwitz (1945) clear sky, less slowly moving clouds."""
    days = instants / DAY_S
    declination = math.radians(23.44) * np.sin(2 * np.pi * (days - 79.0) / _YEAR_D)
    hour_angle = 2 * np.pi * (days % 1.0 - 0.5) + math.radians(model.longitude)
    latitude = math.radians(model.latitude)
    noon = math.cos(latitude) * np.cos(declination)
    height = np.maximum(math.sin(latitude) * np.sin(declination) + noon * np.cos(hour_angle), 1e-3)
    clear = 1.098 * height * np.exp(-0.057 / height)
    clouds = _logistic(1.5 * _weather(model.seed + 0.5, instants, _CLOUD_PERIODS_H, _CLOUD_WEIGHTS))
    output: Series = clear * (1.0 - model.clouds * clouds)
    return output


def _wind(model: ZoneModel, instants: Series) -> Series:
    """Output over capacity: a slow weather wave, stronger in winter, bent to lie between none and all."""
    weather = _weather(model.seed, instants, _WIND_PERIODS_H, _WIND_WEIGHTS)
    return _logistic(1.1 * weather + 0.35 * _winter(model, instants) - 1.1)


def _weather(
    seed: float, instants: Series, periods_h: tuple[float, ...], weights: tuple[float, ...]
) -> Series:
    """A wave of unit variance that does not repeat; phases come from the seed by irrational steps."""
    wave = np.zeros_like(instants)
    for index, (period_h, weight) in enumerate(zip(periods_h, weights, strict=True)):
        phase = (seed * 0.6180339887498949 + index * 0.41421356237309515) % 1.0
        wave = wave + weight * np.sin(2 * np.pi * (instants / (period_h * HOUR_S) + phase))
    unit: Series = wave / math.sqrt(sum(weight**2 for weight in weights) / 2)
    return unit


def _logistic(x: Series) -> Series:
    output: Series = 1.0 / (1.0 + np.exp(-x))
    return output
