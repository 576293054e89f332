"""The time and the grid that a state folder lives in."""

from dataclasses import dataclass


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
