"""The windows of a planning horizon, and where and how wide a job may run in them."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import JobView, Snapshot
from tidewatt.domain.units import HOUR_S


class Window(NamedTuple):
    """An interval of planning: a whole hour, or the rest of the one that has begun."""

    start_at: float
    end_at: float

    @property
    def length_s(self) -> float:
        """How long it is."""
        return self.end_at - self.start_at


def windows(snapshot: Snapshot, until: float, most: int | None = None) -> list[Window]:
    """Windows from now on, ``most`` of them at most; the last one is cut off at ``until``.

    Hours begin where those of the forecasts do, since some grids are stamped at half past.
    """
    offset = next((f.windows[0].start_at % HOUR_S for f in snapshot.forecasts if f.windows), 0.0)
    return list(_windows(snapshot.now, offset, until, most))


@lru_cache(maxsize=64)
def _windows(now: float, offset: float, until: float, most: int | None) -> tuple[Window, ...]:
    """The same, kept for a while: one decision asks for them several times."""
    result: list[Window] = []
    start = now
    while start < until and (most is None or len(result) < most):
        end = (start - offset) // HOUR_S * HOUR_S + HOUR_S + offset
        if end <= start:  # rounding at the very edge of an hour
            end += HOUR_S
        result.append(Window(start, min(end, until)))
        start = end
    return tuple(result)


@lru_cache(maxsize=65_536)
def widest(least: int, most: int, speedup: tuple[float, ...]) -> int:
    """The worker count of those given that gets most done, the smallest of equals; 0 if there is none."""
    return max(range(least, most + 1), key=lambda n: (speedup[n - 1], -n), default=0)


def permitted(job: JobView, snapshot: Snapshot) -> list[Site]:
    """Sites in zones that the job allows; law 7 rests on this one function."""
    return [site for site in snapshot.sites if not job.zones or site.zone in job.zones]


def separable(widest_cpus: Iterable[int], sites: Iterable[Site]) -> bool:
    """Whether all jobs fit on every site at once, each with as many processors as it may use."""
    return sum(widest_cpus) <= min((site.cpus for site in sites), default=0)
