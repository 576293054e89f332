"""Ways to run in one window that are worth using, and what each further step of work costs.

Between two ways of running a job can spend part of a window at each, so every point on the line between
them is reachable, and a way above the lower convex hull of cost over speed is never worth using. Going by
hull segments instead of by single steps is what keeps a greedy choice from stopping at the first bad step
when measured marginal power is not monotone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Way:
    """A site and a worker count: the speed it gives, and what each second of it costs."""

    site: str
    workers: int
    speed: float
    cost: float


@dataclass(frozen=True, slots=True)
class Segment:
    """Going up to a way of running: the speed gained, and the cost for each unit of it."""

    way: Way
    speed: float
    price: float


_STANDING_STILL = Way("", 0, 0.0, 0.0)


def segments(ways: Iterable[Way]) -> list[Segment]:
    """Segments of the lower convex hull from standing still to the fastest way.

    Args:
        ways: what a window offers; costs are finite and not negative, speeds above zero.

    Returns:
        Segments whose price never falls from one to the next.
    """
    hull = [_STANDING_STILL]
    for way in sorted(ways, key=lambda w: (w.speed, w.cost)):
        if way.speed <= hull[-1].speed:
            continue  # no faster than a cheaper one
        while len(hull) > 1 and _slope(hull[-2], way) <= _slope(hull[-2], hull[-1]):
            hull.pop()
        hull.append(way)
    return [Segment(b, b.speed - a.speed, _slope(a, b)) for a, b in pairwise(hull)]


def _slope(a: Way, b: Way) -> float:
    return (b.cost - a.cost) / (b.speed - a.speed)
