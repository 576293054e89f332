"""Decisions worked out by hand."""

from dataclasses import replace

import pytest
from tests.unit.snapshots import NOW, a_job, a_world

from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import Remaining, Snapshot
from tidewatt.domain.units import HOUR_S
from tidewatt.errors import Infeasible, ResidencyRefused
from tidewatt.policy import admission, asap, cheapest, net
from tidewatt.policy.hull import Way, segments


def hours(snapshot: Snapshot, job: str = "job") -> dict[int, tuple[str, int]]:
    """The plan for a job as {hour from now: (site, workers)}."""
    plan = cheapest.decide(snapshot)
    return {round((a.start_at - NOW) / HOUR_S): (a.site, a.workers) for a in plan.of(job)}


def test_the_cheapest_hours_are_taken() -> None:
    snapshot = a_world(a_job(2, 6), DE=[500, 100, 400, 90, 300, 200, 1, 1])
    assert hours(snapshot) == {1: ("de", 1), 3: ("de", 1)}


def test_a_second_worker_is_worth_it_only_in_an_hour_clean_enough() -> None:
    # The second worker gives 0.8 of the first: worth it at 70 (70 / 0.8 = 88) rather than an hour of 90.
    assert hours(a_world(a_job(1.8, 3, most=2), DE=[200, 70, 90])) == {1: ("de", 2)}
    # At 75 it costs 94, and the hour of 90 is cheaper.
    assert hours(a_world(a_job(1.8, 3, most=2), DE=[200, 75, 90])) == {1: ("de", 1), 2: ("de", 1)}


def pieces(snapshot: Snapshot, job: str = "job") -> list[tuple[float, float, int]]:
    """The plan for a job as (start, end, workers), in hours from now."""
    assignments = cheapest.decide(snapshot).of(job)
    return [((a.start_at - NOW) / HOUR_S, (a.end_at - NOW) / HOUR_S, a.workers) for a in assignments]


def test_the_dearest_hour_is_used_only_for_as_long_as_it_is_needed() -> None:
    # Half of the hour of 90 suffices: its last half, so that the work goes on without a pause.
    assert pieces(a_world(a_job(1.5, 3), DE=[200, 90, 80])) == [(1.5, 2, 1), (2, 3, 1)]
    assert pieces(a_world(a_job(1.5, 3), DE=[200, 80, 90])) == [(1, 2, 1), (2, 2.5, 1)]
    # The second worker is needed for a quarter of the hour of 70 only.
    assert pieces(a_world(a_job(1.2, 3, most=2), DE=[200, 70, 900])) == [
        pytest.approx((1, 1.25, 2)),
        pytest.approx((1.25, 2, 1)),
    ]


def test_a_cut_that_saves_less_than_a_restart_is_not_made() -> None:
    job = replace(a_job(0.9, 3), restart_s=200.0)
    assert pieces(a_world(job, DE=[200, 80, 90])) == [(1, 2, 1)]


def test_the_cleaner_of_two_permitted_zones_is_used() -> None:
    sites = (Site("de", "DE", 4), Site("fr", "FR", 4), Site("no", "NO", 4))
    job = a_job(2, 4, zones=("DE", "FR"))
    snapshot = a_world(job, sites=sites, DE=[300, 40, 300, 300], FR=[50, 60, 70, 80], NO=[1, 1, 1, 1])
    assert hours(snapshot) == {0: ("fr", 1), 1: ("de", 1)}


def test_a_faster_site_is_used_where_the_cleaner_one_would_be_too_slow() -> None:
    sites = (Site("fr", "FR", 1), Site("pl", "PL", 3))
    job = a_job(3.4, 2, most=3)
    plan = hours(a_world(job, sites=sites, FR=[50, 50], PL=[700, 700]))
    assert sum((1.0, 1.8, 2.4)[workers - 1] for _, workers in plan.values()) >= 3.4
    assert ("fr", 1) in plan.values()


def test_a_tight_deadline_leaves_no_hour_out() -> None:
    assert hours(a_world(a_job(3, 3), DE=[900, 100, 100])) == {0: ("de", 1), 1: ("de", 1), 2: ("de", 1)}


