"""What ENTSO-E calls plant types and zones, and what each plant type emits."""

from tidewatt.domain.estimate import Estimate

_BIOMASS = Estimate(230.0, 130.0, 420.0)
_COAL = Estimate(820.0, 740.0, 910.0)
_DIRTY_COAL = Estimate(1001.0, 675.0, 1689.0)
_OIL = Estimate(840.0, 510.0, 1170.0)
_GAS = Estimate(490.0, 410.0, 650.0)
_HYDRO = Estimate(24.0, 1.0, 147.0)
_UNKNOWN = Estimate(490.0, 11.0, 1170.0)

FACTORS: dict[str, Estimate] = {
    "B01": _BIOMASS,
    "B02": _DIRTY_COAL,
    "B03": _DIRTY_COAL,
    "B04": _GAS,
    "B05": _COAL,
    "B06": _OIL,
    "B07": _DIRTY_COAL,
    "B08": _DIRTY_COAL,
    "B09": Estimate(38.0, 6.0, 79.0),
    "B11": _HYDRO,
    "B12": _HYDRO,
    "B13": Estimate(17.0, 5.6, 28.0),
    "B14": Estimate(12.0, 3.7, 110.0),
    "B15": _BIOMASS,
    "B16": Estimate(48.0, 18.0, 180.0),
    "B17": _UNKNOWN,
    "B18": Estimate(12.0, 8.0, 35.0),
    "B19": Estimate(11.0, 7.0, 56.0),
    "B20": _UNKNOWN,
}
"""Life-cycle emissions by PSR type, gCO2e/kWh: median, minimum and maximum.

IPCC AR5 WG3 Annex III, table A.III.2 (biomass dedicated, coal, gas combined cycle, geothermal, ocean,
nuclear, photovoltaics of utilities, wind); oil, and all coals that it does not name (lignite, coal gas, oil
shale, peat), IPCC SRREN (2011) Annex II, table A.II.4; the maximum of hydro is UNECE (2022), as in the
offline model. Other renewables count as biomass. Waste and *other* are given no figure by the IPCC: that of
gas stands in, from wind to the worst oil.
"""

STORAGE = frozenset({"B10", "B25"})
"""Pumped and other storage: what it delivers was generated, and counted, before."""

ZONES: dict[str, str] = {
    "AT": "10YAT-APG------L",
    "BE": "10YBE----------2",
    "BG": "10YCA-BULGARIA-R",
    "CH": "10YCH-SWISSGRIDZ",
    "CZ": "10YCZ-CEPS-----N",
    "DE": "10Y1001A1001A83F",
    "DK-DK1": "10YDK-1--------W",
    "DK-DK2": "10YDK-2--------M",
    "EE": "10Y1001A1001A39I",
    "ES": "10YES-REE------0",
    "FI": "10YFI-1--------U",
    "FR": "10YFR-RTE------C",
    "GR": "10YGR-HTSO-----Y",
    "HR": "10YHR-HEP------M",
    "HU": "10YHU-MAVIR----U",
    "IT-NO": "10Y1001A1001A73I",
    "LT": "10YLT-1001A0008Q",
    "LV": "10YLV-1001A00074",
    "NL": "10YNL----------L",
    "NO-NO1": "10YNO-1--------2",
    "NO-NO2": "10YNO-2--------T",
    "NO-NO3": "10YNO-3--------J",
    "NO-NO4": "10YNO-4--------9",
    "NO-NO5": "10Y1001A1001A48H",
    "PL": "10YPL-AREA-----S",
    "PT": "10YPT-REN------W",
    "RO": "10YRO-TEL------P",
    "SE-SE1": "10Y1001A1001A44P",
    "SE-SE2": "10Y1001A1001A45N",
    "SE-SE3": "10Y1001A1001A46L",
    "SE-SE4": "10Y1001A1001A47J",
    "SI": "10YSI-ELES-----O",
    "SK": "10YSK-SEPS-----K",
}
"""Energy Identification Codes of zones, which are named as in Electricity Maps."""
