"""State folders to be attacked."""

from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from tests.chaos.folder import Folder

from tidewatt.adapters.home import Home

Folders = Callable[..., Folder]


@pytest.fixture
def folders(tmp_path: Path) -> Generator[Folders]:
    """Makes state folders; the processes that live for them are ended however the test ends."""
    made: list[Folder] = []

    def make(home: Path = tmp_path / "home", store: str = "") -> Folder:
        made.append(Folder(Home(home), tmp_path / "work", {"TIDEWATT_STORE": store} if store else {}))
        return made[-1]

    yield make
    for folder in made:
        folder.close()


@pytest.fixture
def folder(folders: Folders) -> Folder:
    """One state folder."""
    return folders()
