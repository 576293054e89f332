"""Triggers: rules that submit a job when something happens, and the occasions on which they did."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from tidewatt.domain.function import FunctionSpec, Payload
from tidewatt.errors import UsageError

MOST_MISSED = 100
"""How many missed times are made up for at most, unless another bound is given."""
SETTLE_S = 1.0


class Missed(StrEnum):
    """What becomes of times at which nobody was there to look."""

    SKIP = "skip"
    """They are passed over."""
    ONCE = "once"
    """The newest of them stands for all."""
    ALL = "all"
    """Each gets its job, the newest so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Times told by a cron expression in a time zone."""

    expression: str
    zone: str = "UTC"
    missed: Missed = Missed.ONCE
    most: int = MOST_MISSED

    @property
    def told(self) -> str:
        """``"0 3 * * * (Europe/Berlin)"``."""
        return f"{self.expression} ({self.zone})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Finished files whose path matches a pattern.

    ``settle_s`` is how long a file must have been left alone. ``look_every_s`` is for file systems that do
    not tell of changes, such as a network share that others write to; None relies on being told.
    """

    pattern: str
    settle_s: float = SETTLE_S
    look_every_s: float | None = None

    @property
    def told(self) -> str:
        """The pattern."""
        return self.pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """The success of a job of another function; ``origin`` is its file, empty if it is not known."""

    function: str
    origin: str = ""

    @property
    def told(self) -> str:
        """``"after preprocess"``."""
        return f"after {self.function}"

    def follows(self, function: str, origin: str) -> bool:
        """Whether a job of that function and file is meant; a job submitted from Python has no file."""
        return self.function == function and (not self.origin or not origin or self.origin == origin)


Cause = Schedule | Files | After


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A deployed rule: what it waits for, and the function that it submits, as it was deployed."""

    name: str
    cause: Cause
    function: FunctionSpec
    payload: Payload
    arguments: tuple[tuple[str, str], ...]
    """Arguments of every job by name, as Python literals."""
    handed: str
    """The parameter that is given what happened; empty if the function takes nothing."""
    zones: tuple[str, ...]
    """Where its jobs run, the home zone first."""
    deployed_wall: float
    reached_wall: float
    """Times of a schedule up to this real instant have been dealt with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Something that happened and calls for exactly one job of a trigger; ``key`` tells it from others."""

    trigger: str
    key: str
    said: str
    """What happened, as told to people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """An occasion and what came of it: a job, or the reason why there is none; neither while it waits."""

    occasion: Occasion
    wall: float
    job_id: str | None
    refused: str


def at_time(trigger: str, due_wall: float) -> Occasion:
    """The occasion of a time of a schedule."""
    told = datetime.fromtimestamp(due_wall, UTC)
    return Occasion(trigger=trigger, key=f"{told:%Y-%m-%dT%H:%M:%SZ}", said=f"due {told:%Y-%m-%d %H:%M} UTC")


def after_job(trigger: str, job_id: str) -> Occasion:
    """The occasion of the success of a job."""
    return Occasion(trigger=trigger, key=job_id, said=f"after {job_id}")


def check_no_circle(new: Trigger, others: tuple[Trigger, ...]) -> None:
    """Refuse a trigger whose jobs would, through others, lead to itself without end.

    Raises:
        UsageError: naming the triggers of the circle.
    """
    deployed = [*(t for t in others if t.name != new.name), new]

    def lead_to(before: Trigger, path: tuple[str, ...]) -> None:
        for trigger in deployed:
            cause = trigger.cause
            if isinstance(cause, After) and cause.follows(before.function.name, before.payload.origin):
                if trigger.name == new.name:
                    raise UsageError(
                        f"triggers that lead back to themselves: {' -> '.join((*path, new.name))}",
                        "an end to the chain",
                        f"remove one of them: tidewatt triggers remove {path[-1]}",
                    )
                if trigger.name not in path:
                    lead_to(trigger, (*path, trigger.name))

    lead_to(new, (new.name,))
