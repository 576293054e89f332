"""The literature's bounds on shifting in place and time, reproduced, and what elasticity adds to them.

Definitions are those of "On the Limitations of Carbon-Aware Temporal and Spatial Workload Shifting in the
Cloud" (EuroSys 2024) as its artefact computes them: 123 zones, hourly life-cycle intensities of 2022, plain
means over zones.
"""

import heapq
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.planner.data import Floats, zones_2022
from benchmarks.table import Figure

_WEEK_H = 168


def measure(data: Path, *, quick: bool = False) -> list[Figure]:
    """All figures; ``quick`` looks at every 24th arrival."""
    hours = zones_2022(data).values
    return [*_places(hours), *_times(hours, 24 if quick else 1), *_elastic(hours, 24 if quick else 6)]


def _places(hours: Floats) -> Iterator[Figure]:
    mean, n = float(hours.mean()), hours.size
    yearly = hours.mean(axis=1)
    yield _figure("paper_lowest_zone_pct", 1 - yearly.min() / mean, 95.68, "the lowest yearly mean", n)
    best = hours.min(axis=0).mean()
    yield _figure("paper_greenest_hour_pct", 1 - best / mean, 95.98, "the greenest zone of each hour", n)
    for idle, known in ((0.1, 12.53), (0.5, 51.50), (0.9, 92.96)):
        name, source = f"paper_idle_{idle:.0%}_pct".replace("%", ""), f"{idle:.0%} of every zone is idle"
        yield _figure(name, 1 - filled(yearly, idle) / mean, known, source, n)


def filled(yearly: Floats, idle: float) -> float:
    """Mean intensity of all work when it moves to the zones of lowest mean, each with so much capacity idle.

    As the artefact counts: as many units in each zone as there are zones, whole units, zones filled in order.
    """
    count = yearly.size
    used = int(count * (1 - idle))
    return float(np.sort(yearly)[:used].mean())


def _times(hours: Floats, every: int) -> Iterator[Figure]:
    n = hours[:, ::every].size
    for length, slack, known in ((_WEEK_H, 24, 2.71), (1, 24, 15.59), (24, 24, 8.61)):
        _, suspended = shifted(hours, length, slack, every)
        source = f"{length} h of work, {slack} h of slack, interrupted"
        yield _figure(f"paper_{length}h_{slack}h_pct", suspended, known, source, n)
    deferred, suspended = shifted_all_year(hours, _WEEK_H, every)
    source = f"{_WEEK_H} h of work, a year of slack"
    yield _figure("paper_year_deferred_pct", deferred, 18.94, f"{source}, in one piece", n)
    yield _figure("paper_year_interrupted_pct", suspended, 30.51, f"{source}, interrupted", n)


def shifted(hours: Floats, length: int, slack: int, every: int) -> tuple[float, float]:
    """Shares saved by deferring, and by deferring and interrupting, as means over arrivals.

    An arrival counts if its work fits into the year; windows are clipped at the year's end.
    """
    arrivals = np.arange(0, hours.shape[1] - length + 1, every)
    padded = np.pad(hours, ((0, 0), (0, slack)), constant_values=np.inf)
    sums = sliding_window_view(hours, length, axis=1).sum(axis=2)
    base = sums[:, arrivals]
    starts = np.pad(sums, ((0, 0), (0, slack)), constant_values=np.inf)
    defer = sliding_window_view(starts, slack + 1, axis=1).min(axis=2)[:, arrivals]
    inter = np.empty_like(base)
    for zone, row in enumerate(padded):
        windows = sliding_window_view(row, length + slack)[arrivals]
        kth = min(length - 1, length + slack - 1)
        inter[zone] = np.partition(windows, kth, axis=1)[:, :length].sum(axis=1)
    return _saved(base, defer), _saved(base, inter)


def shifted_all_year(hours: Floats, length: int, every: int) -> tuple[float, float]:
    """The same where the work may wait until the year ends."""
    arrivals = np.arange(0, hours.shape[1] - length + 1, every)
    sums = sliding_window_view(hours, length, axis=1).sum(axis=2)
    defer = np.minimum.accumulate(sums[:, ::-1], axis=1)[:, ::-1]
    inter = np.array([_cheapest_after(row, length) for row in hours.tolist()])
    return _saved(sums[:, arrivals], defer[:, arrivals]), _saved(sums[:, arrivals], inter[:, arrivals])


def _cheapest_after(row: list[float], count: int) -> Floats:
    """Of each hour that has so many from it on, the sum of the lowest of those."""
    kept = [-value for value in row[-count:]]  # a heap with the dearest hour kept at its top
    heapq.heapify(kept)
    total = -sum(kept)
    result = np.empty(len(row) - count + 1)
    result[-1] = total
    for hour in range(len(row) - count - 1, -1, -1):
        total += row[hour] + heapq.heappushpop(kept, -row[hour])
        result[hour] = total
    return result


def _elastic(hours: Floats, every: int) -> Iterator[Figure]:
    known = {
        (_WEEK_H, 0): (10.1, 16.0, 19.7),
        (_WEEK_H, 24): (11.7, 17.1, 20.6),
        (_WEEK_H, 168): (17.1, 21.2, 24.1),
        (24, 24): (13.6, 16.3, 17.8),
    }
    for (length, slack), published in known.items():
        for most, peer in zip((2, 4, 8), published, strict=True):
            source = f"{length} h of work, {slack} h of slack, up to {most} workers"
            share = elastic(hours, length, slack, most, every)
            yield _figure(
                f"paper_elastic_{length}h_{slack}h_{most}", share, peer, source, hours.size // every
            )


def elastic(hours: Floats, length: int, slack: int, most: int, every: int) -> float:
    """Share saved by up to ``most`` workers, linear speed-up, in the cheapest hours; whole hours are used."""
    arrivals = np.arange(0, hours.shape[1] - length + 1, every)
    base = sliding_window_view(hours, length, axis=1)[:, arrivals].sum(axis=2)
    padded = np.pad(hours, ((0, 0), (0, slack)), constant_values=np.inf)
    used = length // most
    best = np.empty_like(base)
    for zone, row in enumerate(padded):
        windows = sliding_window_view(row, length + slack)[arrivals]
        best[zone] = most * np.partition(windows, used - 1, axis=1)[:, :used].sum(axis=1)
    return _saved(base, best)


def _saved(base: Floats, cost: Floats) -> float:
    """For each arrival what all zones save over what all need, then the mean over arrivals."""
    return float((1 - cost.sum(axis=0) / base.sum(axis=0)).mean())


def _figure(name: str, share: float, peer: float | None, source: str, n: int) -> Figure:
    return Figure(
        name=name,
        value=round(100 * float(share), 3),
        unit="%",
        peer=peer,
        source=f"{source}; peer: published",
        n=n,
    )
