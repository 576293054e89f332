"""A submission that has not been made."""

from dataclasses import dataclass

from tidewatt.domain.job import Job
from tidewatt.domain.plan import Plan
from tidewatt.domain.snapshot import Snapshot
from tidewatt.domain.world import World
from tidewatt.ports import Grid


@dataclass(frozen=True, slots=True)
class Proposal:
    """A job as it would be submitted, and what would happen to it."""

    job: Job
    world: World
    snapshot: Snapshot
    plan: Plan
    grid: Grid
