"""A supervisor in virtual time, turn by turn: the live loop with a simulated clock, engine and meter."""

from pathlib import Path

from tidewatt.adapters.grids.model import ModelGrid
from tidewatt.adapters.stores.memory import MemoryStore
from tidewatt.control.foresight import Prospect, by
from tidewatt.control.loop import Loop
from tidewatt.control.parts import Parts
from tidewatt.domain.job import Submission
from tidewatt.domain.site import Site
from tidewatt.domain.units import HOUR_S
from tidewatt.forecast.hourly import Hourly
from tidewatt.policy import cheapest
from tidewatt.policy.names import Policy
from tidewatt.ports import Feed
from tidewatt.simulation.clock import VirtualClock
from tidewatt.simulation.engine import SimulatedEngine, Workload
from tidewatt.simulation.node import Nobody, SimulatedMeter

START = 1_654_041_600.0
"""2022-06-01 in UTC seconds."""
_STATIC_W, _WATTS_PER_CPU = 10.0, 3.5


class Machine:
    """A supervisor that has not begun yet, without a ledger unless it is ``metered``."""

    def __init__(
        self,
        *sites: Site,
        policy: Policy = cheapest.decide,
        store: MemoryStore | None = None,
        feed: Feed | None = None,
        metered: bool = False,
    ) -> None:
        self.clock = VirtualClock(START)
        self.store = store or MemoryStore()
        self.workloads: dict[str, Workload] = {}
        self.engine = SimulatedEngine(self.clock, self.workloads)
        grid, cpus = ModelGrid(), sum(site.cpus for site in sites)
        self.loop = Loop(
            Parts(
                store=self.store,
                engine=self.engine,
                grid=grid,
                meter=SimulatedMeter(self.engine, cpus, _STATIC_W, _WATTS_PER_CPU) if metered else None,
                clock=self.clock,
                feed=feed or Nobody(),
                sites=lambda _: sites,
                prospect=Prospect(carbon=by(Hourly(), grid)),
                world=None,
                sample_every_s=HOUR_S,
                longest_s=HOUR_S,
                folder=Path(),
            ),
            policy,
        )

    def submit(self, submission: Submission, workload: Workload) -> None:
        """A job, and the truth about it."""
        self.workloads[submission.id] = workload
        self.store.submit(submission)

    def until_idle(self) -> None:
        """Take turns until nothing is left to do."""
        while self.loop.turn():
            pass
