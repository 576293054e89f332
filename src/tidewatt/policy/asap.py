"""Everything as soon as possible, earliest deadline first: the fastest schedule, and the safety net."""

from dataclasses import dataclass, field

from tidewatt.domain.plan import Assignment, Plan
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import JobView, Snapshot
from tidewatt.domain.units import DAY_S
from tidewatt.policy.prices import Prices
from tidewatt.policy.room import Room, Window, permitted, windows

_HORIZON_S = 14 * DAY_S
_FOREVER = float("inf")


@dataclass(slots=True)
class _Going:
    """How far a job has come in the schedule that is being made."""

    job: JobView
    left_s: float
    speedup: tuple[float, ...]
    site: str | None
    workers: int
    finish_at: float = _FOREVER
    assignments: list[Assignment] = field(default_factory=list[Assignment])


def urgency(job: JobView) -> tuple[float, float, str]:
    """Sorts jobs by deadline, then by age; ties are stable."""
    return (_FOREVER if job.deadline_at is None else job.deadline_at, job.submitted_at, job.id)


def decide(snapshot: Snapshot) -> Plan:
    """Start everything now, as wide as it goes."""
    schedule = _schedule(snapshot, careful=False)
    return Plan(
        policy="asap",
        issued_at=snapshot.now,
        assignments=tuple(a for going in schedule for a in going.assignments),
    )


def finish_times(snapshot: Snapshot, *, careful: bool) -> dict[str, float]:
    """When each job would end; infinity for one that does not end within the horizon.

    ``careful`` counts on the safe bounds of work left and speed instead of what is expected.
    """
    return {going.job.id: going.finish_at for going in _schedule(snapshot, careful=careful)}


def _schedule(snapshot: Snapshot, *, careful: bool) -> list[_Going]:
    room, prices = Room(snapshot.sites), Prices(snapshot)
    goings = [_begin(job, careful=careful) for job in sorted(snapshot.jobs, key=urgency)]
    for window in windows(snapshot, snapshot.now + _HORIZON_S):
        if all(going.left_s <= 0 for going in goings):
            break
        for going in goings:
            if going.left_s > 0:
                _advance(going, snapshot, room, prices, window)
    return goings


def _begin(job: JobView, *, careful: bool) -> _Going:
    remaining = job.remaining
    left = _FOREVER if remaining is None else remaining.high_s if careful else remaining.expected_s
    speedup = job.safe_speedup if careful else job.speedup
    return _Going(job, left, speedup, job.running_on, job.running_workers)


def _advance(going: _Going, snapshot: Snapshot, room: Room, prices: Prices, window: Window) -> None:
    """Let a job run through one window where it is fastest, at the cheapest of equals."""
    job = going.job
    best = max(
        permitted(job, snapshot),
        key=lambda s: (_speed(going, s, room, window), s.name == going.site, -prices.at(s, window.start_at)),
        default=None,
    )
    if best is None:
        return
    count = room.fastest(job, best, window, going.speedup)
    if count and not job.suspendable and going.workers and best.name == going.site:
        count = max(going.workers, job.least)
    if not count:
        going.site, going.workers = None, 0
        return
    restart = 0.0 if (going.site, going.workers) == (best.name, count) else job.restart_s
    done = going.speedup[count - 1] * max(0.0, window.length_s - restart)
    assignment = Assignment(job.id, best.name, count, window.start_at, window.end_at)
    room.take(job, assignment, window)
    going.assignments.append(assignment)
    if done >= going.left_s:
        going.finish_at = window.start_at + restart + going.left_s / going.speedup[count - 1]
    going.left_s -= done
    going.site, going.workers = best.name, count


def _speed(going: _Going, site: Site, room: Room, window: Window) -> float:
    count = room.fastest(going.job, site, window, going.speedup)
    return going.speedup[count - 1] if count else 0.0
