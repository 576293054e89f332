"""What keeps a job from saving more: deadline, residency, other jobs, or a grid that is flat."""

from dataclasses import dataclass, replace
from enum import StrEnum

from tidewatt.domain.plan import Plan
from tidewatt.domain.snapshot import JobView, Snapshot
from tidewatt.domain.units import DAY_S
from tidewatt.policy.names import named
from tidewatt.policy.prices import Prices

MORE_TIME_S = DAY_S
"""How much later the deadline is taken to be when it is asked whether the deadline limits."""
FLAT = 0.1
"""A grid whose hours differ by less than this, of their mean, offers nothing to wait for."""
_WORTH_SAYING = 0.01
_PLENTY = 1_000_000


class Limit(StrEnum):
    """What may stand in the way of a larger saving."""

    DEADLINE = "deadline"
    RESIDENCY = "residency"
    CAPACITY = "capacity"
    FLAT_GRID = "flat grid"


@dataclass(frozen=True, slots=True)
class Limitation:
    """One thing that limits, and by how much, as a share of what the job is expected to cost as planned.

    ``share`` is what would be saved on top if it were not there; of a flat grid, how much its hours differ.
    """

    limit: Limit
    share: float


def limitations(snapshot: Snapshot, job_id: str, plan: Plan) -> tuple[Limitation, ...]:
    """What limits the saving of a job, the largest first; empty if its length or its grid is not known.

    Each constraint is lifted in turn, by itself, and the policy asked again: the deadline a day
    later, every zone permitted, every site without bounds and to itself. What that would save on top is what
    the constraint costs.
    """
    job = next(j for j in snapshot.jobs if j.id == job_id)
    planned = _cost(job, plan, snapshot)
    if job.remaining is None or not planned:
        return ()
    found: list[Limitation] = []
    for limit, lifted in _lifted(snapshot, job):
        changed = next(j for j in lifted.jobs if j.id == job_id)
        cost = _cost(changed, named(plan.policy)(lifted), lifted)
        if cost is not None and (share := 1 - cost / planned) >= _WORTH_SAYING:
            found.append(Limitation(limit, share))
    found.sort(key=lambda limitation: -limitation.share)
    swing = _swing(snapshot, job)
    if swing is not None and swing < FLAT:
        found.append(Limitation(Limit.FLAT_GRID, swing))
    return tuple(found)


def _lifted(snapshot: Snapshot, job: JobView) -> list[tuple[Limit, Snapshot]]:
    """The snapshot with one constraint of the job lifted, for each that it has."""
    result: list[tuple[Limit, Snapshot]] = []
    if job.deadline_at is not None:
        later = replace(job, deadline_at=job.deadline_at + MORE_TIME_S)
        result.append((Limit.DEADLINE, _with(snapshot, later)))
    if job.zones:
        result.append((Limit.RESIDENCY, _with(snapshot, replace(job, zones=()))))
    roomy = tuple(replace(site, cpus=_PLENTY) for site in snapshot.sites)
    result.append((Limit.CAPACITY, replace(snapshot, sites=roomy, jobs=(job,))))
    return result


def _with(snapshot: Snapshot, changed: JobView) -> Snapshot:
    return replace(snapshot, jobs=tuple(changed if j.id == changed.id else j for j in snapshot.jobs))


def _cost(job: JobView, plan: Plan, snapshot: Snapshot) -> float | None:
    """What the expected work costs as planned, None if the plan does not hold it or nothing is known."""
    if job.remaining is None:
        return None
    prices = Prices(snapshot)
    left, cost, until, doing = (
        job.remaining.expected_s,
        0.0,
        snapshot.now,
        (job.running_on, job.running_workers),
    )
    for assignment in plan.of(job.id):
        site = snapshot.site(assignment.site)
        if site is None or not prices.known(site):
            return None
        carried_on = doing == (assignment.site, assignment.workers) and until == assignment.start_at
        restart_s = 0.0 if carried_on else job.restart_s
        speed = job.speedup[assignment.workers - 1]
        busy_s = min(assignment.end_at - assignment.start_at, restart_s + left / speed)
        rate = prices.at(site, assignment.start_at) * job.watts[assignment.workers - 1]
        cost += (rate + prices.reserved(site) * job.cpus_per_worker * assignment.workers) * busy_s
        left -= speed * max(0.0, busy_s - restart_s)
        if left <= 0:
            return cost
        doing, until = (assignment.site, assignment.workers), assignment.end_at
    return cost if left <= job.remaining.expected_s * 1e-9 else None


def _swing(snapshot: Snapshot, job: JobView) -> float | None:
    """How far the hours before the deadline lie apart in the home zone, over their mean."""
    forecast = snapshot.forecast(job.home_zone)
    if forecast is None:
        return None
    end_at = float("inf") if job.deadline_at is None else job.deadline_at
    means = [w.mean for w in forecast.windows if w.start_at < end_at]
    total = sum(means)
    return (max(means) - min(means)) * len(means) / total if total > 0 else None
