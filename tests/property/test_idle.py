"""Idle policies look at nothing to come, and none is better than one that does."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidewatt.policy.idle.calls import Calls, IdlePolicy, Mask, ages
from tidewatt.policy.idle.fixed import Fixed
from tidewatt.policy.idle.hybrid import HybridHistogram
from tidewatt.policy.idle.odds import odds
from tidewatt.policy.idle.priced import Price, Priced
from tidewatt.simulation.idle import Tally, foreseen, play

PRICE = Price(start_j=4.0, wait_j=100.0, idle_w_per_gb=0.3725)
POLICIES: dict[str, IdlePolicy] = {
    "fixed": Fixed(7),
    "hybrid": HybridHistogram(range_min=20),
    "priced": Priced(PRICE),
}
prices = st.builds(
    Price, start_j=st.floats(0, 50), wait_j=st.floats(0, 1000), idle_w_per_gb=st.floats(0.01, 2)
)


@st.composite
def calls(draw: st.DrawFn, most_minutes: int = 120) -> Calls:
    """Some functions over up to two hours: strict periods, chance, or nothing."""
    functions, minutes = draw(st.integers(1, 6)), draw(st.integers(2, most_minutes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    busy = rng.random((functions, minutes)) < rng.choice([0.0, 0.02, 0.3, 0.9], (functions, 1))
    for row in busy[::2]:
        row[rng.integers(30) :: rng.integers(1, 30)] = True
    return Calls(busy, rng.uniform(0.1, 4, functions))


@pytest.mark.parametrize("name", POLICIES)
@settings(deadline=None)
@given(past=calls(), seed=st.integers(0, 2**32), data=st.data())
def test_what_is_decided_does_not_change_with_the_future(
    name: str, past: Calls, seed: int, data: st.DataObject
) -> None:
    shape = past.busy.shape
    until = data.draw(st.integers(1, shape[1]))
    other = past.busy.copy()
    other[:, until:] = np.random.default_rng(seed).random((shape[0], shape[1] - until)) < 0.5
    decide = POLICIES[name]
    expected = decide(past)[:, :until]
    idle = ~past.busy[:, :until]
    assert (decide(Calls(other, past.memory_gb))[:, :until][idle] == expected[idle]).all()
    assert (decide(Calls(past.busy[:, :until], past.memory_gb))[idle] == expected[idle]).all()


@settings(deadline=None)
@given(past=calls(), seed=st.integers(0, 2**32))
def test_odds_do_not_change_with_the_future(past: Calls, seed: int) -> None:
    half = past.busy.shape[1] // 2
    other = past.busy.copy()
    other[:, half:] ^= np.random.default_rng(seed).random(other[:, half:].shape) < 0.5
    told = odds(past.busy)
    assert (odds(other)[:, :half] == told[:, :half]).all()
    assert ((told >= 0) & (told <= 1)).all()
    assert (told[past.busy] == 0).all()


@pytest.mark.parametrize("name", POLICIES)
@settings(deadline=None)
@given(past=calls(60))
def test_deciding_changes_nothing_and_gives_the_same_again(name: str, past: Calls) -> None:
    before = past.busy.copy()
    assert (POLICIES[name](past) == POLICIES[name](past)).all()
    assert (past.busy == before).all()


@settings(deadline=None)
@given(past=calls(), price=prices, seed=st.integers(0, 2**32))
def test_nothing_is_better_than_foresight(past: Calls, price: Price, seed: int) -> None:
    anything = np.random.default_rng(seed).random(past.busy.shape) < 0.5
    masks = [anything & (ages(past.busy) >= 0), *(decide(past) for decide in POLICIES.values())]
    least = cost(play(past, foreseen(past, price, ahead=True)), price)
    for warm in masks:
        assert least <= cost(play(past, warm), price) + 1e-6
    stayed = play(past, foreseen(past, price, ahead=False))
    assert stayed.ahead.sum() == 0
    assert least <= cost(stayed, price) + 1e-6
    fixed = [play(past, Fixed(minutes)(past)) for minutes in (0, 1, 5, 20, 1000)]
    assert all(cost(stayed, price) <= cost(tally, price) + 1e-6 for tally in fixed)


@settings(deadline=None)
@given(past=calls(), price=prices, more_j=st.floats(0, 1000))
def test_the_dearer_a_cold_call_the_more_is_kept_warm(past: Calls, price: Price, more_j: float) -> None:
    dearer = Price(start_j=price.start_j, wait_j=price.wait_j + more_j, idle_w_per_gb=price.idle_w_per_gb)
    assert not (Priced(price)(past) & ~Priced(dearer)(past)).any()


@settings(deadline=None)
@given(past=calls(), data=st.data())
def test_a_day_adds_up_minute_by_minute(past: Calls, data: st.DataObject) -> None:
    warm = POLICIES[data.draw(st.sampled_from(sorted(POLICIES)))](past)
    tally = play(past, warm)
    for function in range(len(past.busy)):
        cold, ahead, idle = lived(past.busy[function].tolist(), warm[function].tolist())
        assert (tally.cold[function], tally.ahead[function]) == (cold, ahead)
        assert tally.idle_gb_min[function] == pytest.approx(idle * past.memory_gb[function])
    assert tally.calls.sum() == past.busy.sum()


@settings(deadline=None)
@given(calls())
def test_ages_count_from_the_last_call(past: Calls) -> None:
    for row, told in zip(past.busy.tolist(), ages(past.busy).tolist(), strict=True):
        for minute, age in enumerate(told):
            called = [at for at in range(minute + 1) if row[at]]
            assert age == (minute - called[-1] if called else -1)


def cost(tally: Tally, price: Price) -> float:
    return tally.joules(price) + float(tally.cold.sum()) * price.wait_j


def lived(busy: Sequence[bool], warm: Sequence[bool]) -> tuple[int, int, int]:
    """Cold calls, starts ahead and idle minutes of one function, told one minute after the other."""
    ready, cold, ahead, idle = False, 0, 0, 0
    for called, kept in zip(busy, warm, strict=True):
        cold += called and not ready
        if not called and kept:
            idle += 1
            ahead += not ready
        ready = called or kept
    return cold, ahead, idle


def test_a_mask_is_of_functions_by_minutes() -> None:
    busy: Mask = np.zeros((3, 10), dtype=np.bool_)
    assert all(decide(Calls(busy, np.ones(3))).shape == (3, 10) for decide in POLICIES.values())
    assert not any(decide(Calls(busy, np.ones(3))).any() for decide in POLICIES.values())
