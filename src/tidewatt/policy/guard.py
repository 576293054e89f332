"""Law 6: whether following a plan through its first window leaves every deadline within reach."""

from dataclasses import dataclass, replace

from tidewatt.domain.plan import Assignment, Note, Plan
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.policy import net
from tidewatt.policy.room import Window, windows

_STARTS = 4
"""What is expected of a job is kept with time for so many starts more: some take longer, some come on top."""
_MOMENT_S = 1e-3
ENDANGERED = "running without waiting: a deadline would be out of reach after this hour"


@dataclass(frozen=True, slots=True)
class Late:
    """Jobs that will miss their deadline even if nothing waits: by the safe bound, and even as expected.

    The second are some of the first; the others may still be in time, if nothing takes their room.
    """

    by_bound: frozenset[str]
    as_expected: frozenset[str]


def late(snapshot: Snapshot) -> Late:
    """What is late already."""
    by_bound = _late(snapshot, careful=True)
    return Late(by_bound, by_bound & _late(snapshot, careful=False) if by_bound else by_bound)


def endangered(plan: Plan, snapshot: Snapshot, already: Late) -> frozenset[str]:
    """Jobs that would miss their deadline even if they ran flat out after the first window of the plan.

    Those that are late ``already`` do not count: nothing is gained by giving up the others for them.
    """
    found = _late(_after_first_window(plan, snapshot, careful=True), careful=True) - already.by_bound
    hoping = already.by_bound - already.as_expected
    if hoping:
        after = _after_first_window(plan, snapshot, careful=False)
        spare_s = _STARTS * max(job.restart_s for job in snapshot.jobs)
        found |= hoping & _late(after, careful=False, spare_s=spare_s)
    return found


def fallback(name: str, snapshot: Snapshot, already: Late) -> Plan:
    """The net itself as a plan: as things are expected if that endangers nothing, else by the safe bounds.

    By the bounds jobs stay narrow where nobody has seen that width helps. If that would make a job late even
    as expected, what is expected comes first: it is what was promised.
    """
    hopeful, careful = (
        Plan(
            policy=name,
            issued_at=snapshot.now,
            assignments=net.assignments(snapshot, careful=careful),
            notes=tuple(Note(job.id, ENDANGERED) for job in snapshot.jobs),
        )
        for careful in (False, True)
    )
    if not endangered(hopeful, snapshot, already):
        return hopeful
    broken = _late(_after_first_window(careful, snapshot, careful=False), careful=False)
    return hopeful if broken - _late(snapshot, careful=False) else careful


def _late(snapshot: Snapshot, *, careful: bool, spare_s: float = 0.0) -> frozenset[str]:
    finish = net.finish_times(snapshot, careful=careful)
    return frozenset(
        job.id
        for job in snapshot.jobs
        if job.deadline_at is not None
        and job.remaining is not None
        and finish[job.id] + spare_s > job.deadline_at
    )


def _after_first_window(plan: Plan, snapshot: Snapshot, *, careful: bool) -> Snapshot:
    """The snapshot as it will be when the first window has gone by as planned, by safe speeds or expected."""
    first = windows(snapshot, float("inf"), most=1)[0]
    planned: dict[str, list[Assignment]] = {}
    for assignment in sorted(plan.assignments, key=lambda a: a.start_at):
        planned.setdefault(assignment.job_id, []).append(assignment)
    jobs = [_advanced(job, planned.get(job.id, []), first, careful=careful) for job in snapshot.jobs]
    return replace(snapshot, now=first.end_at, jobs=tuple(job for job in jobs if job is not None))


def _advanced(job: JobView, planned: list[Assignment], window: Window, *, careful: bool) -> JobView | None:
    """A job after the window, or None if it has ended; its last assignment goes on for as long as it must."""
    doing: tuple[str | None, int] = (job.running_on, job.running_workers)
    until, done, in_time = window.start_at, 0.0, 0.0
    due_at = float("inf") if job.deadline_at is None else job.deadline_at
    speedup = job.safe_speedup if careful else job.speedup
    for assignment in planned:
        if assignment.start_at >= window.end_at:
            break
        wanted = (assignment.site, assignment.workers)
        carried_on = doing == wanted and until == assignment.start_at
        end_at = assignment.end_at
        if assignment is planned[-1]:
            end_at = max(end_at, job.deadline_at or end_at)
        end_at = min(end_at, window.end_at)
        began_at = assignment.start_at + (0.0 if carried_on else job.restart_s)
        done += speedup[assignment.workers - 1] * max(0.0, end_at - began_at)
        in_time += speedup[assignment.workers - 1] * max(0.0, min(end_at, due_at) - began_at)
        doing, until = wanted, end_at
    site, workers = doing if until == window.end_at and planned else (None, 0)
    moved = replace(job, running_on=site, running_workers=workers)
    if job.remaining is None:
        return moved
    if in_time >= (job.remaining.high_s if careful else job.remaining.expected_s):
        return None
    # What ends in this window but after its deadline is not done: it is late.
    expected_s, high_s = job.remaining.expected_s - done, job.remaining.high_s - done
    return replace(moved, remaining=Remaining(max(_MOMENT_S, expected_s), max(_MOMENT_S, high_s)))
