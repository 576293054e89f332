"""What every store promises, whichever database lies beneath it."""

import hashlib
import math
import sqlite3
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import create_engine, insert, inspect, text

from tidewatt.accounting.balance import balances, beside
from tidewatt.adapters.stores import rows, tables
from tidewatt.adapters.stores.balances import PAGE
from tidewatt.adapters.stores.database import Database
from tidewatt.adapters.stores.migrations import LATEST, MIGRATIONS
from tidewatt.adapters.stores.sql import SqlStore
from tidewatt.domain.budget import Budget
from tidewatt.domain.estimate import Tier
from tidewatt.domain.function import FunctionSpec, Kind, Payload, WorkerRange
from tidewatt.domain.job import Attempt, Event, Job, Submission
from tidewatt.domain.ledger import (
    POOL,
    UNALLOCATED,
    Account,
    Allocation,
    Balance,
    EnergyReading,
    Holder,
    Phase,
)
from tidewatt.domain.lifecycle import ENDED, State, Wish
from tidewatt.domain.plan import Assignment, Note, Plan
from tidewatt.domain.signal import Forecast, ForecastWindow, Quality, Reading, Signal
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.domain.world import World
from tidewatt.errors import IllegalMove, NewerState, StaleToken, TidewattError, UsageError
from tidewatt.ports import Checkpointed, Progressed, Store

HOUR = 3600.0


def submission(job_id: str = "a") -> Submission:
    return Submission(
        id=job_id,
        function=FunctionSpec(
            name="digits",
            kind=Kind.TRAINING,
            workers=WorkerRange(1, 4),
            shards=8,
            cpus=2,
            memory_bytes=2**40,
            timeout_s=0.1,
            retries=2,
            deadline_s=86400.0,
            zones=("DE", "FR"),
            budget=Budget(carbon="2 kg"),
        ),
        payload=Payload(form="file", path="code.py", function="digits", sha256="ab", imports=("torch",)),
        arguments={"lr": "0.1", "näme": "a\0b 🌊"},
        submitted_at=1_700_000_000.123456,
        submitted_wall=1_800_000_000.654321,
        deadline_at=1_700_086_400.123456,
        home_zone="DE",
    )


def attempt(token: int = 1, job_id: str = "a") -> Attempt:
    return Attempt(
        job_id=job_id,
        token=token,
        site="home",
        zone="DE",
        workers=2,
        started_at=10.0 * token,
        started_wall=11.0 * token,
    )


def reading(energy_uj: int = 1_000_003, start_at: float = 0.0) -> EnergyReading:
    return EnergyReading(
        meter="rapl",
        tier=Tier.HYBRID,
        start_at=start_at,
        end_at=start_at + 1.5,
        wall_s=1.5,
        energy_uj=energy_uj,
        static_uj=energy_uj // 2,
        low_uj=energy_uj - 3,
        high_uj=energy_uj + 5,
        busy_cpu_s=0.75,
        cpus=2,
    )


def share(account: Account, energy_uj: int, phase: Phase = Phase.COMPUTE) -> Allocation:
    return Allocation(
        account=account,
        phase=phase,
        energy_uj=energy_uj,
        cpu_s=0.1 + 0.2,
        spare_uj=2**40 + 1,
        reserved_cpu_s=3.0,
        zone="DE",
        workers=2,
        token=1,
    )


def grid_reading(observed_at: float, quality: Quality = Quality.MEASURED, value: float = 100.0) -> Reading:
    return Reading(observed_at, value, value - 10, value + 10, "a test", quality)


def snapshot(now: float) -> Snapshot:
    return Snapshot(
        now=now,
        sites=(Site("home", "DE", 8, 1.2), Site("away", "FR", 4)),
        forecasts=(Forecast("DE", now, "blend", (ForecastWindow(now, 0.1 + 0.2, 1e-300, 1e300),), "stale"),),
        jobs=(
            JobView(
                id="a",
                submitted_at=now / 3,
                deadline_at=None,
                least=1,
                most=2,
                zones=(),
                home_zone="DE",
                cpus_per_worker=1,
                suspendable=True,
                remaining=Remaining(math.pi, math.e * 1e9),
                speedup=(1.0, 1.0 / 0.7),
                safe_speedup=(1.0, 1.0 / 0.7),
                watts=(10.0, 20.0),
                restart_s=2.0,
                running_on="home",
                running_workers=1,
            ),
        ),
    )


def plan(now: float) -> Plan:
    return Plan(
        policy="tide",
        issued_at=now,
        assignments=(Assignment("a", "home", 2, now, now + HOUR),),
        notes=(Note("a", "cleanest hour"),),
    )


