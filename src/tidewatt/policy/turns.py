"""Which waiting jobs may not begin yet: their function has enough at work, or has failed a moment ago."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A job that waits, and what its function says of beginning."""

    job_id: str
    function: str
    priority: int
    concurrency: int | None
    ready_at: float
    """When it may be tried again, in UTC seconds; 0 if it has not failed."""


def held(claims: Iterable[Claim], at_work: Mapping[str, int], now: float) -> dict[str, float]:
    """The jobs that may not begin, with when to look again; infinity for when one of the function has ended.

    Args:
        claims: in order of submission; of one function those of higher priority come first.
        at_work: how many jobs of each function are at work.
        now: UTC seconds.
    """
    found: dict[str, float] = {}
    begun = dict(at_work)
    for claim in sorted(claims, key=lambda each: -each.priority):
        count = begun.get(claim.function, 0)
        if claim.ready_at > now:
            found[claim.job_id] = claim.ready_at
        elif claim.concurrency is not None and count >= claim.concurrency:
            found[claim.job_id] = float("inf")
        else:
            begun[claim.function] = count + 1
    return found
