"""A thousand traced jobs played as GAIA (ASPLOS 2024) plays them, by the default policy, hour by hour."""

from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.planner.data import wanted, zones_2022
from benchmarks.planner.play import Issued, PlayedJob, least, played, truth
from benchmarks.table import Figure
from tidewatt.domain.units import HOUR_S
from tidewatt.forecast.hourly import Hourly

ZONE, FIRST_H, TICK_S = "AU-SA", 7000, 5
SHORT_S, SHORT_WAIT_S, LONG_WAIT_S = 2 * HOUR_S, 6 * HOUR_S, 24 * HOUR_S
CLAIRVOYANT = {1: 307.06, 4: 253.85}
"""Grams by GAIA's own simulator with the true future: suspend-resume, and with 4 times the processors."""
CAUSAL = {1: 359.29, 4: None}
"""The best policy there that knows no future: Ecovisor's threshold."""


def measure(data: Path, *, quick: bool = False) -> list[Figure]:
    """Grams with and without elasticity, knowing the future and not; ``quick`` takes every 20th job."""
    actual = zones_2022(data).of(ZONE)
    jobs = trace(data)[:: 20 if quick else 1]
    issued = Issued(actual, Hourly())
    figures: list[Figure] = []
    for most in (1, 4):
        suffix = "" if most == 1 else f"_{most}x"
        bound = sum(least(job, actual, most) for job in jobs)
        known = sum(played(job, actual, truth(actual), most) for job in jobs)
        causal = sum(played(job, actual, issued, most) for job in jobs)
        figures += [
            Figure(
                name=f"gaia_clairvoyant{suffix}_g",
                value=known,
                unit="g",
                source=f"our policy, true future, bound {bound:.2f}; peer: GAIA's Wait Awhile",
                n=len(jobs),
                peer=None if quick else CLAIRVOYANT[most],
                spread=f"{100 * (known / bound - 1):.2f} % above the bound: what the policy loses",
            ),
            Figure(
                name=f"gaia_causal{suffix}_g",
                value=causal,
                unit="g",
                source="our policy, forecasts from ended hours; peer: Ecovisor's threshold in GAIA",
                n=len(jobs),
                peer=None if quick else CAUSAL[most],
                spread=f"{100 * (causal / known - 1):.1f} % above knowing: what the forecast loses",
            ),
        ]
    return figures


def trace(data: Path) -> list[PlayedJob]:
    """The jobs of ``jobs/pai_1k.parquet``: arrivals and lengths floored to ticks; the short wait less."""
    table = pq.read_table(wanted(data / "jobs" / "pai_1k.parquet"))
    rows = zip(*(table[name].to_pylist() for name in ("arrival_s", "length_s", "cpus")), strict=True)
    jobs: list[PlayedJob] = []
    for arrival, length, cpus in rows:
        arrival_s, length_s = arrival // TICK_S * TICK_S + FIRST_H * HOUR_S, length // TICK_S * TICK_S
        wait_s = SHORT_WAIT_S if length < SHORT_S else LONG_WAIT_S
        if length_s > 0:
            deadline_s = arrival_s + length_s + wait_s
            jobs.append(PlayedJob(arrival_s=arrival_s, length_s=length_s, deadline_s=deadline_s, cpus=cpus))
    return jobs
