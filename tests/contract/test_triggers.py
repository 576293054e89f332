"""What every store promises of triggers: one job for each occasion, in the transaction that claims it."""

import threading
from collections.abc import Generator
from dataclasses import replace

import pytest
from tests.contract.test_store import attempt, submission

from tidewatt.adapters.stores.sql import SqlStore
from tidewatt.domain.function import FunctionSpec, Kind, Payload
from tidewatt.domain.lifecycle import State
from tidewatt.domain.trigger import After, Cause, Files, Missed, Occasion, Schedule, Trigger
from tidewatt.domain.world import World
from tidewatt.errors import TidewattError


@pytest.fixture(params=["sqlite_url", "memory", "postgres_url"])
def store(request: pytest.FixtureRequest) -> Generator[SqlStore]:
    """An empty store in each database in turn."""
    url = "sqlite://" if request.param == "memory" else request.getfixturevalue(request.param)
    opened = SqlStore.open(url)
    yield opened
    opened.close()


def trigger(cause: Cause, name: str = "nightly") -> Trigger:
    return Trigger(
        name=name,
        cause=cause,
        function=FunctionSpec(name="digits", kind=Kind.TRAINING, deadline_s=60.0),
        payload=Payload(form="source", path="source.py", function="digits", origin="/a/ä.py", sha256="ab"),
        arguments=(("epochs", "3"), ("name", "'ü'")),
        handed="path",
        zones=("DE", "FR"),
        deployed_wall=1.25,
        reached_wall=2.5,
    )


CAUSES = (
    Schedule(expression="0 3 * * *", zone="Europe/Berlin", missed=Missed.ALL, most=7),
    Files(pattern="/in/**/*.mp4", settle_s=0.5, look_every_s=60.0),
    After(function="preprocess", origin="/a/ä.py"),
)


def occasion(key: str = "k", name: str = "nightly") -> Occasion:
    return Occasion(trigger=name, key=key, said=f"file {key}")


def succeed(store: SqlStore, job_id: str, result: str | None = "result-1.pkl") -> None:
    store.begin_attempt(job_id, State.QUEUED, attempt(job_id=job_id))
    store.move(job_id, State.STARTING, State.SUCCEEDED, at=1.0, wall=1.0, result=result)


@pytest.mark.parametrize("cause", CAUSES)
def test_a_trigger_comes_back_as_it_was_deployed(store: SqlStore, cause: Cause) -> None:
    store.triggers.deploy(trigger(cause))
    assert store.triggers.all() == [trigger(cause)]


def test_a_trigger_takes_the_place_of_the_one_of_its_name(store: SqlStore) -> None:
    store.triggers.deploy(trigger(CAUSES[0]))
    store.triggers.deploy(trigger(CAUSES[1]))
    store.triggers.deploy(trigger(CAUSES[0], "another"))
    assert [(t.name, t.cause) for t in store.triggers.all()] == [
        ("another", CAUSES[0]),
        ("nightly", CAUSES[1]),
    ]
    assert store.triggers.remove("nightly")
    assert not store.triggers.remove("nightly")
    assert [t.name for t in store.triggers.all()] == ["another"]


def test_an_occasion_gets_one_job_however_often_it_is_fired(store: SqlStore) -> None:
    pairs = [(occasion(key), submission(f"job-{key}")) for key in "ab"]
    assert store.triggers.fire(pairs, wall=5.0) == ["job-a", "job-b"]
    again = [(occasion(key), submission(f"other-{key}")) for key in "abc"]
    assert store.triggers.fire(again, wall=6.0) == ["other-c"]
    assert [job.id for job in store.jobs()] == ["job-a", "job-b", "other-c"]
    assert store.triggers.known("nightly", ["a", "b", "c", "d"]) == {"a", "b", "c"}
    assert store.triggers.origin_of("job-a") == occasion("a")
    assert store.triggers.origin_of("other-a") is None
    assert store.events("job-a")[0].after is State.QUEUED


def test_the_same_key_of_another_trigger_is_another_occasion(store: SqlStore) -> None:
    store.triggers.fire([(occasion(), submission("a"))], wall=5.0)
    assert store.triggers.fire([(occasion(name="other"), submission("b"))], wall=5.0) == ["b"]


