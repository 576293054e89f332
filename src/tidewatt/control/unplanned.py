"""Jobs that wait for room alone: where nothing else is open they begin without a plan."""

from collections.abc import Iterable, Sequence

from tidewatt.domain.job import Job
from tidewatt.domain.lifecycle import ACTIVE, Wish
from tidewatt.domain.site import Site
from tidewatt.policy.unplanned import Want, beginning

AT_HAND = 16
"""Such jobs that are looked at in one turn, however many wait; the others come after them."""


def only_site(jobs: Iterable[Job], sites: Sequence[Site]) -> Site | None:
    """The one site at which all of these jobs begin without a plan; None if anything has to be planned.

    A plan is needed as soon as a job has a deadline or a length, so that others may have to keep out of its
    way, and where there is a choice of sites.
    """
    if len(sites) != 1:
        return None
    (site,) = sites
    for job in jobs:
        zones = job.function.zones
        if not job.submission.unplanned or (zones and site.zone not in zones):
            return None
    return site


def due(jobs: Iterable[Job], site: Site, held: Iterable[str]) -> list[Job]:
    """Those of the jobs that something is to be done about now: to be begun or, waiting, to be cancelled."""
    jobs, held = list(jobs), set(held)
    waiting = [job for job in jobs if job.state not in ACTIVE]
    taken = sum(job.function.cpus for job in jobs if job.state in ACTIVE)
    wants = [
        Want(job_id=job.id, cpus=job.function.cpus, priority=job.function.priority)
        for job in waiting
        if job.wish is Wish.RUN and job.id not in held
    ]
    first = set(beginning(wants, site.cpus - taken))
    return [job for job in jobs if job.id in first or job.wish is Wish.CANCEL]
