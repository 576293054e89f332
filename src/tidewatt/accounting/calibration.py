"""What a machine draws at rest and at full load, from measuring it or from somebody's wall meter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tidewatt.domain.estimate import Estimate
from tidewatt.domain.ledger import EnergyReading
from tidewatt.domain.units import MICROJOULES
from tidewatt.errors import Refused, UsageError

WALL_ERROR_SHARE = 0.15
"""Half the width of the range of figures read from a wall meter: our own allowance for the meter, for the
moment at which it was read, and for the straight line that is drawn between two points."""
_MOST_IDLE = 0.05
"""Of its processors: a machine that uses more is not at rest."""
_LEAST_BUSY = 0.8
"""Of its processors: a machine that uses less is not at full load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """One calibration of one machine; those before it are kept.

    ``idle_w`` and ``busy_w`` are of the whole node with none and with all of its ``cpus`` processors busy, as
    ``counter`` saw it; None where only GPUs could be measured. ``gpus_idle_w`` is by UUID.
    """

    version: int
    made_wall: float
    machine: str
    counter: str
    cpus: int
    seconds: float
    samples: int
    idle_w: Estimate | None = None
    busy_w: Estimate | None = None
    gpus_idle_w: Mapping[str, Estimate] = field(default_factory=dict[str, Estimate])

    @property
    def name(self) -> str:
        """How meters that use it name it, and with them receipts."""
        return f"calibration {self.version}"

    @property
    def w_per_busy_cpu(self) -> Estimate | None:
        """What one busy processor draws more than an idle one."""
        if self.idle_w is None or self.busy_w is None:
            return None
        idle, busy = self.idle_w, self.busy_w
        more = Estimate(busy.value - idle.value, busy.low - idle.low, busy.high - idle.high)
        return more.scaled(1 / self.cpus)


def watts(readings: Sequence[EnergyReading]) -> Estimate:
    """Mean power over some readings, between the lowest and the highest that any of them allows."""
    seconds = sum(reading.wall_s for reading in readings)
    return Estimate(
        sum(reading.energy_uj for reading in readings) / MICROJOULES / seconds,
        min(reading.low_uj / MICROJOULES / reading.wall_s for reading in readings),
        max(reading.high_uj / MICROJOULES / reading.wall_s for reading in readings),
    )


def at_rest(readings: Sequence[EnergyReading]) -> Estimate:
    """Power of the idle node.

    Raises:
        Refused: it was not idle.
    """
    busy = _busy_share(readings)
    if busy > _MOST_IDLE:
        raise Refused(
            f"a machine that is {100 * busy:.0f}% busy",
            f"one at rest, below {100 * _MOST_IDLE:.0f}%",
            "end what runs on it, or wait, and calibrate again",
        )
    return watts(readings)


def at_full_load(readings: Sequence[EnergyReading], idle_w: Estimate) -> Estimate:
    """Power of the node with all processors busy, on the line through what was reached.

    Raises:
        Refused: the processors could not be kept busy, or drew no more than at rest.
    """
    busy = _busy_share(readings)
    if busy < _LEAST_BUSY:
        raise Refused(
            f"processors that were {100 * busy:.0f}% busy at full load",
            f"at least {100 * _LEAST_BUSY:.0f}%",
            "see what else keeps this machine from its processors, and calibrate again",
        )
    reached = watts(readings)
    full = Estimate(*(idle + (seen - idle) / busy for seen, idle in _pairs(reached, idle_w)))
    return in_order(idle_w, full)


def from_wall_meter(idle_watts: float, busy_watts: float) -> tuple[Estimate, Estimate]:
    """Both powers from figures that somebody read off a wall meter, with our range for them.

    Raises:
        UsageError: they are no powers of a machine.
    """
    if not 0 < idle_watts < busy_watts < float("inf"):
        raise UsageError(
            f"{idle_watts:g} W at rest and {busy_watts:g} W at full load",
            "two powers above 0, the second above the first",
            "read the meter once while nothing runs and once while all processors are busy",
        )
    idle, busy = (
        Estimate(w, w * (1 - WALL_ERROR_SHARE), w * (1 + WALL_ERROR_SHARE)) for w in (idle_watts, busy_watts)
    )
    return idle, busy


def in_order(idle_w: Estimate, busy_w: Estimate) -> Estimate:
    """The power at full load, if each bound of it lies above that of the power at rest.

    Raises:
        Refused: it does not.
    """
    if any(busy <= idle for busy, idle in _pairs(busy_w, idle_w)):
        raise Refused(
            f"{busy_w.value:.1f} W at full load and {idle_w.value:.1f} W at rest",
            "more at full load than at rest",
            "calibrate again, for longer: --seconds 30",
        )
    return busy_w


def _busy_share(readings: Sequence[EnergyReading]) -> float:
    most = sum(reading.cpus * reading.wall_s for reading in readings)
    return sum(reading.busy_cpu_s for reading in readings) / most


def _pairs(one: Estimate, two: Estimate) -> list[tuple[float, float]]:
    return [(one.value, two.value), (one.low, two.low), (one.high, two.high)]
