"""Threshold: run whenever it is cheaper than in most of the day ahead, as fast as it goes.

Known from Ecovisor (Souza et al., ASPLOS 2023), where the threshold is the 30th percentile of the day.
"""

import numpy as np

from tidewatt.domain.plan import Plan
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.domain.units import DAY_S
from tidewatt.policy import guarded
from tidewatt.policy.market import Floats, Ints, Market, Schedule

NAME = "threshold"
PERCENTILE = 30.0


def decide(snapshot: Snapshot) -> Plan:
    """The plan for all jobs, earliest deadline first."""
    return guarded.decide(NAME, _choose, snapshot)


def _choose(job: JobView, remaining: Remaining, market: Market) -> tuple[Schedule, str] | None:
    """All windows below the threshold from now on until the work is done, each at its cheapest site.

    Whether they hold all of it is not asked: the guard alone sees to the deadline. What cannot be suspended
    starts in the first of them.
    """
    span = market.span(job.deadline_at)
    offer = market.cheapest(job, span)
    day = offer.prices[(span.starts < market.snapshot.now + DAY_S) & (offer.room > 0)]
    if not day.size:
        return None
    limits: Floats = np.full(len(span), float(np.percentile(day, PERCENTILE)))
    if job.running_on is not None:
        limits[0] *= 1 + market.lean
    below: Ints = np.flatnonzero(offer.prices <= limits)
    running, workers, sites = below, offer.room[below], offer.sites[below]
    if not job.suspendable and below.size:
        running = np.arange(int(below[0]), len(span))
        workers, sites = np.full_like(running, job.least), np.full_like(running, int(sites[0]))
    done = np.cumsum(np.array((0.0, *job.speedup))[workers] * span.lengths[running])
    count = int(np.searchsorted(done, remaining.expected_s, side="left")) + 1
    chosen = running[:count]
    why = f"{chosen.size} of {len(span)} hours lie below the {PERCENTILE:.0f} % point of the day ahead"
    return span.filled(chosen, sites[:count], workers[:count]), why
