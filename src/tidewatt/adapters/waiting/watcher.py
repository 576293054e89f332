"""The watcher's process: sleeps until a file comes or a time is due, then has `tidewatt triggers fire` look.

It is for machines without a user manager of systemd. It knows nothing of triggers and opens no store: a
child does the work and leaves new orders behind. It imports little, and nothing of what a child needs.
"""

import fcntl
import os
import select
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from tidewatt.adapters.clocks.real import RealClock
from tidewatt.adapters.waiting import kernel, orders

_RETRY_S = 60.0
"""After a look that failed; it said why in the log."""
_LOOK_EVERY_S = 60.0
"""Between looks at folders where the system does not tell of news."""
_READY = b"ready"
_TRIES = 20
_MOMENT_S = 0.01


class Watcher:
    """Waits for one state folder until there is nothing left to wait for."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._own = os.fsencode(home / orders.FOLDER)
        self._clock = RealClock()
        self._news = kernel.News()
        self._alarm = kernel.Alarm()
        self._poll = select.poll()
        self._poll.register(self._news.fileno(), select.POLLIN)
        self._poll.register(self._alarm.fileno(), select.POLLIN)
        self._orders: orders.Orders | None = None
        self._rings_wall: float | None = None
        self._child = 0
        self._handle = -1
        self._stirred = False
        """Whether there was a reason to look while a child was looking."""

    def run(self) -> None:
        """Look, then wait and look whenever there is reason to; end when there are no orders."""
        self._news.follow({self._own})
        self._take_orders()
        self._look()
        while self._orders is not None or self._child:
            self._poll.poll()
            self._hear()
            if self._alarm.take():
                self._rings_wall = None
                self._look()
            if self._child and self._ended() and self._stirred:
                self._stirred = False
                self._soon()

    def _hear(self) -> None:
        """Take in what happened in the folders; what tells of no folder was lost, and may be anything."""
        told = list(self._news.read())
        if any(folder in {self._own, b""} and name[-5:] in {b".json", b""} for folder, name in told):
            self._take_orders()
        if any(folder != self._own for folder, _ in told):
            self._soon()

    def _take_orders(self) -> None:
        """Read the orders, and follow the folders that they name."""
        self._orders = orders.read(self._home)
        if self._orders is None:
            return
        folders = {os.fsencode(folder) for folder in self._orders.folders}
        new, complete = self._news.follow({self._own, *folders})
        self._ring_at(self._orders.look_wall)
        if not complete:
            self._ring_by(self._clock.wall() + _LOOK_EVERY_S)
        if new:  # something may have come before it was followed
            self._soon()

    def _soon(self) -> None:
        """Look once what came has had time to settle; while a child looks, that is after it."""
        if self._child:
            self._stirred = True
        elif self._orders is not None:
            self._ring_by(self._clock.wall() + self._orders.settle_s)

    def _ring_by(self, wall: float) -> None:
        if self._rings_wall is None or wall < self._rings_wall:
            self._ring_at(wall)

    def _ring_at(self, wall: float | None) -> None:
        self._rings_wall = wall
        self._alarm.set(wall)

    def _look(self) -> None:
        """Start a child that looks, unless one does."""
        if self._child:
            self._stirred = True
            return
        self._child = spawn(self._home)
        self._handle = os.pidfd_open(self._child)
        self._poll.register(self._handle, select.POLLIN)

    def _ended(self) -> bool:
        """Whether the child is gone; where it failed, another one will look."""
        found, status = os.waitpid(self._child, os.WNOHANG)
        if not found:
            return False
        self._poll.unregister(self._handle)
        os.close(self._handle)
        self._child = 0
        if status:
            self._ring_at(self._clock.wall() + _RETRY_S)
        return True


def look_now_and_then(home: Path) -> None:
    """Wait where the system tells of nothing: look when a time is due, and at folders every minute."""
    clock = RealClock()
    while True:
        os.waitpid(spawn(home), 0)
        wanted = orders.read(home)
        if wanted is None:
            return
        due = clock.wall() + _LOOK_EVERY_S
        if wanted.look_wall is not None:
            due = min(due, wanted.look_wall)
        select.select([], [], [], max(1.0, due - clock.wall()))


def spawn(home: Path) -> int:
    """A process that looks; its number."""
    command = [sys.executable, "-m", "tidewatt.cli.main", "triggers", "fire", "--home", str(home)]
    return os.posix_spawn(command[0], command, os.environ)


def main() -> None:
    """Watch for the state folder named first; the second argument is a descriptor to write to when ready.

    Whoever starts it is let go at once, as with a supervisor. If there is a watcher already, this one ends.
    """
    home, ready = Path(sys.argv[1]), int(sys.argv[2])
    if os.fork():
        os._exit(0)
    os.setsid()
    with suppress(KeyboardInterrupt):
        while _watch_once(home, ready) and orders.read(home) is not None:
            ready = -1  # new orders came while the lock was still held, so that nobody else was started


def _watch_once(home: Path, ready: int) -> bool:
    """Wait until there are no orders; False if another watcher does."""
    with (home / orders.LOCK).open("a+") as lock:
        if not _hold(lock):
            return False
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        if ready >= 0:
            os.write(ready, _READY)
            os.close(ready)
        if kernel.AVAILABLE:
            Watcher(home).run()
        else:
            look_now_and_then(home)
    return True


def _hold(lock: TextIO) -> bool:
    """Take the lock; False if it is held for longer than somebody takes who only tries whether it is."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            select.select([], [], [], _MOMENT_S)
        else:
            return True
    return False


if __name__ == "__main__":
    main()
