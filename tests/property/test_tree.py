"""The order in which shards are added up depends on their number alone."""

from hypothesis import given
from hypothesis import strategies as st

from tidewatt.elastic.tree import Accumulator, Node, partials, shards_of


def expression(left: str, right: str) -> str:
    """An addition that remembers how it was made."""
    return f"({left}+{right})"


def added_up(workers: int, shards: int) -> str:
    """The sum as workers make it: each adds its own shards, then all partial sums are added."""
    whole = Accumulator[str](expression)
    for rank in range(workers):
        part = Accumulator[str](expression)
        for shard in shards_of(rank, workers, shards):
            part.push(Node(0, shard, str(shard)))
        for node in part.take():
            whole.push(node)
    return whole.total()


@given(st.integers(1, 40).flatmap(lambda shards: st.tuples(st.just(shards), st.integers(1, shards))))
def test_any_number_of_workers_makes_the_same_sum(case: tuple[int, int]) -> None:
    shards, workers = case
    assert added_up(workers, shards) == added_up(1, shards)


@given(st.integers(1, 64), st.integers(1, 64))
def test_every_shard_has_one_worker(shards: int, workers: int) -> None:
    carried = [shard for rank in range(workers) for shard in shards_of(rank, workers, shards)]
    assert carried == list(range(shards))


@given(st.integers(1, 64).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n), st.integers(0, n - 1))))
def test_a_worker_holds_at_most_two_partial_sums_for_each_level(case: tuple[int, int, int]) -> None:
    shards, workers, rank = case
    nodes = partials(shards_of(rank % workers, workers, shards))
    levels = [level for level, _ in nodes]
    assert all(levels.count(level) <= 2 for level in levels)
    assert len(nodes) <= 2 * shards.bit_length()
