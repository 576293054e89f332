"""What is done to whom and when: chosen by a seed alone, so that what broke something can be had again."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Target(StrEnum):
    """Whose process is meant."""

    TRAINING = "worker of a training"
    JOB = "worker at a durable call"
    WARM = "warm worker of direct calls"
    ZYGOTE = "zygote"
    SUPERVISOR = "supervisor"
    CLIENT = "client"
    ALL = "everything at once"


_KILLED = {
    Target.TRAINING: 10,
    Target.JOB: 14,
    Target.WARM: 10,
    Target.ZYGOTE: 1,
    Target.SUPERVISOR: 2,
    Target.CLIENT: 5,
}
"""How often each is killed in the mean; whoever takes long to start again is killed less often."""
_STOPPED = (
    Target.TRAINING,
    Target.JOB,
    Target.WARM,
    Target.ZYGOTE,
    Target.SUPERVISOR,
    Target.CLIENT,
    Target.ALL,
)
_STOPS = 0.15


@dataclass(frozen=True, slots=True)
class Harm:
    """One thing to do, after so much has happened since the one before."""

    after: int
    target: Target
    which: float
    """Of those there are, the oldest at 0 and the youngest just below 1."""
    stops: bool = False
    """Whether it is stopped for a moment rather than killed."""
    meanwhile: Target | None = None
    """Who is killed while it stands still, if anybody."""


def schedule(seed: int) -> Iterator[Harm]:
    """Harms without end."""
    dice = random.Random(seed)  # noqa: S311 - a game of chance that replays
    targets, weights = list(_KILLED), list(_KILLED.values())
    while True:
        after, which = dice.randint(0, 4), dice.random()
        killed = dice.choices(targets, weights)[0]
        if dice.random() < _STOPS:
            meanwhile = killed if dice.random() < 0.5 else None
            yield Harm(after, dice.choice(_STOPPED), which, stops=True, meanwhile=meanwhile)
        else:
            yield Harm(after, killed, which)
