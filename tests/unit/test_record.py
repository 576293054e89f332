"""What becomes of a job whose attempts end without having come to anything."""

from collections.abc import Generator

import pytest
from tests.records import attempt, submission

from tidewatt.adapters.stores.sql import SqlStore
from tidewatt.control.record import Recorder
from tidewatt.domain.job import Job
from tidewatt.domain.lifecycle import State, Wish
from tidewatt.policy.hopeless import MOST_BROKEN, MOST_LOST
from tidewatt.ports import Exited, Started
from tidewatt.simulation.clock import VirtualClock


@pytest.fixture
def store() -> Generator[SqlStore]:
    opened = SqlStore.open("sqlite://")
    yield opened
    opened.close()


def submitted(store: SqlStore) -> str:
    return store.submit(submission("a")).id


def tried(store: SqlStore, job_id: str, *outcomes: str) -> Job:
    """The job after attempts that ended so, or as it stood when it was tried no more."""
    recorder = Recorder(store, VirtualClock(0.0))
    job = store.job(job_id)
    for outcome in outcomes:
        assert job is not None
        if job.state is not State.QUEUED:
            break
        token = job.token + 1
        store.begin_attempt(job_id, State.QUEUED, attempt(job_id, token))
        error = "its zygote ended" if outcome == "stranded" else None
        recorder.record(Exited(job_id=job_id, token=token, outcome=outcome, error=error))
        job = store.job(job_id)
    assert job is not None
    return job


def test_a_job_is_given_up_after_ten_deaths_of_its_own_alone(store: SqlStore) -> None:
    name = submitted(store)
    mixed = ["lost", "stranded"] * (MOST_LOST - 1)
    assert tried(store, name, *mixed).state is State.QUEUED
    assert {event.detail for event in store.events(name)} >= {"lost", "stranded: its zygote ended"}
    job = tried(store, name, "lost")
    assert (job.state, job.failures) == (State.FAILED, 0)
    assert job.error == "its worker died 10 times in a row without a step further"


def test_a_job_that_is_stranded_time_after_time_is_given_up_in_the_end(store: SqlStore) -> None:
    job = tried(store, submitted(store), *["stranded"] * (2 * MOST_BROKEN))
    assert (job.state, job.token) == (State.FAILED, MOST_BROKEN)
    assert "its zygote or its supervisor died 100 times in a row" in (job.error or "")


def test_an_attempt_that_its_user_had_ended_was_not_lost(store: SqlStore) -> None:
    job_id = submitted(store)
    store.begin_attempt(job_id, State.QUEUED, attempt(job_id))
    store.wish(job_id, Wish.CANCEL)
    Recorder(store, VirtualClock(0.0)).record(Exited(job_id=job_id, token=1, outcome="lost"))
    assert [each.outcome for each in store.attempts(job_id)] == ["cancelled"]


def begun(store: SqlStore) -> tuple[Recorder, VirtualClock]:
    """A recorder whose job has begun, and its clock."""
    job = store.job(submitted(store))
    assert job is not None
    recorder = Recorder(store, clock := VirtualClock(0.0))
    recorder.begin(job, attempt("a"))
    return recorder, clock


def test_a_beginning_is_saved_when_it_is_asked_for_and_not_before(store: SqlStore) -> None:
    recorder, clock = begun(store)
    clock.advance(1.0)
    told = recorder.record(Started(job_id="a", token=1, processes=((5, 6.0),)))
    assert told.moved is not None
    assert told.moved.state is State.RUNNING
    assert [event.after for event in store.events("a")] == [State.QUEUED, State.STARTING]
    clock.advance(2.0)
    recorder.save()
    recorder.save()  # there is nothing left to save
    events = store.events("a")
    assert [(event.at, event.after) for event in events[1:]] == [(0.0, State.STARTING), (1.0, State.RUNNING)]
    assert store.attempts("a")[0].processes == ((5, 6.0),)


def test_a_beginning_and_an_end_that_come_together_are_both_kept_with_their_instants(store: SqlStore) -> None:
    recorder, clock = begun(store)
    clock.advance(1.0)
    recorder.record(Started(job_id="a", token=1, processes=((5, 6.0),)))
    clock.advance(2.0)
    told = recorder.record(Exited(job_id="a", token=1, outcome="succeeded", result="r"))
    assert told.charged
    recorder.save()
    events = store.events("a")
    assert [(event.at, event.after) for event in events[2:]] == [(1.0, State.RUNNING), (2.0, State.SUCCEEDED)]
    assert store.attempts("a")[0].processes == ((5, 6.0),)


def test_an_end_that_comes_too_late_takes_no_charges_with_it(store: SqlStore) -> None:
    recorder, _ = begun(store)
    assert not recorder.record(Exited(job_id="a", token=7, outcome="succeeded")).charged
    recorder.save()
    assert [event.after for event in store.events("a")] == [State.QUEUED, State.STARTING]
