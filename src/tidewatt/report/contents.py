"""What a receipt says, worked out and ready to be shown; every renderer shows this and computes nothing."""

from dataclasses import dataclass

from tidewatt.accounting.counterfactual import Counterfactual, Unknown
from tidewatt.accounting.factors import Factor, Impact
from tidewatt.accounting.saving import Saving
from tidewatt.domain.environment import Environment
from tidewatt.domain.estimate import Estimate, Tier
from tidewatt.domain.lifecycle import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which job, and how it ended; instants are UTC seconds of the world's clock."""

    job_id: str
    function: str
    arguments: dict[str, str]
    labels: dict[str, str]
    """What the user calls it by, such as its team and its cost centre."""
    environment: Environment | None
    """What it ran in; None for what Tidewatt itself runs in."""
    trigger: str
    """The trigger that submitted it and on what occasion; empty if somebody did."""
    state: State
    interim: bool
    """The job has not ended; every figure is so far."""
    submitted_at: float
    ended_at: float | None
    issued_at: float
    steps_done: int
    steps_total: int | None
    first_loss: float | None
    last_loss: float | None
    result: dict[str, object]
    error: str | None
    plan_note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The time and the grid that the job lived in."""

    speed: float
    replayed: bool
    world: str
    """What the world's clock means for the figures, in a sentence."""
    home_zone: str
    grid: str
    modelled: bool
    """True if any intensity shown comes from a model; then every renderer says so beside it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the energy: ``key`` for programs, ``label`` for people, ``share`` of the job's total."""

    key: str
    label: str
    energy_uj: int
    share: float


@dataclass(frozen=True, slots=True)
class Conservation:
    """Where all energy of the node went over the same period; microjoules, and the parts sum to the node."""

    node_uj: int
    jobs_uj: int
    pool_uj: int
    platform_uj: int
    unallocated_uj: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Energy of the machine that belongs to the job; ``tier`` is that of the reading known least well.

    ``metered`` is false if workers ran and no reading holds them; then the total is not known.
    """

    metered: bool
    total_uj: int
    total_j: Estimate
    tier: Tier
    meters: tuple[str, ...]
    by_phase: tuple[Part, ...]
    by_workers: tuple[Part, ...]
    conservation: Conservation


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """What bytes took outside the machine, which no meter of ours sees; it is in no other figure.

    ``carbon`` is priced at the mean intensity of the job's own energy, None where that is not known.
    """

    sent_bytes: int
    network_j: Estimate
    storage_j: Estimate
    carbon: Impact | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Impacts:
    """What the energy and the time led to.

    All are None if the energy is not known, ``operational`` also where the grid has no data. ``marginal`` and
    ``market`` answer other questions than ``operational`` and are never added to it; they are None, as is
    ``machine``, where nobody told what they are made from. ``idle`` is the job's part of the electricity that
    was drawn in its time for nobody.
    """

    operational: Impact | None
    marginal: Impact | None
    market: Impact | None
    unpriced_zones: tuple[str, ...]
    filled_share: float
    embodied: Impact | None
    water: Impact | None
    cost: Impact | None
    machine: Impact | None
    idle: Impact | None
    beyond: Beyond
    facility_j: float | None
    """The energy at the site's own meter, PUE included."""
    intensity: float | None
    """The mean intensity that the job's energy was priced at, gCO2e/kWh."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """Whether a job kept its deadline; ``kept`` is None while that is open, ``slack_s`` negative if late."""

    at: float
    kept: bool | None
    slack_s: float


@dataclass(frozen=True, slots=True)
class Segment:
    """An attempt as it lay in time, for the chart."""

    start_at: float
    end_at: float
    workers: int
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """How the job ran: its attempts in order, and how often it was stopped, resumed, resized and moved.

    ``failed``, ``lost`` and ``stranded`` count its attempts that were cut short, by what cut them.
    """

    segments: tuple[Segment, ...]
    real_s: float
    """Real seconds in which workers ran."""
    suspends: int
    resumes: int
    resizes: int
    moves: int
    failed: int
    lost: int
    stranded: int


@dataclass(frozen=True, slots=True)
class Hour:
    """The intensity of one hour in one zone, gCO2e/kWh."""

    start_at: float
    zone: str
    value: float
    low: float
    high: float
    quality: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The ledger of one job, told to a person."""

    identity: Identity
    place: Place
    energy: Energy
    impacts: Impacts
    deadline: Deadline | None
    running: Running
    hours: tuple[Hour, ...]
    until_at: float
    """Where a chart of the job ends: all runs and hours shown begin before it."""
    counterfactual: Counterfactual | Unknown
    saving: Saving | Unknown
    factors: tuple[Factor, ...]
    notes: tuple[str, ...]
