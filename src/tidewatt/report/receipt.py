"""Works out the receipt of one job from its record."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

from tidewatt.accounting.carbon import Spent, operational
from tidewatt.accounting.counterfactual import Counterfactual, Unknown, counterfactual
from tidewatt.accounting.embodied import machine_seconds
from tidewatt.accounting.saving import saving
from tidewatt.domain.estimate import Tier, total
from tidewatt.domain.job import FAILED, LOST, STRANDED
from tidewatt.domain.ledger import Holder, Phase
from tidewatt.domain.lifecycle import ENDED, State
from tidewatt.domain.signal import Quality
from tidewatt.domain.units import HOUR_S, MICROJOULES
from tidewatt.report.contents import (
    Conservation,
    Deadline,
    Energy,
    Hour,
    Identity,
    Part,
    Place,
    Receipt,
    Running,
    Segment,
)
from tidewatt.report.figures import date
from tidewatt.report.impacts import impacts_of, used
from tidewatt.report.notes import notes_of
from tidewatt.report.record import Record

_PHASES = {Phase.COMM: "communication", Phase.REPLAY: "work done again"}


def build(record: Record) -> Receipt:
    """Work out all that a receipt says.

    A job that has not ended gets an interim receipt, in which every figure is so far. What is not known
    is told as not known, with the reason, and never as 0.
    """
    job = record.job
    conditions = record.conditions
    priced = operational(map(Spent.of, record.balances), conditions)
    other = counterfactual(job, record.attempts, record.balances, conditions, record.world.speed)
    saved = (
        saving(priced, machine_seconds(record.balances), other, conditions.factors)
        if isinstance(other, Counterfactual)
        else other
    )
    impacts = impacts_of(record, priced)
    until_at = _until(record, other)
    hours = _hours(record, until_at)
    return Receipt(
        identity=_identity(record),
        place=_place(record, hours),
        energy=_energy(record),
        impacts=impacts,
        deadline=_deadline(record),
        running=_running(record),
        hours=hours,
        until_at=until_at,
        counterfactual=other,
        saving=saved,
        factors=used(conditions.factors, impacts),
        notes=notes_of(record, priced, other, hours),
    )


def _identity(record: Record) -> Identity:
    job = record.job
    losses = [loss for _, _, _, loss in record.progress if loss is not None]
    return Identity(
        job_id=job.id,
        function=job.function.name,
        arguments=dict(job.submission.arguments),
        labels=dict(job.function.labels),
        environment=job.function.environment,
        trigger=record.trigger,
        state=job.state,
        interim=job.state not in ENDED,
        submitted_at=job.submission.submitted_at,
        ended_at=job.ended_at,
        issued_at=record.issued_at,
        steps_done=job.steps_reached,
        steps_total=job.steps_total,
        first_loss=losses[0] if losses else None,
        last_loss=losses[-1] if losses else None,
        result=dict(record.result or {}),
        error=job.error,
        plan_note=record.plan_note,
    )


def _place(record: Record, hours: tuple[Hour, ...]) -> Place:
    world = record.world
    if world.replayed or world.speed != 1.0:
        text = (
            f"A replay of the grid from {date(world.origin_at or record.job.submission.submitted_at)} at "
            f"{world.speed:,.4g} times real speed: the joules are those really spent on this machine; only "
            "the hour of the grid that they are priced at is scaled."
        )
    else:
        text = "Real time: the joules were drawn in the hours that they are priced at."
    return Place(
        speed=world.speed,
        replayed=world.replayed,
        world=text,
        home_zone=record.job.submission.home_zone,
        grid=record.grid_name,
        modelled=any(hour.quality == Quality.MODELLED for hour in hours),
    )


def _energy(record: Record) -> Energy:
    balances = record.balances
    total_uj = sum(balance.energy_uj for balance in balances)
    phases: Counter[Phase] = Counter()
    workers: Counter[int] = Counter()
    for balance in balances:
        phases[balance.phase] += balance.energy_uj
        workers[balance.workers] += balance.energy_uj
    seen = [phase for phase, microjoules in phases.most_common() if microjoules > 0]
    node = record.node_uj
    return Energy(
        metered=record.metered,
        total_uj=total_uj,
        total_j=replace(total(b.energy_j for b in balances), value=total_uj / MICROJOULES),
        tier=max((b.tier for b in balances), default=Tier.DEFAULT),
        meters=tuple(sorted({b.meter for b in balances})),
        by_phase=tuple(
            Part(p.value, _PHASES.get(p, p.replace("_", " ")), phases[p], phases[p] / total_uj) for p in seen
        ),
        by_workers=tuple(
            Part(str(count), f"{count} worker{'' if count == 1 else 's'}", uj, uj / total_uj)
            for count, uj in sorted(workers.items())
            if uj > 0
        ),
        conservation=Conservation(
            node_uj=sum(node.values()),
            jobs_uj=node.get(Holder.JOB, 0),
            pool_uj=node.get(Holder.POOL, 0),
            platform_uj=node.get(Holder.PLATFORM, 0),
            unallocated_uj=node.get(Holder.UNALLOCATED, 0),
        ),
    )


def _deadline(record: Record) -> Deadline | None:
    job, at = record.job, record.job.submission.deadline_at
    if at is None:
        return None
    until = job.ended_at if job.ended_at is not None else record.issued_at
    if job.state is State.SUCCEEDED:
        kept = until <= at
    elif job.state in ENDED or until > at:
        kept = False
    else:
        kept = None
    return Deadline(at, kept, at - until)


def _running(record: Record) -> Running:
    attempts = sorted(record.attempts, key=lambda a: a.token)
    until = record.job.ended_at if record.job.ended_at is not None else record.issued_at
    real_s = 0.0
    for attempt in attempts:
        if attempt.ended_wall is not None:
            real_s += attempt.ended_wall - attempt.started_wall
        else:
            real_s += max(0.0, until - attempt.started_at) / record.world.speed
    ends = Counter(a.outcome for a in attempts)
    return Running(
        segments=tuple(
            Segment(a.started_at, a.ended_at if a.ended_at is not None else until, a.workers, a.zone)
            for a in attempts
        ),
        real_s=real_s,
        suspends=sum(e.after is State.SUSPENDED for e in record.events),
        resumes=sum(e.before is State.SUSPENDED and e.after is State.STARTING for e in record.events),
        resizes=sum(a.workers != b.workers for a, b in pairwise(attempts)),
        moves=sum(a.site != b.site for a, b in pairwise(attempts)),
        failed=ends[FAILED],
        lost=ends[LOST],
        stranded=ends[STRANDED],
    )


def _until(record: Record, other: Counterfactual | Unknown) -> float:
    job = record.job
    start_at, deadline_at = job.submission.submitted_at, job.submission.deadline_at
    until = max(job.ended_at if job.ended_at is not None else record.issued_at, start_at + HOUR_S)
    if isinstance(other, Counterfactual):
        until = max(until, other.end_at)
    if deadline_at is not None and deadline_at - start_at <= 1.5 * (until - start_at):
        until = max(until, deadline_at)
    return until


def _hours(record: Record, until_at: float) -> tuple[Hour, ...]:
    job = record.job
    zones = {job.submission.home_zone: None, **dict.fromkeys(a.zone for a in record.attempts)}
    return tuple(
        Hour(r.observed_at, zone, r.value, r.low, r.high, str(r.quality))
        for zone in zones
        if zone in record.conditions.intensity
        for r in record.conditions.intensity[zone].readings
        if job.submission.submitted_at - HOUR_S < r.observed_at < until_at
    )
