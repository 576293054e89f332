"""The default policy: the cheapest windows by forecast that finish the work before the deadline.

Every window and worker count is a piece of work with a price (grams for each unit of work, from the
forecast, the overhead of the site and the hull of the job's scaling profile). Pieces are taken by price
until they hold all of the work. The plan is followed only if every deadline would still be within reach
after its first window; otherwise everything runs as soon as possible.
"""

from dataclasses import dataclass

from tidewatt.domain.plan import Assignment, Note, Plan
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.domain.units import HOUR_S
from tidewatt.policy import asap, guard
from tidewatt.policy.hull import Way, segments
from tidewatt.policy.prices import Prices
from tidewatt.policy.room import Room, Window, permitted, windows

NAME = "cheapest-windows"
_RESTART_ROUNDS = 4
_LEAN = 0.02


@dataclass(frozen=True, slots=True)
class _Piece:
    """Work that a window can hold at a price, on top of the cheaper pieces of the same window."""

    price: float
    window: Window
    way: Way
    work_s: float


def decide(snapshot: Snapshot) -> Plan:
    """The plan for all jobs, earliest deadline first."""
    room, prices = Room(snapshot.sites), Prices(snapshot)
    late = guard.late(snapshot)
    assignments: list[Assignment] = []
    notes: list[Note] = []
    for job in sorted(snapshot.jobs, key=asap.urgency):
        if job.id in late and permitted(job, snapshot):
            placed, why = _now(job, snapshot, room, prices, permitted(job, snapshot)), "late: not waiting"
        else:
            placed, why = _place(job, snapshot, room, prices)
        assignments.extend(placed)
        notes.append(Note(job.id, why))
    plan = Plan(policy=NAME, issued_at=snapshot.now, assignments=tuple(assignments), notes=tuple(notes))
    if guard.keeps_deadlines(plan, snapshot):
        return plan
    urgent = asap.decide(snapshot)
    why = "running without waiting: a deadline would be out of reach after this hour"
    return Plan(
        policy=NAME,
        issued_at=snapshot.now,
        assignments=urgent.assignments,
        notes=tuple(Note(job.id, why) for job in snapshot.jobs),
    )


def _place(job: JobView, snapshot: Snapshot, room: Room, prices: Prices) -> tuple[list[Assignment], str]:
    """Assignments of one job, whose room is taken, and the reason in words."""
    sites = permitted(job, snapshot)
    if not sites:
        return [], "no site lies in a zone that it allows"
    settled = _why_stay(job)
    if settled:
        return _stay(job, snapshot, room), settled
    if job.remaining is None:
        return _probe(job, snapshot, room, prices, sites), "running to learn how long it takes"
    hurry = _nothing_to_wait_for(job, sites, prices)
    if hurry:
        return _now(job, snapshot, room, prices, sites), hurry
    if not job.suspendable:
        return _one_block(job, job.remaining, snapshot, room, prices)
    return _cheapest(job, job.remaining, snapshot, room, prices)


def _why_stay(job: JobView) -> str:
    """Why a running job is best left alone, empty if it may be moved."""
    if job.running_on is None:
        return ""
    if not job.suspendable:
        return "runs through once started"
    if job.remaining is not None and job.remaining.high_s <= job.restart_s:
        return "finishing: stopping would cost more than what is left"
    return ""


def _nothing_to_wait_for(job: JobView, sites: list[Site], prices: Prices) -> str:
    """Why waiting would not help, empty if it may."""
    if job.deadline_at is None:
        return "no deadline: nothing to wait for"
    if not any(prices.known(site) for site in sites):
        return "no signal for any permitted zone: not waiting blindly"
    return ""


def _stay(job: JobView, snapshot: Snapshot, room: Room) -> list[Assignment]:
    """Keep a job that cannot be suspended where it is."""
    site = job.running_on or ""
    left = job.remaining.high_s if job.remaining else HOUR_S
    result: list[Assignment] = []
    for window in windows(snapshot, snapshot.now + max(left, 1.0)):
        assignment = Assignment(job.id, site, job.running_workers, window.start_at, window.end_at)
        room.take(job, assignment, window)
        result.append(assignment)
    return result


def _probe(
    job: JobView, snapshot: Snapshot, room: Room, prices: Prices, sites: list[Site]
) -> list[Assignment]:
    """Run at the least count for the rest of this hour; the next plan knows more."""
    window = windows(snapshot, float("inf"), most=1)[0]
    for site in sorted(sites, key=lambda s: prices.at(s, window.start_at)):
        if room.workers(job, site, window):
            assignment = Assignment(job.id, site.name, job.least, window.start_at, window.end_at)
            room.take(job, assignment, window)
            return [assignment]
    return []


