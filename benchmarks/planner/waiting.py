"""The semi-weekly scenario of "Let's Wait Awhile" (Wiesner et al., Middleware 2021), on other data."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.planner.data import zones_2022
from benchmarks.planner.play import Issued, PlayedJob, at_once, least, played
from benchmarks.table import Figure
from tidewatt.forecast.hourly import Hourly

PUBLISHED = {"GB": 20.0, "DE": 18.5, "FR": 13.9}
"""Saving of the interrupting strategy there, percent, with data of 2020 and the true future."""
JOBS = 300
_OPENS_H, _CLOSES_H = 9, 17
_REVIEWS = (0, 3)
"""Monday and Thursday."""
_SHORTEST_H, _LONGEST_H = 4, 96
_HISTORY_DAYS, _LAST_DAYS = 17, 10


def measure(data: Path, *, quick: bool = False) -> list[Figure]:
    """Saving with our forecast in each zone, beside what knowing the future saves."""
    hours = zones_2022(data)
    jobs = semi_weekly(hours.start_at, hours.values.shape[1])[:: 30 if quick else 1]
    figures: list[Figure] = []
    for zone, published in PUBLISHED.items():
        actual = hours.of(zone)
        issued = Issued(actual, Hourly())
        now = sum(at_once(job, actual) for job in jobs)
        best = 100 * (1 - sum(least(job, actual) for job in jobs) / now)
        ours = 100 * (1 - sum(played(job, actual, issued) for job in jobs) / now)
        figures.append(
            Figure(
                name=f"waiting_{zone.lower()}_pct",
                value=ours,
                unit="%",
                source=f"saved over running now, our forecast; peer: true future; published {published:g}",
                n=len(jobs),
                peer=best,
                spread=f"{100 * ours / best:.1f} % of it captured",
            )
        )
    return figures


def semi_weekly(start_at: float, hours: int, seed: int = 1) -> list[PlayedJob]:
    """Trainings of 4 to 96 h, submitted in working hours, that have to be done at a review.

    The reviews are on Mondays and Thursdays at 9; a training is due at the first one after it would have
    been done if it had not waited.
    """
    draw = np.random.default_rng(seed)
    begin = datetime.fromtimestamp(start_at, UTC)
    days = hours // 24
    jobs: list[PlayedJob] = []
    while len(jobs) < JOBS:
        day = begin + timedelta(days=int(draw.integers(_HISTORY_DAYS, days - _LAST_DAYS)))
        submitted = day.replace(hour=int(draw.integers(_OPENS_H, _CLOSES_H)), minute=int(draw.integers(60)))
        if submitted.weekday() > 4:
            continue
        length = timedelta(hours=float(draw.uniform(_SHORTEST_H, _LONGEST_H)))
        arrival_s = (submitted - begin).total_seconds()
        due_s = (_review_after(submitted + length) - begin).total_seconds()
        jobs.append(PlayedJob(arrival_s=arrival_s, length_s=length.total_seconds(), deadline_s=due_s))
    return jobs


def _review_after(instant: datetime) -> datetime:
    review = instant.replace(hour=_OPENS_H, minute=0, second=0, microsecond=0)
    while review < instant or review.weekday() not in _REVIEWS:
        review += timedelta(days=1)
    return review