def started(store: Store, job_id: str = "a") -> Job:
    store.submit(submission(job_id))
    return store.begin_attempt(job_id, State.QUEUED, attempt(job_id=job_id))


def contents(folder: Path) -> dict[str, str]:
    return {str(p.name): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_fills_the_port(store: Store) -> None:
    port: Store = store
    assert port.jobs() == []


def test_world_is_none_before_it_is_saved_and_then_the_last_saved(store: Store) -> None:
    assert store.world() is None
    for world in (World(), World(speed=3600.0, replayed=True, reached_at=0.1, zones=("DE", "FR"))):
        store.save_world(world)
        assert store.world() == world


def test_submitted_job_is_queued_with_its_event(store: Store) -> None:
    job = store.submit(submission())
    assert job == Job(
        submission=submission(),
        seq=job.seq,
        state=State.QUEUED,
        wish=Wish.RUN,
        token=0,
        failures=0,
        steps_done=0,
        steps_reached=0,
        steps_total=None,
        loss=None,
        checkpoint=None,
        result=None,
        error=None,
        ended_at=None,
    )
    assert type(job.state) is State
    assert store.job("a") == job
    assert store.events("a") == [
        Event(
            job_id="a",
            at=submission().submitted_at,
            wall=submission().submitted_wall,
            before=None,
            after=State.QUEUED,
            token=0,
            detail="",
        )
    ]


def unplanned(job_id: str, name: str = "resize", priority: int = 0) -> Submission:
    function = FunctionSpec(name=name, kind=Kind.FUNCTION, priority=priority)
    return replace(submission(job_id), function=function, deadline_at=None)


def test_of_the_unplanned_the_first_are_at_hand_and_of_the_others_all(store: Store) -> None:
    for each in ("a", "b", "c"):
        store.submit(unplanned(each))
    store.submit(unplanned("first", priority=1))
    store.submit(submission("planned"))
    store.submit(replace(unplanned("in-time"), deadline_at=2e9))

    def at_hand(most: int, *passed_over: str) -> list[str]:
        return [job.id for job in store.jobs_at_hand(most, passed_over)]

    assert at_hand(2) == ["a", "first", "planned", "in-time"]
    assert at_hand(9) == ["a", "b", "c", "first", "planned", "in-time"]
    assert at_hand(9, "resize") == ["planned", "in-time"]
    assert at_hand(1, "other") == at_hand(1) == ["first", "planned", "in-time"]


def test_who_was_tried_or_is_to_leave_does_not_stand_unplanned(store: Store) -> None:
    for each in ("tried", "leaving", "aside", "a", "b"):
        store.submit(unplanned(each))
    store.begin_attempt("tried", State.QUEUED, attempt(job_id="tried"))
    store.move("tried", State.STARTING, State.QUEUED, at=1.0, wall=2.0)
    store.wish("leaving", Wish.CANCEL)
    store.wish("aside", Wish.HOLD)
    assert [job.id for job in store.jobs_at_hand(1)] == ["tried", "leaving", "aside", "a"]
    assert [job.id for job in store.jobs_at_hand(0)] == ["tried", "aside"]
    store.move("leaving", State.QUEUED, State.CANCELLED, at=1.0, wall=2.0)
    assert [job.id for job in store.jobs_at_hand(2)] == ["tried", "aside", "a", "b"]


def test_jobs_are_counted_by_state_and_those_that_ended_are_told_from_the_newest_on(store: Store) -> None:
    assert not store.any_open()
    assert not store.counts()
    for each in ("a", "b", "c"):
        store.submit(submission(each))
    for each in ("b", "a"):
        store.move(each, State.QUEUED, State.CANCELLED, at=1.0, wall=2.0)
    assert store.counts() == {State.CANCELLED: 2, State.QUEUED: 1}
    assert [job.id for job in store.ended_last(1)] == ["b"]
    assert [job.id for job in store.ended_last(5)] == ["a", "b"]
    assert store.ids() == ["a", "b", "c"]
    assert store.any_open()
    store.move("c", State.QUEUED, State.CANCELLED, at=1.0, wall=2.0)
    assert not store.any_open()


def test_a_move_saves_what_is_new_of_its_attempt_or_nothing_at_all(store: Store) -> None:
    started(store)
    news = replace(attempt(), first_step=3, startup_wall_s=0.5)
    store.move("a", State.STARTING, State.RUNNING, at=1.0, wall=2.0, attempt=news)
    assert store.attempts("a") == [news]
    with pytest.raises(StaleToken):
        store.move(
            "a", State.RUNNING, State.FAILED, at=1.0, wall=2.0, attempt=replace(news, token=7, first_step=9)
        )
    kept = store.job("a")
    assert kept is not None
    assert kept.state is State.RUNNING
    assert store.attempts("a") == [news]


def test_an_end_is_saved_with_its_beginning_and_what_was_charged_or_nothing_is(
    store: Store,
) -> None:
    started(store)
    ended = replace(attempt(), ended_at=3.0, ended_wall=4.0, outcome="succeeded")
    share = Allocation(
        account=Account(Holder.JOB, "a"),
        phase=Phase.COMPUTE,
        energy_uj=1_000_003,
        cpu_s=1.0,
        zone="DE",
        token=1,
    )
    end = partial(store.move, "a", State.STARTING, State.SUCCEEDED, at=3.0, wall=4.0, ran_at=(1.0, 2.0))
    before = store.events("a")
    for of, uj, wrong in ((replace(ended, token=7), 1_000_003, StaleToken), (ended, 5, TidewattError)):
        with pytest.raises(wrong):
            end(attempt=of, charges=[(reading(energy_uj=uj), [share])])
        assert (store.events("a"), store.attempts("a"), store.ledger()) == (before, [attempt()], [])

    moved = end(attempt=ended, charges=[(reading(), [share])])

    assert (moved.state, moved.ended_at) == (State.SUCCEEDED, 3.0)
    told = [(e.at, e.wall, e.before, e.after) for e in store.events("a")[len(before) :]]
    assert told == [
        (1.0, 2.0, State.STARTING, State.RUNNING),
        (3.0, 4.0, State.RUNNING, State.SUCCEEDED),
    ]
    assert store.attempts("a") == [ended]
    assert [(e.reading, e.allocation) for e in store.ledger()] == [(reading(), share)]


def test_what_cannot_have_run_in_between_is_not_moved_as_if_it_had(store: Store) -> None:
    store.submit(submission())
    with pytest.raises(IllegalMove, match=r"queued.*a move to running"):
        store.move("a", State.QUEUED, State.CANCELLED, at=1.0, wall=2.0, ran_at=(1.0, 2.0))
    assert [job.state for job in store.jobs()] == [State.QUEUED]


def test_submitting_twice_is_submitting_once(store: Store) -> None:
    store.submit(submission())
    moved = store.move("a", State.QUEUED, State.CANCELLED, at=1.0, wall=2.0)
    assert store.submit(submission()) == moved
    assert len(store.jobs()) == 1
    assert len(store.events("a")) == 2


def test_another_submission_under_a_taken_identifier_is_refused(store: Store) -> None:
    first = store.submit(submission())
    with pytest.raises(TidewattError, match="another submission under the identifier a"):
        store.submit(replace(submission(), home_zone="FR"))
    assert store.jobs() == [first]


def test_submission_that_json_cannot_hold_is_refused_whole(store: Store) -> None:
    with pytest.raises(TidewattError, match="JSON cannot hold"):
        store.submit(replace(submission(), arguments={"path": "\udcff"}))
    assert store.jobs() == []


def test_jobs_are_in_order_of_submission_and_open_ones_can_be_asked_for(store: Store) -> None:
    names = ["c", "a", "b", "d"]
    for name in names:
        store.submit(submission(name))
    store.move("a", State.QUEUED, State.CANCELLED, at=1.0, wall=1.0)
    store.move("d", State.QUEUED, State.FAILED, at=1.0, wall=1.0, error="it did not work")
    jobs = store.jobs()
    assert [job.id for job in jobs] == names
    assert [job.seq for job in jobs] == sorted({job.seq for job in jobs})
    assert [job.id for job in store.jobs(open_only=True)] == ["c", "b"]


def test_calls_are_told_with_their_function_from_an_instant_on(store: Store) -> None:
    for name, wall in (("c", 100.5), ("a", 99.5), ("b", 100.0)):
        store.submit(replace(submission(name), submitted_wall=wall))
    store.move("b", State.QUEUED, State.CANCELLED, at=1.0, wall=1.0)
    assert store.called_since(100.0) == [("c", "digits", 100.5), ("b", "digits", 100.0)]
    assert store.called_since(101.0) == []


def test_job_of_no_one_is_none(store: Store) -> None:
    assert store.job("nobody") is None
    assert store.events("nobody") == []
    assert store.attempts("nobody") == []
    assert store.progress("nobody") == []
    assert store.ledger("nobody") == []


@pytest.mark.parametrize(
    "act",
    [
        lambda s: s.wish("nobody", Wish.HOLD),
        lambda s: s.move("nobody", State.QUEUED, State.FAILED, at=0.0, wall=0.0),
        lambda s: s.begin_attempt("nobody", State.QUEUED, attempt(job_id="nobody")),
        lambda s: s.update_attempt(attempt(job_id="nobody")),
        lambda s: s.note("nobody", at=0.0, wall=0.0, detail=""),
        lambda s: s.record_progress(
            Progressed(job_id="nobody", token=1, step=1, total=None, loss=None), at=0.0, wall=0.0, workers=1
        ),
        lambda s: s.record_checkpoint(Checkpointed(job_id="nobody", token=1, step=1, path="c"), at=0.0),
    ],
    ids=["wish", "move", "begin_attempt", "update_attempt", "note", "record_progress", "record_checkpoint"],
)
def test_acting_on_a_job_of_no_one_is_refused_in_words(store: Store, act: Callable[[Store], object]) -> None:
    with pytest.raises(TidewattError, match="no job nobody in the store"):
        act(store)


def test_wish_is_noted_and_is_no_move(store: Store) -> None:
    before = store.submit(submission())
    store.wish("a", Wish.HOLD)
    assert store.job("a") == replace(before, wish=Wish.HOLD)
    assert len(store.events("a")) == 1


def test_move_changes_state_columns_and_history_together(store: Store) -> None:
    before = started(store)
    after = store.move(
        "a",
        State.STARTING,
        State.QUEUED,
        at=20.0,
        wall=21.0,
        detail="a worker died",
        failures=1,
        wish=Wish.HOLD,
        steps_done=5,
        checkpoint="c/5",
        steps_total=2**40,
    )
    assert after == replace(
        before,
        state=State.QUEUED,
        failures=1,
        wish=Wish.HOLD,
        steps_done=5,
        checkpoint="c/5",
        steps_total=2**40,
    )
    assert store.job("a") == after
    assert store.events("a")[-1] == Event(
        job_id="a",
        at=20.0,
        wall=21.0,
        before=State.STARTING,
        after=State.QUEUED,
        token=1,
        detail="a worker died",
    )


@pytest.mark.parametrize("end", sorted(ENDED))
def test_a_job_ends_when_it_moves_to_an_end(store: Store, end: State) -> None:
    started(store, "a")
    assert store.move("a", State.STARTING, end, at=20.0, wall=21.0).ended_at == 20.0
    started(store, "b")
    assert store.move("b", State.STARTING, end, at=20.0, wall=21.0, ended_at=19.0).ended_at == 19.0


def test_move_from_another_state_names_both_and_changes_nothing(store: Store) -> None:
    before = started(store)
    with pytest.raises(IllegalMove, match=r"job a starting; wanted it queued, to move it to cancelled"):
        store.move("a", State.QUEUED, State.CANCELLED, at=1.0, wall=1.0, error="no")
    assert store.job("a") == before
    assert len(store.events("a")) == 2


def test_move_that_the_table_does_not_hold_is_refused(store: Store) -> None:
    before = store.submit(submission())
    with pytest.raises(IllegalMove, match="job a queued; wanted a move to running"):
        store.move("a", State.QUEUED, State.RUNNING, at=1.0, wall=1.0)
    assert store.job("a") == before


@pytest.mark.parametrize("name", ["state", "token", "seq", "id", "banana"])
def test_move_sets_only_what_a_move_may_set(store: Store, name: str) -> None:
    before = store.submit(submission())
    change: dict[str, Any] = {name: 1}
    with pytest.raises(TypeError, match=name):
        store.move("a", State.QUEUED, State.FAILED, at=1.0, wall=1.0, **change)
    assert store.job("a") == before


def test_any_words_of_a_user_can_be_kept(store: Store) -> None:
    store.submit(submission())
    text = "zero \0, half a pair \udcff, 🌊 and '; DROP TABLE jobs; --"
    job = store.move("a", State.QUEUED, State.FAILED, at=1.0, wall=1.0, detail=text, error=text)
    assert job.error == "zero \\x00, half a pair \\udcff, 🌊 and '; DROP TABLE jobs; --"
    assert store.events("a")[-1].detail == job.error


def test_note_is_an_event_and_no_move(store: Store) -> None:
    before = started(store)
    store.note("a", at=20.0, wall=21.0, detail="a checkpoint failed: disk full")
    assert store.job("a") == before
    assert store.events("a")[-1] == Event(
        job_id="a",
        at=20.0,
        wall=21.0,
        before=State.STARTING,
        after=State.STARTING,
        token=1,
        detail="a checkpoint failed: disk full",
    )


def test_attempt_takes_the_next_token(store: Store) -> None:
    store.submit(submission())
    job = store.begin_attempt("a", State.QUEUED, attempt(1))
    assert (job.state, job.token) == (State.STARTING, 1)
    store.move("a", State.STARTING, State.SUSPENDED, at=15.0, wall=16.0)
    job = store.begin_attempt("a", State.SUSPENDED, attempt(2))
    assert (job.state, job.token) == (State.STARTING, 2)
    assert store.attempts("a") == [attempt(1), attempt(2)]
    assert [(e.before, e.after, e.token, e.at, e.wall) for e in store.events("a")[1:]] == [
        (State.QUEUED, State.STARTING, 1, 10.0, 11.0),
        (State.STARTING, State.SUSPENDED, 1, 15.0, 16.0),
        (State.SUSPENDED, State.STARTING, 2, 20.0, 22.0),
    ]


@pytest.mark.parametrize("token", [0, 2, 7])
def test_attempt_with_another_token_is_refused(store: Store, token: int) -> None:
    before = store.submit(submission())
    with pytest.raises(StaleToken, match="job a at token 0"):
        store.begin_attempt("a", State.QUEUED, attempt(token))
    assert store.job("a") == before
    assert store.attempts("a") == []
    assert len(store.events("a")) == 1


def test_attempt_at_a_job_that_is_not_waiting_is_refused(store: Store) -> None:
    before = started(store)
    with pytest.raises(IllegalMove, match="job a starting; wanted it queued"):
        store.begin_attempt("a", State.QUEUED, attempt(2))
    with pytest.raises(IllegalMove, match="wanted a move to starting"):
        store.begin_attempt("a", State.STARTING, attempt(2))
    with pytest.raises(ValueError, match="attempt at b"):
        store.begin_attempt("a", State.QUEUED, attempt(2, "b"))
    assert store.job("a") == before
    assert store.attempts("a") == [attempt(1)]


def test_news_of_an_attempt_are_kept(store: Store) -> None:
    started(store)
    news = replace(
        attempt(),
        processes=((123, 1_700_000_000.25), (124, 1_700_000_000.5)),
        first_step=0,
        last_step=2**40,
        startup_wall_s=0.025,
        training_wall_s=3.5,
        ended_at=12.0,
        ended_wall=13.0,
        outcome="succeeded",
    )
    store.update_attempt(news)
    assert store.attempts("a") == [news]


def test_stale_attempt_writes_nothing(store: Store) -> None:
    started(store)
    store.move("a", State.STARTING, State.QUEUED, at=15.0, wall=16.0)
    before = store.begin_attempt("a", State.QUEUED, attempt(2))
    with pytest.raises(StaleToken, match="attempt 1 at job a; wanted one of attempt 2"):
        store.update_attempt(replace(attempt(1), outcome="succeeded"))
    with pytest.raises(StaleToken):
        store.record_progress(
            Progressed(job_id="a", token=1, step=9, total=10, loss=0.5), at=1.0, wall=1.0, workers=1
        )
    with pytest.raises(StaleToken):
        store.record_checkpoint(Checkpointed(job_id="a", token=1, step=9, path="c/9"), at=1.0)
    assert store.job("a") == before
    assert store.attempts("a") == [attempt(1), attempt(2)]
    assert store.progress("a") == []


def test_progress_goes_only_forwards_and_keeps_what_a_report_leaves_out(store: Store) -> None:
    before = started(store)
    reports = [(5, 100, 0.5), (9, None, None), (7, None, 0.25)]
    for number, (step, total, loss) in enumerate(reports):
        report = Progressed(job_id="a", token=1, step=step, total=total, loss=loss, metrics={"acc": math.nan})
        store.record_progress(report, at=float(number), wall=0.0, workers=number + 1)
    assert store.progress("a") == [(0.0, 5, 1, 0.5), (1.0, 9, 2, None), (2.0, 7, 3, 0.25)]
    assert store.job("a") == replace(before, steps_reached=9, steps_total=100, loss=0.25)


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_loss_that_diverged_is_not_missing(store: Store, loss: float) -> None:
    started(store)
    report = Progressed(job_id="a", token=1, step=1, total=None, loss=loss)
    store.record_progress(report, at=0.0, wall=0.0, workers=1)
    ((_, _, _, kept),) = store.progress("a")
    assert repr(kept) == repr(loss)


def test_checkpoint_becomes_the_one_to_resume_from(store: Store) -> None:
    before = started(store)
    for step in (5, 10):
        store.record_checkpoint(
            Checkpointed(job_id="a", token=1, step=step, path=f"c/{step}", size=2**40, sha256="ab"), at=1.0
        )
    assert store.job("a") == replace(before, steps_done=10, checkpoint="c/10")


def test_checkpoint_that_failed_does_not(store: Store) -> None:
    before = started(store)
    store.record_checkpoint(Checkpointed(job_id="a", token=1, step=5, path="c/5", error="disk full"), at=1.0)
    assert store.job("a") == before


def test_energy_comes_back_by_job_and_whole(store: Store) -> None:
    a, b = Account(Holder.JOB, "a"), Account(Holder.JOB, "b")
    big = 2**62
    shares = [share(a, big), share(b, 4), share(POOL, 5, Phase.WARM_IDLE), share(UNALLOCATED, 0, Phase.NONE)]
    store.record_energy(reading(big + 9), shares)
    store.record_energy(reading(0, start_at=1.5), [])
    store.record_energy(reading(7, start_at=3.0), [share(a, 9, Phase.REPLAY), share(UNALLOCATED, -2)])
    whole = store.ledger()
    assert [entry.allocation for entry in whole] == [
        *shares,
        share(a, 9, Phase.REPLAY),
        share(UNALLOCATED, -2),
    ]
    assert {entry.reading for entry in whole} == {reading(big + 9), reading(7, start_at=3.0)}
    assert all(type(entry.reading.tier) is Tier for entry in whole)
    assert store.ledger("a") == [entry for entry in whole if entry.allocation.account == a]
    assert store.ledger("b") == [entry for entry in whole if entry.allocation.account == b]


def test_sums_of_a_long_ledger_are_those_of_its_entries(store: Store) -> None:
    """Long enough that most of it has been summed beforehand; the clock goes through some hours twice."""
    random, jobs, at = Random(7), ("a", "b", "c"), 0.0  # noqa: S311 - not for secrets
    for number in range(2 * PAGE + 300):
        at = 0.0 if number == PAGE + 100 else at + random.choice([1.5, 1.5, 20.0])
        owners = [
            Account(Holder.JOB, job) for job in jobs if number % (3 + len(job)) or random.random() < 0.5
        ]
        shares = [
            replace(
                share(owner, random.randrange(2**40), random.choice([Phase.COMPUTE, Phase.STALLED])),
                token=1 + number // 700,
                reserved_cpu_s=random.random(),
                spare_uj=None if number % 500 == 0 else random.randrange(2**40),
            )
            for owner in owners
            if (owner.job_id != "a" or 300 < number < 2 * PAGE - 200) and owner.job_id != "c"
        ]
        shares += [share(POOL, random.randrange(10), Phase.WARM_IDLE), share(UNALLOCATED, 5, Phase.NONE)]
        if number == 2 * PAGE + 299:
            shares.append(share(Account(Holder.JOB, "c"), 1))
        made = reading(sum(s.energy_uj for s in shares), start_at=at)
        devices = [replace(made, meter=f"gpu {n}") for n in range(random.randrange(3))]
        store.record_energies([(each, shares) for each in (made, *devices)])
    ledger = store.ledger()
    assert_alike(store.balances(), balances(ledger))
    for job in (*jobs, "nobody"):
        assert_alike(store.balances(job), balances(store.ledger(job)))
        for start_at, end_at in ((0.0, at), (-5.0, 0.0), (at / 3, at / 2)):
            assert store.beside(job, start_at, end_at) == beside(ledger, job, start_at, end_at)
    middle = at // 2 // HOUR * HOUR
    within = balances(e for e in ledger if middle <= e.reading.start_at < middle + 2 * HOUR)
    assert within
    assert_alike(store.balances(since_at=middle, until_at=middle + 2 * HOUR), within)


def assert_alike(found: list[Balance], wanted: list[Balance]) -> None:
    """Whole figures are the same, and sums of fractions as near as the order of adding lets them be."""
    whole = [[replace(b, low_j=0.0, high_j=0.0, machine_s=0.0) for b in each] for each in (found, wanted)]
    assert whole[0] == whole[1]
    for one, other in zip(found, wanted, strict=True):
        assert (one.low_j, one.high_j, one.machine_s) == pytest.approx(
            (other.low_j, other.high_j, other.machine_s)
        )


@pytest.mark.parametrize("off_by", [-1, 1])
def test_energy_that_does_not_add_up_is_refused_whole(store: Store, off_by: int) -> None:
    with pytest.raises(TidewattError, match="wanted 10 µJ"):
        store.record_energy(reading(10), [share(POOL, 4), share(UNALLOCATED, 6 + off_by)])
    with pytest.raises(TidewattError, match="found allocations of 0 µJ"):
        store.record_energy(reading(10), [])
    assert store.ledger() == []


@pytest.mark.parametrize(("first", "second"), list(product(Quality, repeat=2)))
def test_kept_reading_gives_way_only_to_one_as_good(store: Store, first: Quality, second: Quality) -> None:
    order = [Quality.FILLED, Quality.MODELLED, Quality.MEASURED]
    old, new = grid_reading(0.0, first, 100.0), grid_reading(0.0, second, 200.0)
    store.record_signal("grid", Signal("DE", (old,)))
    store.record_signal("grid", Signal("DE", (new, grid_reading(HOUR))))
    kept = new if order.index(second) >= order.index(first) else old
    assert store.signal("grid", "DE", 0.0, 2 * HOUR) == Signal("DE", (kept, grid_reading(HOUR)))


@pytest.mark.parametrize(
    ("start_at", "end_at", "hours"),
    [
        (0.0, 3 * HOUR, [0, 1, 2]),
        (HOUR, 2 * HOUR, [1]),
        (HOUR - 1, 2 * HOUR + 1, [0, 1, 2]),
        (HOUR + 1, HOUR + 2, [1]),
        (HOUR, HOUR, [1]),
        (-HOUR, 0.0, []),
        (3 * HOUR, 4 * HOUR, []),
    ],
)
def test_signal_holds_the_hours_that_overlap(
    store: Store, start_at: float, end_at: float, hours: list[int]
) -> None:
    store.record_signal("grid", Signal("FR", ()))
    store.record_signal("grid", Signal("DE", tuple(grid_reading(hour * HOUR) for hour in (2, 0, 1))))
    found = store.signal("grid", "DE", start_at, end_at)
    assert found == Signal("DE", tuple(grid_reading(hour * HOUR) for hour in hours))
    assert store.signal("grid", "FR", start_at, end_at) == Signal("FR", ())
    assert store.signal("another grid", "DE", start_at, end_at) == Signal("DE", ())


def test_decisions_come_back_as_they_were_taken(store: Store) -> None:
    assert store.last_plan() is None
    assert list(store.plans()) == []
    taken = [(snapshot(0.1 * n), plan(0.1 * n)) for n in range(205)]
    for decision in taken:
        store.record_plan(*decision)
    assert list(store.plans()) == taken
    assert store.last_plan() == taken[-1][1]


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_decision_that_would_not_come_back_is_refused(store: Store, number: float) -> None:
    with pytest.raises(TidewattError, match="finite numbers"):
        store.record_plan(replace(snapshot(0.0), now=number), plan(0.0))
    assert list(store.plans()) == []


def test_all_is_there_after_opening_again(shared_url: str) -> None:
    store = SqlStore.open(shared_url)
    job = started(store)
    store.close()
    again = SqlStore.open(shared_url)
    assert again.jobs() == [job]
    assert again.attempts("a") == [attempt()]
    again.close()


def test_two_stores_see_each_other(shared_url: str) -> None:
    one, two = SqlStore.open(shared_url), SqlStore.open(shared_url)
    job = one.submit(submission())
    assert two.jobs() == [job]
    moved = two.move("a", State.QUEUED, State.CANCELLED, at=1.0, wall=1.0)
    assert one.job("a") == moved
    one.close()
    two.close()


def test_store_can_be_used_by_another_thread(shared_url: str) -> None:
    store = SqlStore.open(shared_url)
    thread = threading.Thread(target=store.submit, args=[submission()])
    thread.start()
    thread.join()
    assert [job.id for job in store.jobs()] == ["a"]
    store.close()


def test_migrations_lead_to_the_tables_that_the_store_uses(shared_url: str) -> None:
    SqlStore.open(shared_url).close()
    engine = create_engine(shared_url)
    kept = inspect(engine)
    assert set(kept.get_table_names()) == {*tables.metadata.tables, "schema_version"}
    for table in tables.metadata.tables.values():
        columns = [(c["name"], c["nullable"]) for c in kept.get_columns(table.name)]
        key = set(kept.get_pk_constraint(table.name)["constrained_columns"])
        assert key == {c.name for c in table.primary_key}
        assert [(n, null and n not in key) for n, null in columns] == [
            (c.name, c.nullable) for c in table.columns
        ]
    engine.dispose()


def test_migrations_are_numbered_from_one() -> None:
    assert [migration.number for migration in MIGRATIONS] == list(range(1, LATEST + 1))


def test_an_entry_of_the_first_version_used_an_unknown_time(shared_url: str) -> None:
    whole = dict(zip(rows.ALLOCATION, rows.allocation_row(share(POOL, 7), 1), strict=True))
    old = {name: value for name, value in whole.items() if name not in {"cpu_s", "spare_uj"}} | {"id": 1}
    read = dict(zip(rows.READING, rows.reading_row(reading(7)), strict=True))
    engine = create_engine(shared_url)
    with engine.begin() as connection:
        for statement in MIGRATIONS[0].statements:
            connection.execute(text(statement.replace("{identity}", "BIGINT PRIMARY KEY")))
        connection.execute(text("CREATE TABLE schema_version (number INTEGER NOT NULL PRIMARY KEY)"))
        connection.execute(text("INSERT INTO schema_version VALUES (1)"))
        connection.execute(insert(tables.readings).values(id=1, **read))
        connection.execute(insert(tables.allocations).values(**old))
    engine.dispose()
    store = SqlStore.open(shared_url)
    (entry,) = store.ledger()
    assert entry.allocation == replace(share(POOL, 7), cpu_s=None, spare_uj=None)
    (balance,) = store.balances()
    assert balance.spare_uj is None
    store.close()


def newer(url: str) -> None:
    SqlStore.open(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO schema_version VALUES (:number)"), {"number": LATEST + 1})
    engine.dispose()


def test_newer_store_is_refused(shared_url: str) -> None:
    newer(shared_url)
    with pytest.raises(NewerState, match=f"schema version {LATEST + 1}") as refused:
        SqlStore.open(shared_url)
    assert refused.value.exit_code == 3


def test_newer_file_is_not_touched(sqlite_url: str, tmp_path: Path) -> None:
    newer(sqlite_url)
    before = contents(tmp_path / "store")
    with pytest.raises(NewerState):
        SqlStore.open(sqlite_url)
    assert contents(tmp_path / "store") == before
    assert list(before) == ["tidewatt.db"]


def test_newer_file_is_not_touched_while_in_use(sqlite_url: str, tmp_path: Path) -> None:
    newer(sqlite_url)
    user = sqlite3.connect(tmp_path / "store" / "tidewatt.db")
    user.execute("CREATE TABLE something_new (x)")
    before = contents(tmp_path / "store")
    assert len(before) == 3
    with pytest.raises(NewerState):
        SqlStore.open(sqlite_url)
    assert contents(tmp_path / "store") == before
    user.close()


def test_newer_version_that_is_only_in_the_log_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    SqlStore.open(sqlite_url).close()
    user = sqlite3.connect(tmp_path / "store" / "tidewatt.db")
    with user:
        user.execute("INSERT INTO schema_version VALUES (?)", [LATEST + 1])
    with pytest.raises(NewerState):
        SqlStore.open(sqlite_url)
    user.close()


def test_closed_store_leaves_one_file_in_write_ahead_mode(sqlite_url: str, tmp_path: Path) -> None:
    store = SqlStore.open(sqlite_url)
    store.submit(submission())
    store.close()
    (file,) = (tmp_path / "store").iterdir()
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_sqlite_is_asked_for_what_is_promised(sqlite_url: str, durable: bool, level: int) -> None:
    SqlStore.open(sqlite_url).close()
    database = Database.at(sqlite_url)
    with database.writing(durable=durable) as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("synchronous", "foreign_keys", "busy_timeout", "journal_mode")
        }
    assert settings == {
        "synchronous": level,
        "foreign_keys": 1,
        "busy_timeout": 15_000,
        "journal_mode": "wal",
    }
    database.close()


@pytest.mark.parametrize("url", ["not a url", "mysql://there/db", "", "postgresql://host:port/db"])
def test_database_of_another_kind_is_wrong_usage(url: str) -> None:
    with pytest.raises(UsageError, match="sqlite:///FILE"):
        SqlStore.open(url)


def test_missing_driver_is_named_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UsageError, match=r"no Python package psycopg.*install 'tidewatt\[postgres\]'"):
        SqlStore.open("postgresql://someone@/db")


