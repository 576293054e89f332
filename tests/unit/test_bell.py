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


def heard(caller: Caller) -> str:
    told = next(caller.updates(SOON))
    assert told is not None
    return f"{told.job_id} {told.state}"


def test_who_stays_hears_all(bell: Bell, ring: Ring) -> None:
    caller = ring()
    assert bell.hears("a", at_rest=False)
    bell.publish(update("a", State.RUNNING), at_rest=False)
    assert heard(caller) == "a running"


def test_who_names_a_job_rings_again_and_hears_of_its_rest_alone(bell: Bell, ring: Ring) -> None:
    caller = ring()
    bell.publish(update("b", State.RUNNING), at_rest=False)
    assert caller.await_rest("a")
    assert rung(bell)
    assert not bell.hears("a", at_rest=False)
    assert not bell.hears("b", at_rest=True)
    bell.publish(update("a", State.RUNNING), at_rest=False)
    bell.publish(update("b", State.SUCCEEDED), at_rest=True)
    bell.publish(update("a", State.SUCCEEDED), at_rest=True)
    assert heard(caller) == "a succeeded"
    assert not bell.hears("a", at_rest=True), "it was told twice"
    assert caller.await_rest("b")
    assert rung(bell)
    bell.publish(update("b", State.FAILED), at_rest=True)
    assert heard(caller) == "b failed"


def test_a_caller_that_hangs_up_hears_nothing_and_does_not_ring(bell: Bell, ring: Ring) -> None:
    ring().close()
    assert not rung(bell)
    assert not bell.hears("a", at_rest=True)


def test_a_line_to_a_supervisor_that_is_gone_says_so(bell: Bell, ring: Ring) -> None:
    caller = ring()
    bell.close()
    assert not caller.await_rest("a")
    assert list(caller.updates(SOON)) == []


def test_who_talks_without_end_is_hung_up_on(bell: Bell, ring: Ring) -> None:
    caller = ring()
    assert caller.await_rest("a" * 100_000)
    for _ in range(100):
        if not bell.hears("b", at_rest=True):
            break
        assert not rung(bell)
    assert not bell.hears("b", at_rest=True)
