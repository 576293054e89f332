"""Decorators that cannot mean what they say are refused in words, where they stand."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

import tidewatt as tw
from tidewatt.errors import UsageError


def plain(number: int = 1) -> int:
    return number


def yields() -> Iterator[int]:
    yield 1


async def waits() -> int:
    return 1


async def streams() -> AsyncIterator[int]:
    yield 1


def by_place(first: int, /, second: int) -> int:
    return first + second


def several(*numbers: int) -> int:
    return sum(numbers)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"zones": "DE"}, "found zones='DE'; wanted a list; write zones=['DE']"),
        ({"secrets": "HF_TOKEN"}, "found secrets='HF_TOKEN'; wanted a list; write secrets=['HF_TOKEN']"),
        ({"zones": [49]}, "found zones=[49]; wanted a list of texts"),
        ({"labels": {"cost_centre": 42}}, "wanted a text for each text"),
        ({"labels": "team"}, "found labels='team'; wanted a text for each text"),
        ({"budget": "2 kg"}, "found budget='2 kg'; wanted a budget"),
        ({"timeout": 5}, "found 5, which has no unit; wanted a duration"),
        ({"timeout": timedelta(minutes=5)}, "wanted a duration as a number with a unit"),
        ({"memory": 2**30}, "which has no unit; wanted a size"),
        ({"memory": "-1 GiB"}, "wanted a size above zero"),
        ({"cpus": 1.5}, "found cpus=1.5; wanted a whole number"),
        ({"retries": "3"}, "found retries='3'; wanted a whole number"),
    ],
)
@pytest.mark.parametrize("decorator", [tw.function, tw.training])
def test_a_need_that_cannot_be_meant_is_refused(
    decorator: Callable[..., Any], given: dict[str, object], said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        decorator(**given)
    assert said in str(caught.value)


@pytest.mark.parametrize("given", [{"priority": "high"}, {"concurrency": "2"}, {"concurrency": True}])
def test_a_count_of_a_function_is_a_whole_number(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="wanted a whole number"):
        tw.function(**given)


@pytest.mark.parametrize("workers", ["1:4", (1, 2, 3), 1.5, None])
def test_workers_are_one_count_or_two(workers: Any) -> None:  # noqa: ANN401 - whatever somebody writes
    with pytest.raises(UsageError, match="wanted a count, or the least and the most"):
        tw.training(workers=workers)


@pytest.mark.parametrize("decorator", [tw.function, tw.training])
def test_brackets_that_were_left_out_are_told_of(decorator: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match=rf"@tw\.{decorator.__name__} without brackets before plain"):
        decorator(plain)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (yields, "found yields, which yields"),
        (waits, "found async def waits; wanted a plain def"),
        (streams, "found async def streams; wanted a plain def"),
        (partial(plain, 1), "wanted a function that has a name"),
        (5, "wanted a function that has a name"),
    ],
)
def test_what_cannot_return_one_result_by_its_name_is_refused(body: Any, said: str) -> None:  # noqa: ANN401 - the same
    with pytest.raises(UsageError) as caught:
        tw.function()(body)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("body", "said"), [(by_place, "found first before /"), (several, r"found \*numbers")]
)
def test_arguments_that_have_no_names_are_refused_before_anything_is_queued(
    body: Callable[..., int], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        tw.function()(body).bind((1, 2), {})


def test_what_can_be_meant_is_taken_as_ever() -> None:
    handle = tw.function(zones=("DE", "FR"), secrets=["A"], labels={"team": "tide"}, memory="1 GiB")(plain)
    assert (handle.spec.zones, handle.spec.secrets, handle.spec.labels) == (
        ("DE", "FR"),
        ("A",),
        (("team", "tide"),),
    )
    assert tw.training(workers=[1, 3])(plain).spec.workers.most == 3  # type: ignore[arg-type]
