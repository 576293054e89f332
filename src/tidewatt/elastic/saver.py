"""Keeping checkpoints of a training: written beside the loop while it runs, by the loop when it leaves."""

# pyright: reportUnknownMemberType=false
# torch's own types are partial.

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

import torch

from tidewatt.domain.ledger import Phase
from tidewatt.elastic.background import Background
from tidewatt.elastic.interval import Interval
from tidewatt.elastic.staging import Staging
from tidewatt.errors import CheckpointDamaged
from tidewatt.ports import Order
from tidewatt.runtime import checkpoint
from tidewatt.runtime.reporter import Reporter
from tidewatt.runtime.storage import Storage

Fill = Callable[[checkpoint.Sink], object]
_KEPT = 2


class Saver:
    """Writes the checkpoints of an attempt, tells of each, and keeps the newest two."""

    def __init__(self, order: Order, reporter: Reporter) -> None:
        self._order = order
        self._reporter = reporter
        url = order.function.storage
        self._storage = Storage(url, order.job_id) if url else None
        self._interval = Interval(order.function.checkpoint_every_s)
        self._staging = Staging()
        self._beside = Background[_Save]()
        reporter.charge_beside(self._cpu_s)

    @property
    def due(self) -> bool:
        """Whether it is time for the next one, and the one before is written."""
        return not self._beside.busy and self._interval.due()

    def begin(self, step: int, state: Any) -> None:  # noqa: ANN401 - whatever parts return as their state
        """Have a copy of a state written while the loop goes on."""
        with self._reporter.during(Phase.CHECKPOINT):
            fill = saved_by_torch(self._staging.copy(state))
        self._beside.begin(partial(self._write, step, fill))

    def save(self, step: int, fill: Fill, phase: Phase) -> None:
        """Write one now, after one that is still being written."""
        with self._reporter.during(phase):
            self._tell(self._beside.wait())
            save = self._write(step, fill)
            self._tell(save)
            self._tell(self._copy(save))

    def open(self, recorded: str) -> checkpoint.Content:
        """The checkpoint to resume from, brought from the storage if this machine has lost it.

        Raises:
            CheckpointDamaged: there is no whole one, here or there.
        """
        folder = Path(self._order.folder)
        lost: Exception | None = None
        if self._storage is not None and not checkpoint.is_whole(folder / recorded):
            try:
                self._storage.fetch(folder, recorded)
            except (OSError, CheckpointDamaged) as error:  # one of those before it may still be here
                lost = error
        try:
            return checkpoint.open_newest(folder, recorded)
        except CheckpointDamaged as error:
            raise error from lost

    def hear(self) -> None:
        """Tell of the one that was written beside the loop, if it is done, and have it copied."""
        save = self._beside.take()
        self._tell(save)
        if save is not None and save.written is not None and self._storage is not None:
            self._beside.begin(partial(self._copy, save))

    def _write(self, step: int, fill: Fill) -> "_Save":
        """Write a checkpoint; a disk that is full costs this one, never those before it."""
        order = self._order
        try:
            written = checkpoint.write(Path(order.folder), step, order.token, fill)
        except (OSError, RuntimeError) as error:  # torch's writer turns the one into the other
            raised = (error, error.__context__)
            reason = next((e.strerror for e in raised if isinstance(e, OSError)), str(error))
            return _Save(step, None, f"step {step} could not be saved: {reason}")
        return _Save(step, written)

    def _copy(self, save: "_Save") -> "_Save":
        """Copy a checkpoint to the storage; what fails there costs the copy alone."""
        if self._storage is None or save.written is None:
            return _Save(save.step, None)
        try:
            self._storage.put(Path(self._order.folder) / save.written.path)
            self._storage.discard(_KEPT)
        except OSError as error:
            return _Save(save.step, None, f"step {save.step} is on this machine alone: {error.strerror}")
        return _Save(save.step, None)

    def _cpu_s(self) -> float:
        """Processor seconds that writing beside the loop has used so far."""
        return self._beside.cpu_s() + (0.0 if self._storage is None else self._storage.cpu_s())

    def _tell(self, save: "_Save | None") -> None:
        """Report a checkpoint that has been written; the next is due so long after it."""
        if save is not None:
            if save.written is not None:
                self._reporter.saved(save.step, save.written)
            if save.error:
                self._reporter.saved(save.step, None, save.error)
            if save.written is not None:  # not before it is told: what is recorded must not be deleted
                checkpoint.discard(Path(self._order.folder), _KEPT)
            self._interval.begin()  # after the writing: a slow disk must not have every step saved


@dataclass(frozen=True, slots=True)
class _Save:
    """What came of writing a checkpoint of a step, or of copying it, which writes none here.

    ``error`` says why it could not be done.
    """

    step: int
    written: checkpoint.Written | None
    error: str = ""


def saved_by_torch(state: Any) -> Fill:  # noqa: ANN401 - whatever parts return as their state
    """Fills a checkpoint with a nested state, tensor by tensor and never as a second copy in memory."""
    return lambda sink: torch.save(state, cast(IO[bytes], sink))
