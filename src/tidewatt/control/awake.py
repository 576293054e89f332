"""Notices that the machine stood still and that its clock was set: neither is time that work has had."""

from tidewatt.ports import Clock

_SLEEP_S = 5.0
"""Who wakes up so many real seconds too late was not held up by work, but stood still."""
_JUMP_S = 5.0
"""Clocks that are kept in time are moved by less."""


class Awake:
    """Compares, at every look, how much time has gone by with how much was meant to."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._now, self._wall = clock.now(), clock.wall()
        self._slept: list[tuple[float, float]] = []
        """When it was noticed, and for how many real seconds."""

    def look(self, meant_s: float) -> bool:
        """Look at the clocks after a wait that was to take so many real seconds at most.

        Returns:
            Whether the world's clock was set: what is planned for an instant of it has to be planned anew.
        """
        now, wall = self._clock.now(), self._clock.wall()
        passed_s, world_s = wall - self._wall, (now - self._now) / self._clock.speed
        self._now, self._wall = now, wall
        if passed_s - meant_s > _SLEEP_S:
            self._slept.append((wall, passed_s - meant_s))
        return abs(world_s - passed_s) > _JUMP_S

    def since_s(self, wall: float) -> float:
        """For how many real seconds the machine has been awake since a real instant."""
        slept_s = sum(seconds for noticed_wall, seconds in self._slept if noticed_wall > wall)
        return self._clock.wall() - wall - slept_s
