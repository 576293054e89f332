"""Works out what the energy and the time of a job led to."""

from tidewatt.accounting.carbon import Operational, Spent, facility, marginal, market_based
from tidewatt.accounting.conditions import Conditions
from tidewatt.accounting.cost import electricity, idle_share, machine
from tidewatt.accounting.embodied import embodied, machine_seconds
from tidewatt.accounting.factors import Factor, Factors, Impact
from tidewatt.accounting.transfer import network, storage, transferred
from tidewatt.accounting.water import water
from tidewatt.domain.estimate import Estimate
from tidewatt.domain.ledger import Holder
from tidewatt.domain.units import JOULES_PER_KWH
from tidewatt.report.contents import Beyond, Impacts
from tidewatt.report.record import Record


def impacts_of(record: Record, priced: Operational) -> Impacts:
    """All impacts of a record, whose operational carbon was ``priced`` before."""
    conditions, factors = record.conditions, record.conditions.factors
    spent = [Spent.of(balance) for balance in record.balances]
    seconds = machine_seconds(record.balances)
    known = record.metered
    cost = electricity(spent, conditions) if known else None
    return Impacts(
        operational=priced.carbon if known else None,
        marginal=marginal(spent, conditions) if known else None,
        market=market_based(spent, conditions) if known else None,
        unpriced_zones=priced.unpriced_zones,
        filled_share=priced.filled_share,
        embodied=embodied(seconds, factors) if known else None,
        water=water(spent, conditions) if known else None,
        cost=cost,
        machine=machine(seconds, factors) if known else None,
        idle=None if cost is None else _idle(record, cost),
        beyond=_beyond(record, priced),
        facility_j=sum(_facility_j(each, conditions) for each in spent) if known else None,
        intensity=priced.intensity,
    )


def _idle(record: Record, cost: Impact) -> Impact | None:
    mine, node = sum(balance.energy_uj for balance in record.balances), record.node_uj
    shared_uj = sum(microjoules for holder, microjoules in node.items() if holder is not Holder.JOB)
    return idle_share(cost, mine, node[Holder.JOB], shared_uj) if mine > 0 else None


def _facility_j(piece: Spent, conditions: Conditions) -> float:
    return sum(piece.energy_j.value * share * pue.value for share, pue, _ in facility(piece, conditions))


def _beyond(record: Record, priced: Operational) -> Beyond:
    job, factors = record.job, record.conditions.factors
    until_at = job.ended_at if job.ended_at is not None else record.issued_at
    attempts = sorted(record.attempts, key=lambda a: a.token)
    moved = transferred(record.checkpoints, attempts, stored=bool(job.function.storage), until_at=until_at)
    network_j = network(moved.sent_bytes, factors)
    storage_j = storage(moved.kept_byte_s / record.world.speed, factors)
    ids = tuple(f.id for f, j in ((factors.network, network_j), (factors.storage, storage_j)) if j.value > 0)
    carbon = None
    if priced.lots and priced.intensity is not None:
        least = min(lot.intensity.low for lot in priced.lots)
        mean = Estimate(priced.intensity, least, max(lot.intensity.high for lot in priced.lots))
        carbon = Impact((network_j + storage_j).scaled(1 / JOULES_PER_KWH) * mean, "gCO2e", ids, "beyond/1")
    return Beyond(sent_bytes=moved.sent_bytes, network_j=network_j, storage_j=storage_j, carbon=carbon)


def used(factors: Factors, impacts: Impacts) -> tuple[Factor, ...]:
    """The factors that the impacts were computed with."""
    shown = [
        impacts.operational,
        impacts.marginal,
        impacts.market,
        impacts.embodied,
        impacts.water,
        impacts.cost,
        impacts.machine,
        impacts.beyond.carbon,
    ]
    return factors.by_id(frozenset(key for impact in shown if impact for key in impact.factors))
