"""A thread that does one thing at a time beside the training loop."""

import time
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

Outcome = TypeVar("Outcome")


class Background(Generic[Outcome]):
    """Runs what it is given, one call after the other; the loop asks for the outcome when it likes.

    A call must not raise. The thread ends with the process, even in the middle of a call.
    """

    def __init__(self) -> None:
        self._asked: SimpleQueue[Callable[[], Outcome]] = SimpleQueue()
        self._done: SimpleQueue[Outcome] = SimpleQueue()
        self._thread: Thread | None = None
        self._busy = False

    @property
    def busy(self) -> bool:
        """Whether a call was begun whose outcome has not been taken."""
        return self._busy

    def begin(self, call: Callable[[], Outcome]) -> None:
        """Have something done; the outcome of the call before must have been taken."""
        if self._thread is None:
            self._thread = Thread(target=self._work, daemon=True)
            self._thread.start()
        self._busy = True
        self._asked.put(call)

    def take(self) -> Outcome | None:
        """The outcome if the call has ended, else None."""
        return None if self._done.empty() else self.wait()

    def wait(self) -> Outcome | None:
        """The outcome once the call has ended, None if there was none."""
        if not self._busy:
            return None
        outcome = self._done.get()
        self._busy = False
        return outcome

    def cpu_s(self) -> float:
        """Processor seconds that the thread has used so far."""
        if self._thread is None or self._thread.ident is None:
            return 0.0
        return time.clock_gettime(time.pthread_getcpuclockid(self._thread.ident))

    def _work(self) -> None:
        while True:
            self._done.put(self._asked.get()())
