"""The planner's benchmarks against sums done the long way."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from benchmarks.planner import papers, safety, waiting
from benchmarks.planner.play import Issued, PlayedJob, at_once, least, played, truth
from benchmarks.planner.scaler import Profile, greedy, hull_bound

from tidewatt.forecast.hourly import Hourly

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


def test_the_least_is_the_cheapest_seconds_between_arrival_and_deadline() -> None:
    hours = np.array([300.0, 100.0, 200.0, 50.0])
    job = PlayedJob(arrival_s=1800.0, length_s=5400.0, deadline_s=3 * 3600.0 + 900.0, cpus=2)
    # A quarter of an hour at 50, an hour at 100, a quarter at 200.
    assert least(job, hours) == pytest.approx(2 * (0.25 * 50 + 100 + 0.25 * 200) / 1000)
    assert at_once(job, hours) == pytest.approx(2 * (0.5 * 300 + 100) / 1000)
    assert least(job, hours, most=2) == pytest.approx(2 * (0.5 * 50 + 100) / 1000)


def test_who_knows_the_future_pays_the_least_and_who_does_not_pays_no_less() -> None:
    hours = np.tile(HOURS[0], 16)
    job = PlayedJob(arrival_s=410.5 * 3600, length_s=5 * 3600.0, deadline_s=431 * 3600.0)
    best = least(job, hours)
    assert played(job, hours, truth(hours)) == pytest.approx(best)
    assert played(job, hours, Issued(hours, Hourly())) >= best


def test_a_training_is_due_at_the_first_review_after_it_would_have_been_done() -> None:
    begin = datetime(2022, 1, 1, tzinfo=UTC)
    for job in waiting.semi_weekly(begin.timestamp(), 8760):
        submitted, due = (begin + timedelta(seconds=s) for s in (job.arrival_s, job.deadline_s))
        done = submitted + timedelta(seconds=job.length_s)
        assert submitted.weekday() < 5
        assert (due.weekday() in (0, 3), due.hour, due.minute) == (True, 9, 0)
        assert timedelta(0) <= due - done < timedelta(days=4)


CROSSED = (75, 107, 153, 428, 851, 1136, 1812, 2526, 2875, 2972, 4071, 4651, 6173, 6470, 9663, 19477, 29662)
"""Worlds in which decisions have contradicted each other, or jobs have taken what others were promised."""


@pytest.mark.parametrize("seed", [0, 1, 2, 3, *CROSSED])
def test_forecasts_that_lie_cost_no_deadline(seed: int) -> None:
    found = safety.played(seed)
    assert found["accepted"] > 0
    assert (found["missed"], found["outside"]) == (0, 0)
