"""The offline optimum for many jobs and sites at once, as a min-cost flow."""

from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tidewatt.errors import Infeasible, ResidencyRefused, UsageError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_COST_STEPS = 1_000_000
"""Integer steps from zero to the highest price."""


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """Jobs that can pause, move and resize freely, an entry of each array for each job.

    ``hours`` is work in processor-hours; ``width`` the most processors used at any time; ``release`` the
    first window and ``deadline`` the one after the last (windows are hours, counted from 0); ``group`` the
    row of the residency table that says where the job may run.
    """

    hours: Floats
    width: Ints
    release: Ints
    deadline: Ints
    group: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Supply:
    """What sites offer; ``price`` and ``capacity`` have a row for each site and a column for each hour.

    ``price`` is for a processor-hour at the machine (grams or money, negative allowed), ``capacity`` is in
    processors, ``pue`` facility energy over machine energy of each site. ``permitted`` has a row for each
    residency group and a column for each site.
    """

    price: Floats
    capacity: Ints
    pue: Floats
    permitted: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """Who runs where and when: each row gives a job ``hours`` processor-hours of a window at a site.

    ``cost`` is the sum of hours times price times PUE, which lies within ``cost_error`` of the true
    minimum. A job may be divided over sites in one hour, and starts and moves are free: no schedule costs
    less, one that pays for them may cost more.
    """

    job: Ints
    window: Ints
    site: Ints
    hours: Floats
    cost: float
    cost_error: float


class _Classes(NamedTuple):
    """Jobs that one node stands for: all short ones with the same hours and places, others alone."""

    of_job: Ints
    units: Ints
    most: Ints
    release: Ints
    deadline: Ints
    group: Ints


class _Network(NamedTuple):
    """Arcs class -> (group, hour) -> (site, hour) -> sink, in this order, as columns."""

    tail: Ints
    head: Ints
    capacity: Ints
    cost: Ints
    supply: Ints
    entries: int
    """How many arcs are of the first kind."""
    crossings: Ints
    """(group, site, hour) of each arc of the second kind, a row each."""


def optimum(jobs: Workload, sites: Supply, *, quanta: int = 60) -> Optimum:
    """The cheapest way to do all work in time, within residency, widths and capacity.

    Work is rounded up to ``1/quanta`` processor-hours, and prices to a millionth of the highest. The sum of
    both errors is bounded by ``cost_error``: every additional unit of work costs at most the highest price,
    since an augmenting path pays for one (site, hour) alone; and a rounded price is wrong by half a step, in
    the flow that was found and in the best one.

    Args:
        jobs: what is to be done.
        sites: where, and at what price.
        quanta: units in a processor-hour.

    Raises:
        UsageError: arrays that do not fit together, a missing price, or ortools is not installed.
        ResidencyRefused: a job whose group permits no site.
        Infeasible: not all work fits before its deadline; says how much does not.
    """
    _check(jobs, sites, quanta)
    price = sites.price * sites.pue[:, None]
    highest = float(np.abs(price).max(initial=0.0))
    step = highest / _COST_STEPS or 1.0
    # Rounding up must not add a unit to work that is whole but for the last bit of a product.
    units = np.ceil(jobs.hours * quanta - 1e-6).astype(np.int64)
    classes = _classes(jobs, units, quanta, sites.price.shape[1])
    network = _network(classes, sites, np.rint(price / step).astype(np.int64), quanta)
    flows = _solve(network, quanta)
    job, window, site, amount = _rows(network, flows, classes, units)
    hours = amount / quanta
    added = float(np.abs(units / quanta - jobs.hours).sum())
    return Optimum(
        job=job,
        window=window,
        site=site,
        hours=hours,
        cost=float((hours * price[site, window]).sum()),
        cost_error=added * highest + float(units.sum()) / quanta * step,
    )