def test_a_batch_is_submitted_whole_or_not_at_all(store: SqlStore) -> None:
    unspeakable = replace(submission("b"), deadline_at=float("nan"), world=World(speed=float("inf")))
    with pytest.raises(TidewattError):
        store.triggers.fire([(occasion("a"), submission("a")), (occasion("b"), unspeakable)], wall=5.0)
    assert store.jobs() == []
    assert store.triggers.known("nightly", ["a", "b"]) == set()


def test_more_keys_than_a_statement_takes_are_asked_for_in_parts(store: SqlStore) -> None:
    keys = [f"k{n}" for n in range(1300)]
    store.triggers.fire([(occasion(key), submission(key)) for key in keys[::100]], wall=1.0)
    assert store.triggers.known("nightly", keys) == set(keys[::100])


def test_a_refusal_is_kept_and_stands(store: SqlStore) -> None:
    store.triggers.refuse(occasion(), "found no site\0\udcff", wall=5.0)
    assert store.triggers.known("nightly", ["k"]) == {"k"}
    assert store.triggers.fire([(occasion(), submission("a"))], wall=6.0) == []
    last = store.triggers.last("nightly")
    assert last is not None
    assert (last.wall, last.job_id, last.refused) == (5.0, None, "found no site\\x00\\udcff")
    assert store.triggers.counts("nightly") == (0, 1)


def test_a_success_lets_each_follower_have_an_occasion_once(store: SqlStore) -> None:
    follows = After(function="digits")
    store.triggers.deploy(trigger(follows, "one"))
    store.triggers.deploy(trigger(follows, "two"))
    store.triggers.deploy(trigger(After(function="another"), "three"))
    store.triggers.deploy(trigger(CAUSES[1], "four"))
    store.submit(submission("a"))
    assert store.triggers.waiting() == []
    succeed(store, "a")
    waiting = store.triggers.waiting()
    assert sorted((o.trigger, o.key) for o in waiting) == [("one", "a"), ("two", "a")]
    assert store.triggers.known("one", ["a"]) == set()
    first = waiting[0]
    assert store.triggers.fire([(first, submission("b"))], wall=9.0) == ["b"]
    assert store.triggers.fire([(first, submission("c"))], wall=9.0) == []
    assert store.triggers.waiting() == waiting[1:]
    store.triggers.remove(waiting[1].trigger)
    assert store.triggers.waiting() == []


def test_a_failure_a_replay_and_what_has_no_result_are_no_occasion(store: SqlStore) -> None:
    store.triggers.deploy(trigger(After(function="digits")))
    store.submit(submission("failed"))
    store.move("failed", State.QUEUED, State.FAILED, at=1.0, wall=1.0)
    store.submit(replace(submission("replayed"), world=World(replayed=True, speed=3600.0)))
    succeed(store, "replayed")
    store.submit(submission("resultless"))
    succeed(store, "resultless", None)
    assert store.triggers.waiting() == []


def test_how_far_a_schedule_has_come_is_kept(store: SqlStore) -> None:
    store.triggers.deploy(trigger(CAUSES[0]))
    store.triggers.reach("nightly", 77.5)
    assert store.triggers.all()[0].reached_wall == 77.5


def test_of_many_who_fire_at_once_one_gets_each_occasion(shared_url: str) -> None:
    """As a watcher and a command that look at the same moment."""
    SqlStore.open(shared_url).close()
    won: list[str] = []
    gate = threading.Barrier(4)

    def fire(who: int) -> None:
        opened = SqlStore.open(shared_url)
        gate.wait()
        for n in range(10):
            won.extend(opened.triggers.fire([(occasion(f"k{n}"), submission(f"{who}-{n}"))], wall=1.0))
        opened.close()

    threads = [threading.Thread(target=fire, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = SqlStore.open(shared_url)
    assert sorted(name.partition("-")[2] for name in won) == sorted(str(n) for n in range(10))
    assert sorted(job.id for job in store.jobs()) == sorted(won)
    store.close()
