"""Everything as soon as possible, earliest deadline first: the fastest schedule, and the safety net."""

from dataclasses import dataclass, field

import numpy as np

from tidewatt.domain.plan import Assignment, Plan
from tidewatt.domain.snapshot import JobView, Snapshot
from tidewatt.domain.units import DAY_S
from tidewatt.policy.prices import Prices
from tidewatt.policy.room import permitted, widest, windows

NAME = "run-now"
_HORIZON_S = 14 * DAY_S
_FOREVER = float("inf")


@dataclass(slots=True)
class _Going:
    """How far a job has come in the schedule being made; ``place`` is that of its site, -1 for none."""

    job: JobView
    left_s: float
    speedup: tuple[float, ...]
    place: int
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
        policy=NAME,
        issued_at=snapshot.now,
        assignments=tuple(a for going in schedule for a in going.assignments),
    )


def finish_times(snapshot: Snapshot, *, careful: bool) -> dict[str, float]:
    """When each job would end; infinity for one that does not end within the horizon.

    ``careful`` counts on the safe bounds of work left and speed instead of what is expected.
    """
    return {going.job.id: going.finish_at for going in _schedule(snapshot, careful=careful)}


def _schedule(snapshot: Snapshot, *, careful: bool) -> list[_Going]:
    field = _Field(snapshot)
    goings = [field.begin(job, careful=careful) for job in sorted(snapshot.jobs, key=urgency)]
    for going in goings:  # what comes later in this order never takes room from what came before
        field.run(going)
    return goings


class _Field:
    """Windows, free processors and the order of sites by price, as plain lists: they are read one by one."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._windows = windows(snapshot, snapshot.now + _HORIZON_S)
        self._places = {site.name: place for place, site in enumerate(snapshot.sites)}
        self._free = [[site.cpus] * len(self._windows) for site in snapshot.sites]
        starts = np.array([window.start_at for window in self._windows])
        prices = Prices(snapshot).table(snapshot.sites, starts)
        self._order: list[list[int]] = np.argsort(prices, axis=0, kind="stable").T.tolist()
        """For each window all places, cheapest first."""
        self._permitted: dict[tuple[str, ...], frozenset[int]] = {}

    def begin(self, job: JobView, *, careful: bool) -> _Going:
        """A job as it is now."""
        remaining = job.remaining
        left = _FOREVER if remaining is None else remaining.high_s if careful else remaining.expected_s
        speedup = job.safe_speedup if careful else job.speedup
        place = -1 if job.running_on is None else self._places.get(job.running_on, -1)
        return _Going(job, left, speedup, place, job.running_workers)

    def run(self, going: _Going) -> None:
        """Let a job run in each window where it is fastest, at the cheapest of equals, until it is done."""
        job, allowed = going.job, self._allowed(going.job)
        bound = not job.suspendable and going.workers > 0 and going.place >= 0
        for number, window in enumerate(self._windows):
            if going.left_s <= 0:
                return
            if bound:
                place, count = going.place, max(going.workers, job.least)
            else:
                place, count = self._best(going, number, allowed)
            if not count:
                going.place, going.workers = -1, 0
                continue
            restart = 0.0 if (going.place, going.workers) == (place, count) else job.restart_s
            speed = going.speedup[count - 1]
            done = speed * max(0.0, window.length_s - restart)
            self._free[place][number] -= count * job.cpus_per_worker
            name = self._snapshot.sites[place].name
            going.assignments.append(Assignment(job.id, name, count, window.start_at, window.end_at))
            if done >= going.left_s:
                going.finish_at = window.start_at + restart + going.left_s / speed
            going.left_s -= done
            going.place, going.workers = place, count

    def _best(self, going: _Going, number: int, allowed: frozenset[int]) -> tuple[int, int]:
        """The site and worker count that get most done: the site that it is at, or the cheapest of equals."""
        job, here = going.job, going.place
        best, best_count, best_speed = -1, 0, 0.0
        order = self._order[number]
        for place in (here, *order) if here in allowed else order:
            if place not in allowed:
                continue
            fit = min(job.most, self._free[place][number] // job.cpus_per_worker)
            if fit < job.least:
                continue
            count = widest(job.least, fit, going.speedup)
            speed = going.speedup[count - 1]
            if speed > best_speed:
                best, best_count, best_speed = place, count, speed
            if fit == job.most:  # nowhere is it faster
                break
        return best, best_count

    def _allowed(self, job: JobView) -> frozenset[int]:
        """The places that a job may run at."""
        if job.zones not in self._permitted:
            here = permitted(job, self._snapshot)
            self._permitted[job.zones] = frozenset(self._places[site.name] for site in here)
        return self._permitted[job.zones]
