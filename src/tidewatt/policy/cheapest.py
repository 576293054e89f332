"""The default policy: the cheapest windows by forecast that finish the work before the deadline.

Two kinds of schedule compete for each job, restarts included: a zigzag over the cheapest hours, and one
block without a pause. The plan is followed only if every deadline would still be within reach after its
first window; otherwise everything runs as soon as possible.
"""

from tidewatt.domain.plan import Assignment, Note, Plan
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.domain.units import HOUR_S
from tidewatt.policy import asap, guard
from tidewatt.policy.block import blocks
from tidewatt.policy.market import Market, Schedule, cheapest
from tidewatt.policy.room import Window
from tidewatt.policy.zigzag import zigzag

NAME = "cheapest-windows"
_LONGEST_RUN_H = 14 * 24


def decide(snapshot: Snapshot) -> Plan:
    """The plan for all jobs, earliest deadline first."""
    market = Market(snapshot)
    late = guard.late(snapshot)
    assignments: list[Assignment] = []
    notes: list[Note] = []
    for job in sorted(snapshot.jobs, key=asap.urgency):
        schedule, why = _schedule(job, market, late=job.id in late)
        assignments.extend(market.take(job, schedule))
        notes.append(Note(job.id, why))
    plan = Plan(policy=NAME, issued_at=snapshot.now, assignments=tuple(assignments), notes=tuple(notes))
    if guard.keeps_deadlines(plan, snapshot):
        return plan
    why = "running without waiting: a deadline would be out of reach after this hour"
    return Plan(
        policy=NAME,
        issued_at=snapshot.now,
        assignments=asap.decide(snapshot).assignments,
        notes=tuple(Note(job.id, why) for job in snapshot.jobs),
    )


def _schedule(job: JobView, market: Market, *, late: bool) -> tuple[Schedule, str]:
    """What one job is to do, and the reason in words."""
    if not market.sites(job):
        return [], "no site lies in a zone that it allows"
    settled = _why_stay(job)
    if settled:
        return _stay(job, market), settled
    if job.remaining is None:
        return _probe(job, market), "running to learn how long it takes"
    hurry = "late: not waiting" if late else _nothing_to_wait_for(job, market)
    if hurry:
        return _now(job, market), hurry
    return _cheapest(job, job.remaining, market)


def _why_stay(job: JobView) -> str:
    """Why a running job is best left alone, empty if it may be moved."""
    if job.running_on is None:
        return ""
    if not job.suspendable:
        return "runs through once started"
    if job.remaining is not None and job.remaining.high_s <= job.restart_s:
        return "finishing: stopping would cost more than what is left"
    return ""


def _nothing_to_wait_for(job: JobView, market: Market) -> str:
    """Why waiting would not help, empty if it may."""
    if job.deadline_at is None:
        return "no deadline: nothing to wait for"
    if not any(market.prices.known(site) for site in market.sites(job)):
        return "no signal for any permitted zone: not waiting blindly"
    return ""


def _cheapest(job: JobView, remaining: Remaining, market: Market) -> tuple[Schedule, str]:
    """The zigzag or the block that costs least; only blocks for what cannot be suspended."""
    assert job.deadline_at is not None  # noqa: S101 - the caller knows
    span = market.windows(job.deadline_at)
    work_s = remaining.high_s
    schedules = list(blocks(job, work_s, span, market, job.most if job.suspendable else job.least))
    if job.suspendable:
        schedules.insert(0, zigzag(job, work_s, span, market))
    best = cheapest(job, work_s, schedules, market)
    if best is None:
        return _now(job, market), "no schedule holds it before the deadline: not waiting"
    if best is not schedules[0] or not job.suspendable:
        return best, "the cheapest start before the deadline, without a pause"
    return best, f"the {len(best)} cheapest of {len(span)} hours before the deadline"


def _stay(job: JobView, market: Market) -> Schedule:
    """Keep a job where it is."""
    site = job.running_on or ""
    left = job.remaining.high_s if job.remaining else HOUR_S
    return [
        (window, Assignment(job.id, site, job.running_workers, window.start_at, window.end_at))
        for window in market.windows(market.snapshot.now + max(left, 1.0))
    ]


def _probe(job: JobView, market: Market) -> Schedule:
    """Run at the least count for the rest of this hour; the next plan knows more."""
    window = market.present()
    for site in sorted(market.sites(job), key=lambda s: market.prices.at(s, window.start_at)):
        if market.room.workers(job, site, window):
            return [(window, Assignment(job.id, site.name, job.least, window.start_at, window.end_at))]
    return []


def _now(job: JobView, market: Market) -> Schedule:
    """As fast as it goes, from the first window that has room, where it is cheapest."""
    left = job.remaining.high_s if job.remaining else HOUR_S
    result: Schedule = []
    for window in market.windows(market.snapshot.now + _LONGEST_RUN_H * HOUR_S):
        if left <= 0:
            break
        site = min(market.sites(job), key=lambda s: _haste(job, s, window, market))
        count = market.room.fastest(job, site, window, job.speedup)
        if count:
            result.append((window, Assignment(job.id, site.name, count, window.start_at, window.end_at)))
            left -= job.speedup[count - 1] * window.length_s
    return result


def _haste(job: JobView, site: Site, window: Window, market: Market) -> tuple[float, bool, float]:
    """Sorts sites by speed, then by whether the job is there, then by price."""
    count = market.room.fastest(job, site, window, job.speedup)
    speed = job.speedup[count - 1] if count else 0.0
    return (-speed, site.name != job.running_on, market.prices.at(site, window.start_at))
