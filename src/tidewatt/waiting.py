"""Who waits for triggers while nothing runs: systemd where the user has one, else a watcher of our own."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tidewatt.adapters import supervision
from tidewatt.adapters.waiting import orders, systemd, units
from tidewatt.adapters.waiting.folders import Look, looked_into
from tidewatt.errors import UsageError
from tidewatt.wiring import Home

__all__ = ["Look", "looked_into"]

_READY = b"ready"
MOST_INSTANTS = 32


@dataclass(slots=True)
class Agenda:
    """What to wait for next, put together while looking at the triggers."""

    instants: set[float] = field(default_factory=set[float])
    settled_wall: float | None = None
    """When a file that was changed just now may be finished."""
    folders: dict[str, None] = field(default_factory=dict[str, None])
    settle_s: float = 1.0

    def look_by(self, *walls: float) -> None:
        """Look again at these real instants."""
        self.instants.update(walls)

    def follow(self, folders: list[str], settle_s: float) -> None:
        """Look again when something comes into one of these folders."""
        self.settle_s = min(self.settle_s, settle_s) if self.folders else settle_s
        self.folders.update(dict.fromkeys(folders))

    def settle_by(self, wall: float) -> None:
        """Look again when files that were changed just now may be finished."""
        self.settled_wall = wall if self.settled_wall is None else min(wall, self.settled_wall)
        self.look_by(wall)

    @property
    def orders(self) -> orders.Orders:
        """The same for a watcher."""
        return orders.Orders(
            look_wall=min(self.instants, default=None),
            folders=tuple(self.folders),
            settle_s=self.settle_s,
        )


@dataclass(frozen=True, slots=True)
class Waiter:
    """Who waits: ``kind`` is systemd, watcher, or nobody where nothing has to be waited for or all is still.

    ``name`` is that of the units, or the number of the watcher's process. ``wanted`` says whether somebody
    should wait, as after a reboot that took the watcher with it.
    """

    kind: str
    name: str = ""
    wanted: bool = True


def folder(home: Home) -> Path:
    """Where the code of triggers lies, and what to wait for."""
    return home.path / orders.FOLDER


@contextmanager
def settling(home: Home) -> Generator[None]:
    """Keep others from looking at the triggers of a state folder, or changing them, during the body."""
    folder(home).mkdir(mode=0o700, exist_ok=True)
    with (folder(home) / "lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def begin(home: Home, agenda: Agenda) -> bool:
    """See that somebody waits for what is on the agenda; True if it has to be looked at once more.

    Whatever came into a folder before systemd followed it would wait for the next file otherwise.
    """
    if _by_systemd(agenda):
        orders.write(home.path, Agenda().orders)  # sends a watcher home, if there is one
        return systemd.install(_watch(home, agenda))
    if systemd.installed(str(home.path)):
        systemd.install(_watch(home, Agenda()))
    orders.write(home.path, agenda.orders)
    resume(home)
    return False


def resume(home: Home) -> bool:
    """Start a watcher if one is wanted and there is none, as after a reboot; True if it was so."""
    if orders.read(home.path) is None or _watched(home):
        return False
    _start_watcher(home)
    return True


def waiter(home: Home) -> Waiter:
    """Who waits for the triggers of a state folder."""
    if _watched(home):
        return Waiter("watcher", (home.path / orders.LOCK).read_text().strip())
    if systemd.installed(str(home.path)):
        return Waiter("systemd", units.stem(str(home.path)))
    return Waiter("nobody", wanted=orders.read(home.path) is not None)


def _by_systemd(agenda: Agenda) -> bool:
    """Whether systemd is to wait: it does not know our environment, so a store by URL needs a watcher."""
    named = os.environ.get("TIDEWATT_WAITER") or ""
    if named not in {"", "systemd", "watcher"}:
        raise UsageError(f"TIDEWATT_WAITER={named}", "systemd or watcher")
    if named == "watcher" or not units.expressible(agenda.folders):
        return False
    return named == "systemd" or (not os.environ.get("TIDEWATT_STORE") and systemd.available())


def _watch(home: Home, agenda: Agenda) -> units.Watch:
    command = (sys.executable, "-m", "tidewatt.cli.main", "triggers", "fire", "--stay", "--home")
    return units.Watch(
        home=str(home.path),
        command=(*command, str(home.path)),
        environment=systemd.settings(),
        instants=tuple(sorted(agenda.instants)[:MOST_INSTANTS]),
        folders=tuple(agenda.folders),
    )


def _watched(home: Home) -> bool:
    return supervision.is_held(home.path / orders.LOCK)


def _start_watcher(home: Home) -> None:
    """Start a watcher and wait until it is there; it is no child of this process in any way that matters."""
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "tidewatt.adapters.waiting.watcher", str(home.path), str(writer)]
    try:
        with (home.path / orders.LOG).open("ab") as log:
            subprocess.run(  # noqa: S603 - our own module, with arguments of our own
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                pass_fds=[writer],
                cwd="/",
            )
    finally:
        os.close(writer)
    with os.fdopen(reader, "rb") as ready:
        ready.read(len(_READY))
