"""Everything about one job that a receipt is made from."""

from dataclasses import dataclass

from tidewatt.accounting.conditions import Conditions
from tidewatt.domain.job import Attempt, Event, Job, SavedCheckpoint
from tidewatt.domain.ledger import Balance, Holder
from tidewatt.domain.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Everything about one job that a receipt is made from.

    ``balances`` are those of the job alone; ``node_uj`` is what every kind of account of the node received
    over the same period, the job's own included. ``conditions`` hold the actual signals, ``progress`` is
    (at, step, workers, loss) of every report, ``result`` what the function returned, and ``issued_at`` the
    instant of the world's clock at which the receipt is made.
    """

    job: Job
    attempts: list[Attempt]
    events: list[Event]
    balances: list[Balance]
    node_uj: dict[Holder, int]
    conditions: Conditions
    progress: list[tuple[float, int, int, float | None]]
    world: World
    grid_name: str
    plan_note: str
    issued_at: float
    result: dict[str, object] | None = None
    trigger: str = ""
    """The trigger that submitted it and on what occasion; empty if somebody did."""
    checkpoints: tuple[SavedCheckpoint, ...] = ()

    @property
    def metered(self) -> bool:
        """Whether the energy is known: workers may have run and no reading hold them."""
        return bool(self.balances) or not self.attempts
