"""The record of energy: readings, the accounts that they are allocated to, and what they led to."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tidewatt.domain.estimate import Estimate, Tier
from tidewatt.errors import TidewattError


class Holder(StrEnum):
    """The kinds of account."""

    JOB = "job"
    POOL = "pool"
    """The zygote and whatever else is kept ready for jobs to come."""
    PLATFORM = "platform"
    """The supervisor."""
    UNALLOCATED = "unallocated"
    """Idle capacity that nobody reserved, and programs that are not ours."""


class Phase(StrEnum):
    """What the energy was spent on."""

    COLD_START = "cold_start"
    COMPUTE = "compute"
    STALLED = "stalled"
    CHECKPOINT = "checkpoint"
    COMM = "comm"
    SUSPEND = "suspend"
    RESUME = "resume"
    WARM_IDLE = "warm_idle"
    REPLAY = "replay"
    NONE = "none"
    """Accounts that are not jobs and not the pool."""


@dataclass(frozen=True, slots=True, order=True)
class Account:
    """Who a joule belongs to."""

    holder: Holder
    job_id: str = ""


UNALLOCATED = Account(Holder.UNALLOCATED)
PLATFORM = Account(Holder.PLATFORM)
POOL = Account(Holder.POOL)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyReading:
    """What a meter says the node drew over one interval.

    ``start_at`` and ``end_at`` are instants of the world's clock, which a replay runs faster than the
    real one; ``wall_s`` is the real length of the interval. Energies are integer microjoules.
    ``static_uj`` is the part drawn whether or not anything computes; the rest is dynamic. ``busy_cpu_s``
    are the processor seconds that all programs of the node used, out of ``cpus`` processors; of a GPU they
    are the seconds in which its parts computed, and ``cpus`` is the number of its parts.
    """

    meter: str
    tier: Tier
    start_at: float
    end_at: float
    wall_s: float
    energy_uj: int
    static_uj: int
    low_uj: int
    high_uj: int
    busy_cpu_s: float
    cpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one account used of the node in an interval: processor seconds, and those held for it.

    ``zone``, ``workers`` and ``token`` say where and by which attempt; they pass through to the allocation.
    """

    account: Account
    phase: Phase
    cpu_s: float
    reserved_cpu_s: float = 0.0
    zone: str = ""
    workers: int = 0
    token: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """The share of one reading that belongs to an account; shares of a reading sum to it exactly."""

    account: Account
    phase: Phase
    energy_uj: int
    reserved_cpu_s: float = 0.0
    zone: str = ""
    workers: int = 0
    token: int = 0


Charge = tuple[EnergyReading, Sequence[Allocation]]
"""A reading and all that was made of it."""


def check_sum(reading: EnergyReading, allocations: Sequence[Allocation]) -> None:
    """Refuse allocations that do not sum to their reading.

    Raises:
        TidewattError: they differ from it, be it by a microjoule.
    """
    allocated_uj = sum(allocation.energy_uj for allocation in allocations)
    if allocated_uj != reading.energy_uj:
        raise TidewattError(
            f"allocations of {allocated_uj} µJ", f"{reading.energy_uj} µJ, all that {reading.meter} read"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """An allocation together with the reading that it is a share of."""

    reading: EnergyReading
    allocation: Allocation

    @property
    def energy_j(self) -> Estimate:
        """The share in joules, with the reading's relative range."""
        share = self.allocation.energy_uj / 1_000_000
        if self.reading.energy_uj == 0:
            return Estimate.exact(share)
        return Estimate(
            share,
            share * self.reading.low_uj / self.reading.energy_uj,
            share * self.reading.high_uj / self.reading.energy_uj,
        )
