"""Real time between things that should happen now and then."""

import time


class Interval:
    """Says when so many real seconds have passed."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._since = time.perf_counter()

    def due(self) -> bool:
        """Whether they have; answering yes starts the count again."""
        now = time.perf_counter()
        if now - self._since < self._every_s:
            return False
        self._since = now
        return True
