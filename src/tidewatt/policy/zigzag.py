"""A schedule of pieces: any windows and worker counts, by price, until they hold the work."""

from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tidewatt.domain.snapshot import JobView
from tidewatt.domain.units import HOUR_S
from tidewatt.policy.hull import Way, segments
from tidewatt.policy.market import Floats, Ints, Market, Offer, Schedule, Span, restarts
from tidewatt.policy.prices import linear

_ROUNDS = 4
_LEAST_SPARE = 0.02
_LEAST_SPARE_S = 10.0
"""Cutting a piece short by less than this, or by so little of its window, is not worth a change."""
Number = TypeVar("Number", np.float64, np.int64)


@lru_cache(maxsize=4096)
def _steps(
    least: int, most: int, speedup: tuple[float, ...], watts: tuple[float, ...]
) -> tuple[Ints, Floats, Floats]:
    """Worker counts worth using at a price of one, the speed that each adds, and what a unit of it costs."""
    ways = (Way("", count, speedup[count - 1], watts[count - 1]) for count in range(least, most + 1))
    hull = segments(ways)
    return (
        np.array([s.way.workers for s in hull], dtype=np.int64),
        np.array([s.speed for s in hull]),
        np.array([s.price for s in hull]),
    )


class _Offers:
    """What each window offers a job: pieces of work, a column each, dearer from left to right."""

    def __init__(self, job: JobView, span: Span, market: Market) -> None:
        self._job, self._span, self._market = job, span, market
        shape = (len(span), job.most)
        self.prices = np.full(shape, np.inf)
        self.speeds = np.zeros(shape)
        self.workers = np.zeros(shape, dtype=np.int64)
        self.sites = np.zeros(shape, dtype=np.int64)
        fit, offer = market.most(job, len(span)), market.cheapest(job, span)
        roomy = offer.room == job.most
        if market.reserved(job).any() and not linear(job):
            roomy[:] = False  # the hull is another one at every price
        if job.running_on is not None and len(span):
            roomy[0] = False  # prices lean towards what the job is doing already
        self._fill_roomy(np.flatnonzero(roomy), offer)
        for window in np.flatnonzero(~roomy & (fit > 0).any(axis=0)).tolist():
            self._fill(window, fit[:, window])

    def _fill_roomy(self, roomy: Ints, offer: Offer) -> None:
        """Where the cheapest site that is free at all has room for all workers, it is best at every count."""
        job = self._job
        workers, speeds, steps = _steps(job.least, job.most, job.speedup, job.watts)
        count = workers.size
        self.prices[roomy, :count] = offer.prices[roomy][:, None] * steps
        self.speeds[roomy, :count] = speeds
        self.workers[roomy, :count] = workers
        self.sites[roomy] = offer.sites[roomy][:, None]

    def _fill(self, window: int, fit: Ints) -> None:
        """The hull over all that fits, site by site and count by count.

        In the present window prices lean towards what the job is doing already, by what a restart costs and
        a little more: nearly equal prices are no reason to stop, and a stop is no reason to start again.
        """
        job, market, ways = self._job, self._market, list[Way]()
        present = (market.running_at(job), job.running_workers) if window == 0 else (-1, 0)
        for place, most in zip(market.places(job).tolist(), fit.tolist(), strict=True):
            price, reserved = float(market.prices[place, window]), float(market.reserved(job)[place])
            for count in range(job.least, most + 1):
                cost = price * job.watts[count - 1] + reserved * count
                if (place, count) == present:
                    cost *= 1 - min(0.5, market.lean + job.restart_s / HOUR_S)
                ways.append(Way(str(place), count, job.speedup[count - 1], cost))
        for step, piece in enumerate(segments(ways)):
            self.prices[window, step] = piece.price
            self.speeds[window, step] = piece.speed
            self.workers[window, step] = piece.way.workers
            self.sites[window, step] = int(piece.way.site)


