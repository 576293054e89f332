"""The real clock, and the one that plays the world faster."""

import time


class _Steady:
    """Real time from the moment of making on, which setting the clock does not move."""

    def __init__(self) -> None:
        self._wall = time.time()
        self._monotonic = time.monotonic()

    def passed_s(self) -> float:
        """Real seconds since it was made, those not counted in which the machine slept."""
        return time.monotonic() - self._monotonic

    def now(self) -> float:
        """The instant, UTC seconds."""
        return self._wall + self.passed_s()


class RealClock:
    """The world's time is the real one; what is told in real seconds does not jump when the clock is set."""

    speed = 1.0

    def __init__(self) -> None:
        self._steady = _Steady()

    def now(self) -> float:
        """The instant, UTC seconds."""
        return time.time()

    def wall(self) -> float:
        """The same instant, unless the clock was set since this one was made."""
        return self._steady.now()


class ReplayClock:
    """World time from ``reached_at`` on, ``speed`` times as fast as real time from the moment of making."""

    def __init__(self, speed: float, reached_at: float) -> None:
        self._speed = speed
        self._reached_at = reached_at
        self._steady = _Steady()

    @property
    def speed(self) -> float:
        """World seconds for each real second."""
        return self._speed

    def now(self) -> float:
        """The instant of the world, UTC seconds."""
        return self._reached_at + self._steady.passed_s() * self._speed

    def wall(self) -> float:
        """The real instant, UTC seconds."""
        return self._steady.now()
