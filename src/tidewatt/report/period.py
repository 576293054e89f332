"""What every account of the node received over a period: the jobs, and what was kept ready or idle."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tidewatt.accounting.carbon import Spent, operational
from tidewatt.accounting.conditions import Conditions
from tidewatt.accounting.cost import electricity
from tidewatt.accounting.embodied import embodied, machine_seconds
from tidewatt.accounting.factors import Impact
from tidewatt.accounting.water import water
from tidewatt.domain.job import Job
from tidewatt.domain.ledger import Account, Balance, Holder, Phase

_NAMES = {
    Holder.POOL: "kept ready for jobs to come",
    Holder.PLATFORM: "the supervisor",
    Holder.UNALLOCATED: "idle, and programs of others",
}

_WORK = {Phase.COMPUTE, Phase.COMM}
"""Phases in which a job does what it is for."""


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
    spare_uj: int = 0
    """Of the energy of work, what was for processors held and not used, as far as that is known."""
    unsaid_uj: int = 0
    """The energy of work of which that is not known."""

    @property
    def energy_uj(self) -> int:
        """All of it."""
        return sum(self.by_phase_uj.values())


def charges(
    balances: Iterable[Balance],
    jobs: Mapping[str, Job],
    conditions: Mapping[str, Conditions],
) -> list[Charge]:
    """One for each account, jobs first in the order of their first reading; together all of the node.

    Args:
        balances: of the period, in the order recorded.
        jobs: those that balances name.
        conditions: those of each job; of "" for what is shared, whose zone is that of the node.
    """
    held: defaultdict[Account, list[Balance]] = defaultdict(list)
    for balance in balances:
        held[balance.account].append(balance)
    ordered = sorted(held, key=lambda account: account.holder is not Holder.JOB)
    unknown = Conditions()
    return [_charge(a, held[a], jobs.get(a.job_id), conditions.get(a.job_id, unknown)) for a in ordered]


def _charge(
    account: Account,
    balances: list[Balance],
    job: Job | None,
    conditions: Conditions,
) -> Charge:
    shared = account.holder is not Holder.JOB
    by_phase: Counter[Phase] = Counter()
    for balance in balances:
        by_phase[balance.phase] += balance.energy_uj
    zoned = conditions.intensity
    only = next(iter(zoned)) if shared and len(zoned) == 1 else None
    spent = [_at(Spent.of(balance), only) for balance in balances]
    priced = operational(spent, conditions)
    zones = dict.fromkeys(b.zone for b in balances if b.zone)
    worked = [] if shared else [b for b in balances if b.phase in _WORK]
    return Charge(
        resource=account.job_id or str(account.holder),
        name=_NAMES.get(account.holder, "") if job is None else job.function.name,
        shared=shared,
        labels={} if job is None else dict(job.function.labels),
        zones=tuple(zones) or ((only,) if only else ()),
        start_at=min(b.start_at for b in balances),
        end_at=max(b.end_at for b in balances),
        by_phase_uj=dict(by_phase),
        operational=priced.carbon,
        embodied=None if shared else embodied(machine_seconds(balances), conditions.factors),
        water=water(spent, conditions),
        cost=electricity(spent, conditions),
        spare_uj=sum(b.spare_uj or 0 for b in worked),
        unsaid_uj=sum(b.energy_uj for b in worked if b.spare_uj is None),
    )


def _at(spent: Spent, zone: str | None) -> Spent:
    """What is shared has no zone of its own; on a node that lies in one it is that."""
    return spent if spent.zone or zone is None else replace(spent, zone=zone)
