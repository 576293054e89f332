"""A schedule of pieces: any windows and worker counts, by price, until they hold the work."""

from dataclasses import dataclass

from tidewatt.domain.plan import Assignment
from tidewatt.domain.snapshot import JobView
from tidewatt.domain.units import HOUR_S
from tidewatt.policy.hull import Way, segments
from tidewatt.policy.market import LEAN, Market, Schedule
from tidewatt.policy.room import Window

_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class _Piece:
    """Work that a window can hold at a price, on top of the cheaper pieces of the same window."""

    price: float
    window: Window
    way: Way
    work_s: float


def zigzag(job: JobView, work_s: float, span: list[Window], market: Market) -> Schedule:
    """The cheapest pieces of the windows given that hold the work, restarts included.

    Which restarts there are depends on the pieces, and how much work there is on the restarts, so both
    are worked out in turn a few times.
    """
    pieces = sorted(
        (piece for window in span for piece in _pieces(job, window, market)),
        key=lambda p: (p.price, p.window.start_at, p.way.workers),
    )
    chosen: dict[Window, _Piece] = {}
    needed = work_s
    for _ in range(_ROUNDS):
        chosen = _take(pieces, needed)
        enough = work_s + _restarts(job, chosen) * job.restart_s
        if needed >= enough:
            break
        needed = enough
    return [
        (window, Assignment(job.id, piece.way.site, piece.way.workers, window.start_at, window.end_at))
        for window, piece in sorted(chosen.items(), key=lambda item: item[0])
    ]


def _pieces(job: JobView, window: Window, market: Market) -> list[_Piece]:
    """What one window offers a job, over all sites that it may run on.

    In the present window prices lean towards what the job is doing already, by what a restart costs and
    a little more: nearly equal prices are no reason to stop, and a stop is no reason to start again.
    """
    ways: list[Way] = []
    present = window.start_at == market.snapshot.now
    for site in market.sites(job):
        price = market.prices.at(site, window.start_at)
        for count in range(job.least, market.room.workers(job, site, window) + 1):
            cost = price * job.watts[count - 1]
            if present and (site.name, count) == (job.running_on, job.running_workers):
                cost *= 1 - min(0.5, LEAN + job.restart_s / HOUR_S)
            ways.append(Way(site.name, count, job.speedup[count - 1], cost))
    return [_Piece(s.price, window, s.way, s.speed * window.length_s) for s in segments(ways)]


def _take(pieces: list[_Piece], needed: float) -> dict[Window, _Piece]:
    """The cheapest pieces that hold so much work; of a window the largest piece taken counts."""
    chosen: dict[Window, _Piece] = {}
    held = 0.0
    for piece in pieces:
        if held >= needed:
            break
        chosen[piece.window] = piece
        held += piece.work_s
    return chosen


def _restarts(job: JobView, chosen: dict[Window, _Piece]) -> int:
    """How often a job would be started or change its worker count."""
    restarts = 0
    before_end: float | None = None
    before: tuple[str | None, int] = (job.running_on, job.running_workers)
    for window, piece in sorted(chosen.items(), key=lambda item: item[0]):
        carried_on = before_end is None or before_end == window.start_at
        if not carried_on or before != (piece.way.site, piece.way.workers):
            restarts += 1
        before, before_end = (piece.way.site, piece.way.workers), window.end_at
    return restarts
