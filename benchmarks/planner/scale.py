"""How the cost of planning grows: the offline optimum of many jobs, and one re-plan of those that live."""

import math
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, vstack

from benchmarks.table import Figure, median
from tidewatt.domain.signal import Forecast, ForecastWindow
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.domain.units import HOUR_S
from tidewatt.policy import cheapest
from tidewatt.policy.flow import Supply, Workload, optimum

_SITES, _HOURS, _GROUPS, _HORIZON_H, _LIVE = 10, 168, 5, 48, 1_000
_SPARE = 1.5
"""Capacity of all sites over the mean load."""
_NOW = 460_000 * HOUR_S
_SPEEDUP = (1.0, 1.9, 2.7, 3.4)
_WATTS = (100.0, 195.0, 290.0, 385.0)
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """Seconds of each repetition, the cost found and its error, and the process's peak memory in MB."""

    seconds: tuple[float, ...]
    cost: float
    cost_error: float
    peak_mb: float


def measure(data: Path, *, quick: bool = False) -> list[Figure]:
    """All figures, from random instances; ``data`` is not needed."""
    del data
    sizes = (1_000, 10_000) if quick else (1_000, 10_000, 100_000)
    planned = {count: _alone(count, 1 if quick or count > 10_000 else 5) for count in sizes}
    return [*_plans(planned), _growth(planned), _replans(3 if quick else 30)]


def _plans(planned: dict[int, Planned]) -> list[Figure]:
    figures: list[Figure] = []
    for count, result in planned.items():
        value, spread = median(result.seconds)
        name = f"plan_{count // 1000}k"
        source = f"{count:,} jobs x {_SITES} sites x {_HOURS} h, capacity {_SPARE:g} x the mean load"
        peer = _by_highs(count, result) if count == 1_000 else None
        figures += [
            Figure(
                name=f"{name}_s",
                value=value,
                unit="s",
                source=source if peer is None else f"{source}; peer: the same network in HiGHS, same cost",
                n=len(result.seconds),
                peer=peer,
                spread=spread,
            ),
            Figure(
                name=f"{name}_memory_mb",
                value=result.peak_mb,
                unit="MB",
                source=f"{source}; peak of a process that does this alone",
                n=1,
            ),
        ]
    return figures


def _growth(planned: dict[int, Planned]) -> Figure:
    """The exponent of n from the fewest jobs to the most, beside that of n log n over the same range."""
    few, many = min(planned), max(planned)
    ratio = median(planned[many].seconds)[0] / median(planned[few].seconds)[0]
    allowed = many * math.log(many) / (few * math.log(few))
    return Figure(
        name="plan_growth_exponent",
        value=math.log(ratio) / math.log(many / few),
        unit="",
        source=f"seconds as a power of jobs, {few:,} to {many:,}; peer: n log n",
        n=len(planned),
        peer=math.log(allowed) / math.log(many / few),
    )


def _alone(count: int, repetitions: int) -> Planned:
    """Plan in a fresh process, so that its memory is its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(planned, count, repetitions).result()


def planned(count: int, repetitions: int) -> Planned:
    """Plan the instance of so many jobs, after a small one that loads the solver."""
    optimum(*instance(10))
    jobs, sites = instance(count)
    seconds: list[float] = []
    for _ in range(repetitions):
        begun = perf_counter()
        found = optimum(jobs, sites)
        seconds.append(perf_counter() - begun)
    return Planned(seconds=tuple(seconds), cost=found.cost, cost_error=found.cost_error, peak_mb=peak_mb())


def peak_mb() -> float:
    """The most memory this process has held; getrusage would count that of the one it was started from."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def instance(count: int) -> tuple[Workload, Supply]:
    """Jobs of 1 to 24 h (log-uniform, to the minute) on 1, 2, 4 or 8 processors, released and due at random.

    Only a job of one hour can share a node with another: this is the dear case. One residency group may go
    anywhere, the others to about 6 of 10 sites.
    """
    draw = np.random.default_rng(count)
    length = np.ceil(np.exp(draw.uniform(0, np.log(24), count)) * 60) / 60
    width = draw.choice(np.array([1, 2, 4, 8]), count)
    needed = np.ceil(length).astype(np.int64)
    release = draw.integers(0, _HOURS - needed + 1)
    work = length * width
    permitted = draw.random((_GROUPS, _SITES)) < 0.6
    permitted[0] = True
    permitted[:, 0] = True
    jobs = Workload(
        hours=work,
        width=width,
        release=release,
        deadline=draw.integers(release + needed, _HOURS + 1),
        group=draw.integers(0, _GROUPS, count),
    )
    processors = math.ceil(_SPARE * float(work.sum()) / _HOURS / _SITES)
    return jobs, Supply(
        price=_tide(draw, _HOURS),
        capacity=np.full((_SITES, _HOURS), processors),
        pue=draw.uniform(1.05, 1.6, _SITES),
        permitted=permitted,
    )