def _now(job: JobView, snapshot: Snapshot, room: Room, prices: Prices, sites: list[Site]) -> list[Assignment]:
    """As wide as there is room, from the first window that has any, where it is cheapest."""
    left = job.remaining.high_s if job.remaining else HOUR_S
    result: list[Assignment] = []
    for window in windows(snapshot, float("inf"), most=14 * 24):
        if left <= 0:
            break
        for site in sorted(sites, key=lambda s: _haste(job, s, room, prices, window)):
            count = room.fastest(job, site, window, job.speedup)
            if count:
                assignment = Assignment(job.id, site.name, count, window.start_at, window.end_at)
                room.take(job, assignment, window)
                result.append(assignment)
                left -= job.speedup[count - 1] * window.length_s
                break
    return result


def _haste(job: JobView, site: Site, room: Room, prices: Prices, window: Window) -> tuple[float, bool, float]:
    """Sorts sites by speed, then by whether the job is there, then by price."""
    count = room.fastest(job, site, window, job.speedup)
    speed = job.speedup[count - 1] if count else 0.0
    return (-speed, site.name != job.running_on, prices.at(site, window.start_at))


def _cheapest(
    job: JobView, remaining: Remaining, snapshot: Snapshot, room: Room, prices: Prices
) -> tuple[list[Assignment], str]:
    """Pieces by price until they hold the work, restarts included."""
    assert job.deadline_at is not None  # noqa: S101 - the caller knows
    span = windows(snapshot, job.deadline_at - job.restart_s)
    pieces = sorted(
        (piece for window in span for piece in _pieces(job, window, snapshot, room, prices)),
        key=lambda p: (p.price, p.window.start_at, p.way.workers),
    )
    chosen: dict[Window, _Piece] = {}
    needed = remaining.high_s
    for _ in range(_RESTART_ROUNDS):
        chosen, held = _take(pieces, needed)
        enough = remaining.high_s + _restarts(job, chosen) * job.restart_s
        if held < enough and len(chosen) == len({p.window for p in pieces}):
            break
        if needed >= enough:
            break
        needed = enough
    result: list[Assignment] = []
    for window, piece in sorted(chosen.items(), key=lambda item: item[0]):
        assignment = Assignment(job.id, piece.way.site, piece.way.workers, window.start_at, window.end_at)
        room.take(job, assignment, window)
        result.append(assignment)
    return result, f"the {len(result)} cheapest of {len(span)} hours before the deadline"


def _pieces(job: JobView, window: Window, snapshot: Snapshot, room: Room, prices: Prices) -> list[_Piece]:
    """What one window offers a job, over all sites that it may run on.

    In the present window prices lean towards what the job is doing already, by what a restart costs and
    a little more: nearly equal prices are no reason to stop, and a stop is no reason to start again.
    """
    ways: list[Way] = []
    for site in permitted(job, snapshot):
        price = prices.at(site, window.start_at)
        for count in range(job.least, room.workers(job, site, window) + 1):
            cost = price * job.watts[count - 1]
            if (site.name, count) == (
                job.running_on,
                job.running_workers,
            ) and window.start_at == snapshot.now:
                cost *= 1 - min(0.5, _LEAN + job.restart_s / HOUR_S)
            ways.append(Way(site.name, count, job.speedup[count - 1], cost))
    return [_Piece(s.price, window, s.way, s.speed * window.length_s) for s in segments(ways)]


def _take(pieces: list[_Piece], needed: float) -> tuple[dict[Window, _Piece], float]:
    """The cheapest pieces that hold so much work; of a window the largest piece taken counts."""
    chosen: dict[Window, _Piece] = {}
    held = 0.0
    for piece in pieces:
        if held >= needed:
            break
        chosen[piece.window] = piece
        held += piece.work_s
    return chosen, held


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


def _one_block(
    job: JobView, remaining: Remaining, snapshot: Snapshot, room: Room, prices: Prices
) -> tuple[list[Assignment], str]:
    """For a job that runs through: the cheapest start that is in time."""
    assert job.deadline_at is not None  # noqa: S101 - the caller knows
    best: tuple[float, list[tuple[Window, Assignment]]] = (float("inf"), [])
    for site in permitted(job, snapshot):
        span = windows(snapshot, job.deadline_at)
        for first in range(len(span)):
            block = _block(job, remaining.high_s + job.restart_s, span[first:], site, room)
            price = sum(prices.at(site, w.start_at) * w.length_s for w, _ in block)
            if block and price < best[0]:
                best = (price, block)
    if not best[1]:
        return _now(
            job, snapshot, room, prices, permitted(job, snapshot)
        ), "no block fits before the deadline"
    for window, assignment in best[1]:
        room.take(job, assignment, window)
    return [assignment for _, assignment in best[1]], "the cheapest start before the deadline"


def _block(
    job: JobView, needed: float, span: list[Window], site: Site, room: Room
) -> list[tuple[Window, Assignment]]:
    """Consecutive windows that hold the work at the least worker count, or none."""
    result: list[tuple[Window, Assignment]] = []
    held = 0.0
    for window in span:
        if not room.workers(job, site, window):
            return []
        result.append((window, Assignment(job.id, site.name, job.least, window.start_at, window.end_at)))
        held += job.speedup[job.least - 1] * window.length_s
        if held >= needed:
            return result
    return []
