"""The axioms that make the Shapley value what it is, exactly, and its definition by orders of arrival."""

from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import records

from tidewatt.accounting.allocate import allocate
from tidewatt.accounting.audit import audit
from tidewatt.accounting.shapley import shapley
from tidewatt.domain.ledger import PLATFORM, POOL, Account, Holder, LedgerEntry, Phase, Usage
from tidewatt.errors import TidewattError

PLAYERS = st.integers(1, 7)
COST = st.integers(-(10**18), 10**18)


def game(players: int) -> st.SearchStrategy[list[int]]:
    """The cost of every coalition of so many players; that of nobody need not be 0."""
    return st.lists(COST, min_size=1 << players, max_size=1 << players)


GAMES = PLAYERS.flatmap(game)


def swapped(coalition: int, one: int, other: int) -> int:
    """The coalition with two players in each other's place."""
    if (coalition >> one & 1) == (coalition >> other & 1):
        return coalition
    return coalition ^ (1 << one | 1 << other)


@given(GAMES)
def test_efficiency_all_that_is_spent_is_shared(costs: list[int]) -> None:
    assert sum(shapley(costs)) == costs[-1] - costs[0]


@given(GAMES, st.data())
def test_symmetry_who_adds_the_same_pays_the_same(costs: list[int], data: st.DataObject) -> None:
    players = len(costs).bit_length() - 1
    one, other = data.draw(st.integers(0, players - 1)), data.draw(st.integers(0, players - 1))
    alike = [cost + costs[swapped(coalition, one, other)] for coalition, cost in enumerate(costs)]
    values = shapley(alike)
    assert values[one] == values[other]


@given(GAMES, COST, st.data())
def test_dummy_who_adds_nothing_but_its_own_pays_its_own(
    costs: list[int], own: int, data: st.DataObject
) -> None:
    dummy = data.draw(st.integers(0, len(costs).bit_length() - 2))
    given_ = [costs[c & ~(1 << dummy)] + (own if c >> dummy & 1 else 0) for c in range(len(costs))]
    assert shapley(given_)[dummy] == own


@given(PLAYERS.flatmap(lambda players: st.tuples(game(players), game(players))))
def test_additivity_two_games_at_once_cost_what_each_costs_alone(games: tuple[list[int], list[int]]) -> None:
    one, other = games
    both = [a + b for a, b in zip(one, other, strict=True)]
    assert shapley(both) == [a + b for a, b in zip(shapley(one), shapley(other), strict=True)]


@given(st.integers(1, 5).flatmap(game))
def test_it_is_the_mean_of_what_each_adds_over_all_orders_of_arrival(costs: list[int]) -> None:
    players = len(costs).bit_length() - 1
    added = [Fraction(0)] * players
    orders = list(permutations(range(players)))
    for order in orders:
        here = 0
        for player in order:
            added[player] += costs[here | 1 << player] - costs[here]
            here |= 1 << player
    assert shapley(costs) == [total / len(orders) for total in added]


@pytest.mark.parametrize("count", [0, 3, 5])
def test_costs_of_no_whole_game_are_refused(count: int) -> None:
    with pytest.raises(TidewattError, match="2\\^n of them"):
        shapley([1] * count)


SECONDS = st.floats(0, 8, allow_nan=False)
ACCOUNTS = [Account(Holder.JOB, "a"), Account(Holder.JOB, "b"), Account(Holder.JOB, "c"), POOL, PLATFORM]


@st.composite
def ledgers(draw: st.DrawFn) -> list[LedgerEntry]:
    """Some readings that jobs a and b share with others, who may claim more than there is."""
    entries: list[LedgerEntry] = []
    for at in range(draw(st.integers(1, 4))):
        reading = records.reading(
            draw(st.integers(0, 10**12)),
            start_at=float(at),
            static_uj=draw(st.integers(0, 10**12)),
            busy_cpu_s=draw(SECONDS),
            cpus=draw(st.integers(1, 8)),
        )
        more = draw(st.lists(st.sampled_from(ACCOUNTS), max_size=4))
        usages = [
            Usage(account=who, phase=Phase.COMPUTE, cpu_s=draw(SECONDS), reserved_cpu_s=draw(SECONDS))
            for who in [*ACCOUNTS[:2], *more]
        ]
        entries += [LedgerEntry(reading=reading, allocation=share) for share in allocate(reading, usages)]
    return entries


@given(ledgers())
def test_every_column_of_an_audit_sums_to_the_node_and_the_ledgers_rule_gives_back_its_charges(
    ledger: list[LedgerEntry],
) -> None:
    found = audit("a", ledger)
    whole = sum(entry.allocation.energy_uj for entry in ledger)
    assert found.energy_uj == whole
    assert sum(share.ledger_uj for share in found.shares) == whole
    assert sum(share.additive_uj for share in found.shares) == whole
    assert sum(share.shapley_uj for share in found.shares) == whole
    assert all(abs(share.additive_uj - share.ledger_uj) <= found.entries for share in found.shares)
    assert all(share.shapley_uj >= -1 for share in found.shares)