def _tide(draw: np.random.Generator, hours: int) -> Floats:
    """Intensities of each site: a daily wave about a level of its own, with noise, gCO2e/kWh."""
    level = draw.uniform(150, 500, (_SITES, 1))
    phase = 2 * np.pi * (np.arange(hours) / 24 + draw.random((_SITES, 1)))
    noise = draw.normal(0, 0.1, (_SITES, hours))
    return np.asarray(level * np.maximum(0.05, 1 + 0.4 * np.sin(phase) + noise), dtype=np.float64)


def _by_highs(count: int, ours: Planned) -> float:
    """Seconds that HiGHS needs for job -> (group, hour) -> (site, hour), as a sparse linear programme.

    Raises:
        RuntimeError: it found another optimum.
    """
    jobs, sites = instance(count)
    begun = perf_counter()
    owner = np.repeat(np.arange(count), jobs.deadline - jobs.release)
    hour = np.concatenate([np.arange(r, d) for r, d in zip(jobs.release, jobs.deadline, strict=True)])
    group, site, at = (index.ravel() for index in np.indices((_GROUPS, _SITES, _HOURS)))
    first = np.arange(owner.size)
    second = owner.size + np.arange(group.size)
    total = owner.size + group.size

    def rows(row: NDArray[np.int64], column: NDArray[np.int64], height: int, sign: float = 1.0) -> csr_matrix:
        return csr_matrix((np.full(row.size, sign), (row, column)), shape=(height, total))

    nodes = _GROUPS * _HOURS
    into = rows(jobs.group[owner] * _HOURS + hour, first, nodes)
    out = rows(group * _HOURS + at, second, nodes, -1.0)
    price = (sites.price * sites.pue[:, None])[site, at]
    most = np.where(sites.permitted[group, site], np.inf, 0.0)
    found = linprog(
        np.concatenate((np.zeros(owner.size), price)),
        A_ub=rows(site * _HOURS + at, second, _SITES * _HOURS),
        b_ub=sites.capacity.ravel(),
        A_eq=vstack([rows(owner, first, count), into + out]),
        b_eq=np.concatenate((jobs.hours, np.zeros(nodes))),
        bounds=np.stack((np.zeros(total), np.concatenate((jobs.width[owner], most))), axis=1),
        method="highs",
    )
    seconds = perf_counter() - begun
    if found.status != 0 or abs(found.fun - ours.cost) > ours.cost_error + 1e-6 * abs(ours.cost):
        raise RuntimeError(f"HiGHS found {found.fun} ({found.message}), the flow {ours.cost}")
    return seconds


def _replans(count: int) -> Figure:
    """The default policy on snapshots drawn anew, the worst hundredth of them."""
    seconds: list[float] = []
    for seed in range(count):
        snapshot = live(seed)
        begun = perf_counter()
        cheapest.decide(snapshot)
        seconds.append(perf_counter() - begun)
    value, _ = median(seconds)
    return Figure(
        name="replan_p99_ms",
        value=1000 * float(np.percentile(seconds, 99)),
        unit="ms",
        source=f"{_LIVE:,} live jobs x {_SITES} sites x {_HORIZON_H} h, {cheapest.NAME}, random snapshots",
        n=count,
        spread=f"median {1000 * value:.0f}, worst {1000 * max(seconds):.0f}",
    )


def live(seed: int) -> Snapshot:
    """A snapshot of jobs due within the horizon, half of them running, with capacity to spare."""
    draw = np.random.default_rng(seed)
    zones = tuple(f"Z{place}" for place in range(_SITES))
    sites = tuple(
        Site(f"site-{zone}", zone, _LIVE // 4, pue)
        for zone, pue in zip(zones, draw.uniform(1.05, 1.6, _SITES).tolist(), strict=True)
    )
    forecasts = tuple(
        Forecast(zone, _NOW, "random", _windows(means))
        for zone, means in zip(zones, _tide(draw, _HORIZON_H).tolist(), strict=True)
    )
    jobs = tuple(_live_job(number, draw, sites) for number in range(_LIVE))
    return Snapshot(now=_NOW, sites=sites, forecasts=forecasts, jobs=jobs)


def _windows(means: Sequence[float]) -> tuple[ForecastWindow, ...]:
    return tuple(ForecastWindow(_NOW + i * HOUR_S, m, 0.8 * m, 1.2 * m) for i, m in enumerate(means))


def _live_job(number: int, draw: np.random.Generator, sites: tuple[Site, ...]) -> JobView:
    length = float(np.exp(draw.uniform(np.log(0.25), np.log(12))))
    allowed = tuple(site for site in sites if draw.random() < 0.6) or sites[:1]
    most = int(draw.integers(1, 5))
    running = allowed[0].name if draw.random() < 0.5 else None
    return JobView(
        id=f"job-{number}",
        submitted_at=_NOW - number,
        deadline_at=_NOW + float(draw.uniform(length + 1, _HORIZON_H)) * HOUR_S,
        least=1,
        most=most,
        zones=tuple(site.zone for site in allowed),
        home_zone=allowed[0].zone,
        cpus_per_worker=1,
        suspendable=True,
        remaining=Remaining(0.9 * length * HOUR_S, length * HOUR_S),
        speedup=_SPEEDUP[:most],
        safe_speedup=_SPEEDUP[:most],
        watts=_WATTS[:most],
        restart_s=30.0,
        running_on=running,
        running_workers=1 if running else 0,
    )
