"""Which jobs that wait for room alone begin now: those that there is room for, in their order."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """A job that waits for room alone, and the processors that it needs."""

    job_id: str
    cpus: int
    priority: int


def beginning(wants: Iterable[Want], free_cpus: int) -> list[str]:
    """The jobs that begin now.

    Nobody overtakes one that waits for more room than is free: it would wait for ever behind small ones.

    Args:
        wants: in order of submission; those of higher priority come first.
        free_cpus: processors that no job holds.
    """
    found: list[str] = []
    for want in sorted(wants, key=lambda each: -each.priority):
        if want.cpus > free_cpus:
            break
        free_cpus -= want.cpus
        found.append(want.job_id)
    return found
