"""Warm workers at a call for nobody: their zygote sees callers hang up once no supervisor is left to."""

import os
import select
import signal
import socket
import time
from contextlib import suppress

ORPHAN_S = 0.5
"""Real seconds in which a worker whose caller has hung up may come to the end of its call by itself."""


class Watch:
    """Lets a zygote see the end of the line that one of its workers serves.

    It is an instance of epoll which both have, as it was made before the fork. What is entered there is not
    kept open by it, and wakes nobody who does not wait for it.
    """

    def __init__(self) -> None:
        self._poll = select.epoll()

    def fileno(self) -> int:
        """For selectors: readable from when the caller has hung up until the line is left."""
        return self._poll.fileno()

    def enter(self, line: socket.socket) -> None:
        """In the worker: this is its line from now on."""
        self._poll.register(line, select.EPOLLRDHUP)

    def leave(self, line: socket.socket) -> None:
        """In the worker: it serves this line no more; to be called before the line is closed."""
        self._poll.unregister(line)

    @property
    def hung_up(self) -> bool:
        """Whether the worker serves a caller that is gone."""
        return bool(self._poll.poll(0))

    def close(self) -> None:
        """See no more."""
        self._poll.close()


class Orphans:
    """Finds warm workers that serve a caller which is gone, and ends them."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._watches: dict[int, Watch] = {}
        self._due: dict[int, float] = {}
        """When those that were found are to be ended, by a clock that nobody sets."""

    def fileno(self) -> int:
        """For selectors: readable when there is anything to look at."""
        return self._poll.fileno()

    def add(self, pid: int, watch: Watch) -> None:
        """A worker was forked."""
        self._watches[pid] = watch
        self._poll.register(watch, select.EPOLLIN)

    def forget(self, pid: int) -> None:
        """A process has ended, which may have been a warm worker."""
        watch = self._watches.pop(pid, None)
        if watch is not None:
            if self._due.pop(pid, None) is None:
                self._poll.unregister(watch)  # closing does not do it: what the worker has forked may have it
            watch.close()

    def due_s(self) -> float | None:
        """Seconds until there is one to be ended, if nothing happens before; None for ever."""
        if not self._due:
            return None
        return max(0.0, min(self._due.values()) - time.perf_counter())

    def look(self) -> None:
        """Find those whose caller has hung up; end those that had their time, with all that they started."""
        now = time.perf_counter()
        for pid, watch in self._watches.items():
            if pid not in self._due:
                if watch.hung_up:
                    self._due[pid] = now + ORPHAN_S
                    self._poll.unregister(watch)
            elif now >= self._due[pid]:
                del self._due[pid]
                self._poll.register(watch, select.EPOLLIN)
                if watch.hung_up:  # else it came to the end of that call, and may be at a job
                    with suppress(ProcessLookupError):
                        os.killpg(pid, signal.SIGKILL)

    def close(self) -> None:
        """See no more of any."""
        self._poll.close()
        for watch in self._watches.values():
            watch.close()
