"""The bell: who rings, and who hears what."""

import select
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tidewatt.adapters.bell import Bell, Caller
from tidewatt.domain.lifecycle import State
from tidewatt.ports import Update

SOON = 30.0
Ring = Callable[[], Caller]


@pytest.fixture
def bell(tmp_path: Path) -> Iterator[Bell]:
    bell = Bell(tmp_path / "bell")
    yield bell
    bell.close()


@pytest.fixture
def ring(bell: Bell, tmp_path: Path) -> Iterator[Ring]:
    """Rings the bell, which answers."""
    callers: list[Caller] = []

    def ring() -> Caller:
        with ThreadPoolExecutor(1) as pool:
            ringing = pool.submit(Caller.ring, tmp_path / "bell")
            assert rung(bell)
            caller = ringing.result(SOON)
        assert caller is not None
        callers.append(caller)
        return caller

    yield ring
    for caller in callers:
        caller.close()


def rung(bell: Bell) -> bool:
    """Whether it was somebody's ring that there was to hear."""
    assert select.select([bell], [], [], SOON)[0], "nobody said anything"
    return bell.visit()


def update(job_id: str, state: State) -> Update:
    return Update(
        job_id=job_id,
        state=state,
        at=0.0,
        zone="DE",
        intensity=None,
        workers=1,
        step=0,
        total=None,
        loss=None,
        energy_j=0.0,
        carbon_g=None,
        note="",
    )


def test_who_stays_hears_all_updates(bell: Bell, ring: Ring) -> None:
    caller = ring()
    assert bell.heard
    bell.rests("a", ended=False)
    bell.publish(update("a", State.RUNNING))
    told = next(caller.updates(SOON))
    assert told is not None
    assert (told.job_id, told.state) == ("a", State.RUNNING)


def test_who_names_a_job_rings_again_and_hears_of_its_rest_alone(bell: Bell, ring: Ring) -> None:
    caller = ring()
    bell.publish(update("b", State.RUNNING))
    caller.await_rest("a")
    assert rung(bell)
    assert not bell.heard
    bell.publish(update("a", State.RUNNING))
    bell.rests("b", ended=False)
    assert not caller.told_rest(1e-3)
    bell.rests("a", ended=False)
    assert caller.told_rest(SOON)
    bell.rests("a", ended=True)
    assert not caller.told_rest(1e-3), "it was told twice"
    caller.await_rest("b")
    assert rung(bell)
    bell.rests("b", ended=True)
    assert caller.told_rest(SOON)


def test_who_names_a_job_that_has_just_ended_is_told_at_once(bell: Bell, ring: Ring) -> None:
    caller = ring()
    bell.rests("held", ended=False)
    bell.rests("ended", ended=True)
    caller.await_rest("held")
    assert rung(bell)
    assert not caller.told_rest(1e-3), "it may go on by now"
    caller.await_rest("ended")
    assert rung(bell)
    assert caller.told_rest(SOON)


def test_jobs_that_ended_long_ago_are_not_kept(bell: Bell, ring: Ring) -> None:
    caller = ring()
    for number in range(2000):
        bell.rests(f"job {number}", ended=True)
    caller.await_rest("job 0")
    assert rung(bell)
    assert not caller.told_rest(1e-3)
    caller.await_rest("job 1999")
    assert rung(bell)
    assert caller.told_rest(SOON)


def test_a_caller_that_hangs_up_hears_nothing_and_does_not_ring(bell: Bell, ring: Ring) -> None:
    ring().close()
    assert not rung(bell)
    assert not bell.heard


def test_a_line_to_a_supervisor_that_is_gone_says_so(bell: Bell, ring: Ring) -> None:
    first, second = ring(), ring()
    first.await_rest("a")
    assert rung(bell)
    bell.close()
    assert not first.closed
    assert not first.told_rest(SOON)
    assert first.closed
    second.await_rest("a")
    assert second.closed
    assert not second.told_rest(SOON)


def test_who_talks_without_end_is_hung_up_on(bell: Bell, ring: Ring) -> None:
    caller = ring()
    caller.await_rest("a" * 10_000)
    while bell.heard:
        assert not rung(bell)
