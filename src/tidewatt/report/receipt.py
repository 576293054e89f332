"""Works out the receipt of one job from its record."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

from tidewatt.accounting.carbon import Operational, Spent, operational
from tidewatt.accounting.cost import cost
from tidewatt.accounting.counterfactual import Counterfactual, Unknown, counterfactual
from tidewatt.accounting.embodied import embodied, machine_seconds
from tidewatt.accounting.factors import DEFAULTS, Factor, Factors
from tidewatt.accounting.saving import saving
from tidewatt.accounting.water import water
from tidewatt.domain.estimate import Tier, total
from tidewatt.domain.job import Attempt, Event, Job
from tidewatt.domain.ledger import Holder, LedgerEntry, Phase
from tidewatt.domain.lifecycle import ENDED, State
from tidewatt.domain.signal import Quality, Signal
from tidewatt.domain.units import HOUR_S, MICROJOULES
from tidewatt.domain.world import World
from tidewatt.report.contents import (
    Conservation,
    Deadline,
    Energy,
    Hour,
    Identity,
    Impacts,
    Part,
    Place,
    Receipt,
    Running,
    Segment,
)
from tidewatt.report.figures import date, percent

_PHASES = {Phase.COMM: "communication", Phase.REPLAY: "work done again"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Everything about one job that a receipt is made from.

    ``entries`` are those of the job alone; ``node_uj`` is what every kind of account of the node received
    over the same period, the job's own included. ``signals`` are actual intensities by zone, gCO2e/kWh,
    ``progress`` is (at, step, workers, loss) of every report, ``result`` what the function returned, and
    ``issued_at`` the instant of the world's clock at which the receipt is made.
    """

    job: Job
    attempts: list[Attempt]
    events: list[Event]
    entries: list[LedgerEntry]
    node_uj: dict[Holder, int]
    signals: dict[str, Signal]
    progress: list[tuple[float, int, int, float | None]]
    world: World
    grid_name: str
    plan_note: str
    issued_at: float
    result: dict[str, object] | None = None
    trigger: str = ""
    """The trigger that submitted it and on what occasion; empty if somebody did."""
    factors: Factors = field(default=DEFAULTS)


def build(record: Record) -> Receipt:
    """Work out all that a receipt says.

    A job that has not ended gets an interim receipt, in which every figure is so far. What is not known
    is told as not known, with the reason, and never as 0.
    """
    job = record.job
    priced = operational(map(Spent.of, record.entries), record.signals, record.factors)
    home = record.signals.get(job.submission.home_zone)
    other = counterfactual(job, record.attempts, record.entries, home, record.world.speed, record.factors)
    saved = (
        saving(priced, machine_seconds(record.entries), other, record.factors)
        if isinstance(other, Counterfactual)
        else other
    )
    impacts = _impacts(record, priced)
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
        factors=_used(record.factors, impacts),
        notes=_notes(record, priced, other, hours),
    )


def _identity(record: Record) -> Identity:
    job = record.job
    losses = [loss for _, _, _, loss in record.progress if loss is not None]
    return Identity(
        job_id=job.id,
        function=job.function.name,
        arguments=dict(job.submission.arguments),
        labels=dict(job.function.labels),
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
    entries = record.entries
    total_uj = sum(e.allocation.energy_uj for e in entries)
    phases: Counter[Phase] = Counter()
    workers: Counter[int] = Counter()
    for entry in entries:
        phases[entry.allocation.phase] += entry.allocation.energy_uj
        workers[entry.allocation.workers] += entry.allocation.energy_uj
    seen = [phase for phase, microjoules in phases.most_common() if microjoules > 0]
    node = record.node_uj
    return Energy(
        metered=_metered(record),
        total_uj=total_uj,
        total_j=replace(total(e.energy_j for e in entries), value=total_uj / MICROJOULES),
        tier=max((e.reading.tier for e in entries), default=Tier.DEFAULT),
        meters=tuple(sorted({e.reading.meter for e in entries})),
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


def _metered(record: Record) -> bool:
    return bool(record.entries) or not record.attempts


def _impacts(record: Record, priced: Operational) -> Impacts:
    energy_j = total(e.energy_j for e in record.entries)
    known = _metered(record)
    return Impacts(
        operational=priced.carbon if known else None,
        unpriced_zones=priced.unpriced_zones,
        filled_share=priced.filled_share,
        embodied=embodied(machine_seconds(record.entries), record.factors) if known else None,
        water=water(energy_j, record.factors) if known else None,
        cost=cost(energy_j, record.factors) if known else None,
        intensity=priced.intensity,
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
        losses=sum(a.outcome in {"lost", "failed"} for a in attempts),
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
        if zone in record.signals
        for r in record.signals[zone].readings
        if job.submission.submitted_at - HOUR_S < r.observed_at < until_at
    )


def _used(factors: Factors, impacts: Impacts) -> tuple[Factor, ...]:
    shown = [impacts.operational, impacts.embodied, impacts.water, impacts.cost]
    return factors.by_id(frozenset(key for impact in shown if impact for key in impact.factors))


def _notes(
    record: Record, priced: Operational, other: Counterfactual | Unknown, hours: Iterable[Hour]
) -> tuple[str, ...]:
    notes: list[str] = []
    if not record.entries:
        notes.append("No energy has been metered for this job yet.")
    if priced.unpriced_zones:
        zones = ", ".join(zone or "an unnamed zone" for zone in priced.unpriced_zones)
        share = priced.unpriced_j / priced.energy_j if priced.energy_j else 1.0
        notes.append(
            f"Operational carbon is not known: no intensity for {zones}, where {percent(share)} of the "
            "energy was drawn."
        )
    if priced.filled_share > 0:
        notes.append(
            f"{percent(priced.filled_share)} of the energy was drawn in hours without data; it is priced at "
            "the mean of the known hours, with the lowest and highest of them as range."
        )
    if any(hour.quality == Quality.MODELLED for hour in hours):
        notes.append("Carbon intensity comes from a model of the grid, not from measurement.")
    tier = max((e.reading.tier for e in record.entries), default=Tier.COUNTER)
    if tier >= Tier.MODEL:
        notes.append(
            "Energy is modelled from processor time, as this machine has no counter that we may read."
        )
    if isinstance(other, Counterfactual) and other.operational.filled_share > 0:
        notes.append(
            f"{percent(other.operational.filled_share)} of the energy of the run it is compared with falls "
            "in hours without data, priced in the same way."
        )
    if isinstance(other, Counterfactual) and other.assumed:
        notes.append("The run it is compared with is partly assumed: the job never ran at that worker count.")
    if not record.job.function.exact:
        notes.append(
            "Trained in the fast mode: gradients were summed by an all-reduce, so other worker counts would "
            "have given another, equally good, model."
        )
    notes.append("PUE, water, price and embodied carbon are published defaults, not measured at this site.")
    return tuple(notes)
