"""Which jobs a decision is about, and what stands of those before."""

from dataclasses import replace

from tests.records import submission

from tidewatt.control.agenda import Agenda
from tidewatt.domain.function import FunctionSpec, Kind, WorkerRange
from tidewatt.domain.job import Job
from tidewatt.domain.lifecycle import Wish
from tidewatt.domain.plan import Assignment, Note, Plan
from tidewatt.domain.site import Site

ROOMY = (Site("de", "DE", 100),)
SMALL = (Site("de", "DE", 4), Site("fr", "FR", 100))
HOUR_END = 3600.0


def job(name: str, most: int = 2) -> Job:
    function = FunctionSpec(name="f", kind=Kind.TRAINING, workers=WorkerRange(1, most), shards=most)
    return Job.draft(submission(name, function))


def plan(at: float, *pieces: tuple[str, float, float]) -> Plan:
    assignments = tuple(Assignment(name, "de", 1, start, end) for name, start, end in pieces)
    notes = tuple(Note(name, f"planned at {at:g}") for name in dict.fromkeys(p[0] for p in pieces))
    return Plan(policy="by hand", issued_at=at, assignments=assignments, notes=notes)


A, B, C = job("a"), job("b"), job("c")


def begun() -> Agenda:
    """An agenda by which a runs from 600 to 900 and b until the end of the hour."""
    agenda = Agenda()
    assert agenda.next_at == 0.0
    assert agenda.about([A, B], 0.0, ROOMY) == [A, B]
    agenda.decided(plan(0.0, ("a", 600, 900), ("b", 0, 3600)), [A, B], [A, B], HOUR_END)
    return agenda


def test_a_job_is_due_when_its_plan_changes_and_all_are_at_the_end_of_the_hour() -> None:
    agenda = begun()
    assert agenda.next_at == 600.0
    assert agenda.about([A, B], 600.0, ROOMY) == [A]
    agenda.decided(plan(600.0, ("a", 600, 900)), [A], [A, B], HOUR_END)
    assert agenda.next_at == 900.0
    agenda.decided(plan(900.0, ("a", 7200, 9000)), [A], [A, B], HOUR_END)
    assert agenda.next_at == HOUR_END
    assert agenda.about([A, B], HOUR_END, ROOMY) == [A, B]


def test_what_was_decided_about_others_stands() -> None:
    agenda = begun()
    whole = agenda.decided(plan(600.0, ("a", 1200, 1500)), [A], [A, B], HOUR_END)
    assert [(a.job_id, a.start_at) for a in whole.assignments] == [("b", 0), ("a", 1200)]
    assert (whole.note("a"), whole.note("b"), whole.issued_at) == ("planned at 600", "planned at 0", 600.0)
    assert whole.about({"a"}) == plan(600.0, ("a", 1200, 1500))


def test_what_has_ended_is_forgotten() -> None:
    agenda = begun()
    whole = agenda.decided(plan(600.0, ("c", 600, 700)), [C], [A, C], HOUR_END)
    assert {a.job_id for a in whole.assignments} == {"a", "c"}


def test_a_new_job_and_a_new_wish_are_noticed() -> None:
    agenda = begun()
    agenda.stir()
    assert agenda.next_at == 0.0
    held = replace(B, wish=Wish.HOLD)
    assert agenda.about([A, held, C], 10.0, ROOMY) == [held, C]
    agenda.settled([A, B])
    assert agenda.next_at == 600.0


def test_the_hours_of_a_job_that_has_ended_are_nobodys() -> None:
    agenda = begun()
    agenda.stir("a")
    assert agenda.about([B], 700.0, ROOMY) == []
    agenda.settled([B])
    assert agenda.next_at == HOUR_END


def test_something_that_happened_to_one_job_is_about_that_job() -> None:
    agenda = begun()
    agenda.stir("b")
    assert agenda.about([A, B], 10.0, ROOMY) == [B]


def test_jobs_that_may_be_in_each_others_way_are_decided_on_together() -> None:
    agenda = begun()
    agenda.stir("b")
    assert agenda.about([A, B, C], 10.0, SMALL) == [A, B, C]


def test_room_that_comes_free_is_for_all_who_waited_for_it() -> None:
    agenda = Agenda()
    assert agenda.about([A, B, C], 0.0, SMALL) == [A, B, C]
    agenda.decided(plan(0.0, ("a", 0, 900), ("b", 0, 900), ("c", 900, 3600)), [A, B, C], [A, B, C], HOUR_END)
    agenda.stir("a")
    assert agenda.about([B, C], 300.0, SMALL) == [B, C]
    agenda.decided(plan(300.0, ("b", 300, 900), ("c", 300, 3600)), [B, C], [B, C], HOUR_END)
    agenda.stir("b")
    assert agenda.about([C], 400.0, SMALL) == []
