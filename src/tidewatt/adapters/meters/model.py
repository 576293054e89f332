"""Energy from a model of power over processor time, for nodes without counters."""

import math
from dataclasses import dataclass

import psutil

from tidewatt.adapters.meters.proc import Moment, Processors, busy_between
from tidewatt.domain.estimate import Estimate, Tier
from tidewatt.domain.ledger import EnergyReading
from tidewatt.domain.units import MICROJOULES
from tidewatt.errors import UsageError
from tidewatt.ports import Clock

IDLE_W_PER_CPU = Estimate(0.74, 0.47, 3.04)
"""Watts of an idle virtual processor: the mean over the AWS fleet, and the least and most of its
microarchitectures (AMD EPYC 2nd generation, Intel Ivy Bridge).

Source: Cloud Carbon Footprint, methodology, coefficients of energy, from SPECpower_ssj2008 results.
"""
MAX_W_PER_CPU = Estimate(3.5, 1.69, 8.58)
"""Watts of a fully busy virtual processor; source as for the idle one (EPYC 2nd generation, Sandy Bridge)."""
MEMORY_W_PER_GB = Estimate(0.3725, 0.30, 0.392)
"""Watts for each 10^9 bytes of memory, used or not.

Sources: Lannelongue, Grealey, Inouye: Green Algorithms (Advanced Science, 2021) 0.3725; Cloud Carbon
Footprint 0.392 as the upper bound; the lower bound is our own allowance for newer modules.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerModel:
    """Power as a straight line over processor use: ``P = cpus * idle + busy * (max - idle) + memory``.

    ``memory_gb`` is in 10^9 bytes. Fans, disks and losses of the power supply are not in it.

    Raises:
        UsageError: a busy processor draws less than an idle one, or a figure is out of order.
    """

    idle_w_per_cpu: Estimate = IDLE_W_PER_CPU
    max_w_per_cpu: Estimate = MAX_W_PER_CPU
    memory_gb: float = 0.0
    memory_w_per_gb: Estimate = MEMORY_W_PER_GB

    def __post_init__(self) -> None:
        """Refuse figures that would make energies negative."""
        for watts in (self.idle_w_per_cpu, self.max_w_per_cpu, self.memory_w_per_gb):
            if not 0 <= watts.low <= watts.value <= watts.high < math.inf:
                raise UsageError(f"a power of {watts}", "0 <= low <= value <= high, in watts")
        busy = self.dynamic_w_per_cpu
        if min(busy.value, busy.low, busy.high) < 0 or self.memory_gb < 0 or self.static_w(1).value <= 0:
            raise UsageError(
                f"a power model of {self.idle_w_per_cpu} idle and {self.max_w_per_cpu} busy",
                "a busy processor that draws at least as much as an idle one, and an idle one above zero",
            )

    @property
    def dynamic_w_per_cpu(self) -> Estimate:
        """What one busy processor draws more than an idle one; bounds belong to the same processor."""
        idle, busy = self.idle_w_per_cpu, self.max_w_per_cpu
        return Estimate(busy.value - idle.value, busy.low - idle.low, busy.high - idle.high)

    def static_w(self, cpus: int) -> Estimate:
        """What ``cpus`` processors and the memory draw whether or not anything computes."""
        return self.idle_w_per_cpu.scaled(cpus) + self.memory_w_per_gb.scaled(self.memory_gb)

    def energy_uj(self, cpus: int, busy_cpu_s: float, wall_s: float) -> tuple[Estimate, Estimate]:
        """Static and dynamic energy of an interval in microjoules, not yet rounded."""
        return (
            self.static_w(cpus).scaled(wall_s * MICROJOULES),
            self.dynamic_w_per_cpu.scaled(busy_cpu_s * MICROJOULES),
        )


class ModelMeter:
    """A meter that infers energy from the processor time of all programs of the node.

    It is of tier 3, or of tier 2 and named by its calibration where its model was calibrated on this machine.
    Energies are rounded down and the rest is carried to the next reading, so that the sum over any number
    of readings is that of one reading over the whole time.
    """

    name = "cpu-time model"

    def __init__(
        self, model: PowerModel, processors: Processors | None = None, calibration: str = ""
    ) -> None:
        self._model = model
        self.tier = Tier.HYBRID if calibration else Tier.MODEL
        self.name = f"{ModelMeter.name}, {calibration}" if calibration else ModelMeter.name
        self._processors = processors or Processors()
        self._before: Moment | None = None
        self._rest_uj = (0.0, 0.0)

    def read(self, clock: Clock) -> EnergyReading | None:
        """The energy since the call before.

        Returns:
            None on the first call, and where no time has passed that holds a microjoule (or the clock was
            set back); the next reading then covers what this one left out.
        """
        before, after = self._before, self._processors.look(clock)
        if before is None:
            self._before = after
            return None
        wall_s = after.wall - before.wall
        if wall_s <= 0 or after.at < before.at:
            return None
        busy_cpu_s = busy_between(before, after)
        static, dynamic = self._model.energy_uj(after.cpus, busy_cpu_s, wall_s)
        static_uj, static_rest = divmod(static.value + self._rest_uj[0], 1)
        dynamic_uj, dynamic_rest = divmod(dynamic.value + self._rest_uj[1], 1)
        energy_uj = int(static_uj) + int(dynamic_uj)
        if energy_uj == 0:
            return None
        self._before, self._rest_uj = after, (static_rest, dynamic_rest)
        return EnergyReading(
            meter=self.name,
            tier=self.tier,
            start_at=before.at,
            end_at=after.at,
            wall_s=wall_s,
            energy_uj=energy_uj,
            static_uj=int(static_uj),
            low_uj=min(energy_uj, math.floor(static.low + dynamic.low)),
            high_uj=max(energy_uj, math.ceil(static.high + dynamic.high)),
            busy_cpu_s=busy_cpu_s,
            cpus=after.cpus,
        )


def memory_gb() -> float:
    """Memory of the node, 10^9 bytes."""
    return float(psutil.virtual_memory().total) / 1e9
