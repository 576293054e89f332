"""What came of playing a scenario by one policy."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tidewatt.domain.job import Attempt, Job
from tidewatt.domain.lifecycle import State
from tidewatt.domain.site import Site
from tidewatt.domain.units import HOUR_S, JOULES_PER_KWH
from tidewatt.ports import Store
from tidewatt.simulation.tally import Floats, Tally

_KILO = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The sums over all jobs that were accepted.

    ``carbon_g`` is operational and embodied, ``energy_kwh`` the facility's, ``cost`` electricity at
    hourly prices, or at the tariff of the site where there are none, and rent. ``wait_s`` is the mean time
    from a job's arrival to its end in which it was not at work.
    """

    policy: str
    accepted: int
    refused: int
    ended: int
    missed: int
    """Those that ended after their deadline, or failed."""
    starts: int
    carbon_g: float
    embodied_g: float
    """The part of it that is for making the machines, by the time that processors were reserved."""
    energy_kwh: float
    cost: float
    wait_s: float
    by_hour_of_day: tuple[float, ...]
    """Facility energy drawn in each hour of the day, UTC, kWh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What a watt comes to at each site: in carbon, and in money where prices are known by the hour."""

    carbon: Tally
    prices: Mapping[str, Tally]
    move_j: float = 0.0
    """Network energy of bringing a job's state to another site, drawn where it comes to."""


def measure(store: Store, policy: str, sites: Mapping[str, Site], bill: Bill, watts: float) -> Outcome:
    """Add up what the attempts at all jobs took.

    Args:
        store: in which the scenario was played.
        policy: that it was played by.
        sites: by name.
        bill: what watts come to in the time in which it was played.
        watts: what a busy processor draws.
    """
    jobs = store.jobs()
    attempts = {job.id: store.attempts(job.id) for job in jobs}
    operational_g = embodied_g = energy_kwh = cost = 0.0
    by_hour = np.zeros(24)
    for site in sites.values():
        start, end, cpus = _stretches(jobs, attempts, site)
        if not start.size:
            continue
        hours = (end - start) / HOUR_S * cpus
        drawn = hours * watts * site.pue / _KILO
        embodied_g += float(hours.sum() * site.embodied_g)
        operational_g += float((bill.carbon.each_watt(site.name, start, end) * cpus * watts).sum())
        energy_kwh += float(drawn.sum())
        prices = bill.prices.get(site.name)
        paid = (
            drawn * site.tariff if prices is None else prices.each_watt(site.name, start, end) * cpus * watts
        )
        cost += float(paid.sum() + hours.sum() * site.rent)
        by_hour += _by_hour(start, end, cpus) * watts * site.pue / _KILO
    moves = _moves(attempts.values())
    for site in sites.values():
        at = np.array([instant for place, instant in moves if place == site.name], dtype=np.float64)
        operational_g += float(bill.carbon.each_watt(site.name, at, at + 1.0).sum()) * bill.move_j / site.pue
    energy_kwh += len(moves) * bill.move_j / JOULES_PER_KWH
    ended = [job for job in jobs if job.state is State.SUCCEEDED]
    return Outcome(
        policy=policy,
        accepted=len(jobs),
        refused=0,
        ended=len(ended),
        missed=sum(_missed(job) for job in jobs),
        starts=sum(len(each) for each in attempts.values()),
        carbon_g=operational_g + embodied_g,
        embodied_g=embodied_g,
        energy_kwh=energy_kwh,
        cost=cost,
        wait_s=float(np.mean([_wait_s(job, attempts[job.id]) for job in ended])) if ended else 0.0,
        by_hour_of_day=tuple(by_hour.tolist()),
    )


def _stretches(
    jobs: list[Job], attempts: Mapping[str, list[Attempt]], site: Site
) -> tuple[Floats, Floats, Floats]:
    """Start, end and processors of every attempt at a site."""
    rows = [
        (attempt.started_at, attempt.ended_at, float(attempt.workers * job.function.cpus))
        for job in jobs
        for attempt in attempts[job.id]
        if attempt.site == site.name and attempt.ended_at is not None
    ]
    start, end, cpus = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    return start, end, cpus


def _moves(attempts: Iterable[list[Attempt]]) -> list[tuple[str, float]]:
    """Where to and when jobs went on at another site than before."""
    return [(b.site, b.started_at) for each in attempts for a, b in pairwise(each) if a.site != b.site]


def _by_hour(start: Floats, end: Floats, cpus: Floats) -> Floats:
    """Processor-hours in each hour of the day."""
    found = np.zeros(24)
    first, last = start // HOUR_S, np.ceil(end / HOUR_S)
    for ahead in range(int((last - first).max())):
        begin = np.maximum(start, (first + ahead) * HOUR_S)
        until = np.minimum(end, (first + ahead + 1) * HOUR_S)
        busy = np.maximum(0.0, until - begin) / HOUR_S * cpus
        np.add.at(found, ((first + ahead) % 24).astype(np.int64), busy)
    return found


def _missed(job: Job) -> bool:
    deadline_at = job.submission.deadline_at
    late = job.ended_at is None or (deadline_at is not None and job.ended_at > deadline_at)
    return late or job.state is not State.SUCCEEDED


def _wait_s(job: Job, attempts: list[Attempt]) -> float:
    at_work = sum((a.ended_at or a.started_at) - a.started_at for a in attempts)
    return (job.ended_at or 0.0) - job.submission.submitted_at - at_work
