"""Methods of forecasting beside each other, on series whose law is known."""

import numpy as np
import pytest

from tidewatt.errors import UsageError
from tidewatt.forecast.backtest import LEADS_H, Judgement, judge
from tidewatt.forecast.blend import Blend
from tidewatt.forecast.boosting import Ahead, Boosting
from tidewatt.forecast.hourly import Hourly
from tidewatt.forecast.names import METHODS, named
from tidewatt.forecast.persistence import Persistence
from tidewatt.forecast.series import Series

FIRST_H = 19_000 * 24
WEEKS = 9
NOON = LEADS_H.index(6)
LEADS = np.arange(48)


def days(weeks: int = WEEKS, seed: int = 3) -> Series:
    """A wave over the day whose height no hour before it gives away, and a little noise."""
    chance = np.random.default_rng(seed)
    hour = np.arange(weeks * 168)
    height = np.repeat(chance.uniform(0, 1, weeks * 7), 24)
    return 400 - 200 * height * np.sin(2 * np.pi * hour / 24) + chance.normal(0, 5, hour.size)


def heights(values: Series) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """What a weather service would know of each hour: the wave, without the noise."""
    smooth = np.convolve(values, np.ones(3) / 3, mode="same")
    return smooth[:, None]


def at_noon(found: Judgement) -> float:
    """The mean error six hours ahead, where the wave is high."""
    error = found.error[NOON]
    assert error is not None
    return error


@pytest.mark.parametrize("name", sorted(METHODS))
@pytest.mark.parametrize("hours", [1, 24, 200, 1100])
def test_any_method_answers_with_little_history_and_with_gaps(name: str, hours: int) -> None:
    values = days()[:hours].copy()
    values[1:-1:7] = np.nan
    found = named(name).prepare("DE", values, FIRST_H)(values, np.array([hours]), LEADS)
    assert found.shape == (1, LEADS.size)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", sorted(METHODS))
def test_no_method_looks_at_hours_from_its_origin_on(name: str) -> None:
    values, origin = days(8), 7 * 168
    changed = values.copy()
    changed[origin:] = 1.0
    predict = named(name).prepare("DE", values[:origin], FIRST_H)
    at = np.array([origin])
    assert np.array_equal(predict(values, at, LEADS), predict(changed, at, LEADS))


def test_persistence_repeats_the_newest_day() -> None:
    values = np.arange(72.0)
    (row,) = Persistence().prepare("DE", values, FIRST_H)(values, np.array([72]), LEADS)
    assert row.tolist() == [*range(48, 72), *range(48, 72)]


def test_trees_learn_what_is_known_of_the_hours_ahead() -> None:
    values = days()
    ahead = Ahead(FIRST_H, heights(values))
    blind = judge(Boosting(), "DE", values, FIRST_H, 5)
    seeing = judge(Boosting({"DE": ahead}), "DE", values, FIRST_H, 5)
    elsewhere = judge(Boosting({"FR": ahead}), "DE", values, FIRST_H, 5)
    assert at_noon(seeing) < 0.5 * at_noon(blind)
    assert elsewhere == blind


def test_hours_without_a_row_are_not_known() -> None:
    ahead = Ahead(10, np.array([[1.0], [2.0]]))
    assert ahead.at(np.array([10, 11])).ravel().tolist() == [1.0, 2.0]
    assert np.isnan(ahead.at(np.array([9, 12]))).all()


def test_a_blend_leans_on_whoever_was_right() -> None:
    values = days()
    seeing = Boosting({"DE": Ahead(FIRST_H, heights(values))})
    alone, blended = (judge(m, "DE", values, FIRST_H, 5) for m in (seeing, Blend((Persistence(), seeing))))
    assert at_noon(blended) < 1.2 * at_noon(alone)
    assert at_noon(blended) < 0.5 * at_noon(judge(Persistence(), "DE", values, FIRST_H, 5))


def test_a_blend_of_one_is_that_one() -> None:
    values = days(4)
    at = np.array([values.size])
    one = Hourly().prepare("DE", values, FIRST_H)(values, at, LEADS)
    assert Blend((Hourly(),)).prepare("DE", values, FIRST_H)(values, at, LEADS) == pytest.approx(one)


def test_a_series_that_repeats_itself_is_foretold_without_error() -> None:
    values = np.tile(np.concatenate((np.full(12, 100.0), np.full(12, 300.0))), 28)
    found = judge(Persistence(), "DE", values, FIRST_H, 7)
    assert found.days == 7
    assert found.error == (0.0,) * len(LEADS_H)
    assert (found.inside, found.saving, found.best, found.regret, found.captured) == (1.0, 0.5, 0.5, 0.0, 1.0)


def test_days_with_gaps_are_not_decided_on() -> None:
    values = days(6)
    holed = values.copy()
    holed[-30] = np.nan
    found, whole = (judge(Hourly(), "DE", v, FIRST_H, 7) for v in (holed, values))
    assert found.days == whole.days
    assert 0 <= found.saving <= found.best


def test_a_name_that_no_method_has_is_answered_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="wanted one of hourly, persistence, boosting, blend"):
        named("prophet")
