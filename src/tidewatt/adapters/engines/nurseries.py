"""The zygotes of a supervisor: one for each environment that anything runs in, side by side."""

import sys
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

from tidewatt.adapters.engines.footing import Footing
from tidewatt.adapters.engines.nursery import Nursery, Room
from tidewatt.domain.function import FunctionSpec
from tidewatt.domain.units import format_duration

if TYPE_CHECKING:
    from tidewatt.adapters.environments.cache import Environments

_LOOK_S = 1.0
"""How often zygotes are looked at that have not answered yet."""


class Nurseries:
    """Makes a nursery when it is first asked for; that of no environment stays as long as its supervisor."""

    def __init__(
        self,
        footing: Footing,
        environments: "Callable[[], Environments] | None",
        wall: Callable[[], float],
        answer_s: float,
    ) -> None:
        self._told = footing.told
        self._environments = environments
        """Where they are; asked for by the first that is wanted, since most supervisors want none."""
        self._wall = wall
        self._answer_s = answer_s
        """Real seconds in which a zygote has to answer who asks it for a worker."""
        self.common = footing.common
        self._special: dict[Room, Nursery] = {}
        self._used_wall: dict[Room, float] = {}
        """When each was last seen to have workers."""
        self._cpu_s_before = 0.0

    def of(self, function: FunctionSpec) -> Nursery:
        """The nursery of a function's workers."""
        room = Room.of(function)
        if room == self.common.room:
            return self.common
        if room not in self._special:
            assert self._environments is not None  # noqa: S101 - who runs in environments says where they are
            self._special[room] = Nursery(self._told, room, self._environments())
            self._used_wall[room] = self._wall()
        return self._special[room]

    def __iter__(self) -> Iterator[Nursery]:
        """All of them, as they are now."""
        return iter((self.common, *self._special.values()))

    def cpu_s(self) -> float:
        """Processor seconds of all zygotes so far, their workers not included."""
        return self._cpu_s_before + sum(nursery.cpu_s() for nursery in self)

    def unused(self, busy: Collection[Room], warm_s: float) -> list[Nursery]:
        """Those of environments without workers for so many real seconds; the caller lets them go."""
        now = self._wall()
        self._used_wall |= {room: now for room in self._special if room in busy}
        return [self._special[room] for room, wall in self._used_wall.items() if now - wall >= warm_s]

    def due_s(self, warm_s: float) -> float:
        """Seconds until the next of them is to be let go, if nothing happens before."""
        return max(
            0.0,
            min((wall + warm_s - self._wall() for wall in self._used_wall.values()), default=float("inf")),
        )

    def patience_s(self) -> float:
        """Seconds until zygotes are to be looked at again, if nothing happens before."""
        return _LOOK_S if any(nursery.asked for nursery in self) else float("inf")

    def ended_as_silent(self, nursery: Nursery) -> bool:
        """Look at a zygote that was asked for a worker, and end it if it has not answered for too long."""
        if not nursery.asked or nursery.silent_s(self._wall()) <= self._answer_s:
            return False
        nursery.end(f"its zygote had no answer for {format_duration(self._answer_s)} and was ended")
        sys.stderr.write(f"tidewatt: {nursery.fate}\n")
        sys.stderr.flush()
        return True

    def forget(self, nursery: Nursery) -> None:
        """One was let go and is of no more use."""
        if self._special.pop(nursery.room, None) is not None:
            self._cpu_s_before += nursery.cpu_s()
            del self._used_wall[nursery.room]
