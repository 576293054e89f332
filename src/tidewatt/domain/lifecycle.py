"""The states of a job and the only moves between them."""

from enum import StrEnum

from tidewatt.errors import IllegalMove


class State(StrEnum):
    """Where a job stands; the only column that says so."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    SUSPENDING = "suspending"
    SUSPENDED = "suspended"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Wish(StrEnum):
    """What the user asks of a job; the control loop alone turns a wish into a move."""

    RUN = "run"
    HOLD = "hold"
    CANCEL = "cancel"


TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.STARTING, State.FAILED, State.CANCELLED}),
    State.STARTING: frozenset(
        {
            State.RUNNING,
            State.SUSPENDING,
            State.SUSPENDED,
            State.QUEUED,
            State.SUCCEEDED,
            State.FAILED,
            State.CANCELLED,
        }
    ),
    State.RUNNING: frozenset(
        {State.SUSPENDING, State.SUSPENDED, State.QUEUED, State.SUCCEEDED, State.FAILED, State.CANCELLED}
    ),
    State.SUSPENDING: frozenset(
        {State.SUSPENDED, State.QUEUED, State.SUCCEEDED, State.FAILED, State.CANCELLED}
    ),
    State.SUSPENDED: frozenset({State.STARTING, State.FAILED, State.CANCELLED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}
ENDED = frozenset(state for state, moves in TRANSITIONS.items() if not moves)
ACTIVE = frozenset({State.STARTING, State.RUNNING, State.SUSPENDING})
"""States in which an attempt may have live workers."""


def check_move(job_id: str, actual: State, wanted: State) -> None:
    """Refuse a move that the table does not hold.

    Raises:
        IllegalMove: naming the actual and the wanted state.
    """
    if wanted not in TRANSITIONS[actual]:
        reachable = ", ".join(sorted(TRANSITIONS[actual])) or "no other state"
        raise IllegalMove(
            f"job {job_id} {actual}", f"a move to {wanted}", f"from {actual} a job goes to {reachable}"
        )


def check_path(job_id: str, actual: State, wanted: State, *, ran: bool) -> None:
    """The same of two moves at once where the job ``ran`` in between.

    Raises:
        IllegalMove: naming the state that cannot be left so, and the one after it.
    """
    if ran:
        check_move(job_id, actual, State.RUNNING)
    check_move(job_id, State.RUNNING if ran else actual, wanted)