def _check(jobs: Workload, sites: Supply, quanta: int) -> None:
    """Refuse what cannot be planned, by name."""
    shape = sites.price.shape
    groups = sites.permitted.shape[0]
    wrong = {
        "columns of jobs that differ in length": len({a.size for a in _columns(jobs)}) != 1,
        "prices and capacities of different shapes": sites.capacity.shape != shape,
        "a PUE or a residency column too many or too few": (
            sites.pue.shape != shape[:1] or sites.permitted.shape[1:] != shape[:1]
        ),
        "a price or a PUE that is missing or not finite": not (
            np.isfinite(sites.price).all() and np.isfinite(sites.pue).all()
        ),
        "work that is negative or not finite": not (np.isfinite(jobs.hours) & (jobs.hours >= 0)).all(),
        "a width, a PUE or a capacity below its least": bool(
            (jobs.width < 1).any() or (sites.pue < 1).any() or (sites.capacity < 0).any()
        ),
        "a residency group that does not exist": bool(((jobs.group < 0) | (jobs.group >= groups)).any()),
        "a window outside the hours priced": bool(
            ((jobs.release < 0) | (jobs.deadline < jobs.release) | (jobs.deadline > shape[1])).any()
        ),
        "fewer than one unit in a processor-hour": quanta < 1,
    }
    for found, is_so in wrong.items():
        if is_so:
            raise UsageError(found, "jobs and sites as Workload and Supply describe them")
    somewhere: Bools = np.asarray(sites.permitted.any(axis=1), dtype=np.bool_)
    homeless = np.flatnonzero(~somewhere[jobs.group])
    if homeless.size:
        raise ResidencyRefused(
            f"{homeless.size} jobs, the first of them number {homeless[0]}, that no site may run",
            "at least one permitted site for each job",
            "permit more zones",
        )


def _columns(jobs: Workload) -> tuple[Floats | Ints, ...]:
    return jobs.hours, jobs.width, jobs.release, jobs.deadline, jobs.group


def _classes(jobs: Workload, units: Ints, quanta: int, hours: int) -> _Classes:
    """Merge jobs whose width cannot bind, because one hour holds all their work.

    Others keep a node each: jobs of the same width and hours but unequal work cannot be merged, since
    what is left to one of them may exceed its width.
    """
    width = jobs.width * quanta
    short = units <= width
    key = (jobs.group * (hours + 1) + jobs.release) * (hours + 1) + jobs.deadline
    key = np.where(short, key, -1 - np.arange(units.size))
    _, first, of_job = np.unique(key, return_index=True, return_inverse=True)
    total = np.zeros(first.size, dtype=np.int64)
    np.add.at(total, of_job, units)
    most = np.where(short[first], total, width[first])
    return _Classes(of_job, total, most, jobs.release[first], jobs.deadline[first], jobs.group[first])


