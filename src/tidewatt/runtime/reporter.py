"""A worker's side of the talk with its supervisor."""

import select
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import SupportsFloat

from tidewatt.domain.ledger import Phase
from tidewatt.runtime.channel import Channel
from tidewatt.runtime.checkpoint import Written
from tidewatt.runtime.messages import Done, Paused, Proceed, Report, Saved, Suspend

_REPORT_EVERY_S = 0.1


class Reporter:
    """Counts processor time by phase, tells how far the worker is, and hears when it is to leave."""

    def __init__(self, channel: Channel, token: int = 0, *, began_s: float = 0.0) -> None:
        self._channel = channel
        self.token = token
        """The attempt that the work belongs to; a command that was paused goes on as another one."""
        self._phase = Phase.COLD_START
        # A worker that ran other jobs before had used ``began_s`` processor seconds when this one came.
        self._since = time.process_time()
        self._cpu_s: dict[Phase, float] = {Phase.COLD_START: self._since - began_s}
        self._reported = float("-inf")
        self._suspend = False
        self._metrics: dict[str, float] = {}
        self._beside: Callable[[], float] = float
        self._beside_s = 0.0

    def charge_beside(self, cpu_s: Callable[[], float]) -> None:
        """Charge a thread that writes checkpoints to their phase; ``cpu_s`` tells what it has used so far."""
        self._beside = cpu_s

    def enter(self, phase: Phase) -> Phase:
        """Charge what follows to another phase; the phase before is returned."""
        beside = self._beside()
        now, before = time.process_time(), self._phase
        self._add(Phase.CHECKPOINT, beside - self._beside_s)
        # The two clocks are read one after the other: what lies between must not make less of a phase.
        self._add(before, max(0.0, now - self._since - (beside - self._beside_s)))
        self._phase, self._since, self._beside_s = phase, now, beside
        return before

    def _add(self, phase: Phase, cpu_s: float) -> None:
        if cpu_s > 0:
            self._cpu_s[phase] = self._cpu_s.get(phase, 0.0) + cpu_s

    @contextmanager
    def during(self, phase: Phase) -> Generator[None]:
        """Charge the body to a phase."""
        before = self.enter(phase)
        try:
            yield
        finally:
            self.enter(before)

    def suspend_asked(self) -> bool:
        """Whether the worker is to leave: it was told to, or nobody is left to tell it anything."""
        if not self._suspend:
            self._listen()
        return self._suspend

    def _listen(self) -> None:
        messages = self._channel.receive()
        asked = self._channel.closed or any(isinstance(m, Suspend) for m in messages)
        self._suspend = self._suspend or asked

    def fileno(self) -> int:
        """For selectors: readable when there is something to be heard."""
        return self._channel.fileno()

    def wait(self, timeout_s: float) -> None:
        """Wait so long, or until there is nobody left to be told anything; what was asked is remembered."""
        if not self.alone:
            select.select([self._channel], [], [], timeout_s)
            self._listen()

    @property
    def alone(self) -> bool:
        """Whether nobody is left to be told anything."""
        return self._channel.closed

    def told(self) -> Iterator[Suspend | Proceed]:
        """What a command is asked to do."""
        for message in self._channel.receive():
            if isinstance(message, Suspend | Proceed):
                yield message

    def begin(self, token: int | None = None) -> None:
        """Tell that the work begins, or that it goes on as another attempt."""
        self.token = token if token is not None else self.token
        self.enter(Phase.COMPUTE)
        self._channel.send(Report(self._phase, dict(self._cpu_s), 0))

    def paused(self) -> None:
        """Tell that the work stands still."""
        self.phases()
        self._channel.send(Paused())

    def progress(self, step: int, total: int | None, loss: SupportsFloat | None) -> None:
        """Tell how far the job is; most calls say nothing, so that a fast loop is not held up."""
        now = time.perf_counter()
        if now - self._reported >= _REPORT_EVERY_S or step == total:
            self._reported = now
            self.enter(self._phase)
            shown = None if loss is None else float(loss)
            report = Report(self._phase, dict(self._cpu_s), step, total, shown, self._metrics)
            if step == total:
                self._channel.send(report)
            else:
                self._channel.offer(report)

    def log(self, metrics: dict[str, float]) -> None:
        """Show further figures with the next report."""
        self._metrics = {**self._metrics, **metrics}

    def phases(self) -> None:
        """Tell what was used so far, without saying anything of progress."""
        self.enter(self._phase)
        self._channel.send(Report(self._phase, dict(self._cpu_s)))

    def saved(self, step: int, written: Written | None, error: str = "") -> None:
        """Tell of a checkpoint, or why there is none."""
        if written is None:
            self._channel.send(Saved(step, "", 0, "", error))
        else:
            self._channel.send(Saved(step, written.path, written.size, written.sha256, ""))

    def done(self, outcome: str, result: str | None = None, error: str | None = None) -> None:
        """Say the last word, and what was used up to it."""
        self.enter(self._phase)
        self._channel.send(Report(self._phase, dict(self._cpu_s)), Done(outcome, result, error))
