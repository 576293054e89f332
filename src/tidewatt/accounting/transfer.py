"""Energy beyond the machine: bytes sent over a network, and bytes kept by somebody else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tidewatt.accounting.factors import DEFAULTS, Factors
from tidewatt.domain.estimate import Estimate
from tidewatt.domain.job import Attempt, SavedCheckpoint
from tidewatt.domain.units import HOUR_S, JOULES_PER_KWH

_GB, _TB = 1e9, 1e12
_WH = 3600.0
KEPT = 2
"""Copies of checkpoints that a storage keeps at a time."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a job sent and had kept: bytes, and bytes times the seconds of the world that they were kept."""

    sent_bytes: int
    kept_byte_s: float


def transferred(
    saved: Sequence[SavedCheckpoint], attempts: Sequence[Attempt], *, stored: bool, until_at: float
) -> Transfer:
    """Copies of checkpoints to a storage, and the newest one to each other site that the job went on at.

    Args:
        saved: all checkpoints that were written, in order.
        attempts: all attempts, in order.
        stored: whether they were copied to a storage.
        until_at: the end of the job, or now.
    """
    sent = sum(each.size for each in saved) if stored else 0
    for before, after in pairwise(attempts):
        if before.site != after.site:
            sent += next((each.size for each in reversed(saved) if each.token < after.token), 0)
    return Transfer(sent, _kept_byte_s(saved, until_at) if stored else 0.0)


def network(sent_bytes: int, factors: Factors = DEFAULTS) -> Estimate:
    """Joules of the network between sites for so many bytes: ``bytes / 1e9 * factor``."""
    return factors.network.estimate.scaled(sent_bytes / _GB * JOULES_PER_KWH)


def storage(kept_byte_s: float, factors: Factors = DEFAULTS) -> Estimate:
    """Joules of disks elsewhere for bytes kept over time: ``TB * h * factor``."""
    return factors.storage.estimate.scaled(kept_byte_s / _TB / HOUR_S * _WH)


def _kept_byte_s(saved: Iterable[SavedCheckpoint], until_at: float) -> float:
    """Each checkpoint is kept until so many newer ones are there."""
    ordered = list(saved)
    ends = [each.at for each in ordered[KEPT:]] + [until_at] * min(KEPT, len(ordered))
    return sum(each.size * max(0.0, end - each.at) for each, end in zip(ordered, ends, strict=True))
