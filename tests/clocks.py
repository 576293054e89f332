"""A clock for tests that decide themselves how much time has passed."""

from dataclasses import dataclass


@dataclass
class SetClock:
    """A clock that stands wherever it is put; its world runs ``speed`` times as fast."""

    speed: float = 1.0
    instant: float = 1_700_000_000.0
    """Of real time, UTC seconds."""

    def now(self) -> float:
        """The instant of the world."""
        return self.instant * self.speed

    def wall(self) -> float:
        """The instant of real time."""
        return self.instant
