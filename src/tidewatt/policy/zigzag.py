"""A schedule of pieces: any windows and worker counts, by price, until they hold the work."""

from functools import lru_cache

import numpy as np

from tidewatt.domain.snapshot import JobView
from tidewatt.domain.units import HOUR_S
from tidewatt.policy.hull import Way, segments
from tidewatt.policy.market import LEAN, NOTHING, Floats, Ints, Market, Schedule, Span, restarts

_ROUNDS = 4


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
        fit = market.most(job, len(span))
        prices = np.where(fit > 0, market.prices[market.places(job), : len(span)], np.inf)
        best = prices.argmin(axis=0)
        every = np.arange(len(span))
        roomy = fit[best, every] == job.most
        if job.running_on is not None and len(span):
            roomy[0] = False  # prices lean towards what the job is doing already
        self._fill_roomy(np.flatnonzero(roomy), best, prices)
        for window in np.flatnonzero(~roomy & (fit > 0).any(axis=0)).tolist():
            self._fill(window, fit[:, window])

    def _fill_roomy(self, roomy: Ints, best: Ints, prices: Floats) -> None:
        """Where the cheapest site that is free at all has room for all workers, it is best at every count."""
        job = self._job
        workers, speeds, steps = _steps(job.least, job.most, job.speedup, job.watts)
        count = workers.size
        self.prices[roomy, :count] = prices[best[roomy], roomy][:, None] * steps
        self.speeds[roomy, :count] = speeds
        self.workers[roomy, :count] = workers
        self.sites[roomy] = self._market.places(job)[best[roomy]][:, None]

    def _fill(self, window: int, fit: Ints) -> None:
        """The hull over all that fits, site by site and count by count.

        In the present window prices lean towards what the job is doing already, by what a restart costs and
        a little more: nearly equal prices are no reason to stop, and a stop is no reason to start again.
        """
        job, market, ways = self._job, self._market, list[Way]()
        present = (market.running_at(job), job.running_workers) if window == 0 else (-1, 0)
        for place, most in zip(market.places(job).tolist(), fit.tolist(), strict=True):
            price = float(market.prices[place, window])
            for count in range(job.least, most + 1):
                cost = price * job.watts[count - 1]
                if (place, count) == present:
                    cost *= 1 - min(0.5, LEAN + job.restart_s / HOUR_S)
                ways.append(Way(str(place), count, job.speedup[count - 1], cost))
        for step, piece in enumerate(segments(ways)):
            self.prices[window, step] = piece.price
            self.speeds[window, step] = piece.speed
            self.workers[window, step] = piece.way.workers
            self.sites[window, step] = int(piece.way.site)


def zigzag(job: JobView, work_s: float, span: Span, market: Market) -> Schedule:
    """The cheapest pieces of the windows given that hold the work, restarts included.

    Which restarts there are depends on the pieces, and how much work there is on the restarts, so both
    are worked out in turn a few times.
    """
    offers = _Offers(job, span, market)
    windows = np.repeat(np.arange(len(span)), job.most)
    prices = offers.prices.ravel()
    order = np.lexsort((offers.workers.ravel(), windows, prices))[: int(np.isfinite(prices).sum())]
    held = np.cumsum((offers.speeds * span.lengths[:, None]).ravel()[order])
    chosen, needed = NOTHING, work_s
    for _ in range(_ROUNDS):
        # Of a window the largest piece taken counts; it comes after the smaller ones.
        count = int(np.searchsorted(held, needed, side="left")) + 1
        taken = np.bincount(windows[order[:count]], minlength=len(span))
        running = np.flatnonzero(taken)
        step = taken[running] - 1
        chosen = Schedule(running, offers.sites[running, step], offers.workers[running, step])
        enough = work_s + int(restarts(job, chosen, market).sum()) * job.restart_s
        if needed >= enough or count >= order.size:
            break
        needed = enough
    return chosen
