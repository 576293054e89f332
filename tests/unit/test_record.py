"""What becomes of a job whose attempts end without having come to anything."""

from collections.abc import Generator

import pytest
from tests.records import attempt, submission

from tidewatt.adapters.stores.sql import SqlStore
from tidewatt.control.record import Recorder
from tidewatt.domain.job import Job
from tidewatt.domain.lifecycle import State, Wish
from tidewatt.policy.hopeless import MOST_BROKEN, MOST_LOST
from tidewatt.ports import Exited
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
