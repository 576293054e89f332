"""Which examples belong together: a matter of numbers alone."""

import itertools
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tidewatt.elastic.feed import Schedule, Share, Source
from tidewatt.errors import UsageError

LENGTHS = torch.randint(1, 60, (1000,), generator=torch.Generator().manual_seed(5)).tolist()


def batches(schedule: Schedule, start: int = 0) -> list[list[int]]:
    """Examples of each step, over all shards."""
    steps = schedule.steps(start)
    return [[int(i) for share in shares for i in share.indices] for _, shares in steps]


def padded(order: list[list[int]]) -> int:
    """Tokens that padding adds to all batches."""
    return sum(
        max(LENGTHS[i] for i in batch) * len(batch) - sum(LENGTHS[i] for i in batch) for batch in order
    )


def test_buckets_hold_every_example_once_in_a_pass_and_pad_far_less() -> None:
    plain = Schedule(1000, 32, 2, 1, shuffle=True)
    bucketed = Schedule(1000, 32, 2, 1, shuffle=True, lengths=LENGTHS)
    order = batches(bucketed)
    assert [len(batch) for batch in order] == [len(batch) for batch in batches(plain)]
    assert Counter(itertools.chain(*order)) == Counter(dict.fromkeys(range(1000), 2))
    assert padded(order) * 5 < padded(batches(plain))
    first, second = order[:32], order[32:]
    assert [set(batch) for batch in first] != [set(batch) for batch in second]
    longest = [max(LENGTHS[i] for i in batch) for batch in first[:-1]]
    assert longest not in (sorted(longest), sorted(longest, reverse=True))


@given(start=st.integers(0, 63), shards=st.integers(1, 5))
def test_the_order_is_the_same_wherever_one_starts_and_however_it_is_shared(start: int, shards: int) -> None:
    whole = batches(Schedule(1000, 32, 2, 1, shuffle=True, lengths=LENGTHS))
    assert batches(Schedule(1000, 32, 2, shards, shuffle=True, lengths=LENGTHS), start) == whole[start:]


@given(examples=st.integers(1, 40), pieces=st.integers(1, 50), weight=st.floats(0.1, 1.0))
def test_a_share_is_cut_into_turns_that_weigh_as_much_together(
    examples: int, pieces: int, weight: float
) -> None:
    cut = Share(torch.arange(examples), weight).cut(pieces)
    assert torch.cat([share.indices for share in cut]).tolist() == list(range(examples))
    assert len(cut) == min(pieces, examples)
    assert sum(share.weight for share in cut) == pytest.approx(weight)


def test_a_share_in_one_piece_weighs_exactly_what_it_did() -> None:
    assert [share.weight for share in Share(torch.arange(7), 1 / 3).cut(1)] == [1 / 3]
    assert Share(torch.empty(0), 0.0).cut(3) == []


def test_a_list_of_examples_is_data_and_is_collated_as_asked() -> None:
    words = ["a", "bb", "ccc"]
    assert Source(words, "+".join).pick(torch.tensor([2, 0])) == "ccc+a"
    first, second = Source([(1, 2.0), (3, 4.0)]).pick(torch.tensor([1, 0]))
    assert (first.tolist(), second.tolist()) == ([3, 1], [4.0, 2.0])


def test_lengths_of_other_examples_are_refused() -> None:
    with pytest.raises(UsageError, match="lengths of 2 examples for 3"):
        Schedule(3, 2, 1, 1, shuffle=True, lengths=[1, 2])
