"""A store that waits while it cannot be used, and then has done everything once."""

import sqlite3
from pathlib import Path

import pytest

from tidewatt.adapters.stores.patient import patient
from tidewatt.adapters.stores.sql import SqlStore
from tidewatt.domain.world import World
from tidewatt.errors import StoreUnavailable


class Lifted:
    """Has what stands in the way go away after so many tries."""

    def __init__(self, other: sqlite3.Connection, tries: int) -> None:
        self._other, self._tries = other, tries
        self.said: list[str] = []
        self.overs = 0

    def pause(self, error: StoreUnavailable) -> None:
        self.said.append(str(error))
        if len(self.said) == self._tries:
            self._other.execute("ROLLBACK")

    def over(self) -> None:
        self.overs += 1


def test_a_locked_store_is_told_in_words_and_waited_for_by_who_is_patient(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    store = SqlStore.open(f"sqlite:///{file}?timeout=0.01")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match=r"database is locked; wanted a store that others leave free"):
        store.save_world(World())
    assert store.world() is None

    lifted = Lifted(other, tries=3)
    waiting = patient(store, lifted)
    waiting.save_world(World(zones=("DE",)))
    assert waiting.world() == World(zones=("DE",))
    assert (len(lifted.said), lifted.overs) == (3, 1)
    other.close()
    store.close()
