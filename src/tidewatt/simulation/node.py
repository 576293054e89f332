"""A node without sensors in virtual time, and an audience of nobody."""

from tidewatt.domain.estimate import Tier
from tidewatt.domain.ledger import EnergyReading
from tidewatt.domain.units import MICROJOULES
from tidewatt.ports import Clock, Update
from tidewatt.simulation.engine import SimulatedEngine


class SimulatedMeter:
    """Static power all the time, and dynamic power for each busy processor."""

    name = "simulated"

    def __init__(self, engine: SimulatedEngine, cpus: int, static_w: float, watts_per_cpu: float) -> None:
        self._engine = engine
        self._cpus = cpus
        self._static_w = static_w
        self._watts_per_cpu = watts_per_cpu
        self._since: float | None = None
        self._busy_before = 0.0

    def read(self, clock: Clock) -> EnergyReading | None:
        """The energy since the call before."""
        now, busy = clock.now(), self._engine.busy_cpu_s
        if self._since is None:
            self._since, self._busy_before = now, busy
            return None
        wall_s = now - self._since
        if wall_s <= 0:
            return None
        spent = busy - self._busy_before
        static_uj = round(self._static_w * wall_s * MICROJOULES)
        energy_uj = static_uj + round(self._watts_per_cpu * spent * MICROJOULES)
        reading = EnergyReading(
            meter=self.name,
            tier=Tier.MODEL,
            start_at=self._since,
            end_at=now,
            wall_s=wall_s,
            energy_uj=energy_uj,
            static_uj=static_uj,
            low_uj=energy_uj,
            high_uj=energy_uj,
            busy_cpu_s=spent,
            cpus=self._cpus,
        )
        self._since, self._busy_before = now, busy
        return reading


class Nobody:
    """A feed that nobody listens to."""

    heard = False

    def publish(self, update: Update) -> None:
        """Say it to the wind."""

    def rests(self, job_id: str, *, ended: bool) -> None:
        """Nobody waits for it."""
