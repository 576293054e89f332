"""A meter with another behind it, which goes on where the first one dies."""

from dataclasses import dataclass, replace

from tidewatt.domain.ledger import EnergyReading
from tidewatt.errors import TidewattError
from tidewatt.ports import Clock, Meter


@dataclass(frozen=True, slots=True)
class _Instant:
    """A clock that stands still, so that meters read one after the other agree on when that was."""

    speed: float
    at: float
    real: float

    def now(self) -> float:
        return self.at

    def wall(self) -> float:
        return self.real


class StandbyMeter:
    """Reads ``first`` until it says that it cannot be read any more, and ``second`` from where it left off.

    The second is read along with the first, so that it holds the energy of the interval in which that died:
    nothing is missing and nothing is counted twice. The name of a reading says which of them made it.
    """

    def __init__(self, first: Meter, second: Meter) -> None:
        self._first = first
        self._second = second
        self._lost = False
        self._until_at = float("-inf")

    @property
    def name(self) -> str:
        """That of the meter in use."""
        return f"{self._second.name} in place of {self._first.name}" if self._lost else self._first.name

    def read(self, clock: Clock) -> EnergyReading | None:
        """The energy since the call before; None on the first call, or where no time has passed."""
        instant = _Instant(clock.speed, clock.now(), clock.wall())
        if not self._lost:
            try:
                reading = self._first.read(instant)
            except TidewattError:
                self._lost = True
            else:
                began = self._until_at == float("-inf")
                if reading is not None or began:
                    self._second.read(instant)
                    self._until_at = instant.at
                return reading
        reading = self._second.read(instant)
        if reading is None:
            return None
        return replace(
            after(reading, self._until_at), meter=f"{reading.meter} in place of {self._first.name}"
        )


def after(reading: EnergyReading, instant: float) -> EnergyReading:
    """The part of a reading that lies after an instant, as if power was the same throughout.

    A meter that was read along may have had nothing to tell then, and tell of a time that was told before.
    """
    if reading.start_at >= instant or reading.end_at <= instant:
        return reading
    share = (reading.end_at - instant) / (reading.end_at - reading.start_at)
    energy_uj = round(reading.energy_uj * share)
    return replace(
        reading,
        start_at=instant,
        wall_s=reading.wall_s * share,
        energy_uj=energy_uj,
        static_uj=min(energy_uj, round(reading.static_uj * share)),
        low_uj=min(energy_uj, round(reading.low_uj * share)),
        high_uj=max(energy_uj, round(reading.high_uj * share)),
        busy_cpu_s=reading.busy_cpu_s * share,
    )
