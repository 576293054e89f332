"""A disk that is full or slow, a store that is locked: work waits, in words, and nothing is lost or doubled.

The full disk is a real one of a few megabytes, mounted where that is permitted and left out, in words, where
it is not. The store is locked by another real process. A slow disk is played by one that takes the write lock
again and again, so that most transactions have to wait: nothing slows the device itself down.
"""

import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

import pytest
from tests import disks
from tests.chaos import whole
from tests.chaos.conftest import Folders
from tests.chaos.folder import SOON, Folder, Wave
from tests.chaos.program import weighed
from tests.chaos.test_kills import KILLS, LONG

WAVE = Wave("small", jobs=6, items=12)
long_form = pytest.mark.skipif(KILLS < LONG, reason="the long form alone, which make chaos runs")
HOLDER = """
import sqlite3, sys
from threading import Event
held_s, free_s = float(sys.argv[2]), float(sys.argv[3])
store = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
while True:
    store.execute("BEGIN IMMEDIATE")
    print("held", flush=True)
    Event().wait(held_s)
    store.execute("ROLLBACK")
    Event().wait(free_s)
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A file system with little room."""
    with disks.small_disk(tmp_path / "disk", 24) as disk:
        yield disk


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave no room on a disk during the body."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert shutil.disk_usage(disk).free == 0
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def held(store: Path, held_s: float, free_s: float) -> Iterator[None]:
    """Another process has the write lock of a store, for so long at a time."""
    command = [sys.executable, "-c", HOLDER, str(store), str(held_s), str(free_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            holder.kill()


def await_words(log: Path, words: str) -> None:
    """Wait until a log says so."""
    for _ in range(int(SOON * 20)):
        if log.exists() and words in log.read_text():
            return
        Event().wait(0.05)
    raise AssertionError(log.read_text() if log.exists() else "no log")


def check(folder: Folder) -> None:
    """Everything has come to what it should, once."""
    found = folder.finish()
    results = found["results"]
    assert {n: results[f"weigh-small-{n}"] for n in range(6)} == {n: weighed(n) for n in range(6)}
    assert results["learn-small-0"] != results["learn-small-1"]
    assert found["squares"] == [n * n for n in range(12)]
    whole.check(folder, found["jobs"])


def test_a_full_disk_is_waited_for_by_supervisor_and_workers(small_disk: Path, folders: Folders) -> None:
    folder = folders(small_disk / "home")
    folder.home.prepare()
    folder.home.log.write_text("An earlier supervisor had something to say.\n")  # leaves it room for words
    folder.start(WAVE)
    folder.await_line("mapped")
    with full(small_disk):
        await_words(folder.home.log, "wanted a disk with room")
    check(folder)
    said = folder.home.log.read_text()
    assert "can be used again" in said
    assert "Traceback" not in said


@long_form
def test_a_store_without_room_is_waited_for_and_that_is_said_at_once(
    small_disk: Path, folders: Folders
) -> None:
    store = f"sqlite:///{small_disk / 'state.db'}"
    folder = folders(store=store)
    folder.start(WAVE)
    folder.await_line("mapped")
    with full(small_disk):
        await_words(folder.home.log, "wanted a disk with room; free some space")
    check(folder)
    assert "can be used again" in folder.home.log.read_text()


def test_a_store_that_another_process_has_locked_is_waited_for(tmp_path: Path, folders: Folders) -> None:
    database = tmp_path / "store" / "state.db"
    database.parent.mkdir()
    store = f"sqlite:///{database}?timeout=0.5"
    folder = folders(store=store)
    folder.start(WAVE)
    folder.await_line("mapped")
    with held(database, held_s=3600, free_s=0):
        await_words(folder.home.log, "database is locked")
    check(folder)
    assert "can be used again" in folder.home.log.read_text()


@long_form
def test_a_slow_disk_makes_work_slow_and_nothing_else(folders: Folders) -> None:
    folder = folders()
    folder.start(WAVE)
    folder.await_line("submitted")
    with held(folder.home.path / "state.db", held_s=0.15, free_s=0.05):
        folder.await_line("has weigh-small-5")
    check(folder)
