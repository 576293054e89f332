"""What each idle policy does after calls that are easily told."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tidewatt.policy.idle.calls import Calls
from tidewatt.policy.idle.fixed import Fixed
from tidewatt.policy.idle.hybrid import HybridHistogram
from tidewatt.policy.idle.odds import odds
from tidewatt.policy.idle.priced import Price, Priced
from tidewatt.simulation.idle import foreseen, play

DAY = 1440
PRICE = Price(start_j=4.0, wait_j=0.0, idle_w_per_gb=0.5)
Minutes = NDArray[np.intp]


def called(*minutes: int, until: int = DAY) -> Calls:
    """One function of a gigabyte."""
    busy = np.zeros((1, until), dtype=np.bool_)
    busy[0, list(minutes)] = True
    return Calls(busy, np.ones(1))


def warm_after(policy: HybridHistogram, *minutes: int) -> tuple[int, int]:
    """The first and last idle minute that a function is kept warm in after the last of some calls."""
    kept: Minutes = np.flatnonzero(policy(called(*minutes, until=30 * DAY))[0])
    kept = kept[kept > minutes[-1]]
    assert (np.diff(kept) == 1).all()
    return int(kept[0]) - minutes[-1], int(kept[-1]) - minutes[-1]


@pytest.mark.parametrize(("idle", "cold"), [(0, 1), (9, 1), (10, 1), (11, 2)])
def test_fixed_keeps_for_so_many_idle_minutes(idle: int, cold: int) -> None:
    day = called(5, 6 + idle)
    tally = play(day, Fixed(10)(day))
    assert tally.cold.sum() == cold
    assert tally.idle_gb_min.sum() == min(idle, 10) + 10


def test_hybrid_stays_for_its_whole_range_while_nothing_is_known() -> None:
    assert warm_after(HybridHistogram(), 5) == (1, 240)


def test_hybrid_wakes_before_the_head_and_stays_past_the_tail() -> None:
    strict = range(0, 301, 30)  # 29 idle minutes: 0.9 * 29 = 26.1, and 1.1 * 30 = 33
    assert warm_after(HybridHistogram(), *strict) == (27, 33)
    assert warm_after(HybridHistogram(margin=0.0), *strict) == (29, 30)


def test_hybrid_does_not_unload_when_the_head_is_short() -> None:
    first, last = warm_after(HybridHistogram(), 0, 1, 2, 3, 4, 5, 26, 27, 28, 29)
    assert first == 1
    assert last == 24  # 1.1 * 21, to the end of that minute


def test_hybrid_stays_when_the_histogram_is_flat() -> None:
    minutes = np.cumsum([0, *range(1, 241)]).tolist()  # every idle time from 0 to 239, once
    assert warm_after(HybridHistogram(), *minutes) == (1, 240)


def test_hybrid_predicts_the_next_of_long_idle_times() -> None:
    steady = range(0, 2005, 401)  # 400 idle minutes, longer than the range: 340 to 460
    assert warm_after(HybridHistogram(), *steady) == (341, 460)
    turns = np.cumsum([0, 301, 501, 301, 501, 301]).tolist()  # 500 follows 300
    assert warm_after(HybridHistogram(), *turns) == (426, 575)


def test_priced_learns_a_strict_period_and_wakes_for_it() -> None:
    day = called(*range(7, DAY, 20))
    warm = Priced(PRICE.worth(10, 1.0))(day)
    tally = play(day, warm)
    learned = play(Calls(day.busy[:, 400:], day.memory_gb), warm[:, 400:])
    assert learned.cold.sum() <= 1  # the first of the cut day looks cold to the count
    assert learned.idle_gb_min.sum() <= 3 * learned.calls.sum()
    assert tally.idle_gb_min.sum() < play(day, Fixed(20)(day)).idle_gb_min.sum() / 3


def test_priced_lets_go_of_what_never_comes_back() -> None:
    rng = np.random.default_rng(3)
    busy = rng.random((40, DAY)) < 0.2
    busy[0] = False
    busy[0, 10] = True
    kept = np.flatnonzero(Priced(PRICE.worth(10, 1.0))(Calls(busy, np.ones(40)))[0])
    assert kept.max(initial=0) < 60


def test_priced_keeps_what_is_small_for_longer() -> None:
    rng = np.random.default_rng(4)
    row = rng.random((30, DAY)) < 0.02
    calls = Calls(np.concatenate([row, row]), np.repeat([0.2, 2.0], 30))
    minutes = Priced(PRICE.worth(20, 1.0))(calls).sum(axis=1)
    assert minutes[:30].sum() > minutes[30:].sum()


def test_odds_add_up_to_the_calls_that_came() -> None:
    rng = np.random.default_rng(5)
    rates = np.repeat([0.01, 0.05, 0.3], 30)[:, None]
    busy = rng.random((90, DAY)) < rates
    told = odds(busy)[:, DAY // 2 : -1]
    came = (busy[:, 1:] & ~busy[:, :-1])[:, DAY // 2 :]
    for group in (slice(0, 30), slice(30, 60), slice(60, 90)):
        assert told[group].sum() == pytest.approx(came[group].sum(), rel=0.2)


def test_foresight_takes_the_cheapest_way_through_each_idle_time() -> None:
    day = called(0, 2, 40, 500)  # 1, 37 and 459 idle minutes; a warm one costs 30 J
    stays = foreseen(day, PRICE.worth(50, 1.0), ahead=False)
    assert np.flatnonzero(stays[0]).tolist() == [1, *range(3, 40)]
    wakes = foreseen(day, PRICE.worth(50, 1.0), ahead=True)
    assert np.flatnonzero(wakes[0]).tolist() == [1, 39, 499]
    assert not foreseen(day, PRICE.worth(0.5, 1.0), ahead=True).any()


def test_a_price_is_told_in_warm_minutes() -> None:
    price = PRICE.worth(10, 2.0)
    assert price.cold_j == pytest.approx(10 * 2 * 0.5 * 60)
    assert PRICE.worth(0, 1.0).cold_j == PRICE.start_j
