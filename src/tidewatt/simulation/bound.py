"""What no schedule can beat: all jobs in the cleanest hours, known beforehand, with starts for nothing."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tidewatt.domain.site import Site
from tidewatt.domain.trace import TracedJob
from tidewatt.domain.units import HOUR_S
from tidewatt.errors import Refused, UsageError
from tidewatt.policy.flow import Ints, Supply, Workload, optimum
from tidewatt.policy.hull import Way, segments
from tidewatt.simulation.scenario import Scenario
from tidewatt.simulation.tally import Floats, Tally

_MOST_ARCS = 3_000_000
"""Job-hours up to which the flow is worth its memory."""


def least_grams(scenario: Scenario, tally: Tally, watts: float) -> float:
    """Grams of operational and embodied carbon that all jobs of a scenario need at least.

    Of two bounds the higher: each job by itself with all sites free, exactly (a fractional knapsack over the
    hull of its worker counts); and all jobs in the capacity that there is, in whole hours and scaling without
    loss (a min-cost flow), where that could bind and ortools is installed.

    Args:
        scenario: what is to be done.
        tally: of its time.
        watts: what a busy processor draws.
    """
    alone = sum(_alone(scenario, tally, job, watts) for job in scenario.jobs)
    widest = sum(job.cpus * (job.most or scenario.workers) for job in scenario.jobs)
    if widest <= min(site.cpus for site in scenario.sites):
        return alone
    together = _together(scenario, tally, watts)
    return alone if together is None else max(alone, together)


def _alone(scenario: Scenario, tally: Tally, job: TracedJob, watts: float) -> float:
    begin_at, end_at = scenario.arrival_at(job), scenario.deadline_at(job)
    sites = [site for site in scenario.sites if not job.zones or site.zone in job.zones]
    if not sites:
        return 0.0  # it will be refused
    edges = _edges(tally.edges(sites[0].name), begin_at, end_at)
    starts, ends = edges[:-1], edges[1:]
    lengths = ends - starts
    prices = np.min([_grams(tally, site, starts, ends, watts) for site in sites], axis=0) / lengths
    speedup = scenario.speedup(job)
    ways = [Way("", n, speed, float(n)) for n, speed in enumerate(speedup, 1)]
    hull = segments(ways)
    price = np.concatenate([prices * each.price for each in hull])
    work = np.concatenate([lengths * each.speed for each in hull])
    order = np.argsort(price, kind="stable")
    done = np.cumsum(work[order])
    used = work[order] - np.maximum(0.0, done - job.length_s).clip(max=work[order])
    return float((used * price[order]).sum()) * job.cpus


def _grams(tally: Tally, site: Site, starts: Floats, ends: Floats, watts: float) -> Floats:
    """Of one processor in each stretch."""
    made: Floats = (ends - starts) * (site.embodied_g / HOUR_S)
    return tally.each_watt(site.name, starts, ends) * watts + made


def _edges(edges: Floats, begin_at: float, end_at: float) -> Floats:
    """The hours of an interval, the first and the last cut off."""
    inside = edges[np.searchsorted(edges, begin_at, side="right") : np.searchsorted(edges, end_at)]
    found: Floats = np.concatenate(([begin_at], inside, [end_at]))
    return found


def _together(scenario: Scenario, tally: Tally, watts: float) -> float | None:
    """The same with the capacity that there is; None where it is not known."""
    sites, jobs = scenario.sites, scenario.jobs
    edges = tally.edges(sites[0].name)
    release = np.array([_hour(edges, scenario.arrival_at(job)) for job in jobs])
    deadline = np.array([_hour(edges, scenario.deadline_at(job) - 1e-6) + 1 for job in jobs])
    if int((deadline - release).sum()) > _MOST_ARCS:
        return None
    groups, group = _groups(jobs)
    demand = Workload(
        hours=np.array([job.length_s / HOUR_S * job.cpus for job in jobs]),
        width=np.array([job.cpus * (job.most or scenario.workers) for job in jobs]),
        release=release,
        deadline=deadline,
        group=group,
    )
    prices = np.array([_grams(tally, site, edges[:-1], edges[1:], watts) for site in sites])
    supply = Supply(
        price=prices,
        capacity=np.array([np.full(edges.size - 1, site.cpus) for site in sites]),
        pue=np.ones(len(sites)),  # the tally has it in already
        permitted=np.array([_permitted(zones, sites) for zones in groups]),
    )
    try:
        found = optimum(demand, supply)
    except (Refused, UsageError):
        return None  # some jobs will be refused, or ortools is not installed
    return found.cost - found.cost_error


def _hour(edges: Floats, at: float) -> int:
    return math.floor((at - float(edges[0])) / HOUR_S)


def _groups(
    jobs: Sequence[TracedJob],
) -> tuple[list[tuple[str, ...]], Ints]:
    """The residency groups there are, and the one of each job."""
    places: Mapping[tuple[str, ...], int] = {
        zones: place for place, zones in enumerate(dict.fromkeys(job.zones for job in jobs))
    }
    return list(places), np.array([places[job.zones] for job in jobs])


def _permitted(zones: tuple[str, ...], sites: Sequence[Site]) -> list[bool]:
    return [not zones or site.zone in zones for site in sites]