def test_file_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear reader, " * 1000)
    with pytest.raises(TidewattError, match="not a database"):
        SqlStore.open(f"sqlite:///{file}")
    assert file.read_text() == "Dear reader, " * 1000
    with pytest.raises(TidewattError, match="unable to open"):
        SqlStore.open(f"sqlite:///{tmp_path / 'missing' / 'file'}")


def test_password_is_never_told(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(TidewattError) as failed:
        SqlStore.open(f"postgresql://someone:secret@/db?host={tmp_path}")
    assert "secret" not in str(failed.value)
    assert "someone:***" in str(failed.value)


def test_a_key_names_one_job_for_ever(store: Store) -> None:
    keyed = replace(submission("a"), idempotency_key="digits 2026-11-21")
    first = store.submit(keyed)
    again = replace(submission("b"), idempotency_key="digits 2026-11-21")
    assert store.submit(again) == first
    store.move("a", State.QUEUED, State.CANCELLED, at=1.0, wall=2.0)
    assert store.submit(again).state is State.CANCELLED
    assert store.job_named("digits 2026-11-21") == store.job("a")
    assert store.job("b") is None
    assert store.job_named("digits 2026-11-22") is None


def test_jobs_without_a_key_are_as_many_as_are_submitted(store: Store) -> None:
    assert [store.submit(submission(name)).id for name in "ab"] == ["a", "b"]
    assert store.job_named("") is None
