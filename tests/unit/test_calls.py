"""What is decided about calls: workers, retries and turns, without any process."""

import os
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tidewatt.domain.units import parse_duration
from tidewatt.errors import JobFailed, RemoteTraceback, UsageError
from tidewatt.policy.backoff import delay_s
from tidewatt.policy.crews import MOST_NESTED, Answer, Need, answer
from tidewatt.policy.turns import Claim, held
from tidewatt.runtime import faults, frames
from tidewatt.runtime.frames import Gone, Kind, Limits

NEED = Need(processors=2, cpus=1, own=1, at_work=1, concurrency=None, nested=False, in_vain=False, total=1)
CLAIM = Claim(job_id="a", function="f", priority=0, concurrency=None, ready_at=0.0)


@pytest.mark.parametrize(
    ("need", "wanted"),
    [
        (NEED, Answer.HIRE),
        (replace(NEED, at_work=2), Answer.SHARE),
        (replace(NEED, at_work=9, own=0), Answer.HIRE),
        (replace(NEED, cpus=2), Answer.SHARE),
        (replace(NEED, concurrency=1), Answer.SHARE),
        (replace(NEED, concurrency=2), Answer.HIRE),
        (replace(NEED, at_work=9, nested=True), Answer.HIRE),
        (replace(NEED, nested=True, concurrency=1), Answer.SHARE),
        (replace(NEED, nested=True, in_vain=True, concurrency=1), Answer.REFUSE),
        (replace(NEED, nested=True, total=MOST_NESTED), Answer.REFUSE),
    ],
)
def test_workers_are_hired_while_there_are_processors(need: Need, wanted: Answer) -> None:
    assert answer(need) is wanted


def test_the_wait_before_a_retry_doubles_and_is_the_same_for_the_same_seed() -> None:
    waits = [delay_s(failures, 2.0, "job") for failures in range(1, 6)]
    assert waits == [delay_s(failures, 2.0, "job") for failures in range(1, 6)]
    assert all(2.0**n <= wait <= 3 * 2.0**n for n, wait in enumerate(waits))
    assert delay_s(1, 2.0, "job") != delay_s(1, 2.0, "other")
    assert delay_s(10_000, 2.0, "job") == 300.0
    assert delay_s(3, 0.0, "job") == 0.0


def test_a_job_that_failed_waits_its_time() -> None:
    assert held([replace(CLAIM, ready_at=10.0)], {}, 9.0) == {"a": 10.0}
    assert held([replace(CLAIM, ready_at=10.0)], {}, 10.0) == {}


def test_no_more_jobs_of_a_function_begin_than_it_allows_and_the_highest_priority_first() -> None:
    one = replace(CLAIM, concurrency=2)
    claims = [one, replace(one, job_id="b", priority=5), replace(one, job_id="c", function="g")]
    assert held(claims, {"f": 1}, 0.0) == {"a": float("inf")}
    assert held(claims, {"f": 2, "g": 1}, 0.0) == {"a": float("inf"), "b": float("inf")}
    assert held(claims, {}, 0.0) == {}


@pytest.fixture
def limits(tmp_path: Path) -> Limits:
    return Limits(most_bytes=1000, spill_bytes=100, folder=str(tmp_path))


def test_a_frame_arrives_as_it_was_sent_whether_small_or_by_a_file(limits: Limits, tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for size in (0, 1, 100, 101, 1000):
            body = os.urandom(size)
            frames.send(ours, Kind.CALLS, body, limits)
            assert list(tmp_path.iterdir()) == []
            kind, received = frames.receive(theirs)
            assert (kind, bytes(received)) == (Kind.CALLS, body)


def test_a_file_on_its_way_is_its_owners_alone_and_has_no_name(limits: Limits) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        frames.send(ours, Kind.CALLS, bytes(500), limits)
        _, (fd, *_), _, _ = socket.recv_fds(theirs, 10, 4)
        found = os.fstat(fd)
        os.close(fd)
    assert found.st_mode & 0o777 == 0o600
    assert found.st_nlink == 0


def test_what_is_too_large_is_refused_before_anything_is_sent(limits: Limits) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with pytest.raises(UsageError, match=r"of 1\.00 kB; wanted at most 1\.00 kB"):
            frames.send(ours, Kind.CALLS, bytes(1001), limits)
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.recv(1)


@pytest.mark.parametrize("said", [b"", b"\x02", b"\x02\x00" + bytes(7) + b"\x05" + b"abc", bytes(10)])
def test_half_a_frame_or_nonsense_is_the_end_of_the_other(said: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(said)
        with pytest.raises(Gone):
            frames.receive(theirs)


def test_an_error_of_our_own_tells_no_frames_of_ours() -> None:
    with pytest.raises(UsageError) as caught:
        parse_duration("5")
    caught.value.__traceback__ = caught.tb.tb_next  # as a worker has it, which the user's code did not call
    assert faults.shown(caught.value).startswith("tidewatt.errors.UsageError: found '5'")


def test_an_exception_keeps_its_type_and_tells_where_it_was_raised() -> None:
    try:
        raise LookupError("no such fish")  # noqa: TRY301 - to have a traceback
    except LookupError as error:
        came = faults.unpacked(faults.packed(error), "a call")
    assert isinstance(came, LookupError)
    assert isinstance(came.__cause__, RemoteTraceback)
    assert "no such fish" in str(came.__cause__)


class Picky(Exception):
    """Can be pickled, and not unpickled."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} {two}")


@pytest.mark.parametrize(
    "error", [Picky(1, 2), SystemExit(3), KeyboardInterrupt(), ValueError(threading.Lock())]
)
def test_an_exception_that_cannot_come_back_is_told_as_text(error: BaseException) -> None:
    came = faults.unpacked(faults.packed(error), "a call")
    assert isinstance(came, JobFailed)
    assert type(error).__name__ in str(came)
