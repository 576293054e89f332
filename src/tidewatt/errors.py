"""Everything Tidewatt raises on purpose, as one tree.

TidewattError                 exit code 1
├── UsageError                2   what was asked for cannot be understood
├── Refused                   3   understood, and declined: nothing was started
│   ├── Infeasible                the deadline cannot be met
│   ├── ResidencyRefused          no permitted zone has a site
│   ├── OverBudget                a budget is used up, or would be
│   ├── NotBuilt                  an environment cannot be built
│   ├── WorldConflict             the state folder lives in another time or grid
│   └── NewerState                the state folder was written by a newer version
├── JobFailed                 1   the user's function raised, or its worker died too often
│   └── WorkerLost                a direct call's worker ended before it answered
│       └── OutOfMemory           ... because it wanted more memory than it may have
├── CommandFailed             1   a command that was run as a job ended badly, or could not be started
├── IllegalMove               1   a job was not in the state that a move starts from
├── StaleToken                1   an attempt that lost its lease tried to write
├── StoreUnavailable          1   the store has no room, or is locked by another; later it may do
├── SignalMissing             1   a zone has no data for the hours asked for
└── CheckpointDamaged         1   a checkpoint does not match its checksum
"""

from typing_extensions import override


class TidewattError(Exception):
    """An error that says what was found, what was wanted and what to do."""

    exit_code = 1

    def __init__(self, found: str, wanted: str = "", remedy: str = "") -> None:
        self.found = found
        self.wanted = wanted
        self.remedy = remedy
        parts = [f"found {found}"]
        if wanted:
            parts.append(f"wanted {wanted}")
        if remedy:
            parts.append(remedy)
        super().__init__("; ".join(parts))

    @override
    def __reduce__(self) -> tuple[object, ...]:
        """As it was made: Python would make it anew of its whole text, and that would be found again."""
        return type(self), (self.found, self.wanted, self.remedy), self.__dict__


class UsageError(TidewattError):
    """What was asked for cannot be understood."""

    exit_code = 2


class Refused(TidewattError):
    """Understood and declined; nothing was started."""

    exit_code = 3


class Infeasible(Refused):
    """The deadline cannot be met."""


class ResidencyRefused(Refused):
    """No site lies in a zone that the job permits."""


class OverBudget(Refused):
    """A budget is used up, or would be by what was asked for."""


class NotBuilt(Refused):
    """An environment cannot be built: its requirements contradict each other, or cannot be had."""


class WorldConflict(Refused):
    """The state folder already lives in another time or on another grid."""


class NewerState(Refused):
    """The state folder was written by a newer version."""


class JobFailed(TidewattError):
    """The job ended without a result."""


class WorkerLost(JobFailed):
    """The worker of a direct call ended before it answered; the call may have been made in part."""


class OutOfMemory(WorkerLost, MemoryError):
    """The kernel ended the worker of a direct call, which wanted more memory than it may have."""


class CommandFailed(TidewattError):
    """A command that was run as a job ended badly, or could not be started."""


class IllegalMove(TidewattError):
    """A job was not in the state that the move starts from."""


class StaleToken(TidewattError):
    """An attempt that no longer holds the job tried to write."""


class StoreUnavailable(TidewattError):
    """The store cannot be used for now: its disk is full, or another process has it locked."""


class SignalMissing(TidewattError):
    """A zone has no data for the hours asked for."""


class CheckpointDamaged(TidewattError):
    """A checkpoint does not match its checksum."""


class RemoteTraceback(Exception):
    """Where in a worker an exception was raised; the cause of the one that is raised here."""
