"""Schedules in one piece: one site, one worker count, from some window until the work is done."""

import numpy as np

from tidewatt.domain.snapshot import JobView
from tidewatt.policy.market import Floats, Ints, Market, Outlay, Schedule, Span

_ROUNDING = 1e-9
_ROUNDING_S = 1e-6
"""Instants are told in seconds since 1970, which a float holds to a few tenths of a microsecond."""


def cheapest_block(
    job: JobView, work_s: float, span: Span, market: Market, most: int
) -> tuple[Outlay, Schedule] | None:
    """The block of at most so many workers that costs least of those that hold the work, None if none does.

    A block that starts with a window at ``s`` ends at ``s + restart + work / speed``, whatever the prices;
    what it costs is the integral of the price between, worked out for all starts and sites at once.
    Of equals the first site, the fewest workers and the earliest start are taken.
    """
    if not len(span):
        return None
    places = market.places(job)
    prices, fit = market.prices[places, : len(span)], market.most(job, len(span))
    paid = np.zeros((places.size, len(span) + 1))
    np.cumsum(prices * span.lengths, axis=1, out=paid[:, 1:])
    starts, here, reserved = span.starts, market.running_at(job), market.reserved(job)[places]
    moved = market.moving(job)[places][:, None] * prices
    costs = np.full((places.size, most - job.least + 1, len(span)), np.inf)
    for count in range(job.least, most + 1):
        speed, watts = job.speedup[count - 1], job.watts[count - 1]
        ends = starts + work_s / speed + job.restart_s
        last = np.minimum(np.searchsorted(span.ends, ends, side="left"), len(span) - 1)
        into = ends - span.starts[last]
        cost = watts * (paid[:, last] + prices[:, last] * into - paid[:, :-1])
        cost += (reserved * count)[:, None] * (ends - starts) + moved
        full = np.zeros_like(paid, dtype=np.int64)
        np.cumsum(fit < count, axis=1, out=full[:, 1:])
        held = (ends <= span.ends[-1] + _ROUNDING_S) & (full[:, last + 1] == full[:, :-1])
        costs[:, count - job.least] = np.where(held, cost, np.inf)
        if job.running_workers == count and here in places:
            place = int(np.flatnonzero(places == here)[0])
            rates = watts * prices[place] + count * reserved[place]
            costs[place, count - job.least, 0] = _going_on(
                work_s / speed, rates, full[place], span, market.lean
            )
    if not np.isfinite(least := float(costs.min())):
        return None
    site, rest = divmod(int(costs.argmin()), costs.shape[1] * len(span))
    step, first = divmod(rest, len(span))
    count, place = job.least + step, int(places[site])
    carried_on = first == 0 and (place, count) == (here, job.running_workers)
    lasts_s = work_s / job.speedup[count - 1] + (0.0 if carried_on else job.restart_s)
    final = int(np.searchsorted(span.ends, float(starts[first]) + lasts_s, side="left"))
    windows = np.arange(first, min(final + 1, len(span)))
    schedule = span.filled(windows, np.full_like(windows, place), np.full_like(windows, count))
    return Outlay(least, finishes=True), schedule


def _going_on(lasts_s: float, rates: Floats, full: Ints, span: Span, lean: float) -> float:
    """What it costs to go on as now until the work is done: no restart, and a little less for staying.

    ``rates`` are what a second costs in each window.
    """
    lengths = span.lengths
    done = np.cumsum(lengths)
    last = int(np.searchsorted(done, lasts_s * (1 - _ROUNDING), side="left"))
    if last == done.size or full[last + 1] > 0:
        return float("inf")
    busy = lengths[: last + 1].copy()
    busy[-1] = lasts_s - (done[last - 1] if last else 0.0)
    busy[0] *= 1 - lean
    return float((rates[: last + 1] * busy).sum())
