"""Real time between things that should happen now and then."""

import time


class Interval:
    """Says when so many real seconds have passed since it was last begun."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._since = time.perf_counter()

    def due(self) -> bool:
        """Whether they have."""
        return time.perf_counter() - self._since >= self._every_s

    def begin(self) -> None:
        """Count from now."""
        self._since = time.perf_counter()
