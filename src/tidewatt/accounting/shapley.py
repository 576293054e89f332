"""The exact Shapley value of a game: what each player adds, as a mean over all orders of arrival."""

from collections.abc import Sequence
from fractions import Fraction
from math import factorial

from tidewatt.errors import TidewattError


def shapley(costs: Sequence[int]) -> list[Fraction]:
    """The only way to share a cost that keeps four axioms: efficiency, symmetry, dummy and additivity.

    ``sum over S without i of |S|! (n - |S| - 1)! / n! * (v(S + i) - v(S))``, in fractions, so that the
    axioms hold exactly. Source: L. S. Shapley, A Value for n-Person Games, Contributions to the Theory of
    Games II, Annals of Mathematics Studies 28 (1953), pages 307 to 317.

    Args:
        costs: of every coalition, 2^n of them; player i is in the coalition of an index if its bit i is
            set, so that the first is of nobody and the last of everybody.

    Returns:
        For each player its value; they sum to the last cost less the first.

    Raises:
        TidewattError: the number of costs is no power of two.
    """
    players = len(costs).bit_length() - 1
    if len(costs) != 1 << max(players, 0):
        raise TidewattError(f"the costs of {len(costs)} coalitions", "2^n of them for n players")
    with_player = [[0] * (players + 1) for _ in range(players)]
    of_size = [0] * (players + 1)
    for coalition, cost in enumerate(costs):
        size = coalition.bit_count()
        of_size[size] += cost
        members = coalition
        while members:
            with_player[(members & -members).bit_length() - 1][size] += cost
            members &= members - 1
    return [_value(of_size, mine) for mine in with_player]


def _value(of_size: Sequence[int], mine: Sequence[int]) -> Fraction:
    """From the sums of costs by size of coalition: of all coalitions, and of those that hold the player."""
    players = len(of_size) - 1
    weighted = sum(
        factorial(size) * factorial(players - size - 1) * (mine[size + 1] - (of_size[size] - mine[size]))
        for size in range(players)
    )
    return Fraction(weighted, factorial(players))
