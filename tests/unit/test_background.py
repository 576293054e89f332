"""One thing at a time beside the loop."""

import threading

from tidewatt.elastic.background import Background


def test_an_outcome_is_there_once_the_call_has_ended_and_not_before() -> None:
    may_end = threading.Event()
    background = Background[int]()
    assert background.take() is None
    assert background.wait() is None

    def call() -> int:
        may_end.wait()
        return 7

    background.begin(call)
    assert background.take() is None
    assert background.busy
    may_end.set()
    assert background.wait() == 7
    assert not background.busy
    assert background.wait() is None


def test_its_processor_time_counts_up_and_is_none_before_the_first_call() -> None:
    background = Background[int]()
    assert background.cpu_s() == 0.0
    background.begin(lambda: sum(range(2_000_000)))
    background.wait()
    first = background.cpu_s()
    assert first > 0.0
    background.begin(lambda: sum(range(2_000_000)))
    background.wait()
    assert background.cpu_s() > first
