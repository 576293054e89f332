"""Many direct calls at once: in order, as they come, and never far ahead of who takes them."""

import itertools
import os
import threading
from collections.abc import Iterator

import pytest

import tidewatt as tw
from tidewatt.errors import RemoteTraceback, WorkerLost

pytestmark = pytest.mark.usefixtures("functions_home")


@tw.function()
def double(number: int) -> int:
    return 2 * number


def test_map_gives_all_results_in_order() -> None:
    assert list(double.map(range(10_000))) == [2 * n for n in range(10_000)]


def test_map_takes_no_more_of_an_endless_iterable_than_it_needs() -> None:
    taken: list[int] = []

    def endless() -> Iterator[int]:
        for number in itertools.count():
            taken.append(number)
            yield number

    results = double.map(endless())
    assert taken == []
    assert list(itertools.islice(results, 5)) == [0, 2, 4, 6, 8]
    seen = len(taken)
    assert seen < 5_000
    assert next(results) == 10
    results.close()  # type: ignore[attr-defined]
    assert double.remote(4) == 8


@tw.function()
def inverse(number: int) -> float:
    return 1 / number


def test_map_raises_the_first_exception_in_its_place() -> None:
    results = inverse.map([1, 2, 0, 4])
    assert [next(results), next(results)] == [1.0, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_map_gives_exceptions_back_on_demand() -> None:
    first, failed, last = inverse.map([1, 0, 4], return_exceptions=True)
    assert (first, last) == (1.0, 0.25)
    assert isinstance(failed, ZeroDivisionError)
    assert isinstance(failed.__cause__, RemoteTraceback)


def test_map_loses_a_worker_and_goes_on() -> None:
    @tw.function()
    def brittle(number: int) -> int:
        if number == 3:
            os._exit(1)
        return number

    results = list(brittle.map(range(200), return_exceptions=True))
    assert isinstance(results[3], WorkerLost)
    assert len(results) == 200
    assert results[-1] == 199


def test_map_ends_a_call_that_takes_too_long_and_goes_on() -> None:
    @tw.function(timeout="5 s")
    def slow(number: int) -> int:
        if number == 1:
            threading.Event().wait()
        return number

    first, second, third = slow.map([0, 1, 2], return_exceptions=True)
    assert (first, third) == (0, 2)
    assert isinstance(second, TimeoutError)
