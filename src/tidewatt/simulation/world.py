"""A world in virtual time: the live loop with a simulated clock, engine and meter."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tidewatt.control.foresight import Prospect, by
from tidewatt.control.loop import Loop
from tidewatt.control.observe import Observer
from tidewatt.control.parts import Parts
from tidewatt.control.spending import InForce
from tidewatt.domain.budget import Budgets
from tidewatt.domain.function import Payload
from tidewatt.domain.job import Job, Submission
from tidewatt.domain.site import Site
from tidewatt.domain.units import HOUR_S
from tidewatt.errors import Refused
from tidewatt.forecast.hourly import Hourly
from tidewatt.policy import admission
from tidewatt.policy.names import Policy
from tidewatt.ports import Grid, Meter, Store
from tidewatt.simulation.clock import VirtualClock
from tidewatt.simulation.engine import SimulatedEngine, Workload
from tidewatt.simulation.node import Nobody, SimulatedMeter

NO_CODE = Payload(form="simulated", path="", function="")
_STATIC_W = 10.0
_WATTS_PER_CPU = 3.5
_FAR_S = 10.0**9


@dataclass(frozen=True, slots=True)
class Arrival:
    """A job that comes in at ``submission.submitted_at``, and the truth about it."""

    submission: Submission
    workload: Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a world is played: ``prospect`` None is the default method, ``metered`` keeps a ledger."""

    prospect: Prospect | None = None
    metered: bool = True
    budgets: InForce = Budgets
    """Those in force; admission knows nothing of them."""


AS_LIVE = Manner()


class SimulatedWorld:
    """Plays arrivals through the live loop and keeps everything in a store, as the live one does."""

    def __init__(
        self,
        store: Store,
        grid: Grid,
        sites: Sequence[Site],
        policy: Policy,
        start_at: float,
        manner: Manner = AS_LIVE,
    ) -> None:
        self._store = store
        self._clock = VirtualClock(start_at)
        self._workloads: dict[str, Workload] = {}
        self._engine = SimulatedEngine(self._clock, self._workloads)
        self._coming = 0
        self.refused: dict[str, Refused] = {}
        """Why jobs were not accepted."""
        here = tuple(sites)
        prospect = manner.prospect or Prospect(carbon=by(Hourly(), grid))
        self._observer = Observer(store, grid, self._clock, lambda: here, prospect)
        self._loop = Loop(
            Parts(
                store=store,
                engine=self._engine,
                grid=grid,
                meter=self._meter(here) if manner.metered else None,
                clock=self._clock,
                feed=Nobody(),
                sites=lambda _: here,
                prospect=prospect,
                world=None,
                sample_every_s=HOUR_S,
                longest_s=HOUR_S,
                folder=Path(),
                budgets=manner.budgets,
            ),
            policy,
        )

    def play(self, arrivals: Iterable[Arrival]) -> None:
        """Let jobs come in at their time and work until all have ended."""
        coming = list(arrivals)
        self._coming = len(coming)
        for arrival in coming:
            self._engine.visit_at(arrival.submission.submitted_at, partial(self._let_in, arrival))
        self._loop.begin()
        while self._loop.turn(_FAR_S if self._coming else 0.0) or self._coming:
            pass

    def _meter(self, sites: Sequence[Site]) -> Meter:
        return SimulatedMeter(self._engine, sum(site.cpus for site in sites), _STATIC_W, _WATTS_PER_CPU)

    def _let_in(self, arrival: Arrival) -> None:
        """Accept or refuse a job, as a client would."""
        self._coming -= 1
        draft = Job.draft(arrival.submission)
        self._workloads[draft.id] = arrival.workload
        try:
            admission.check(self._observer.snapshot([*self._store.jobs(open_only=True), draft]), draft.id)
        except Refused as error:
            self.refused[draft.id] = error
        else:
            self._store.submit(arrival.submission)