def test_without_a_deadline_or_a_signal_nothing_is_waited_for() -> None:
    assert list(hours(a_world(a_job(1, None), DE=[900, 1, 1]))) == [0]
    assert list(hours(a_world(a_job(1, 5)))) == [0]


def test_a_job_of_unknown_length_runs_first_to_learn_it() -> None:
    snapshot = a_world(a_job(None, 24, most=4), DE=[900, 1, 1])
    assert hours(snapshot) == {0: ("de", 1)}
    assert "learn" in cheapest.decide(snapshot).note("job")


def test_two_jobs_share_what_there_is() -> None:
    sites = (Site("de", "DE", 1),)
    snapshot = a_world(a_job(1, 2, name="a"), a_job(1, 3, name="b"), sites=sites, DE=[300, 100, 200, 1])
    assert hours(snapshot, "a") == {1: ("de", 1)}
    assert hours(snapshot, "b") == {2: ("de", 1)}


def test_a_function_runs_in_one_piece() -> None:
    job = a_job(2, 5, suspendable=False)
    assert hours(a_world(job, DE=[100, 500, 120, 130, 400])) == {2: ("de", 1), 3: ("de", 1)}


def test_a_function_that_runs_is_left_alone() -> None:
    job = a_job(2, 5, suspendable=False, running=("de", 1))
    assert list(hours(a_world(job, DE=[900, 900, 1, 1, 1]))) == [0, 1]


def test_hours_that_are_foretold_to_be_nearly_equal_are_no_reason_to_stop() -> None:
    certain = a_world(a_job(1, 3, running=("de", 1)), DE=[101, 100, 100])
    assert list(hours(certain)) == [1]
    foretold = tuple(replace(w, low=w.mean - 9, high=w.mean + 9) for w in certain.forecasts[0].windows)
    doubtful = replace(certain, forecasts=(replace(certain.forecasts[0], windows=foretold),))
    assert list(hours(doubtful)) == [0]
    assert list(hours(replace(doubtful, jobs=(a_job(1, 3),)))) == [1]


def test_what_is_late_does_not_wait() -> None:
    snapshot = a_world(a_job(5, 3, most=1), DE=[900, 1, 1])
    assert hours(snapshot)[0] == ("de", 1)
    assert "late" in cheapest.decide(snapshot).note("job")


def test_the_same_snapshot_gives_the_same_plan() -> None:
    snapshot = a_world(a_job(2, 6, most=4), DE=[5, 5, 5, 5, 5, 5])
    assert cheapest.decide(snapshot) == cheapest.decide(snapshot)


def test_hull_skips_what_is_never_worth_it() -> None:
    ways = [Way("s", 1, 1.0, 1.0), Way("s", 2, 1.5, 2.5), Way("s", 3, 3.0, 3.2), Way("s", 4, 2.9, 9.0)]
    assert [(s.way.workers, round(s.price, 2)) for s in segments(ways)] == [(1, 1.0), (3, 1.1)]


def test_impossible_constraints_are_refused_in_words() -> None:
    with pytest.raises(ResidencyRefused, match="sites in DE; wanted one in FR or NO"):
        admission.check(a_world(a_job(1, 5, zones=("FR", "NO")), DE=[1]), "job")
    with pytest.raises(Infeasible, match=r"at least 10 h for 10 h of work on up to 1 workers?"):
        admission.check(a_world(a_job(10, 5), DE=[1]), "job")
    admission.check(a_world(a_job(10, 5, most=4), DE=[1]), "job")


def test_a_job_that_would_make_another_late_is_refused() -> None:
    sites = (Site("de", "DE", 1),)
    accepted, new = a_job(4, 5, name="accepted"), a_job(2, 4, name="new")
    with pytest.raises(Infeasible, match="job accepted, which would miss its deadline"):
        admission.check(a_world(accepted, new, sites=sites, DE=[1]), "new")


def test_asap_is_as_wide_as_it_goes() -> None:
    plan = asap.decide(a_world(a_job(2.8, 9, most=4), DE=[900, 1]))
    assert [(a.workers, a.start_at) for a in plan.assignments] == [(4, NOW)]


