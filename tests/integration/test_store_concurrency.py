"""Several processes at one store: nothing is won twice, nothing reported is lost.

Run as a program, this file is one of those processes: it opens the store at a URL, says ``ready``, and
begins its part once a line comes in.
"""

import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tidewatt.adapters.stores.sql import SqlStore
from tidewatt.domain.function import FunctionSpec, Kind, Payload
from tidewatt.domain.job import Attempt, Submission
from tidewatt.domain.lifecycle import State
from tidewatt.errors import IllegalMove

JOBS = 50
Part = subprocess.Popen[str]


def submission(job_id: str) -> Submission:
    return Submission(
        id=job_id,
        function=FunctionSpec(name="f", kind=Kind.FUNCTION),
        payload=Payload(form="file", path="f.py", function="f"),
        arguments={},
        submitted_at=0.0,
        submitted_wall=0.0,
        deadline_at=None,
        home_zone="DE",
    )


def tell(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def race(store: SqlStore, *, by_attempt: bool) -> None:
    """Try to start every job, and tell which were won."""
    for job in store.jobs():
        attempt = Attempt(
            job_id=job.id, token=1, site="home", zone="DE", workers=1, started_at=1.0, started_wall=1.0
        )
        try:
            if by_attempt:
                store.begin_attempt(job.id, State.QUEUED, attempt)
            else:
                store.move(job.id, State.QUEUED, State.STARTING, at=1.0, wall=1.0)
        except IllegalMove:
            continue
        tell(job.id)


def submit_without_end(store: SqlStore) -> None:
    """Submit, and tell of each job once its submission has returned."""
    number = 0
    while True:
        job = store.submit(submission(f"job-{number}"))
        tell(job.id)
        number += 1


def play(part: str, url: str) -> None:
    if part == "open":
        tell("ready")
        sys.stdin.readline()
        store = SqlStore.open(url)
        tell(str(len(store.jobs())))
    else:
        store = SqlStore.open(url)
        tell("ready")
        sys.stdin.readline()
        if part == "submit":
            submit_without_end(store)
        race(store, by_attempt=part == "begin")
    store.close()


def begin_together(stack: ExitStack, part: str, url: str, count: int) -> list[Part]:
    """So many processes with the same part, all opened before any begins."""
    command = [sys.executable, __file__, part, url]
    parts = [
        stack.enter_context(
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        )
        for _ in range(count)
    ]
    for process in parts:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in parts:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return parts


def finish(process: Part) -> list[str]:
    told, complaints = process.communicate(timeout=120)
    assert (process.returncode, complaints) == (0, "")
    return told.split()


@pytest.mark.parametrize("part", ["move", "begin"])
def test_each_job_is_won_by_one_of_four_processes(shared_url: str, part: str) -> None:
    store = SqlStore.open(shared_url)
    names = [store.submit(submission(f"job-{number}")).id for number in range(JOBS)]
    with ExitStack() as stack:
        won = [finish(process) for process in begin_together(stack, part, shared_url, 4)]
    assert sorted(name for wins in won for name in wins) == sorted(names)
    assert {job.state for job in store.jobs()} == {State.STARTING}
    assert all(len(store.events(name)) == 2 for name in names)
    store.close()


@pytest.mark.parametrize("count", [2, 4, 6])
def test_a_new_store_can_be_opened_by_many_at_once(shared_url: str, count: int) -> None:
    with ExitStack() as stack:
        parts = begin_together(stack, "open", shared_url, count)
        assert [finish(process) for process in parts] == [["0"]] * count
    store = SqlStore.open(shared_url)
    store.submit(submission("a"))
    store.close()


def test_a_killed_process_leaves_what_it_reported(shared_url: str) -> None:
    with ExitStack() as stack:
        (process,) = begin_together(stack, "submit", shared_url, 1)
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(20)]
        process.kill()
        told += process.stdout.readlines()  # communicate() would pass over what was read ahead
    reported = [line.strip() for line in told if line.endswith("\n")]
    with closing(SqlStore.open(shared_url)) as store:
        jobs = store.jobs()
        # The kill may fall between the submission and the report of it, so that one more is there.
        assert [job.id for job in jobs][: len(reported)] == reported
        assert len(jobs) - len(reported) in {0, 1}
        assert all([e.after for e in store.events(job.id)] == [State.QUEUED] for job in jobs)
    if shared_url.startswith("sqlite"):
        connection = sqlite3.connect(Path(shared_url.removeprefix("sqlite:///")))
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


if __name__ == "__main__":
    play(*sys.argv[1:])
