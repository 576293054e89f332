"""What the loop works on and with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tidewatt.accounting import stall
from tidewatt.accounting.factors import DEFAULTS, Factors
from tidewatt.control.foresight import Prospect
from tidewatt.control.spending import InForce
from tidewatt.domain.budget import Budgets
from tidewatt.domain.signal import Series
from tidewatt.domain.site import Site
from tidewatt.domain.world import World
from tidewatt.ports import Clock, DeviceMeter, Engine, Feed, Grid, Meter, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that the loop works on and with."""

    store: Store
    engine: Engine
    grid: Grid
    meter: Meter | None
    """None keeps no ledger: where nothing is drawn there is nothing to divide."""
    clock: Clock
    feed: Feed
    sites: Callable[[World | None], tuple[Site, ...]]
    """Where work can run in a world."""
    prospect: Prospect
    series: Mapping[Series, Grid] = field(default_factory=dict[Series, Grid])
    """What is told by the hour beside the grid's intensity, for receipts."""
    devices: DeviceMeter | None = None
    """None where no device has a meter of its own."""
    sample_every_s: float = 1.0
    """Real seconds between readings of the meter while anything runs."""
    stuck_after_s: float = 300.0
    """Real seconds without a step and without work after which an attempt at a training is ended."""
    longest_s: float = 60.0
    """Real seconds after which the clocks are looked at while there is work: the machine may have slept, or
    its clock been set. One that is simulated does neither."""
    stall_share: float = stall.SHARE
    """Of the processors that a worker holds: computing with less it is charged as stalled."""
    world: World | None
    """The world that the clock and the grid belong to."""
    folder: Path
    """Jobs have their folders here."""
    budgets: InForce = Budgets
    """Those in force; none unless told."""
    factors: Factors = DEFAULTS
    """What running totals of water and money go by."""
    follow_up: Callable[[], bool] = lambda: False
    """Submits the jobs that follow those which have succeeded; whether there were any."""
