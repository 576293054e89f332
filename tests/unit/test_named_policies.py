"""The policies to choose from, on days so short that their decisions can be worked out by hand."""

import pytest
from tests.unit.snapshots import NOW, a_job, a_world

from tidewatt.domain.snapshot import Snapshot
from tidewatt.domain.units import HOUR_S
from tidewatt.errors import UsageError
from tidewatt.policy.names import DEFAULT, POLICIES, named

PRICES = [300, 100, 250, 90, 280, 60, 400, 400]


def hours(policy: str, snapshot: Snapshot) -> dict[int, int]:
    """The plan for the job as {hour from now: workers}."""
    plan = POLICIES[policy](snapshot)
    assert plan.policy == policy
    return {round((a.start_at - NOW) / HOUR_S): a.workers for a in plan.of("job")}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("run-now", {0: 1, 1: 1}),
        ("lowest-window", {2: 1, 3: 1}),  # 340; from 0 on 400, from 1 on 350
        ("suspend-resume", {1: 1, 3: 1}),
        ("threshold", {3: 1}),  # 30 % lie below 99: the guard adds the hour that is lacking in its time
        ("elastic-marginal", {1: 1, 3: 1}),
        ("cheapest-windows", {1: 1, 3: 1}),
    ],
)
def test_two_hours_of_work_and_four_to_do_them_in(policy: str, expected: dict[int, int]) -> None:
    assert hours(policy, a_world(a_job(2, 4), DE=PRICES)) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("run-now", {0: 2}),
        ("lowest-window", {1: 1, 2: 1}),  # 100 and 0.8 of 250; no worker more than the least
        ("suspend-resume", {3: 1, 5: 1}),
        ("threshold", {3: 2}),  # the first of those below 95, as wide as it may
        ("elastic-marginal", {5: 2}),  # the second worker at 60 is worth 75, less than the hour of 90
        ("cheapest-windows", {5: 2}),
    ],
)
def test_what_may_grow_does_so_where_it_pays(policy: str, expected: dict[int, int]) -> None:
    assert hours(policy, a_world(a_job(1.8, 6, most=2), DE=PRICES)) == expected


def test_a_greedy_choice_stops_at_a_second_worker_that_brings_nothing() -> None:
    # Two workers are no faster than one, three are: only whoever looks past the second finds them.
    job = a_job(3, 6, most=3, speedup=(1.0, 1.0, 3.0))
    assert hours("cheapest-windows", a_world(job, DE=PRICES)) == {5: 3}
    assert hours("elastic-marginal", a_world(job, DE=PRICES)) == {1: 1, 3: 1, 5: 1}


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - {"run-now"}))
def test_what_cannot_be_suspended_runs_through(policy: str) -> None:
    chosen = hours(policy, a_world(a_job(2, 6, suspendable=False), DE=PRICES))
    first = min(chosen)
    assert list(chosen) == list(range(first, first + len(chosen)))
    assert first > 0


@pytest.mark.parametrize("policy", POLICIES)
def test_no_policy_waits_when_there_is_no_time_to(policy: str) -> None:
    assert hours(policy, a_world(a_job(2, 2), DE=PRICES)) == {0: 1, 1: 1}


def test_a_name_that_no_policy_has_is_answered_with_those_there_are() -> None:
    assert named(DEFAULT) is POLICIES["cheapest-windows"]
    with pytest.raises(UsageError, match="wanted one of run-now, threshold"):
        named("cheapest")