def zigzag(job: JobView, work_s: float, span: Span, market: Market) -> Schedule:
    """The cheapest pieces of the windows given that hold the work, restarts included.

    Which restarts there are depends on the pieces, and how much work there is on the restarts, so both
    are worked out in turn a few times. The dearest piece is taken only for as long as it is needed.
    """
    offers = _Offers(job, span, market)
    windows = np.repeat(np.arange(len(span)), job.most)
    prices = offers.prices.ravel()
    order = np.lexsort((offers.workers.ravel(), windows, prices))[: int(np.isfinite(prices).sum())]
    held = np.cumsum((offers.speeds * span.lengths[:, None]).ravel()[order])
    chosen, needed, count = span.filled(*np.empty((3, 0), dtype=np.int64)), work_s, 0
    for _ in range(_ROUNDS):
        # Of a window the largest piece taken counts; it comes after the smaller ones.
        count = min(int(np.searchsorted(held, needed, side="left")) + 1, order.size)
        taken = np.bincount(windows[order[:count]], minlength=len(span))
        running = np.flatnonzero(taken)
        step = taken[running] - 1
        chosen = span.filled(running, offers.sites[running, step], offers.workers[running, step])
        enough = work_s + int(restarts(job, chosen, market).sum()) * job.restart_s
        if needed >= enough or count == order.size:
            break
        needed = enough
    if not count:
        return chosen
    return _trimmed(job, chosen, offers, int(order[count - 1]), float(held[count - 1]) - needed, market)


def _trimmed(
    job: JobView, chosen: Schedule, offers: _Offers, dearest: int, spare_s: float, market: Market
) -> Schedule:
    """The schedule with its dearest piece cut to what is needed, if that saves more than it costs.

    In its window the job then runs with the workers of the piece for a part of the time and with those of
    the piece below, or not at all, for the rest: first or last, so that what runs is not interrupted.
    """
    window, step = divmod(dearest, job.most)
    at = int(np.searchsorted(chosen.windows, window))
    start, end = float(chosen.starts[at]), float(chosen.ends[at])
    spare_s /= float(offers.speeds[window, step])
    if spare_s < max(_LEAST_SPARE_S, 2 * job.restart_s, _LEAST_SPARE * (end - start)):
        return chosen
    below = 0 if step == 0 else int(offers.workers[window, step - 1])
    before, after = _around(job, chosen, at, market)
    piece = int(chosen.workers[at])
    piece_last = after == piece or (before == below and before != piece)
    cut = end - spare_s if not piece_last else start + spare_s
    rows = (
        [(start, cut, below), (cut, end, piece)] if piece_last else [(start, cut, piece), (cut, end, below)]
    )
    site_below = int(offers.sites[window, step - 1]) if below else 0
    kept = [(s, e, n, int(chosen.sites[at]) if n == piece else site_below) for s, e, n in rows if n]
    count = len(kept)
    return Schedule(
        _replaced(chosen.windows, at, np.full(count, window)),
        _replaced(chosen.sites, at, np.array([site for *_, site in kept])),
        _replaced(chosen.workers, at, np.array([n for _, _, n, _ in kept])),
        _replaced(chosen.starts, at, np.array([s for s, *_ in kept])),
        _replaced(chosen.ends, at, np.array([e for _, e, *_ in kept])),
    )


def _around(job: JobView, chosen: Schedule, at: int, market: Market) -> tuple[int, int]:
    """The worker counts just before and just after an entry of a schedule, 0 where nothing runs."""
    start, end = chosen.starts[at], chosen.ends[at]
    before = int(chosen.workers[at - 1]) if at and chosen.ends[at - 1] == start else 0
    if start == market.snapshot.now:
        before = job.running_workers
    follows = at + 1 < len(chosen) and chosen.starts[at + 1] == end
    return before, int(chosen.workers[at + 1]) if follows else 0


def _replaced(column: NDArray[Number], at: int, new: NDArray[Number]) -> NDArray[Number]:
    return np.concatenate((column[:at], new, column[at + 1 :]))
