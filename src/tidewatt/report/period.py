"""What every account of the node received over a period: the jobs, and what was kept ready or idle."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tidewatt.accounting.carbon import Spent, operational
from tidewatt.accounting.cost import cost
from tidewatt.accounting.embodied import embodied, machine_seconds
from tidewatt.accounting.factors import DEFAULTS, Factors, Impact
from tidewatt.accounting.water import water
from tidewatt.domain.estimate import total
from tidewatt.domain.job import Job
from tidewatt.domain.ledger import Account, Holder, LedgerEntry, Phase
from tidewatt.domain.signal import Signal

_NAMES = {
    Holder.POOL: "kept ready for jobs to come",
    Holder.PLATFORM: "the supervisor",
    Holder.UNALLOCATED: "idle, and programs of others",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one account received; impacts are None where they are not known, which is never 0."""

    resource: str
    """The job, or the kind of account."""
    name: str
    shared: bool
    """Whether it is nobody's alone."""
    labels: dict[str, str]
    zones: tuple[str, ...]
    start_at: float
    end_at: float
    by_phase_uj: dict[Phase, int]
    operational: Impact | None
    embodied: Impact | None
    water: Impact | None
    cost: Impact | None

    @property
    def energy_uj(self) -> int:
        """All of it."""
        return sum(self.by_phase_uj.values())


def charges(
    entries: Iterable[LedgerEntry],
    jobs: Mapping[str, Job],
    signals: Mapping[str, Mapping[str, Signal]],
    factors: Factors = DEFAULTS,
) -> list[Charge]:
    """One for each account, jobs first in the order of their first entry; together they are all of the node.

    Args:
        entries: of the period, in the order recorded.
        jobs: those that entries name.
        signals: intensities by job and zone; by "" for what is shared, whose zone is that of the node.
        factors: what turns energy and time into impacts.
    """
    held: defaultdict[Account, list[LedgerEntry]] = defaultdict(list)
    for entry in entries:
        held[entry.allocation.account].append(entry)
    ordered = sorted(held, key=lambda account: account.holder is not Holder.JOB)
    return [_charge(a, held[a], jobs.get(a.job_id), signals.get(a.job_id, {}), factors) for a in ordered]


def _charge(
    account: Account,
    entries: list[LedgerEntry],
    job: Job | None,
    signals: Mapping[str, Signal],
    factors: Factors,
) -> Charge:
    shared = account.holder is not Holder.JOB
    by_phase: Counter[Phase] = Counter()
    for entry in entries:
        by_phase[entry.allocation.phase] += entry.allocation.energy_uj
    energy_j = total(entry.energy_j for entry in entries)
    only = next(iter(signals)) if shared and len(signals) == 1 else None
    spent = [Spent.of(entry) for entry in entries]
    priced = operational([_at(each, only) for each in spent], signals, factors)
    zones = dict.fromkeys(e.allocation.zone for e in entries if e.allocation.zone)
    return Charge(
        resource=account.job_id or str(account.holder),
        name=_NAMES.get(account.holder, "") if job is None else job.function.name,
        shared=shared,
        labels={} if job is None else dict(job.function.labels),
        zones=tuple(zones) or ((only,) if only else ()),
        start_at=entries[0].reading.start_at,
        end_at=entries[-1].reading.end_at,
        by_phase_uj=dict(by_phase),
        operational=priced.carbon,
        embodied=None if shared else embodied(machine_seconds(entries), factors),
        water=water(energy_j, factors),
        cost=cost(energy_j, factors),
    )


def _at(spent: Spent, zone: str | None) -> Spent:
    """What is shared has no zone of its own; on a node that lies in one it is that."""
    return spent if spent.zone or zone is None else replace(spent, zone=zone)
