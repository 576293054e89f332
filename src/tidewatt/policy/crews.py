"""How many warm workers a function may have: as many as there are processors, and one where it has none."""

from dataclasses import dataclass
from enum import StrEnum, auto

MOST_NESTED = 64
"""Workers that wait for calls of their own use no processor, but a function that calls itself without end
must not fill the machine."""


class Answer(StrEnum):
    """What is to be done for somebody who wants a worker."""

    HIRE = auto()
    """Fork another one."""
    SHARE = auto()
    """Wait for one of those that there are, each serving its callers in turn."""
    REFUSE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What is known when no worker of the function is free."""

    processors: int
    cpus: int
    """Processors for each worker of this function."""
    own: int
    """Workers of the function."""
    at_work: int
    """Processors that all workers at work hold, those of other functions included."""
    concurrency: int | None
    """The most workers that the function may have, if its user said so."""
    nested: bool
    """Whether a worker asks, which will wait for the answer."""
    in_vain: bool
    """Whether all workers of the function wait, as it would, for the one that asks."""
    total: int
    """Workers of all functions."""


def answer(need: Need) -> Answer:
    """Whether to fork another worker, to share those there are, or to refuse.

    A function without a worker gets one whatever else runs: nobody waits for ever. A worker that asks is
    waiting itself, so that its caller's processor is free for the one it asks for.
    """
    if need.concurrency is not None and need.own >= need.concurrency:
        return Answer.REFUSE if need.in_vain else Answer.SHARE
    if need.nested:
        return Answer.HIRE if need.total < MOST_NESTED else Answer.REFUSE
    if need.own == 0 or need.at_work + need.cpus <= need.processors:
        return Answer.HIRE
    return Answer.SHARE
