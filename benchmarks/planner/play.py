"""Plays jobs one by one through real hours: the default policy decides anew in every hour of their lives."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.planner.data import Floats
from tidewatt.domain.signal import Forecast, ForecastWindow, Quality, Reading, Signal
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.domain.units import HOUR_S
from tidewatt.forecast.issue import issue
from tidewatt.forecast.series import Method
from tidewatt.policy import cheapest

FAR_H = 24 * 8
"""Hours that are looked ahead; no job played takes as long from its arrival to its deadline."""
_DONE_S = 1e-6

Foresee = Callable[[int], tuple[ForecastWindow, ...]]
"""At the start of an hour of the series, what is expected of the hours from it on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedJob:
    """A job; instants in seconds from the start of the series, ``length_s`` on one worker of ``cpus``."""

    arrival_s: float
    length_s: float
    deadline_s: float
    cpus: int = 1


def least(job: PlayedJob, actual: Floats, most: int = 1) -> float:
    """The least grams at 1 W for each processor: the cheapest seconds in which it may run."""
    hour = np.arange(int(job.arrival_s // HOUR_S), int(np.ceil(job.deadline_s / HOUR_S)))
    room = np.minimum((hour + 1) * HOUR_S, job.deadline_s) - np.maximum(hour * HOUR_S, job.arrival_s)
    price = actual[hour]
    order = np.argsort(price, kind="stable")
    done = np.cumsum(room[order] * most)
    used = room[order] * most - np.clip(done - job.length_s, 0, room[order] * most)
    return float((used * price[order]).sum()) * job.cpus / HOUR_S / 1000


def at_once(job: PlayedJob, actual: Floats) -> float:
    """Grams if it runs from its arrival on, on one worker."""
    return least(
        PlayedJob(
            arrival_s=job.arrival_s,
            length_s=job.length_s,
            deadline_s=job.arrival_s + job.length_s,
            cpus=job.cpus,
        ),
        actual,
    )


def played(job: PlayedJob, actual: Floats, foresee: Foresee, most: int = 1) -> float:
    """Grams of a job at 1 W for each processor, paid at the true intensity."""
    now, left_s, grams, running = job.arrival_s, job.length_s, 0.0, 0
    while left_s > _DONE_S:
        hour = int(now // HOUR_S)
        until = (hour + 1) * HOUR_S
        plan = cheapest.decide(_snapshot(job, now, left_s, running, most, foresee(hour)))
        running = 0
        for piece in plan.of("job"):
            if piece.start_at < until:
                busy_s = min(min(piece.end_at, until) - piece.start_at, left_s / piece.workers)
                left_s -= busy_s * piece.workers
                grams += busy_s * piece.workers * job.cpus * float(actual[hour]) / HOUR_S / 1000
                running = piece.workers if piece.end_at >= until else 0
        now = until
    return grams


def _snapshot(
    job: PlayedJob, now: float, left_s: float, running: int, most: int, windows: tuple[ForecastWindow, ...]
) -> Snapshot:
    speedup = tuple(float(n) for n in range(1, most + 1))
    view = JobView(
        id="job",
        submitted_at=job.arrival_s,
        deadline_at=job.deadline_s,
        least=1,
        most=most,
        zones=(),
        home_zone="here",
        cpus_per_worker=1,
        suspendable=True,
        remaining=Remaining(left_s, left_s),
        speedup=speedup,
        safe_speedup=speedup,
        watts=speedup,
        restart_s=0.0,
        running_on="here" if running else None,
        running_workers=running,
    )
    forecast = Forecast("here", now, "as given", windows)
    return Snapshot(now=now, sites=(Site("here", "here", most),), forecasts=(forecast,), jobs=(view,))


def truth(actual: Floats) -> Foresee:
    """Knowing every hour; past the end of the series, the last one again."""

    def foresee(hour: int) -> tuple[ForecastWindow, ...]:
        coming = actual[hour : hour + FAR_H].tolist()
        return tuple(ForecastWindow((hour + i) * HOUR_S, v, v, v) for i, v in enumerate(coming))

    return foresee


class Issued:
    """Forecasts by a method at the start of any hour, from the hours that have ended by then."""

    def __init__(self, actual: Floats, method: Method) -> None:
        self._method = method
        self._readings = tuple(
            Reading(hour * HOUR_S, value, value, value, "given", Quality.MEASURED)
            for hour, value in enumerate(actual.tolist())
        )
        self._issued: dict[int, tuple[ForecastWindow, ...]] = {}

    def __call__(self, hour: int) -> tuple[ForecastWindow, ...]:
        """The hours from this one on; each forecast is issued once."""
        if hour not in self._issued:
            known = Signal("here", self._readings[max(0, hour - self._method.reach_h) : hour])
            self._issued[hour] = issue(self._method, known, hour * HOUR_S, FAR_H * HOUR_S).windows
        return self._issued[hour]
