"""What a job may choose from: windows before its deadline, free processors in them, and prices."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidewatt.domain.plan import Assignment
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import JobView, Snapshot
from tidewatt.policy.prices import Prices
from tidewatt.policy.room import Room, Window, permitted, windows

LEAN = 0.02
"""Nearly equal prices are no reason to stop or to change: so much is taken off what goes on as it is."""
Schedule = list[tuple[Window, Assignment]]
"""Assignments in order of time, each with the window that it fills."""


class Market:
    """One snapshot's windows, room and prices; jobs that come first take their room away from the others."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.room = Room(snapshot.sites)
        self.prices = Prices(snapshot)

    def sites(self, job: JobView) -> list[Site]:
        """Sites that the job may run on."""
        return permitted(job, self.snapshot)

    def windows(self, until: float) -> list[Window]:
        """Windows from now on; the last one is cut off."""
        return windows(self.snapshot, until)

    def present(self) -> Window:
        """The window that has begun."""
        return windows(self.snapshot, float("inf"), most=1)[0]

    def take(self, job: JobView, schedule: Schedule) -> list[Assignment]:
        """Reserve the room of a schedule and return its assignments."""
        for window, assignment in schedule:
            self.room.take(job, assignment, window)
        return [assignment for _, assignment in schedule]


@dataclass(frozen=True, slots=True)
class Outlay:
    """What following a schedule would cost, in price times watts times seconds, and whether it suffices."""

    cost: float
    finishes: bool


def outlay(job: JobView, work_s: float, schedule: Schedule, market: Market) -> Outlay:
    """Walk through a schedule with so much work to do; every start and change of count costs its time."""
    left, cost = work_s, 0.0
    doing: tuple[str | None, int] = (job.running_on, job.running_workers)
    until = market.snapshot.now
    sites = {site.name: site for site in market.snapshot.sites}
    for window, assignment in schedule:
        carried_on = doing == (assignment.site, assignment.workers) and until == window.start_at
        restart_s = 0.0 if carried_on else job.restart_s
        speed = job.speedup[assignment.workers - 1]
        busy_s = min(window.length_s, restart_s + left / speed)
        price = market.prices.at(sites[assignment.site], window.start_at)
        if carried_on and window.start_at == market.snapshot.now:
            price *= 1 - LEAN
        cost += price * job.watts[assignment.workers - 1] * busy_s
        left -= speed * max(0.0, busy_s - restart_s)
        doing, until = (assignment.site, assignment.workers), window.end_at
        if left <= 0:
            return Outlay(cost, finishes=True)
    return Outlay(cost, finishes=left <= work_s * 1e-9)


def cheapest(job: JobView, work_s: float, schedules: Sequence[Schedule], market: Market) -> Schedule | None:
    """The schedule that costs least of those that finish the work, None if none does; the first of equals."""
    priced = [(outlay(job, work_s, schedule, market), schedule) for schedule in schedules]
    finishing = [(o.cost, schedule) for o, schedule in priced if o.finishes]
    return min(finishing, key=lambda pair: pair[0])[1] if finishing else None
