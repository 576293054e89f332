"""The parameters of the offline grid model: what stands in each zone, and how power is used there."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneModel:
    """One zone; capacities are multiples of its mean demand.

    ``seed`` sets the phases of the weather and is different for every zone; ``clouds`` is the share of
    sunlight that the thickest weather takes away. ``coal_must_run`` and ``gas_must_run`` are loads that never
    switch off (heat supply, grid stability); ``coal_first`` is the merit order of what follows the rest of
    the demand. ``import_g`` is the life-cycle intensity, gCO2e/kWh, of what neighbours send. ``daily`` and
    ``winter`` are the swings of demand over a day and a year, the latter negative where cooling matters more
    than heating; ``weekend`` is what demand loses then.
    """

    seed: int
    latitude: float
    longitude: float
    utc_offset_h: float
    solar: float
    wind: float
    hydro: float
    nuclear: float
    biomass: float
    coal: float
    gas: float
    import_g: float
    clouds: float
    coal_must_run: float = 0.0
    gas_must_run: float = 0.0
    coal_first: bool = True
    daily: float = 0.14
    winter: float = 0.08
    weekend: float = 0.08


ZONES: dict[str, ZoneModel] = {
    "AU-NSW": ZoneModel(
        seed=1, latitude=-33.0, longitude=150.0, utc_offset_h=10.0,
        solar=0.55, wind=0.22, hydro=0.05, nuclear=0.0, biomass=0.01, coal=0.75, gas=0.15, import_g=500.0,
        clouds=0.45, coal_must_run=0.42, winter=0.03,
    ),
    "AU-SA": ZoneModel(
        seed=2, latitude=-34.5, longitude=138.5, utc_offset_h=9.5,
        solar=0.85, wind=1.75, hydro=0.0, nuclear=0.0, biomass=0.01, coal=0.0, gas=0.75, import_g=600.0,
        clouds=0.35, gas_must_run=0.05, daily=0.16, winter=-0.02,
    ),
    "CA-QC": ZoneModel(
        seed=3, latitude=47.0, longitude=-72.0, utc_offset_h=-5.0,
        solar=0.0, wind=0.17, hydro=0.92, nuclear=0.0, biomass=0.01, coal=0.0, gas=0.002, import_g=60.0,
        clouds=0.6, daily=0.08, winter=0.22, weekend=0.03,
    ),
    "DE": ZoneModel(
        seed=4, latitude=51.0, longitude=10.0, utc_offset_h=1.0,
        solar=0.75, wind=0.8, hydro=0.04, nuclear=0.06, biomass=0.08, coal=0.5, gas=0.25, import_g=250.0,
        clouds=0.7, coal_must_run=0.22, gas_must_run=0.08,
    ),
    "DK-DK1": ZoneModel(
        seed=5, latitude=56.0, longitude=9.0, utc_offset_h=1.0,
        solar=0.45, wind=1.7, hydro=0.0, nuclear=0.0, biomass=0.16, coal=0.2, gas=0.05, import_g=180.0,
        clouds=0.7, coal_must_run=0.05,
    ),
    "ES": ZoneModel(
        seed=6, latitude=40.0, longitude=-4.0, utc_offset_h=1.0,
        solar=0.5, wind=0.85, hydro=0.09, nuclear=0.21, biomass=0.02, coal=0.05, gas=0.6, import_g=90.0,
        clouds=0.4, coal_must_run=0.02, gas_must_run=0.18, winter=0.03,
    ),
    "FR": ZoneModel(
        seed=7, latitude=46.5, longitude=2.5, utc_offset_h=1.0,
        solar=0.2, wind=0.3, hydro=0.12, nuclear=0.6, biomass=0.02, coal=0.01, gas=0.18, import_g=200.0,
        clouds=0.55, gas_must_run=0.08, coal_first=False, winter=0.18,
    ),
    "GB": ZoneModel(
        seed=8, latitude=53.0, longitude=-1.5, utc_offset_h=0.0,
        solar=0.3, wind=0.9, hydro=0.02, nuclear=0.15, biomass=0.07, coal=0.02, gas=0.65, import_g=120.0,
        clouds=0.7, gas_must_run=0.1, coal_first=False, daily=0.18, winter=0.13,
    ),
    "IN-WE": ZoneModel(
        seed=9, latitude=21.0, longitude=74.5, utc_offset_h=5.5,
        solar=0.27, wind=0.25, hydro=0.05, nuclear=0.03, biomass=0.01, coal=0.85, gas=0.06, import_g=650.0,
        clouds=0.35, coal_must_run=0.5, daily=0.06, winter=-0.03, weekend=0.03,
    ),
    "IT-NO": ZoneModel(
        seed=10, latitude=45.4, longitude=9.2, utc_offset_h=1.0,
        solar=0.4, wind=0.01, hydro=0.16, nuclear=0.0, biomass=0.06, coal=0.05, gas=0.55, import_g=260.0,
        clouds=0.5, gas_must_run=0.25, coal_first=False, winter=-0.02, weekend=0.14,
    ),
    "JP-TK": ZoneModel(
        seed=11, latitude=35.7, longitude=139.7, utc_offset_h=9.0,
        solar=0.45, wind=0.03, hydro=0.05, nuclear=0.0, biomass=0.03, coal=0.36, gas=0.65, import_g=500.0,
        clouds=0.55, coal_must_run=0.3, gas_must_run=0.2, winter=0.02,
    ),
    "NO-NO1": ZoneModel(
        seed=12, latitude=60.0, longitude=10.7, utc_offset_h=1.0,
        solar=0.0, wind=0.1, hydro=0.88, nuclear=0.0, biomass=0.008, coal=0.0, gas=0.0, import_g=60.0,
        clouds=0.7, daily=0.09, winter=0.2, weekend=0.04,
    ),
    "PL": ZoneModel(
        seed=13, latitude=52.0, longitude=19.5, utc_offset_h=1.0,
        solar=0.45, wind=0.27, hydro=0.01, nuclear=0.0, biomass=0.04, coal=0.95, gas=0.12, import_g=400.0,
        clouds=0.65, coal_must_run=0.5, gas_must_run=0.04,
    ),
    "SE-SE3": ZoneModel(
        seed=14, latitude=59.3, longitude=17.0, utc_offset_h=1.0,
        solar=0.04, wind=0.35, hydro=0.28, nuclear=0.52, biomass=0.03, coal=0.0, gas=0.003, import_g=35.0,
        clouds=0.65, daily=0.1, winter=0.2, weekend=0.05,
    ),
    "US-CAL-CISO": ZoneModel(
        seed=15, latitude=36.0, longitude=-119.5, utc_offset_h=-8.0,
        solar=0.7, wind=0.3, hydro=0.09, nuclear=0.08, biomass=0.03, coal=0.0, gas=0.62, import_g=300.0,
        clouds=0.25, gas_must_run=0.2, daily=0.16, winter=-0.08, weekend=0.05,
    ),
    "US-MIDA-PJM": ZoneModel(
        seed=16, latitude=40.0, longitude=-78.0, utc_offset_h=-5.0,
        solar=0.06, wind=0.12, hydro=0.02, nuclear=0.32, biomass=0.01, coal=0.28, gas=0.7, import_g=400.0,
        clouds=0.5, coal_must_run=0.15, gas_must_run=0.25, winter=-0.03, weekend=0.06,
    ),
    "US-TEX-ERCO": ZoneModel(
        seed=17, latitude=31.5, longitude=-98.5, utc_offset_h=-6.0,
        solar=0.24, wind=0.8, hydro=0.0, nuclear=0.09, biomass=0.0, coal=0.24, gas=0.8, import_g=450.0,
        clouds=0.35, coal_must_run=0.1, gas_must_run=0.2, winter=-0.12, weekend=0.04,
    ),
}  # fmt: skip
"""Tuned by hand towards published shares of generation in 2022; a model, not a measurement."""
