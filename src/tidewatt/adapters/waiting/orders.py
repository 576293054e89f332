"""What a watcher is told to wait for: a small file, replaced whole, so that it needs no database."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = "triggers"
"""Of the state folder: the deployed code lies in it, and what to wait for."""
_FILE = "waiting.json"
LOCK = "watcher.lock"
LOG = "watcher.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """When to look next, in real time, and the folders in which something new calls for a look."""

    look_wall: float | None
    folders: tuple[str, ...]
    settle_s: float
    """From news of a file to the look at it: it cannot be finished sooner."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to wait for."""
        return self.look_wall is None and not self.folders


def write(home: Path, orders: Orders) -> None:
    """Replace the orders of a state folder; whoever waits is told of it by the file system."""
    path = home / FOLDER / _FILE
    if orders.empty and not path.exists():
        return
    path.parent.mkdir(mode=0o700, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps(asdict(orders)))
    new.replace(path)


def read(home: Path) -> Orders | None:
    """The orders of a state folder, None if there is nothing to wait for."""
    try:
        found = json.loads((home / FOLDER / _FILE).read_text())
    except FileNotFoundError:
        return None
    orders = Orders(look_wall=found["look_wall"], folders=tuple(found["folders"]), settle_s=found["settle_s"])
    return None if orders.empty else orders
