"""Policies side by side on one set of calls: the front of each, and how ours stands to the others."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidewatt.policy.idle.calls import Calls
from tidewatt.policy.idle.fixed import Fixed
from tidewatt.policy.idle.hybrid import HybridHistogram
from tidewatt.policy.idle.odds import odds
from tidewatt.policy.idle.priced import Price, Priced
from tidewatt.simulation.idle import Tally, foreseen, play

_FIXED_MIN = (5, 10, 20, 60)
_HYBRID = ((0.05, 0.99), (0.05, 0.95), (0.10, 0.90))
_WORTHS_MIN = np.geomspace(2, 4000, 60)
_FLOORS_MIN = (10.0, 20.0, 60.0)
_SEED = 1
Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """A policy by name, what came of it, and for a priced one what a cold call was worth in warm minutes."""

    name: str
    tally: Tally
    worth_min: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Front:
    """All policies on one set of calls."""

    calls: Calls
    price: Price
    peers: tuple[Played, ...]
    ours: tuple[Played, ...]
    floors: tuple[Played, ...]

    def worth(self, minutes: float) -> Price:
        """The price at which a cold call of a function of mean memory is worth so many warm minutes."""
        return self.price.worth(minutes, float(self.calls.memory_gb.mean()))

    def peer(self, name: str) -> Tally:
        """What came of a peer."""
        return next(played.tally for played in self.peers if played.name == name)


def played(calls: Calls, price: Price) -> Front:
    """Play all policies, ours at a range of prices of waiting."""
    peers = [Played(f"fixed_{minutes}", play(calls, Fixed(minutes)(calls))) for minutes in _FIXED_MIN]
    for head, tail in _HYBRID:
        policy = HybridHistogram(head=head, tail=tail)
        peers.append(Played(f"hybrid_{100 * head:.0f}_{100 * tail:.0f}", play(calls, policy(calls))))
    likely = odds(calls.busy)
    memory_gb = float(calls.memory_gb.mean())
    ours: list[Played] = []
    floors: list[Played] = []
    for minutes in _WORTHS_MIN.tolist():
        warm = Priced(price.worth(minutes, memory_gb)).decided(calls, likely)
        ours.append(Played(f"priced_{minutes:.3g}", play(calls, warm), minutes))
    for minutes in _FLOORS_MIN:
        for name, ahead in (("floor", True), ("floor_staying", False)):
            warm = foreseen(calls, price.worth(minutes, memory_gb), ahead=ahead)
            floors.append(Played(f"{name}_{minutes:.3g}", play(calls, warm), minutes))
    return Front(calls, price, tuple(peers), tuple(ours), tuple(floors))


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Ours over a peer, over all functions and, for the spread, over functions drawn again and again.

    ``idle`` and ``energy`` are at the least idle memory that has no more cold calls than the peer, ``cold``
    is at the fewest cold calls that have no more idle memory. Infinite where no price comes that far.
    """

    idle: Reals
    energy: Reals
    cold: Reals


def standing(front: Front, peer: str, draws: int) -> Standing:
    """How ours stands to a peer; the first of each figure is over all functions, the others are draws."""
    functions = len(front.calls.busy)
    rng = np.random.default_rng(_SEED)
    taken = rng.multinomial(functions, np.full(functions, 1 / functions), draws)
    taken = np.concatenate([np.ones((1, functions), dtype=taken.dtype), taken])
    cold, idle, energy = _summed(taken, [each.tally for each in front.ours], front.price)
    cold_of, idle_of, energy_of = _summed(taken, [front.peer(peer)], front.price)
    least = np.where(cold <= cold_of, idle, np.inf)
    at = least.argmin(axis=1, keepdims=True)
    reached = np.isfinite(np.take_along_axis(least, at, axis=1))
    spent = np.where(reached, np.take_along_axis(energy, at, axis=1), np.inf)
    fewest = np.where(idle <= idle_of, cold, np.inf).min(axis=1, keepdims=True)
    return Standing(
        (least.min(axis=1, keepdims=True) / idle_of).ravel(),
        (spent / energy_of).ravel(),
        (fewest / cold_of).ravel(),
    )


def _summed(taken: NDArray[np.int64], tallies: list[Tally], price: Price) -> Iterator[Reals]:
    """Cold calls, idle memory and joules: a row for each draw, a column for each tally."""
    cold = np.column_stack([each.cold for each in tallies]).astype(np.float64)
    ahead = np.column_stack([each.ahead for each in tallies]).astype(np.float64)
    idle = np.column_stack([each.idle_gb_min for each in tallies])
    for each in (cold, idle, price.idle_j(idle) + (cold + ahead) * price.start_j):
        yield taken @ each


def cost_j(tally: Tally, price: Price) -> float:
    """What a policy is to make small: energy, and what waiting is worth."""
    return tally.joules(price) + float(tally.cold.sum()) * price.wait_j
