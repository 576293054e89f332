"""A clock that stands still until it is told to go on."""


class VirtualClock:
    """World time and real time are the same, and move only when the simulated engine waits."""

    speed = 1.0

    def __init__(self, start_at: float) -> None:
        self._now = start_at

    def now(self) -> float:
        """The virtual instant, UTC seconds."""
        return self._now

    def wall(self) -> float:
        """The same instant."""
        return self._now

    def advance(self, until: float) -> None:
        """Go on to an instant; never back."""
        self._now = max(self._now, until)
