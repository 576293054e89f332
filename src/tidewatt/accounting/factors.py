"""The constants that turn energy and time into carbon, water and money, each with its source."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from tidewatt.domain.estimate import Estimate

QUOTED, OWN = "quoted figure", "own figure"


@dataclass(frozen=True, slots=True)
class Factor:
    """One published figure.

    ``low`` and ``high`` bound what it may be where nothing more is known; ``valid`` says which years
    it describes. A corrected figure gets a new ``id``, so that old receipts stay explicable. ``licence`` is
    that of the data set it was taken from; a single figure quoted from a publication has none.
    """

    id: str
    value: float
    low: float
    high: float
    unit: str
    source: str
    valid: str
    licence: str = QUOTED

    @property
    def estimate(self) -> Estimate:
        """The figure as a value with its range."""
        return Estimate(self.value, self.low, self.high)


PUE = Factor(
    "pue/unknown-site/1",
    1.56,
    1.0,
    2.0,
    "facility energy per machine energy",
    "Uptime Institute Global Data Center Survey 2024 (mean 1.56); 1.0 is a machine without cooling of "
    "its own, under a desk",
    "2024",
)
NETWORK = Factor(
    "network/between-sites/1",
    0.001,
    0.001,
    0.06,
    "kWh/GB",
    "Cloud Carbon Footprint, networking coefficient for transfers between data centres; the most is the "
    "internet as a whole in 2015 (Aslan et al., Journal of Industrial Ecology 2018)",
    "2015 to 2024",
    "Apache-2.0",
)
STORAGE = Factor(
    "storage/replicated-ssd/1",
    3.6,
    1.2,
    7.2,
    "Wh for a TB kept for an hour",
    "Cloud Carbon Footprint, storage coefficient of solid-state disks (1.2), kept three times, and the range "
    "once to six times",
    "2021-2024",
    "Apache-2.0",
)
WUE = Factor(
    "wue/on-site/1",
    1.8,
    0.0,
    1.9,
    "L/kWh of machine energy",
    "The Green Grid, White Paper 35, and US data centre mean (Shehabi et al. 2016, LBNL-1005775); "
    "0 is a site cooled by air",
    "2016-2024",
)
EWIF = Factor(
    "ewif/world/1",
    3.9,
    1.9,
    11.5,
    "L/kWh of facility energy",
    "World Resources Institute, Guidance for calculating water use embedded in purchased electricity "
    "(Reig et al. 2020), as tabulated by EcoLogits, world mix; the range is Germany to Argentina",
    "2020-2024",
)
SERVER_EMBODIED = Factor(
    "embodied/server-1-socket/1",
    946.0,
    540.0,
    1579.0,
    "kgCO2e for the whole machine",
    "Boavizta API 2.5, one AMD EPYC 7763, 8 x 32 GB memory, 1 TB SSD",
    "2021-2025",
)
SERVER_PROCESSORS = 128
"""Hardware threads of the machine that ``SERVER_EMBODIED`` is for."""
SERVER_LIFESPAN = Factor(
    "lifespan/server/1",
    35_040.0,
    26_280.0,
    43_800.0,
    "h",
    "Boavizta and Cloud Carbon Footprint: 4 years of service, 3 to 5",
    "2021-2025",
)
ELECTRICITY_PRICE = Factor(
    "price/electricity-world/1",
    0.155,
    0.08,
    0.45,
    "USD/kWh of facility energy",
    "GlobalPetrolPrices, first quarter of 2025: world mean for businesses; the range is the mean of Asian "
    "households to Irish households",
    "2025",
)
CPU_MIN_WATTS = Factor(
    "power/vcpu-idle/1",
    0.74,
    0.47,
    3.04,
    "W per virtual processor",
    "Cloud Carbon Footprint methodology, mean minimum over AWS processors; range over microarchitectures",
    "2021-2025",
    "Apache-2.0",
)
CPU_MAX_WATTS = Factor(
    "power/vcpu-busy/1",
    3.5,
    1.69,
    8.58,
    "W per virtual processor",
    "Cloud Carbon Footprint methodology, mean maximum over AWS processors; range over microarchitectures",
    "2021-2025",
    "Apache-2.0",
)
MEMORY_WATTS = Factor(
    "power/memory/1",
    0.3725,
    0.30,
    0.392,
    "W/GB",
    "Green Algorithms (Lannelongue et al. 2021), after Karyakin and Salem 2017; high is that of Cloud "
    "Carbon Footprint",
    "2017-2025",
    "CC BY 4.0",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """The factors in force for one computation; replace what is known better of a site.

    ``market`` is the intensity of the electricity that was bought, ``machine`` the price of an hour of the
    whole machine: there are no defaults for what only a contract can tell. ``local`` holds what is known of
    a zone, by kind (the name of a field) and zone.
    """

    pue: Factor = PUE
    wue: Factor = WUE
    ewif: Factor = EWIF
    embodied: Factor = SERVER_EMBODIED
    lifespan: Factor = SERVER_LIFESPAN
    price: Factor = ELECTRICITY_PRICE
    network: Factor = NETWORK
    storage: Factor = STORAGE
    market: Factor | None = None
    machine: Factor | None = None
    local: Mapping[tuple[str, str], Factor] = field(default_factory=dict[tuple[str, str], Factor])

    def of(self, kind: str, zone: str) -> Factor:
        """The factor of a kind that has a default, for a zone."""
        general: Factor = getattr(self, kind)
        return self.local.get((kind, zone), general)

    def market_of(self, zone: str) -> Factor | None:
        """The intensity of the electricity bought in a zone, if it is known."""
        return self.local.get(("market", zone), self.market)

    def by_id(self, ids: frozenset[str]) -> tuple[Factor, ...]:
        """Those of the factors whose ids are given, in the order of the fields, those of zones last."""
        chosen: list[Factor | None] = [getattr(self, kind) for kind in KINDS]
        chosen += [self.local[key] for key in sorted(self.local)]
        return tuple(factor for factor in chosen if factor is not None and factor.id in ids)


KINDS: tuple[str, ...] = tuple(each.name for each in fields(Factors) if each.name != "local")
"""What there is a factor for."""
DEFAULTS = Factors()
UNITS: dict[str, str] = {
    **{kind: factor.unit for kind in KINDS if (factor := getattr(DEFAULTS, kind)) is not None},
    "market": "gCO2e/kWh of facility energy",
    "machine": "USD for an hour of the whole machine",
}
"""The unit of each kind."""


@dataclass(frozen=True, slots=True)
class Impact:
    """What some energy or time led to, with the ids of the factors that it was computed with.

    ``method`` names the formula and its version; a restatement is a new version.
    """

    amount: Estimate
    unit: str
    factors: tuple[str, ...]
    method: str
