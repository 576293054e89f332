"""The planner's benchmarks against sums done the long way."""

import numpy as np
import pytest
from benchmarks.planner import papers
from benchmarks.planner.scaler import Profile, greedy, hull_bound

HOURS = np.random.default_rng(1).uniform(20, 900, (3, 40))
LENGTH, SLACK = 5, 4


def windows(row: list[float], at: int, until: int) -> list[float]:
    return row[at : min(until, len(row))]


def test_shifting_is_what_choosing_hours_one_by_one_saves() -> None:
    deferred, interrupted = [], []
    for at in range(HOURS.shape[1] - LENGTH + 1):
        base = defer = inter = 0.0
        for row in HOURS.tolist():
            starts = [s for s in range(at, at + SLACK + 1) if s + LENGTH <= len(row)]
            base += sum(row[at : at + LENGTH])
            defer += min(sum(row[s : s + LENGTH]) for s in starts)
            inter += sum(sorted(windows(row, at, at + LENGTH + SLACK))[:LENGTH])
        deferred.append(1 - defer / base)
        interrupted.append(1 - inter / base)
    assert papers.shifted(HOURS, LENGTH, SLACK, 1) == pytest.approx((np.mean(deferred), np.mean(interrupted)))


def test_a_year_of_slack_is_slack_until_the_end() -> None:
    assert papers.shifted_all_year(HOURS, LENGTH, 1) == pytest.approx(papers.shifted(HOURS, LENGTH, 40, 1))


def test_twice_as_many_workers_need_half_the_hours() -> None:
    saved = []
    for at in range(HOURS.shape[1] - 4 + 1):
        base = sum(sum(row[at : at + 4]) for row in HOURS.tolist())
        best = sum(2 * sum(sorted(windows(row, at, at + 4 + SLACK))[:2]) for row in HOURS.tolist())
        saved.append(1 - best / base)
    assert papers.elastic(HOURS, 4, SLACK, 2, 1) == pytest.approx(np.mean(saved))


def test_idle_zones_are_filled_from_the_cleanest_on() -> None:
    assert papers.filled(np.array([400.0, 100.0, 200.0, 300.0]), 0.5) == 150.0


def test_the_greedy_stops_at_a_bad_step_that_the_hull_passes_over() -> None:
    # The second worker brings nothing, the third as much as the first at little more power.
    profile = Profile((1.0, 1.0, 2.0), (100.0, 190.0, 200.0))
    prices = np.array([100.0, 150.0])
    assert greedy(profile, prices, 2.0) == [1, 1]
    assert hull_bound(profile, prices, 2.0) == pytest.approx(100 * 200.0)
