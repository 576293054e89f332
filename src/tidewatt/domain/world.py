"""The time and the grid that a state folder lives in."""

from dataclasses import dataclass, replace

from tidewatt.errors import WorldConflict

REPLAY_SPEED = 3600.0
"""World seconds for each real one in a replay, unless another speed is asked for: an hour in a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Real time and a real site, or a replay in which hours of a grid pass faster.

    ``carbon_file`` is empty for the offline grid model. ``origin_at`` is the instant at which a replay
    began, and ``reached_at`` how far it had come at the real instant ``reached_wall``: a replay stands
    still while no supervisor runs.
    """

    speed: float = 1.0
    replayed: bool = False
    origin_at: float = 0.0
    reached_at: float = 0.0
    reached_wall: float = 0.0
    carbon_file: str = ""
    zones: tuple[str, ...] = ()
    """Zones with a site; in a replay one machine may stand in for several."""

    @property
    def descent(self) -> tuple[float, bool, float, str]:
        """What makes it this world and no other, however far it has come."""
        return (self.speed, self.replayed, self.origin_at if self.replayed else 0.0, self.carbon_file)


REAL = World()
"""Real time, before anything is known of the place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldRequest:
    """What a submission asks of time and grid; None takes what there is."""

    speed: float | None = None
    start_at: float | None = None
    carbon_file: str | None = None
    zones: tuple[str, ...] = ()


def make(request: WorldRequest, wall: float, known: World | None = None) -> World:
    """A world as requested, beginning at the real instant ``wall`` unless another start is asked for.

    Real time has no beginning that matters: where ``known`` is the same place in it, it is that world.
    """
    speed = request.speed
    if speed is None:
        speed = 1.0 if request.start_at is None else REPLAY_SPEED
    replayed = speed != 1.0 or request.start_at is not None
    origin = wall if request.start_at is None else request.start_at
    made = World(
        speed=speed,
        replayed=replayed,
        origin_at=origin,
        reached_at=origin,
        reached_wall=wall,
        carbon_file=request.carbon_file or "",
        zones=request.zones,
    )
    same = known is not None and (made.descent, made.zones) == (known.descent, known.zones)
    return known if known is not None and same and not made.replayed else made


def join(world: World, request: WorldRequest) -> World:
    """The world of jobs that are still open, with the zones of one more submission.

    Raises:
        WorldConflict: the submission asks for another time or grid, or would put a real machine into a
            second zone.
    """
    asked = (
        ("clock speed", request.speed, world.speed),
        ("start", request.start_at, world.origin_at),
        ("carbon file", request.carbon_file, world.carbon_file),
    )
    for what, wanted, there in asked:
        if wanted is not None and wanted != there:
            raise WorldConflict(
                f"open jobs that live with a {what} of {there or 'none'}",
                f"{wanted} for this one",
                "wait until they have ended, or use another state folder (--home)",
            )
    zones = tuple(dict.fromkeys((*world.zones, *request.zones)))
    if not world.replayed and zones != world.zones and world.zones:
        raise WorldConflict(
            f"open jobs on this machine in {', '.join(world.zones)}",
            f"the same zone, not {', '.join(request.zones)}",
            "a real machine lies in one zone; use the same --zone",
        )
    return replace(world, zones=zones)


def now(world: World, wall: float, *, supervised: bool) -> float:
    """The instant of a world as somebody without its clock can tell it."""
    if not world.replayed:
        return wall
    return world.reached_at + (max(0.0, wall - world.reached_wall) * world.speed if supervised else 0.0)
