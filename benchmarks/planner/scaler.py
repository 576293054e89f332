"""One elastic job at a time, planned by CarbonScaler's greedy and by ours, above the least possible."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.planner.data import Floats, Hours, wanted, zones_2022
from benchmarks.table import Figure
from tidewatt.domain.signal import Forecast, ForecastWindow, Quality, Reading, Signal
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.domain.units import HOUR_S
from tidewatt.forecast import hourly
from tidewatt.policy import cheapest
from tidewatt.policy.hull import Way, segments

ZONES = ("AU-SA", "US-CAL-CISO", "DE")
DEADLINES_H = (24, 36, 48)
WORK_H = 24.0
KNOWN_36H = {
    "densenet121": (0.2, 0.3, 0.2),
    "mobilenet_v2": (4.2, 0.9, 1.1),
    "resnet18": (3.0, 4.3, 4.1),
    "vgg16": (9.5, 1.4, 0.4),
    "efficientnet_b1": (7.4, 8.5, 10.5),
    "resnet50": (7.9, 9.1, 10.2),
}
"""Mean excess of the greedy over the hull bound, percent, as found elsewhere, in the order of ZONES."""
_HISTORY_H = 16 * 24
_DONE = 1e-9


@dataclass(frozen=True, slots=True)
class Profile:
    """Hours of work done in an hour, and watts drawn, with 1, 2, ... workers."""

    speedup: tuple[float, ...]
    watts: tuple[float, ...]


Expect = Callable[[int, int], Floats]
"""What is expected, at an hour of the year, of so many hours from it on."""
Paid = Callable[[Profile, Floats, Expect, int, int], float]
"""Grams that a job takes: its profile, the year's hours, what is expected, its start, its deadline in h."""


def measure(data: Path, *, quick: bool = False) -> list[Figure]:
    """Excess over the hull bound, with a perfect forecast and with ours; ``quick`` takes every 60th day."""
    hours, profiles = zones_2022(data), _profiles(data)
    days = range(17, 365 - 3, 60 if quick else 7)
    figures = list(_perfect(hours, profiles, days))
    return [*figures, *_imperfect(hours, profiles, days)]


def _perfect(hours: Hours, profiles: dict[str, Profile], days: range) -> Iterator[Figure]:
    known = np.mean([each for row in KNOWN_36H.values() for each in row])
    for deadline in DEADLINES_H:
        ours = _excess(hours, profiles, days, deadline, ours_paid, forecast=False)
        theirs = _excess(hours, profiles, days, deadline, greedy_paid, forecast=False)
        source = f"{deadline} h deadline, true forecast; peer: CarbonScaler's greedy"
        peer = float(theirs.mean())
        yield _figure(f"hull_excess_{deadline}h_pct", ours, source, peer)
        if deadline == 36:
            yield _figure(
                "carbonscaler_excess_36h_pct", theirs, "the peer itself; peer: as known", float(known)
            )


def _imperfect(hours: Hours, profiles: dict[str, Profile], days: range) -> Iterator[Figure]:
    once = _excess(hours, profiles, days, 36, greedy_paid, forecast=True)
    again = _excess(hours, profiles, days, 36, greedy_again_paid, forecast=True)
    ours = _excess(hours, profiles, days, 36, ours_paid, forecast=True)
    source = "36 h deadline, forecast of the past alone"
    yield _figure(
        "forecast_excess_36h_pct", ours, f"{source}; peer: the greedy, planned once", float(once.mean())
    )
    yield _figure(
        "forecast_excess_replanned_36h_pct", ours, f"{source}; peer: the greedy, hourly", float(again.mean())
    )


def _excess(
    hours: Hours, profiles: dict[str, Profile], days: range, deadline: int, paid: Paid, *, forecast: bool
) -> Floats:
    """Percent over the hull bound of every profile, zone and day."""
    found: list[float] = []
    for zone in ZONES:
        actual = hours.of(zone)
        expect = (
            forecaster(actual, zone) if forecast else lambda at, count, actual=actual: actual[at : at + count]
        )
        for profile in profiles.values():
            for day in days:
                start = day * 24
                bound = hull_bound(profile, actual[start : start + deadline], WORK_H)
                found.append(100 * (paid(profile, actual, expect, start, deadline) / bound - 1))
    return np.array(found)


def hull_bound(profile: Profile, prices: Floats, work: float) -> float:
    """The least cost of so much work: segments of the lower convex hull, of all hours, by price."""
    steps = segments(
        Way("", n + 1, s, w) for n, (s, w) in enumerate(zip(profile.speedup, profile.watts, strict=True))
    )
    price = np.outer(prices, [s.price for s in steps]).ravel()
    speed = np.tile([s.speed for s in steps], prices.size)
    order = np.argsort(price, kind="stable")
    before = np.concatenate(([0.0], np.cumsum(speed[order])[:-1]))
    taken = np.clip(work - before, 0.0, speed[order])
    return float((taken * price[order]).sum())


