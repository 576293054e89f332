"""Worker counts worth using, and what each further step of work costs.

Between two worker counts a job can spend part of a window at each, so every point on the line between
them is reachable, and a count above the lower convex hull of power over speed is never worth using.
Going by hull segments instead of by single steps is what keeps a greedy choice from stopping at the
first bad step when measured marginal power is not monotone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Segment:
    """Going up to ``workers``: the speed gained, and the power for each unit of it."""

    workers: int
    speed: float
    watts_per_speed: float


def segments(speedup: Sequence[float], watts: Sequence[float], least: int, most: int) -> list[Segment]:
    """Segments of the lower convex hull from standing still to ``most`` workers.

    Args:
        speedup: throughput with 1, 2, ... workers over that with one.
        watts: mean power at the same counts.
        least: the smallest count that the job accepts.
        most: the largest count to consider.

    Returns:
        Segments whose ``watts_per_speed`` never falls from one to the next.
    """
    points = [(0.0, 0.0, 0)] + [(speedup[n - 1], watts[n - 1], n) for n in range(least, most + 1)]
    hull: list[tuple[float, float, int]] = []
    for point in points:
        if hull and point[0] <= hull[-1][0]:
            continue  # more workers that are no faster
        while len(hull) > 1 and _slope(hull[-2], point) <= _slope(hull[-2], hull[-1]):
            hull.pop()
        hull.append(point)
    return [
        Segment(after[2], after[0] - before[0], _slope(before, after)) for before, after in pairwise(hull)
    ]


def _slope(a: tuple[float, float, int], b: tuple[float, float, int]) -> float:
    return (b[1] - a[1]) / (b[0] - a[0])
