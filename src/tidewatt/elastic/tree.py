"""Adding up what shards contribute, in an order that does not depend on who computed it.

Floating-point addition is not associative, so a sum over shards has to be made in one fixed order. The
order here is a binary tree over shard numbers: shards 0 and 1, then 2 and 3, then those two sums, and so
on. A worker that carries a contiguous range of shards adds up whole subtrees as it goes and keeps at
most one partial sum for each level, whatever the number of shards; only these partial sums travel.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Node(Generic[T]):
    """The sum over shards ``index * 2**level`` up to the next multiple."""

    level: int
    index: int
    value: T


def shards_of(rank: int, workers: int, shards: int) -> range:
    """The contiguous shards that a worker carries; counts differ by one at most."""
    return range(rank * shards // workers, (rank + 1) * shards // workers)


class Accumulator(Generic[T]):
    """Adds nodes that come in order of shards, merging subtrees as they become whole."""

    def __init__(self, add: Callable[[T, T], T]) -> None:
        self._add = add
        self._nodes: list[Node[T]] = []

    def push(self, node: Node[T]) -> None:
        """Take the next node."""
        self._nodes.append(node)
        while len(self._nodes) > 1:
            left, right = self._nodes[-2:]
            if left.level != right.level or left.index % 2 or right.index != left.index + 1:
                return
            self._nodes[-2:] = [Node(left.level + 1, left.index // 2, self._add(left.value, right.value))]

    def take(self) -> list[Node[T]]:
        """All partial sums in order of shards; the accumulator is empty afterwards."""
        nodes, self._nodes = self._nodes, []
        return nodes

    def total(self) -> T:
        """The sum over all shards pushed, of which there is at least one; empty afterwards."""
        *rest, last = self.take()
        value = last.value
        for node in reversed(rest):
            value = self._add(node.value, value)
        return value


def partials(shards: Iterable[int]) -> list[tuple[int, int]]:
    """Level and index of the partial sums that a worker with these shards ends up with."""
    accumulator = Accumulator[None](lambda _left, _right: None)
    for shard in shards:
        accumulator.push(Node(0, shard, None))
    return [(node.level, node.index) for node in accumulator.take()]
