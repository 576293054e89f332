"""What all policies that wait have in common: which jobs may wait at all, and law 6.

A policy proper only chooses a schedule for a job that may wait; the plan of all such choices is followed only
if every deadline would still be within reach after its first window. Otherwise the jobs in danger wait for
nothing, then all those that come before them, and in the end everything runs as soon as possible.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tidewatt.domain.objective import Aim
from tidewatt.domain.plan import Assignment, Note, Plan
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.domain.units import HOUR_S
from tidewatt.policy import guard
from tidewatt.policy.market import Market, Schedule, restarts
from tidewatt.policy.net import urgency
from tidewatt.policy.room import widest

_ROUNDS = 3

Choose = Callable[[JobView, Remaining, Market], tuple[Schedule, str] | None]
"""What a job that may wait is to do and the reason in words; None if no schedule of this kind holds it."""


def decide(name: str, choose: Choose, snapshot: Snapshot) -> Plan:
    """The plan for all jobs, earliest deadline first."""
    late = guard.late(snapshot)
    plan = _plan(name, choose, snapshot, late.by_bound, frozenset())
    hurried = endangered = guard.endangered(plan, snapshot, late)
    for _ in range(_ROUNDS - 1):
        if not endangered:
            return plan
        plan = _plan(name, choose, snapshot, late.by_bound, hurried)
        endangered = guard.endangered(plan, snapshot, late)
        hurried = _ahead_of(endangered, snapshot) if endangered <= hurried else hurried | endangered
    if not endangered:
        return plan
    net = guard.fallback(name, snapshot, late)
    # Where even the net helps none of them, nothing is gained by giving up the plans of the others.
    return plan if endangered <= guard.endangered(net, snapshot, late) else net


def _ahead_of(endangered: frozenset[str], snapshot: Snapshot) -> frozenset[str]:
    """The jobs given, and all that come before the last of them and may take its room."""
    ordered = [job.id for job in sorted(snapshot.jobs, key=urgency)]
    last = max((place for place, job_id in enumerate(ordered) if job_id in endangered), default=-1)
    return frozenset(ordered[: last + 1])


def _plan(
    name: str, choose: Choose, snapshot: Snapshot, late: frozenset[str], hurried: frozenset[str]
) -> Plan:
    """The plan in which those that are late or hurried wait for nothing."""
    market = Market(snapshot)
    assignments: list[Assignment] = []
    notes: list[Note] = []
    for job in sorted(snapshot.jobs, key=urgency):
        hurry = "late: not waiting" if job.id in late else guard.ENDANGERED if job.id in hurried else ""
        schedule, why = _schedule(job, choose, market, hurry)
        assignments.extend(market.take(job, schedule))
        notes.append(Note(job.id, why))
    return Plan(policy=name, issued_at=snapshot.now, assignments=tuple(assignments), notes=tuple(notes))


def _schedule(job: JobView, choose: Choose, market: Market, hurry: str) -> tuple[Schedule, str]:
    """What one job is to do, and the reason in words."""
    if not market.sites(job):
        return market.nothing, "no site lies in a zone that it allows"
    settled = _why_stay(job)
    if settled:
        return _stay(job, market), settled
    if job.remaining is None:
        return _probe(job, market), "running to learn how long it takes"
    hurry = hurry or _nothing_to_wait_for(job, market)
    if hurry:
        return _now(job, market), hurry
    chosen = _chosen(job, job.remaining, choose, market)
    if job.running_on is not None and (chosen is None or restarts(job, chosen[0], market)[:1].all()):
        # A change is made by stopping first, and must then still be wanted: else it would be undone at once.
        still = replace(job, running_on=None, running_workers=0)
        chosen = _chosen(still, job.remaining, choose, market)
    return chosen or (_now(job, market), "no schedule holds it before the deadline: not waiting")


def _chosen(
    job: JobView, remaining: Remaining, choose: Choose, market: Market
) -> tuple[Schedule, str] | None:
    """The choice with time to spare, or else with what there is."""
    return choose(_sparing(job, remaining), remaining, market) or choose(job, remaining, market)


def _sparing(job: JobView, remaining: Remaining) -> JobView:
    """The job with so much less time that, at the end, what it may need on top could still be done flat out.

    Schedules are for the work that is expected. One that fills the time to the last would be driven from its
    hours by the guard, or by any start that takes longer than it should.
    """
    assert job.deadline_at is not None  # noqa: S101 - others wait for nothing
    spare_s = (remaining.high_s - remaining.expected_s) / max(job.safe_speedup) + job.restart_s
    return replace(job, deadline_at=job.deadline_at - spare_s)


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
    if market.snapshot.objective.aim is Aim.TIME:
        return "time is what counts: not waiting"
    if not any(market.known(site) for site in market.sites(job)):
        return "no signal for any permitted zone: not waiting blindly"
    return ""


def _stay(job: JobView, market: Market) -> Schedule:
    """Keep a job where it is."""
    here = market.running_at(job)
    if here < 0:
        return market.nothing
    left = job.remaining.high_s if job.remaining else HOUR_S
    # To finish takes a while even when no step is left.
    span = market.span(market.snapshot.now + max(left, job.restart_s, 1.0))
    windows = np.arange(len(span))
    return span.filled(windows, np.full_like(windows, here), np.full_like(windows, job.running_workers))


def _probe(job: JobView, market: Market) -> Schedule:
    """Run at the least count for the rest of this hour; the next plan knows more."""
    places, fit = market.places(job), market.most(job, 1)[:, 0]
    for site in np.argsort(market.prices[places, 0], kind="stable").tolist():
        if fit[site]:
            return market.span().filled(np.array([0]), places[site : site + 1], np.array([job.least]))
    return market.nothing


def _now(job: JobView, market: Market) -> Schedule:
    """As fast as it goes, from the first window that has room, where it is cheapest."""
    left = job.remaining.high_s if job.remaining else HOUR_S
    span, places, here = market.span(), market.places(job), market.running_at(job)
    fastest = np.array([0, *(widest(job.least, n, job.speedup) for n in range(1, job.most + 1))])
    speeds = np.array([0.0, *job.speedup])
    chosen: list[tuple[int, int, int]] = []
    for window in range(len(span)):
        if left <= 0:
            break
        fit = np.minimum(market.free[places, window] // job.cpus_per_worker, job.most)
        counts = fastest[np.maximum(fit, 0)]
        site = int(np.lexsort((market.prices[places, window], places != here, -speeds[counts]))[0])
        if counts[site]:
            chosen.append((window, int(places[site]), int(counts[site])))
            left -= float(speeds[counts[site]] * (span.ends[window] - span.starts[window]))
    return span.filled(*np.array(chosen, dtype=np.int64).reshape(-1, 3).T)
