"""Elastic marginal: one worker more at a time, wherever that gets most work done for what it costs.

CarbonScaler's greedy (Hanafy et al., SIGMETRICS 2024), planned anew in every window. Where marginal power is
not monotone it stops at the first bad step; the default policy goes by hull segments and passes over it.
"""

import heapq

import numpy as np

from tidewatt.domain.plan import Plan
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.policy import guarded
from tidewatt.policy.block import cheapest_block
from tidewatt.policy.market import Ints, Market, Offer, Schedule, Span, restarts

NAME = "elastic-marginal"
_ROUNDS = 4
_LEAST_COST = 1e-12


def decide(snapshot: Snapshot) -> Plan:
    """The plan for all jobs, earliest deadline first."""
    return guarded.decide(NAME, _choose, snapshot)


def _choose(job: JobView, remaining: Remaining, market: Market) -> tuple[Schedule, str] | None:
    """Worker counts by window, raised until they hold the work and the restarts between them."""
    span = market.span(job.deadline_at)
    if not job.suspendable:
        block = cheapest_block(job, remaining.expected_s, span, market, job.least)
        return block and (block[1], "the cheapest start before the deadline, without a pause")
    offer = market.cheapest(job, span)
    needed_s = remaining.expected_s
    for _ in range(_ROUNDS):
        counts = _raised(job, offer, span, needed_s)
        if counts is None:
            return None
        running = np.flatnonzero(counts)
        schedule = span.filled(running, offer.sites[running], counts[running])
        enough_s = remaining.expected_s + int(restarts(job, schedule, market).sum()) * job.restart_s
        if needed_s >= enough_s:
            return schedule, f"{len(schedule)} of {len(span)} hours, raised by work for cost"
        needed_s = enough_s
    return None


def _raised(job: JobView, offer: Offer, span: Span, needed_s: float) -> Ints | None:
    """Worker counts that hold so much work, None if all that there is does not."""
    speeds, watts = (0.0, *job.speedup), (0.0, *job.watts)
    counts = [0] * len(span)
    prices: list[float] = offer.prices.tolist()
    room: list[int] = offer.room.tolist()
    lengths: list[float] = span.lengths.tolist()
    queue: list[tuple[float, int, int]] = []

    def offer_next(window: int) -> None:
        before = counts[window]
        after = max(job.least, before + 1)
        if after > room[window]:
            return
        cost = (watts[after] - watts[before]) * prices[window]
        worth = (speeds[after] - speeds[before]) / max(cost, _LEAST_COST)
        heapq.heappush(queue, (-worth, window, after))

    for window in range(len(span)):
        offer_next(window)
    while needed_s > 0 and queue:
        _, window, after = heapq.heappop(queue)
        needed_s -= (speeds[after] - speeds[counts[window]]) * lengths[window]
        counts[window] = after
        offer_next(window)
    return None if needed_s > 0 else np.array(counts, dtype=np.int64)
