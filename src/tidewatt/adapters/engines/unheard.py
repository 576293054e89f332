"""Ends of workers that their zygote does not tell because it stands still: the kernel is asked for them."""

import time
from collections.abc import Sequence
from pathlib import Path

from tidewatt.adapters.engines.processes import code_of, tree_cpu_seconds
from tidewatt.runtime.allowance import excess
from tidewatt.runtime.messages import Reaped

_OWED_S = 1.0
"""So many real seconds after a worker has hung up its zygote should have told how it ended."""


class Unheard:
    """Workers that have hung up, until their end is told, by their zygote or else by the kernel."""

    def __init__(self, groups: str) -> None:
        self._groups = groups
        """The folder of control groups that hold workers to limits, empty for none."""
        self._since: dict[int, float] = {}
        """When each was seen to have hung up or was asked for last, by a clock that nobody sets."""

    def due_s(self) -> float:
        """Seconds until the kernel is to be asked, if nothing happens before; never while all are heard."""
        if not self._since:
            return float("inf")
        return max(0.0, min(self._since.values()) + _OWED_S - time.perf_counter())

    def look(self, hung_up: Sequence[int]) -> list[Reaped]:
        """What their zygotes should have told by now of workers that have hung up, by number."""
        now = time.perf_counter()
        self._since = {pid: self._since.get(pid, now) for pid in hung_up}
        late = [pid for pid, since in self._since.items() if now - since >= _OWED_S]
        self._since |= dict.fromkeys(late, now)  # one that lives, and only hung up, is asked for again
        found = [(pid, code_of(pid)) for pid in late]
        return [self._told(pid, code) for pid, code in found if code is not None]

    def _told(self, pid: int, code: int) -> Reaped:
        why = excess(Path(self._groups) / str(pid)) if self._groups else ""
        return Reaped(pid, code, tree_cpu_seconds(pid) or 0.0, why)
