"""Law 6: whether following a plan through its first window leaves every deadline within reach."""

from dataclasses import replace

from tidewatt.domain.plan import Assignment, Plan
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.policy import asap
from tidewatt.policy.room import windows


def late(snapshot: Snapshot) -> frozenset[str]:
    """Jobs that, by the safe bound of their work, will miss their deadline even if nothing waits."""
    finish = asap.finish_times(snapshot, careful=True)
    return frozenset(
        job.id
        for job in snapshot.jobs
        if job.deadline_at is not None and job.remaining is not None and finish[job.id] > job.deadline_at
    )


def made_late(plan: Plan, snapshot: Snapshot, already: frozenset[str]) -> frozenset[str]:
    """Jobs that would miss their deadline even if they ran flat out after the first window of the plan.

    Those that are late ``already`` do not count: nothing is gained by giving up the others for them.
    """
    return late(_after_first_window(plan, snapshot)) - already


def _after_first_window(plan: Plan, snapshot: Snapshot) -> Snapshot:
    """The snapshot as it will be when the first window has gone by as planned."""
    first = windows(snapshot, float("inf"), most=1)[0]
    planned = {a.job_id: a for a in plan.assignments if a.start_at <= first.start_at < a.end_at}
    jobs = [_advanced(job, planned.get(job.id), first.length_s) for job in snapshot.jobs]
    return replace(snapshot, now=first.end_at, jobs=tuple(job for job in jobs if job is not None))


def _advanced(job: JobView, assignment: Assignment | None, length_s: float) -> JobView | None:
    """A job after the window, or None if it has ended."""
    if assignment is None:
        return replace(job, running_on=None, running_workers=0)
    carried_on = (job.running_on, job.running_workers) == (assignment.site, assignment.workers)
    restart = 0.0 if carried_on else job.restart_s
    moved = replace(job, running_on=assignment.site, running_workers=assignment.workers)
    if job.remaining is None:
        return moved
    done = job.safe_speedup[assignment.workers - 1] * max(0.0, length_s - restart)
    if done >= job.remaining.high_s:
        return None
    left = Remaining(max(0.0, job.remaining.expected_s - done), job.remaining.high_s - done)
    return replace(moved, remaining=left)
