"""Budgets and baselines: what is kept, what is exceeded, and what nobody can say."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidewatt.accounting.gate import Verdict, compare, judge
from tidewatt.domain.budget import bounds
from tidewatt.errors import UsageError


def test_bounds_are_read_with_their_units() -> None:
    table = {"energy": "2 kJ", "carbon": "1.5 mg", "water": "3 mL", "money": "0.5 USD", "stalled_share": 0.1}
    assert bounds(table, "[run]") == {
        "energy": 2000.0,
        "carbon": pytest.approx(0.0015),
        "water": pytest.approx(0.003),
        "money": 0.5,
        "stalled_share": 0.1,
    }


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("enrgy", "2 kJ", "found enrgy in \\[run\\]; wanted one of energy, carbon"),
        ("energy", "2 hp", "whose unit is unknown"),
        ("energy", 2000, "text with a unit"),
        ("energy", "0 J", "a bound above zero"),
        ("energy", "-3 J", "a bound above zero"),
        ("stalled_share", 1.5, "a share from 0 to 1"),
        ("stalled_share", True, "a share from 0 to 1"),
    ],
)
def test_a_bound_that_makes_no_sense_is_refused(key: str, value: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        bounds({key: value}, "[run]")


def test_what_is_not_known_does_not_pass() -> None:
    found = judge(
        "job",
        {"energy": 3.0, "carbon": None, "water": math.nan},
        dict.fromkeys(("energy", "carbon", "water", "money"), 5.0),
    )
    assert [f.verdict for f in found] == [Verdict.KEPT, *[Verdict.UNKNOWN] * 3]
    assert judge("job", {"energy": 5.1}, {"energy": 5.0})[0].verdict is Verdict.EXCEEDED
    assert judge("job", {"energy": 5.0}, {"energy": 5.0})[0].verdict is Verdict.KEPT


STEADY = [(100.0 + i, 100.0 + 0.9 * i) for i in range(6)]


def test_runs_that_are_alike_are_kept_and_dearer_ones_are_not() -> None:
    assert compare("fit", STEADY, 0.05).verdict is Verdict.KEPT
    assert compare("fit", [(1.2 * now, before) for now, before in STEADY], 0.05).verdict is Verdict.EXCEEDED


def test_few_runs_and_scattered_ones_prove_nothing() -> None:
    assert compare("fit", STEADY[:4], 0.05).verdict is Verdict.UNKNOWN
    assert compare("fit", [], 0.05).verdict is Verdict.UNKNOWN
    scattered = [(80.0, 100.0), (130.0, 100.0), (95.0, 100.0), (125.0, 100.0), (100.0, 100.0), (110.0, 100.0)]
    assert compare("fit", scattered, 0.05).verdict is Verdict.UNKNOWN


@given(
    pairs=st.lists(st.tuples(st.floats(1, 100), st.floats(1, 100)), min_size=5, max_size=8),
    scale=st.floats(0.01, 100),
)
def test_it_never_says_both_and_units_do_not_matter(pairs: list[tuple[float, float]], scale: float) -> None:
    plain = compare("fit", pairs, 0.05)
    scaled = compare("fit", [(scale * now, scale * before) for now, before in pairs], 0.05)
    assert scaled.verdict is plain.verdict
    assert plain.value == pytest.approx(scaled.value)
    turned = compare("fit", [(before * 1.05**2, now) for now, before in pairs], 0.05)
    assert {plain.verdict, turned.verdict} != {Verdict.KEPT}
    assert {plain.verdict, turned.verdict} != {Verdict.EXCEEDED}


def test_more_pairs_than_can_be_enumerated_are_refused() -> None:
    with pytest.raises(UsageError, match="at most 16"):
        compare("fit", [(1.0, 1.0)] * 17, 0.05)
    with pytest.raises(UsageError, match="a run without energy"):
        compare("fit", [(0.0, 1.0)] * 6, 0.05)
