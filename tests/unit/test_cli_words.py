"""What commands say: starts, states, and what is not known."""

from datetime import UTC, datetime

import pytest

from tidewatt.cli import words
from tidewatt.cli.detail import sparkline
from tidewatt.cli.request import parse_start
from tidewatt.domain.lifecycle import State, Wish
from tidewatt.errors import UsageError


@pytest.mark.parametrize(
    ("text", "hour"),
    [("2022-06-01", 0), ("2022-06-01T14:00", 14), ("2022-06-01T14:00Z", 14), ("2022-06-01T14:00+02:00", 12)],
)
def test_a_start_without_an_offset_is_in_utc(text: str, hour: int) -> None:
    assert parse_start(text) == datetime(2022, 6, 1, hour, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("text", ["", "soon", "2022-13-01", "01.06.2022"])
def test_a_start_that_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="ISO 8601"):
        parse_start(text)


def test_what_is_not_known_is_never_a_number() -> None:
    assert words.intensity(None) == "intensity not known"
    assert words.grams(None) == "carbon not known"
    assert words.grams(0.0) == "0 g CO₂e"


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("wish", Wish)
def test_every_state_has_words_for_every_wish(state: State, wish: Wish) -> None:
    sign, said = words.standing(state, wish, 2, "the 5 cheapest of 9 hours before the deadline")
    assert len(sign) == 1
    assert said
    assert ("cancelled" in said) == (state is State.CANCELLED or "being" in said)


def test_a_text_cannot_steer_the_terminal() -> None:
    assert words.printable("a\x1b[2Jb\x07\tc\nd") == "a[2Jb\tc\nd"


def test_a_sparkline_leaves_out_what_is_not_a_number() -> None:
    assert sparkline([4.0, float("nan"), 1.0]) == "4 █▁ 1"
    assert sparkline([1.0]) == ""
    assert len(sparkline([float(i) for i in range(1000)]).split()[1]) <= 40
