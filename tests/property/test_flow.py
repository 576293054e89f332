"""The min-cost flow against a linear programme that knows nothing of networks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import OptimizeResult, linprog

from tidewatt.errors import Infeasible, ResidencyRefused, UsageError
from tidewatt.policy.flow import Optimum, Supply, Workload, optimum


@st.composite
def instances(draw: st.DrawFn, *, whole: bool = True) -> tuple[Workload, Supply]:
    """Up to 6 jobs, 3 sites, 5 hours and 3 residency groups; work in quarter hours if ``whole``."""
    count, places, hours = draw(st.integers(1, 6)), draw(st.integers(1, 3)), draw(st.integers(1, 5))
    groups = draw(st.lists(st.sets(st.integers(0, places - 1), min_size=1), min_size=1, max_size=3))
    # The solver that is compared with takes less than 1e-7 for nothing.
    parts = st.one_of(st.just(0.0), st.floats(1e-3, 6))
    work = st.integers(0, 24).map(lambda n: n / 4) if whole else parts

    def column(values: st.SearchStrategy[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.array(draw(st.lists(values, min_size=count, max_size=count)), dtype=np.int64)

    def table(values: st.SearchStrategy[int]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        cells = draw(st.lists(values, min_size=places * hours, max_size=places * hours))
        return np.array(cells, dtype=np.int64).reshape(places, hours)

    release = column(st.integers(0, hours - 1))
    span = column(st.integers(1, hours))
    jobs = Workload(
        hours=np.array(draw(st.lists(work, min_size=count, max_size=count)), dtype=np.float64),
        width=column(st.integers(1, 4)),
        release=release,
        deadline=np.minimum(release + span, hours),
        group=column(st.integers(0, len(groups) - 1)),
    )
    pue = draw(st.lists(st.sampled_from([1.0, 1.1, 1.58, 2.0]), min_size=places, max_size=places))
    supply = Supply(
        price=table(st.integers(-20, 900)).astype(np.float64),
        capacity=table(st.integers(0, 6)),
        pue=np.array(pue),
        permitted=np.array([[site in group for site in range(places)] for group in groups]),
    )
    return jobs, supply


def by_linear_programme(jobs: Workload, sites: Supply, *, most: bool = False) -> OptimizeResult:
    """One variable for each job, site and hour; with ``most``, as much work as fits instead of all."""
    shape = (jobs.hours.size, *sites.price.shape)
    hour = np.arange(shape[2])
    open_hours = (hour >= jobs.release[:, None]) & (hour < jobs.deadline[:, None])
    allowed = sites.permitted[jobs.group][:, :, None] & open_hours[:, None, :]
    cells = np.eye(np.prod(shape)).reshape(-1, *shape)
    of_job = cells.sum(axis=(2, 3)).T
    used = cells.sum(axis=1).reshape(len(cells), -1).T
    running = cells.sum(axis=2).reshape(len(cells), -1).T
    widths = np.repeat(jobs.width, shape[2])
    cost = np.broadcast_to(sites.price * sites.pue[:, None], shape).ravel()
    limits = [used, running, *([of_job] if most else [])]
    bounds = [sites.capacity.ravel(), widths, *([jobs.hours] if most else [])]
    return linprog(
        -np.ones_like(cost) if most else cost,
        A_ub=np.concatenate(limits),
        b_ub=np.concatenate(bounds),
        A_eq=None if most else of_job,
        b_eq=None if most else jobs.hours,
        bounds=[(0, None if cell else 0) for cell in allowed.ravel()],
        method="highs",
    )


def assert_lawful(found: Optimum, jobs: Workload, sites: Supply) -> None:
    """Every limit holds, and all work is done."""
    shape = (jobs.hours.size, *sites.price.shape)
    cells = np.zeros(shape)
    np.add.at(cells, (found.job, found.site, found.window), found.hours)
    assert (found.hours > 0).all()
    assert sites.permitted[jobs.group[found.job], found.site].all()
    assert (found.window >= jobs.release[found.job]).all()
    assert (found.window < jobs.deadline[found.job]).all()
    assert (cells.sum(axis=0) <= sites.capacity + 1e-9).all()
    assert (cells.sum(axis=1) <= jobs.width[:, None] + 1e-9).all()
    done = cells.sum(axis=(1, 2))
    assert (done >= jobs.hours - 1e-6).all()
    assert (done <= jobs.hours + 1 / 60 + 1e-9).all()
    assert found.cost == pytest.approx(float((cells * (sites.price * sites.pue[:, None])).sum()))


@settings(max_examples=150, deadline=None)
@given(instances())
def test_it_agrees_with_a_linear_programme(instance: tuple[Workload, Supply]) -> None:
    jobs, sites = instance
    direct = by_linear_programme(jobs, sites)
    if direct.status == 2:  # infeasible
        fits = -by_linear_programme(jobs, sites, most=True).fun
        with pytest.raises(Infeasible) as refused:
            optimum(jobs, sites)
        total = float(jobs.hours.sum())
        left = float(refused.value.found.split()[0])
        assert left == pytest.approx(total - fits, abs=1e-4 * total)
        assert f"of {total:g} processor-hours" in refused.value.found
    else:
        found = optimum(jobs, sites)
        assert_lawful(found, jobs, sites)
        assert abs(found.cost - direct.fun) <= found.cost_error + 1e-6


@settings(max_examples=100, deadline=None)
@given(instances(whole=False))
def test_work_that_is_not_whole_costs_no_more_than_the_stated_error(
    instance: tuple[Workload, Supply],
) -> None:
    jobs, scarce = instance
    sites = replace(scarce, capacity=scarce.capacity + 30)  # room for every unit that rounding adds
    direct = by_linear_programme(jobs, sites)
    if direct.status == 2:  # wider than its window allows: capacity does not help
        with pytest.raises(Infeasible):
            optimum(jobs, sites)
    else:
        found = optimum(jobs, sites)
        assert_lawful(found, jobs, sites)
        assert abs(found.cost - direct.fun) <= found.cost_error + 1e-6


def a_pair() -> tuple[Workload, Supply]:
    """Two jobs of two processor-hours, one processor wide, and two sites for three hours."""
    two = np.array([2, 2])
    jobs = Workload(np.array([2.0, 2.0]), np.array([1, 1]), np.array([0, 0]), two + 1, np.array([0, 1]))
    price = np.array([[10.0, 20.0, 30.0], [1.0, 90.0, 1.0]])
    permitted = np.array([[True, False], [True, True]])
    return jobs, Supply(price, np.ones((2, 3), dtype=np.int64), np.array([1.0, 2.0]), permitted)


def test_a_pair_worked_out_by_hand() -> None:
    # The first may use the first site alone: 10 + 20. The second takes both cheap hours, at a PUE of 2.
    found = optimum(*a_pair())
    assert found.cost == pytest.approx(34.0)
    places = set(zip(found.job.tolist(), found.site.tolist(), found.window.tolist(), strict=True))
    assert places == {(0, 0, 0), (0, 0, 1), (1, 1, 0), (1, 1, 2)}


def test_no_jobs_cost_nothing() -> None:
    none = np.empty(0, dtype=np.int64)
    found = optimum(Workload(np.empty(0), none, none, none, none), a_pair()[1])
    assert (found.cost, found.job.size) == (0.0, 0)


def test_a_group_without_a_site_is_refused() -> None:
    jobs, sites = a_pair()
    with pytest.raises(ResidencyRefused, match="1 jobs, the first of them number 1"):
        optimum(jobs, replace(sites, permitted=np.array([[True, False], [False, False]])))


def test_a_missing_price_is_not_zero() -> None:
    jobs, sites = a_pair()
    gap = sites.price.copy()
    gap[0, 1] = np.nan
    with pytest.raises(UsageError, match="price"):
        optimum(jobs, replace(sites, price=gap))


def test_a_window_beyond_the_prices_is_refused() -> None:
    jobs, sites = a_pair()
    with pytest.raises(UsageError, match="window outside"):
        optimum(replace(jobs, deadline=np.array([3, 4])), sites)
