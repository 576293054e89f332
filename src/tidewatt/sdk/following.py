"""Hearing from the supervisor how jobs fare, until they come to rest."""

import weakref
from collections.abc import Callable, Iterator

from tidewatt import wiring
from tidewatt.adapters import supervision
from tidewatt.adapters.bell import Caller
from tidewatt.domain.job import Job
from tidewatt.domain.lifecycle import ACTIVE, Wish
from tidewatt.ports import Update

_SILENCE_S = 5.0
"""Real seconds without a word after which the store is asked instead."""
_HASTE_S = 0.5
"""The same for a job that is to come to rest, about which there may be no word left to say."""


class Following:
    """Follows jobs of one state folder; a supervisor that dies is replaced.

    A line to the supervisor is kept from one job that is waited for to the next. Threads may wait side by
    side, each on a line of its own.
    """

    def __init__(self, home: wiring.Home, look: Callable[[str], Job]) -> None:
        self._home = home
        self._look = look
        """How a job stands."""
        self._wall = wiring.clock_of(None).wall
        self._idle: list[Caller] = []
        """Lines that nobody uses now, one at most."""
        self.close = weakref.finalize(self, _hang_up, self._idle)
        """Hangs up; so does the end of a program that does not ask for it."""

    def ring(self, job_id: str) -> bool:
        """Tell the supervisor of a job, the end of which may be waited for; False if there is none."""
        line = self._idle_line()
        if line is not None:
            line.await_rest(job_id)
            self._put_back(line)
        return (line is not None and not line.closed) or supervision.knock(self._home)

    def updates(self, job_id: str, timeout_s: float | None) -> Iterator[Update]:
        """What happens to a job, until it has ended or is held.

        Raises:
            TimeoutError: that has not come to pass after so many seconds.
        """
        until = self._until(timeout_s)
        while not self._look(job_id).at_rest:
            line = wiring.wake(self._home)
            try:
                if (job := self._look(job_id)).at_rest:  # it came to rest before anybody listened
                    return
                for update in line.updates(self._patience_s(job, until)):
                    if update is not None and update.job_id == job_id:
                        yield update
                    if _may_rest(update, job_id) and self._look(job_id).at_rest:
                        return
                    self._hold_to(until, job_id, timeout_s)
            finally:
                line.close()

    def rested(
        self, job_id: str, timeout_s: float | None, given_up: Callable[[], bool] = lambda: False
    ) -> Job:
        """Wait until a job has ended or is held, and tell how it stands then.

        Raises:
            TimeoutError: that has not come to pass after so many seconds, or nobody waits for it any more.
        """
        until = self._until(timeout_s)
        job: Job | None = None
        line = self._idle_line()
        try:
            while True:
                if line is None or line.closed or line.awaits != job_id:
                    if (job := self._look(job_id)).at_rest:
                        return job
                    if line is None or line.closed:
                        line = wiring.wake(self._home)
                    line.await_rest(job_id)
                told = line.told_rest(self._patience_s(job, until))
                if (told or not line.closed) and (job := self._look(job_id)).at_rest:
                    return job
                self._hold_to(until, job_id, timeout_s)
                if given_up():
                    raise TimeoutError(f"job {job_id}: nobody waits for it")
        finally:
            self._put_back(line)

    def _until(self, timeout_s: float | None) -> float:
        return float("inf") if timeout_s is None else self._wall() + timeout_s

    def _patience_s(self, job: Job | None, until: float) -> float:
        """How long to wait for a word at most."""
        silence_s = _SILENCE_S if job is not None and job.wish is Wish.RUN else _HASTE_S
        return max(1e-3, min(silence_s, until - self._wall()))

    def _hold_to(self, until: float, job_id: str, timeout_s: float | None) -> None:
        if self._wall() >= until:
            raise TimeoutError(f"job {job_id}: not ended after {timeout_s:g} s")

    def _idle_line(self) -> Caller | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _put_back(self, line: Caller | None) -> None:
        if line is not None and (self._idle or line.closed):
            line.close()
        elif line is not None:
            self._idle.append(line)


def _hang_up(lines: list[Caller]) -> None:
    while lines:
        lines.pop().close()


def _may_rest(update: Update | None, job_id: str) -> bool:
    """Whether what was heard, or that nothing was, leaves it open that a job has come to rest."""
    return update is None or (update.job_id == job_id and update.state not in ACTIVE)
