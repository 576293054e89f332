"""Smooth curves through points, as SVG path data, that never overshoot the points."""

from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, float]


def smooth(points: Sequence[Point]) -> str:
    """Path data of a monotone cubic through points in order of x, without the leading move.

    Tangents are those of Fritsch and Carlson in the harmonic form (Fritsch and Butland 1984): flat at
    every extreme, so that a curve of hourly means shows no peak that was not there.
    """
    first, *_ = points
    path = [f"{first[0]:.1f},{first[1]:.1f}"]
    slopes = _tangents(points)
    for ((x0, y0), (x1, y1)), (m0, m1) in zip(pairwise(points), pairwise(slopes), strict=True):
        third = (x1 - x0) / 3
        leave, arrive = (x0 + third, y0 + m0 * third), (x1 - third, y1 - m1 * third)
        path.append("C" + " ".join(f"{x:.1f},{y:.1f}" for x, y in (leave, arrive, (x1, y1))))
    return " ".join(path)


def line(points: Sequence[Point]) -> str:
    """An open curve."""
    return f"M{smooth(points)}"


def area(points: Sequence[Point], floor: float) -> str:
    """The region between a curve and a floor, closed."""
    return f"M{smooth(points)} L{points[-1][0]:.1f},{floor:.1f} L{points[0][0]:.1f},{floor:.1f} Z"


def band(upper: Sequence[Point], lower: Sequence[Point]) -> str:
    """The region between two curves over the same x, closed."""
    return f"M{smooth(upper)} L{smooth(lower[::-1])} Z"


def _tangents(points: Sequence[Point]) -> list[float]:
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(points)]
    inner = [0.0 if s * t <= 0 else 2 * s * t / (s + t) for s, t in pairwise(slopes)]
    return [0.0, *inner, 0.0]