def test_room_is_free_from_the_instant_at_which_a_job_ends() -> None:
    sites = (Site("de", "DE", 1),)
    first, second = a_job(1.5, 4, name="first"), a_job(1, 5, name="second")
    finish = net.finish_times(a_world(first, second, sites=sites, DE=[1]), careful=True)
    assert finish == {"first": NOW + 1.5 * HOUR_S, "second": NOW + 2.5 * HOUR_S}


def test_the_net_goes_by_deadline_then_by_priority_then_by_age() -> None:
    sites = (Site("de", "DE", 1),)
    plain, hurried = a_job(1, None, name="plain"), replace(a_job(1, None, name="hurried"), priority=1)
    bound = a_job(1, 5, name="bound")
    finish = net.finish_times(a_world(plain, hurried, bound, sites=sites, DE=[1]), careful=True)
    assert sorted(finish, key=finish.__getitem__) == ["bound", "hurried", "plain"]


def test_a_job_that_nothing_helps_leaves_the_plans_of_others_alone() -> None:
    unknown = a_job(None, None, name="unknown")
    hoping = a_job(None, 23_324 / HOUR_S, name="hoping")
    hoping = replace(hoping, remaining=Remaining(23_175, 25_492), restart_s=30.0)
    together = cheapest.decide(a_world(unknown, hoping, DE=[1] * 9))
    alone = cheapest.decide(a_world(unknown, DE=[1] * 9))
    assert together.about({"unknown"}) == alone
    assert together.current("hoping", NOW) is not None


def test_no_price_moves_the_net_and_the_cheapest_of_equals_yields_to_a_deadline() -> None:
    sites = (Site("de", "DE", 1), Site("fr", "FR", 1))
    free, bound = a_job(2, 3, name="free"), a_job(2, 5, name="bound", zones=("FR",))
    finish = [
        net.finish_times(a_world(free, bound, sites=sites, DE=[de], FR=[10]), careful=True) for de in (1, 99)
    ]
    assert finish[0] == finish[1] == {"free": NOW + 2 * HOUR_S, "bound": NOW + 2 * HOUR_S}
    hurried = replace(bound, deadline_at=NOW + 3.5 * HOUR_S)
    for job, site in ((bound, "fr"), (hurried, "de")):
        plan = asap.decide(a_world(free, job, sites=sites, DE=[99] * 6, FR=[10] * 6))
        assert {assignment.site for assignment in plan.of("free")} == {site}


def test_beyond_the_forecast_hours_count_as_the_mean_of_it() -> None:
    # The mean of what is foretold is 300: hours past the end are taken before 400, and not before 200.
    assert hours(a_world(a_job(3, 6), DE=[400, 200, 300])) == {1: ("de", 1), 2: ("de", 1), 3: ("de", 1)}
    assert hours(a_world(a_job(1, 6), DE=[400, 500])) == {0: ("de", 1)}


def test_of_constraints_that_contradict_each_other_nothing_is_planned_and_it_is_said() -> None:
    nowhere = a_world(a_job(1, 6, zones=("FR",)), DE=[100] * 6)
    plan = cheapest.decide(nowhere)
    assert plan.of("job") == ()
    assert "no site lies in a zone that it allows" in plan.note("job")
    with pytest.raises(ResidencyRefused):
        admission.check(nowhere, "job")


@pytest.mark.parametrize(("move_j", "site"), [(0.0, "fr"), (3.6e6, "de")])
def test_a_job_moves_to_a_cleaner_zone_only_for_more_than_the_move_takes(move_j: float, site: str) -> None:
    sites = (Site("de", "DE", 4), Site("fr", "FR", 4))
    job = replace(a_job(2, 4, running=("de", 1)), kept_on="de", move_j=move_j)
    plan = cheapest.decide(a_world(job, sites=sites, DE=[110] * 4, FR=[100] * 4))
    assert {assignment.site for assignment in plan.assignments} == {site}


def test_a_job_of_three_weeks_is_accepted_if_it_has_the_time() -> None:
    admission.check(a_world(a_job(21 * 24, 22 * 24), DE=[100] * 48), "job")
    with pytest.raises(Infeasible, match="at least 504 h"):
        admission.check(a_world(a_job(21 * 24, 20 * 24), DE=[100] * 48), "job")