def greedy(profile: Profile, prices: Floats, work: float) -> list[int]:
    """CarbonScaler's plan: worker counts by hour, one step at a time by work per gram, until it is enough."""
    speedup, watts = (0.0, *profile.speedup), (0.0, *profile.watts)
    counts = [0] * prices.size

    def worth(hour: int, count: int) -> float:
        cost = (watts[count] - watts[count - 1]) * float(prices[hour])
        return (speedup[count] - speedup[count - 1]) / max(cost, 1e-12)

    queue = [(-worth(hour, 1), hour) for hour in range(prices.size)]
    heapq.heapify(queue)
    left = work
    while left > _DONE and queue:
        _, hour = heapq.heappop(queue)
        counts[hour] += 1
        left -= speedup[counts[hour]] - speedup[counts[hour] - 1]
        if counts[hour] + 1 < len(speedup):
            heapq.heappush(queue, (-worth(hour, counts[hour] + 1), hour))
    return counts


def greedy_paid(profile: Profile, actual: Floats, expect: Expect, start: int, deadline: int) -> float:
    """Grams of the greedy plan, made once from what is expected at the start."""
    counts = greedy(profile, expect(start, deadline), WORK_H)
    left, paid = WORK_H, 0.0
    for hour, count in enumerate(counts):
        paid, left = _run(profile, count, float(actual[start + hour]), paid, left)
    return paid


def greedy_again_paid(profile: Profile, actual: Floats, expect: Expect, start: int, deadline: int) -> float:
    """Grams of the greedy plan, made anew each hour."""
    left, paid = WORK_H, 0.0
    for hour in range(deadline):
        count = greedy(profile, expect(start + hour, deadline - hour), left)[0] if left > _DONE else 0
        paid, left = _run(profile, count, float(actual[start + hour]), paid, left)
    return paid


def ours_paid(profile: Profile, actual: Floats, expect: Expect, start: int, deadline: int) -> float:
    """Grams of what the default policy does, asked each hour as the live loop asks it."""
    left, paid, running = WORK_H, 0.0, 0
    for hour in range(deadline):
        if left <= _DONE:
            break
        now = (start + hour) * HOUR_S
        values = expect(start + hour, deadline - hour).tolist()
        windows = tuple(ForecastWindow(now + i * HOUR_S, v, v, v) for i, v in enumerate(values))
        job = _view(profile, left, (start + deadline) * HOUR_S, running)
        snapshot = Snapshot(
            now=now,
            sites=(Site("here", "Z", len(profile.watts)),),
            forecasts=(Forecast("Z", now, "benchmark", windows),),
            jobs=(job,),
        )
        running, until = 0, now
        for assignment in cheapest.decide(snapshot).of("job"):
            if assignment.start_at >= now + HOUR_S:
                break
            running, until = assignment.workers, assignment.end_at
            part = (until - assignment.start_at) / HOUR_S
            paid, left = _run(profile, running, float(actual[start + hour]), paid, left, part)
        running = running if until == now + HOUR_S else 0
    return paid


def _run(
    profile: Profile, count: int, intensity: float, paid: float, left: float, part: float = 1.0
) -> tuple[float, float]:
    """A part of an hour with so many workers, or as much of it as the work needs."""
    if not count or left <= _DONE:
        return paid, left
    part = min(part, left / profile.speedup[count - 1])
    return paid + intensity * profile.watts[count - 1] * part, left - part * profile.speedup[count - 1]


def _view(profile: Profile, left: float, deadline_at: float, running: int) -> JobView:
    return JobView(
        id="job",
        submitted_at=0.0,
        deadline_at=deadline_at,
        least=1,
        most=len(profile.watts),
        zones=("Z",),
        home_zone="Z",
        cpus_per_worker=1,
        suspendable=True,
        remaining=Remaining(left * HOUR_S, left * HOUR_S),
        speedup=profile.speedup,
        safe_speedup=profile.speedup,
        watts=profile.watts,
        restart_s=0.0,
        running_on="here" if running else None,
        running_workers=running,
    )


def forecaster(actual: Floats, zone: str) -> Expect:
    """The fallback forecast, from the hours that have ended."""

    @cache
    def issued(at: int) -> Floats:
        past = actual[max(0, at - _HISTORY_H) : at]
        first = at - past.size
        readings = tuple(
            Reading((first + i) * HOUR_S, v, v, v, "benchmark", Quality.MEASURED)
            for i, v in enumerate(past.tolist())
        )
        made = hourly.forecast(Signal(zone, readings), at * HOUR_S, max(DEADLINES_H) * HOUR_S)
        return np.array([window.mean for window in made.windows])

    return lambda at, count: issued(at)[:count]


def _profiles(data: Path) -> dict[str, Profile]:
    raw: dict[str, Any] = yaml.safe_load(
        wanted(data / "profiles" / "carbonadvisor_scale_profile.yaml").read_text()
    )
    made: dict[str, Profile] = {}
    for name, profile in raw.items():
        by_count = profile["replicas"]
        one = by_count[1]["throughput"]
        counts = sorted(by_count)
        made[name] = Profile(
            tuple(by_count[n]["throughput"] / one for n in counts),
            tuple(by_count[n]["power"] for n in counts),
        )
    return made


def _figure(name: str, values: Floats, source: str, peer: float) -> Figure:
    return Figure(
        name=name,
        value=float(values.mean()),
        unit="%",
        peer=peer,
        source=source,
        n=values.size,
        spread=f"median {np.median(values):.2f}, worst {values.max():.1f}",
    )
