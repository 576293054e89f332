"""What must hold of a state folder afterwards, whatever was done to it: the laws; and nothing is left."""

import fcntl
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import psutil
from tests.chaos import program
from tests.chaos.folder import SOON, Folder

from tidewatt.domain.function import Kind
from tidewatt.domain.job import Job
from tidewatt.domain.ledger import EnergyReading
from tidewatt.domain.lifecycle import ENDED, State
from tidewatt.policy import cheapest
from tidewatt.ports import Store


def check(folder: Folder, jobs: dict[str, str]) -> None:
    """All of it; ``jobs`` are those of the client program, by key."""
    assert len(set(jobs.values())) == len(jobs)
    gone(folder)
    with folder.client() as client:
        client.wake()  # whoever looks next removes what one that was killed could not
        kept = {job.id: job for job in client.store.jobs()}
        assert {i for i, job in kept.items() if job.function.kind is not Kind.CALLS} == set(jobs.values())
        for job in kept.values():
            ended_once(client.store, job)
        conserved(client.store)
        replayed(client.store)
    assert [path.name for path in (folder.work / program.TWICE).iterdir()] == []
    clean(folder, set(kept))


def gone(folder: Folder) -> None:
    """Law 9: no process is left."""
    _, left = psutil.wait_procs(folder.alive(), timeout=SOON)
    assert [each.cmdline() for each in left] == []
    assert folder.alive() == []


def ended_once(store: Store, job: Job) -> None:
    """Laws 2 to 4: it has ended, once, in moves that follow each other, by attempts one after the other."""
    events = store.events(job.id)
    moves = [event for event in events if event.before != event.after]
    assert all(one.after == two.before for one, two in pairwise(moves)), (job.id, moves)
    assert [move.after for move in moves if move.after in ENDED] == [State.SUCCEEDED], (job.id, moves)
    tokens = [attempt.token for attempt in store.attempts(job.id)]
    assert tokens == list(range(1, len(tokens) + 1)), (job.id, tokens)


def conserved(store: Store) -> None:
    """Law 1: for every reading, allocations sum to it exactly."""
    shares: defaultdict[EnergyReading, int] = defaultdict(int)
    for entry in store.ledger():
        shares[entry.reading] += entry.allocation.energy_uj
    assert all(total == reading.energy_uj for reading, total in shares.items())


def replayed(store: Store) -> None:
    """Law 5: what the live loop saw leads to what it decided."""
    for snapshot, plan in store.plans():
        assert cheapest.decide(snapshot) == plan.about({job.id for job in snapshot.jobs})


def clean(folder: Folder, jobs: set[str]) -> None:
    """No socket, no lock that is held, and no file that was there for a moment."""
    home = folder.home
    assert [path.name for path in home.path.iterdir() if path.is_socket()] == []
    assert [str(path) for path in home.path.rglob("*") if path.suffix in {".part", ".tmp"}] == []
    assert [path.name for path in home.path.glob("state.db-*")] == []
    assert {path.name for path in home.jobs.iterdir()} - jobs == set()
    for lock in (home.lock, home.submitting):
        assert _is_free(lock)


def _is_free(lock: Path) -> bool:
    with lock.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True
