"""The real clock, and the one that plays the world faster."""

import time


class RealClock:
    """The world's time is the real one."""

    speed = 1.0

    def now(self) -> float:
        """The instant, UTC seconds."""
        return time.time()

    def wall(self) -> float:
        """The same instant."""
        return time.time()


class ReplayClock:
    """World time from ``reached_at`` on, ``speed`` times as fast as real time from the moment of making."""

    def __init__(self, speed: float, reached_at: float) -> None:
        self._speed = speed
        self._reached_at = reached_at
        self._wall = time.time()
        self._monotonic = time.monotonic()

    @property
    def speed(self) -> float:
        """World seconds for each real second."""
        return self._speed

    def now(self) -> float:
        """The instant of the world, UTC seconds."""
        return self._reached_at + (time.monotonic() - self._monotonic) * self._speed

    def wall(self) -> float:
        """The real instant, UTC seconds."""
        return self._wall + (time.monotonic() - self._monotonic)
