"""Quantities as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidewatt.domain.units import (
    format_duration,
    format_quantity,
    parse_bytes,
    parse_duration,
    parse_grams,
    parse_joules,
    parse_litres,
)
from tidewatt.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6 h", 21600),
        ("6h", 21600),
        ("90 min", 5400),
        ("30m", 1800),
        ("2 days", 172800),
        ("1.5 hours", 5400),
        ("250 ms", 0.25),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


def test_other_quantities() -> None:
    assert parse_bytes("1 GiB") == 2**30
    assert parse_bytes("5 MB") == 5_000_000
    assert parse_grams("2 kg") == 2000
    assert parse_joules("1.5 kWh") == 5_400_000
    assert parse_litres("2 m3") == parse_litres("2m3") == 2000


def test_a_number_without_a_unit_is_refused_with_an_example() -> None:
    with pytest.raises(UsageError, match=r"'6', which has no unit.*write for example '6 h'"):
        parse_duration("6")


@pytest.mark.parametrize("text", ["", "soon", "6 parsecs", "h 6", "6 h 5 min"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="wanted a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "0.25 s"),
        (45, "45 s"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (3599.9, "1 h"),
        (59.9, "1 min"),
        (93900, "26 h 5 min"),
        (-60, "-1 min"),
    ],
)
def test_durations_are_shown_as_a_reader_wants_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 g"),
        (0.0123, "12.3 mg"),
        (4560, "4.56 kg"),
        (999.6, "1.00 kg"),
        (0.0000042, "4.20 µg"),
        (12.34, "12.3 g"),
    ],
)
def test_quantities_have_three_digits_and_a_prefix(value: float, text: str) -> None:
    assert format_quantity(value, "g") == text


@given(st.floats(1, 10**6))
def test_a_shown_duration_is_near_the_real_one(seconds: float) -> None:
    total = 0.0
    words = format_duration(seconds).split()
    for number, unit in zip(words[::2], words[1::2], strict=True):
        total += parse_duration(f"{number} {unit}")
    assert total == pytest.approx(seconds, rel=0.06)
