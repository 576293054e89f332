"""Hearing many descriptors at once."""

import select
from collections.abc import Callable


class Ears:
    """Many descriptors behind one, each with what is to be done when it has something to say."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._deals: dict[int, Callable[[], None]] = {}

    def fileno(self) -> int:
        """For selectors: readable when any of them is."""
        return self._poll.fileno()

    def listen(self, fd: int, deal: Callable[[], None]) -> None:
        """Have ``deal`` called whenever there is something to read."""
        self._poll.register(fd, select.EPOLLIN)
        self._deals[fd] = deal

    def await_end(self, fd: int, deal: Callable[[], None]) -> None:
        """Have ``deal`` called when the other end hangs up; what it says is for another process to read."""
        self._poll.register(fd, select.EPOLLRDHUP)
        self._deals[fd] = deal

    def ignore(self, fd: int) -> None:
        """Hear no more of it."""
        if self._deals.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def hear(self) -> None:
        """Deal with all that have something to say, without waiting for any."""
        for fd, _ in self._poll.poll(0):
            deal = self._deals.get(fd)
            if deal is not None:
                deal()

    def close(self) -> None:
        """Hear no more of anything."""
        self._poll.close()
