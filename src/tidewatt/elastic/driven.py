"""A loop that another framework drives, and that writes checkpoints of its own: when it saves and leaves."""

import tarfile
from pathlib import Path
from typing import IO, cast

from tidewatt.domain.ledger import Phase
from tidewatt.elastic.saver import Saver
from tidewatt.ports import Order
from tidewatt.runtime.checkpoint import PART
from tidewatt.runtime.reporter import Reporter
from tidewatt.runtime.worker import Suspended


class Driven:
    """One worker whose steps a framework makes; its checkpoints are folders that the framework fills."""

    def __init__(self, order: Order, reporter: Reporter, saver: Saver) -> None:
        self._reached = order.reached
        self._reporter = reporter
        self._saver = saver
        self.scratch = Path(order.folder) / f"driven-{order.token}{PART}"
        """For the framework's files; it goes with the attempt."""
        self._leaving = False
        self.resumed: Path | None = None
        """The folder of the checkpoint to go on from, None if the job begins."""
        if order.checkpoint is not None:
            with reporter.during(Phase.RESUME):
                self.resumed = self._unpack(order.checkpoint)

    def stepped(self, step: int, total: int | None, loss: float | None, *, resumable: bool = True) -> bool:
        """Tell of an optimizer step.

        Args:
            step: steps done.
            total: steps in all, if that is known.
            loss: of late.
            resumable: whether the framework could go on from a checkpoint of this step.

        Returns:
            Whether the framework is to write a checkpoint now, and hand it to ``keep``.
        """
        self._reporter.enter(Phase.REPLAY if step < self._reached else Phase.COMPUTE)
        self._reporter.progress(step, total, loss)
        self._saver.hear()
        self._leaving = step != total and self._reporter.suspend_asked()
        wanted = resumable and (step == total or self._leaving or self._saver.due)
        if wanted:
            self._reporter.enter(Phase.SUSPEND if self._leaving else Phase.CHECKPOINT)
        return wanted

    def keep(self, step: int, folder: Path) -> None:
        """Keep what the framework has written into a folder, which is then no longer needed.

        Raises:
            Suspended: the worker was asked to leave, and the state is safe; it unwinds the user's function.
        """
        phase = Phase.SUSPEND if self._leaving else Phase.CHECKPOINT
        self._saver.save(step, lambda sink: _pack(folder, cast(IO[bytes], sink)), phase)
        self._reporter.enter(Phase.COMPUTE)
        if self._leaving:
            raise Suspended

    def _unpack(self, recorded: str) -> Path:
        target = self.scratch / "resumed"
        target.mkdir(mode=0o700, parents=True)
        with self._saver.open(recorded) as content, tarfile.open(fileobj=content, mode="r:") as archive:
            if hasattr(tarfile, "data_filter"):  # Python 3.11.4 and later
                archive.extraction_filter = tarfile.data_filter
            archive.extractall(target)  # noqa: S202 - we packed it ourselves, and its checksum was right
        return target


def _pack(folder: Path, sink: IO[bytes]) -> None:
    with tarfile.open(fileobj=sink, mode="w|") as archive:
        archive.add(folder, ".")
