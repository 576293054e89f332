"""The record of energy: readings, the accounts that they are allocated to, and what they led to."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tidewatt.domain.estimate import Estimate, Tier
from tidewatt.errors import TidewattError

DEVICES = "NVML"
"""What the meters of devices are called, before the name of the device."""


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

    @property
    def of_device(self) -> bool:
        """Whether it is of a GPU: then its parts stand in the place of processors, and no time is held."""
        return self.meter.startswith(DEVICES)


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
    """The share of one reading that belongs to an account; shares of a reading sum to it exactly.

    ``cpu_s`` are the processor seconds that the account used, ``spare_uj`` its part of static energy for
    those that it held and did not use. They are None where they are not known: of entries that an older
    version wrote, and processor time of what is unallocated.
    """

    account: Account
    phase: Phase
    energy_uj: int
    reserved_cpu_s: float = 0.0
    zone: str = ""
    workers: int = 0
    token: int = 0
    cpu_s: float | None = None
    spare_uj: int | None = None


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


SPAN_S = 900.0
"""Hours of signals begin on the hour, or in some zones a half or a quarter past it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """The sum of an account's entries that are alike: of one attempt, phase and place, one meter and span.

    Readings that reach from one span into another are summed with none, since they may have two prices.
    ``machine_s`` are the real seconds of the whole machine that the entries reserved; ``spare_uj`` is None
    if that of any entry is not known.
    """

    account: Account
    phase: Phase
    token: int
    zone: str
    workers: int
    meter: str
    tier: Tier
    cpus: int
    start_at: float
    end_at: float
    energy_uj: int
    low_j: float
    high_j: float
    machine_s: float
    spare_uj: int | None = None

    @classmethod
    def of(cls, entry: LedgerEntry) -> "Balance":
        """The balance of a single entry."""
        reading, allocation, energy_j = entry.reading, entry.allocation, entry.energy_j
        return cls(
            account=allocation.account,
            phase=allocation.phase,
            token=allocation.token,
            zone=allocation.zone,
            workers=allocation.workers,
            meter=reading.meter,
            tier=reading.tier,
            cpus=reading.cpus,
            start_at=reading.start_at,
            end_at=reading.end_at,
            energy_uj=allocation.energy_uj,
            low_j=energy_j.low,
            high_j=energy_j.high,
            machine_s=allocation.reserved_cpu_s / reading.cpus,
            spare_uj=allocation.spare_uj,
        )

    @property
    def energy_j(self) -> Estimate:
        """The energy in joules, with the range of its readings."""
        return Estimate(self.energy_uj / 1_000_000, self.low_j, self.high_j)