def _network(classes: _Classes, sites: Supply, price: Ints, quanta: int) -> _Network:
    """All arcs in bulk; prices lie on the last ones, to the sink."""
    count: int = classes.units.size
    groups: int = sites.permitted.shape[0]
    hours: int = price.shape[1]
    spans = classes.deadline - classes.release
    owner = np.repeat(np.arange(count), spans)
    begins = np.repeat(np.cumsum(spans) - spans, spans)
    window = classes.release[owner] + np.arange(owner.size) - begins
    group, site = (np.repeat(side, hours) for side in np.nonzero(sites.permitted))
    hour = np.tile(np.arange(hours), group.size // hours if hours else 0)
    first_site = count + groups * hours
    sink: int = first_site + price.size
    ends = np.arange(first_site, sink)
    room = sites.capacity.ravel() * quanta
    supply = np.zeros(sink + 1, dtype=np.int64)
    supply[:count] = classes.units
    supply[sink] = -classes.units.sum()
    return _Network(
        tail=np.concatenate((owner, count + group * hours + hour, ends)),
        head=np.concatenate(
            (
                count + classes.group[owner] * hours + window,
                first_site + site * hours + hour,
                np.full(ends.size, sink),
            )
        ),
        capacity=np.concatenate((classes.most[owner], room[site * hours + hour], room)),
        cost=np.concatenate((np.zeros(owner.size + group.size, dtype=np.int64), price.ravel())),
        supply=supply,
        entries=owner.size,
        crossings=np.stack((group, site, hour), axis=1),
    )


class _Solver(Protocol):
    """What is used of ortools, whose own stubs do not type-check."""

    def add_arcs_with_capacity_and_unit_cost(
        self, tails: NDArray[np.int32], heads: NDArray[np.int32], capacities: Ints, unit_costs: Ints
    ) -> NDArray[np.int32]: ...

    def set_nodes_supplies(self, nodes: NDArray[np.int32], supplies: Ints) -> None: ...

    def solve(self) -> Enum: ...

    def solve_max_flow_with_min_cost(self) -> Enum: ...

    def maximum_flow(self) -> int: ...

    def flows(self, arcs: NDArray[np.int32]) -> Ints: ...


def _solver() -> _Solver:
    try:
        ortools = import_module("ortools.graph.python.min_cost_flow")
    except ImportError as error:
        raise UsageError(
            "no ortools", "the solver of min-cost flows", "pip install 'tidewatt[plan]'"
        ) from error
    solver: _Solver = ortools.SimpleMinCostFlow()
    return solver


def _solve(network: _Network, quanta: int) -> Ints:
    """The flow of each arc."""
    solver = _solver()
    arcs = solver.add_arcs_with_capacity_and_unit_cost(
        network.tail.astype(np.int32), network.head.astype(np.int32), network.capacity, network.cost
    )
    solver.set_nodes_supplies(np.arange(network.supply.size, dtype=np.int32), network.supply)
    status = solver.solve().name
    if status == "INFEASIBLE":
        solver.solve_max_flow_with_min_cost()
        wanted = int(network.supply.clip(min=0).sum())
        left = (wanted - solver.maximum_flow()) / quanta
        raise Infeasible(
            f"{left:g} of {wanted / quanta:g} processor-hours that fit nowhere before their deadlines",
            "room for all work at permitted sites",
            "extend deadlines, raise widths, permit more zones or add capacity",
        )
    if status != "OPTIMAL":
        raise UsageError(
            f"numbers that the solver cannot hold ({status})",
            "work and capacities of a usual size",
            "lower quanta",
        )
    return np.asarray(solver.flows(arcs), dtype=np.int64)


def _rows(network: _Network, flows: Ints, classes: _Classes, units: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Job, window, site and units of every allocation, from what the arcs carry."""
    last = network.entries + network.crossings.shape[0]
    entry = np.flatnonzero(flows[: network.entries])
    entry = entry[np.argsort(network.head[entry], kind="stable")]
    crossing = np.flatnonzero(flows[network.entries : last])
    crossing = crossing[np.argsort(network.tail[network.entries + crossing], kind="stable")]
    left, right, amount = _lined_up(flows[entry], flows[network.entries + crossing])
    owner = network.tail[entry[left]]
    order = np.argsort(owner, kind="stable")
    place, amount = network.crossings[crossing[right[order]]], amount[order]
    jobs = np.argsort(classes.of_job, kind="stable")
    piece, job, amount = _lined_up(amount, units[jobs])
    return jobs[job], place[piece, 2], place[piece, 1], amount


def _lined_up(left: Ints, right: Ints) -> tuple[Ints, Ints, Ints]:
    """Two divisions of the same line laid over each other: (left, right, length) of every common piece.

    Where both are sorted by node and agree on the sum for each, no piece crosses from one node to another.
    """
    left_ends, right_ends = np.cumsum(left), np.cumsum(right)
    ends = np.union1d(left_ends, right_ends)
    ends = ends[ends > 0]
    starts = np.concatenate((np.zeros(1, dtype=np.int64), ends))[: ends.size]
    return (
        np.searchsorted(left_ends, starts, side="right"),
        np.searchsorted(right_ends, starts, side="right"),
        ends - starts,
    )
