"""Schedules in one piece: one site, one worker count, from some window until the work is done."""

from collections.abc import Iterator

from tidewatt.domain.plan import Assignment
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import JobView
from tidewatt.policy.market import Market, Schedule
from tidewatt.policy.room import Window


def blocks(job: JobView, work_s: float, span: list[Window], market: Market, most: int) -> Iterator[Schedule]:
    """Every block of at most so many workers that holds the work within the windows given."""
    for site in market.sites(job):
        for count in range(job.least, most + 1):
            for first in range(len(span)):
                block = _block(job, work_s, span[first:], site, count, market)
                if block:
                    yield block


def _block(
    job: JobView, work_s: float, span: list[Window], site: Site, count: int, market: Market
) -> Schedule:
    """Consecutive windows from the first on that hold the work, or none if they cannot."""
    carried_on = (job.running_on, job.running_workers) == (site.name, count)
    present = span[0].start_at == market.snapshot.now
    left = work_s + (0.0 if carried_on and present else job.restart_s * job.speedup[count - 1])
    result: Schedule = []
    for window in span:
        if market.room.workers(job, site, window) < count:
            return []
        result.append((window, Assignment(job.id, site.name, count, window.start_at, window.end_at)))
        left -= job.speedup[count - 1] * window.length_s
        if left <= 0:
            return result
    return []
