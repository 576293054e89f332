"""Who begins where all that is open waits for room alone."""

from dataclasses import replace

import pytest
from tests.records import submission

from tidewatt.control import unplanned
from tidewatt.domain.function import FunctionSpec, Kind
from tidewatt.domain.job import Job
from tidewatt.domain.lifecycle import State, Wish
from tidewatt.domain.site import Site
from tidewatt.policy.unplanned import Want, beginning

DE, FR = Site("local-de", "DE", 2), Site("local-fr", "FR", 2)


def want(job_id: str, cpus: int = 1, priority: int = 0) -> Want:
    return Want(job_id=job_id, cpus=cpus, priority=priority)


def job(job_id: str, state: State = State.QUEUED, wish: Wish = Wish.RUN, **needs: object) -> Job:
    function = FunctionSpec(name="resize", kind=Kind.FUNCTION, **needs)  # type: ignore[arg-type]
    return replace(Job.draft(submission(job_id, function)), state=state, wish=wish)


@pytest.mark.parametrize(
    ("waiting", "free", "begin"),
    [
        ([], 2, []),
        ([want("a"), want("b"), want("c")], 2, ["a", "b"]),
        ([want("a"), want("b", priority=1)], 1, ["b"]),
        ([want("wide", cpus=2), want("a")], 1, []),
        ([want("a"), want("wide", cpus=2), want("b")], 2, ["a"]),
        ([want("a")], -1, []),
    ],
)
def test_those_begin_in_their_order_for_whom_there_is_room(
    waiting: list[Want], free: int, begin: list[str]
) -> None:
    assert beginning(waiting, free) == begin


def test_nothing_is_planned_at_an_only_site_where_all_wait_for_room_alone() -> None:
    jobs = [job("a"), job("b", State.RUNNING)]
    assert unplanned.only_site(jobs, [DE]) == DE
    assert unplanned.only_site(jobs, [DE, FR]) is None
    assert unplanned.only_site([*jobs, job("c", zones=("FR",))], [DE]) is None
    assert unplanned.only_site([*jobs, job("c", zones=("FR", "DE"))], [DE]) == DE
    assert unplanned.only_site([*jobs, job("c", length_s=60.0)], [DE]) is None
    in_time = job("c")
    in_time = replace(in_time, submission=replace(in_time.submission, deadline_at=9.0))
    assert unplanned.only_site([*jobs, in_time], [DE]) is None


def test_due_are_those_that_begin_and_those_that_are_to_be_cancelled() -> None:
    jobs = [
        job("running", State.RUNNING),
        job("held"),
        job("next"),
        job("later"),
        job("unwanted", wish=Wish.CANCEL),
        job("unwanted too", State.STARTING, Wish.CANCEL),
    ]
    assert [each.id for each in unplanned.due(jobs, replace(DE, cpus=3), ["held"])] == [
        "next",
        "unwanted",
        "unwanted too",
    ]
