"""Law 6: whether following a plan through its first window leaves every deadline within reach."""

from dataclasses import replace

from tidewatt.domain.plan import Assignment, Plan
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.policy import asap
from tidewatt.policy.room import Window, windows


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
    planned: dict[str, list[Assignment]] = {}
    for assignment in sorted(plan.assignments, key=lambda a: a.start_at):
        if assignment.start_at < first.end_at:
            planned.setdefault(assignment.job_id, []).append(assignment)
    jobs = [_advanced(job, planned.get(job.id, []), first) for job in snapshot.jobs]
    return replace(snapshot, now=first.end_at, jobs=tuple(job for job in jobs if job is not None))


def _advanced(job: JobView, planned: list[Assignment], window: Window) -> JobView | None:
    """A job after the window, or None if it has ended."""
    doing: tuple[str | None, int] = (job.running_on, job.running_workers)
    until, done = window.start_at, 0.0
    for assignment in planned:
        wanted = (assignment.site, assignment.workers)
        carried_on = doing == wanted and until == assignment.start_at
        end_at = min(assignment.end_at, window.end_at)
        busy_s = end_at - assignment.start_at - (0.0 if carried_on else job.restart_s)
        done += job.safe_speedup[assignment.workers - 1] * max(0.0, busy_s)
        doing, until = wanted, end_at
    site, workers = doing if until == window.end_at and planned else (None, 0)
    moved = replace(job, running_on=site, running_workers=workers)
    if job.remaining is None:
        return moved
    if done >= job.remaining.high_s:
        return None
    left = Remaining(max(0.0, job.remaining.expected_s - done), job.remaining.high_s - done)
    return replace(moved, remaining=left)
