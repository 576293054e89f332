"""Whether a job that comes in now can be done in time, beside those already accepted."""

from collections.abc import Sequence

from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import JobView, Snapshot
from tidewatt.domain.units import format_duration
from tidewatt.errors import Infeasible, ResidencyRefused
from tidewatt.policy import net


def check(snapshot: Snapshot, job_id: str) -> None:
    """Refuse what cannot be done.

    Raises:
        ResidencyRefused: no site lies in a zone that the job allows.
        Infeasible: its smallest worker count fits no site, or its deadline or that of a job accepted
            earlier would be missed even if nothing waited.
    """
    job = next(j for j in snapshot.jobs if j.id == job_id)
    check_place(job.zones, job.least, job.cpus_per_worker, snapshot.sites)
    _check_deadlines(snapshot, job)


def check_place(zones: Sequence[str], least: int, cpus: int, sites: Sequence[Site]) -> None:
    """Refuse what no site can take.

    Raises:
        ResidencyRefused: no site lies in a zone that is allowed.
        Infeasible: the smallest worker count fits no site.
    """
    allowed = [site for site in sites if not zones or site.zone in zones]
    if not allowed:
        there = ", ".join(sorted({s.zone for s in sites}))
        raise ResidencyRefused(
            f"sites in {there}", f"one in {' or '.join(zones)}", "allow another zone or add a site there"
        )
    largest = max(site.cpus for site in allowed)
    if least * cpus > largest:
        raise Infeasible(
            f"a need of {least} x {cpus} processors",
            f"at most {largest}, what the largest permitted site has",
            "ask for fewer workers or processors",
        )


def _check_deadlines(snapshot: Snapshot, new: JobView) -> None:
    if new.deadline_at is not None and new.deadline_at - snapshot.now <= new.restart_s:
        raise Infeasible(
            f"a deadline {format_duration(new.deadline_at - snapshot.now)} away",
            f"more than {format_duration(new.restart_s)}, which starting a worker takes",
            "allow more time",
        )
    finish = net.finish_times(snapshot, careful=False)
    for job in snapshot.jobs:
        if job.deadline_at is None or job.remaining is None or finish[job.id] <= job.deadline_at:
            continue
        if job.id == new.id:
            needed = format_duration(finish[job.id] - snapshot.now)
            work = format_duration(job.remaining.expected_s)
            raise Infeasible(
                f"a deadline {format_duration(job.deadline_at - snapshot.now)} away",
                f"at least {needed} for {work} of work on up to {job.most} workers",
                "allow more time or more workers",
            )
        if _could_without(snapshot, new, job):
            raise Infeasible(
                f"job {job.id}, which would miss its deadline if this one came in between",
                "room for both",
                "allow this job more time, or wait until the other has ended",
            )


def _could_without(snapshot: Snapshot, new: JobView, other: JobView) -> bool:
    """Whether a job accepted earlier could be in time if the new one were not there."""
    before = Snapshot(
        now=snapshot.now,
        sites=snapshot.sites,
        forecasts=snapshot.forecasts,
        jobs=tuple(j for j in snapshot.jobs if j.id != new.id),
    )
    return (
        other.deadline_at is not None
        and net.finish_times(before, careful=False)[other.id] <= other.deadline_at
    )
