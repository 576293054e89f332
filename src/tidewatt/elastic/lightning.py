"""A Lightning ``Trainer`` that can be suspended after any step and goes on with the same bits."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
# The framework's own types are partial.

import math
from shutil import rmtree
from typing import Any, cast

from lightning.pytorch import Callback, LightningModule
from lightning.pytorch import Trainer as LightningTrainer
from lightning.pytorch.utilities import CombinedLoader
from typing_extensions import override

from tidewatt.elastic.seeds import seed_everything
from tidewatt.elastic.trainer import Trainer
from tidewatt.errors import UsageError
from tidewatt.runtime.context import Run

_FILE = "lightning.ckpt"
_FETCHING, _STEPPING = 0, 1


class TidewattCallback(Callback):
    """Give it to a ``Trainer`` by ``callbacks=``, and ``checkpoint`` to its ``fit``.

    ``fit(..., ckpt_path=callback.checkpoint)`` goes on where the job was suspended. Data loaders must be able
    to say where they are: torchdata's ``StatefulDataLoader`` takes the arguments of torch's.
    """

    def __init__(self, run: Run) -> None:
        self._loop = cast(Trainer, run).hand_over()
        found = self._loop.resumed
        self.checkpoint: str | None = None if found is None else str(found / _FILE)
        self._stepped = 0

    @override
    def on_train_start(self, trainer: LightningTrainer, pl_module: LightningModule) -> None:
        """Refuse data that could not be resumed exactly.

        Raises:
            UsageError: a data loader that cannot say where it is, or no step to be resumed at.
        """
        stretch = min(trainer.num_training_batches, self._validation_every(trainer))
        if stretch <= trainer.accumulate_grad_batches:
            raise UsageError(
                f"{stretch:g} batches with one optimizer step before an epoch ends or validation begins",
                "two steps or more: Lightning can be resumed exactly between such places, and not at them",
                "make batches smaller, or validate less often",
            )
        self._stepped = trainer.global_step
        loaders = CombinedLoader(trainer.train_dataloader).flattened
        for loader in loaders:
            if not hasattr(loader, "state_dict"):
                raise UsageError(
                    f"a {type(loader).__name__}, which cannot be resumed in the middle of an epoch",
                    "a data loader with state_dict and load_state_dict",
                    "torchdata.stateful_dataloader.StatefulDataLoader takes the same arguments",
                )
        self._seed(trainer, _FETCHING)

    @override
    def on_train_epoch_start(self, trainer: LightningTrainer, pl_module: LightningModule) -> None:
        """Have the order of an epoch depend on its place alone."""
        self._seed(trainer, _FETCHING)

    @override
    def on_validation_end(self, trainer: LightningTrainer, pl_module: LightningModule) -> None:
        """Have the next batch not depend on what validation drew."""
        self._seed(trainer, _FETCHING)

    @override
    def on_train_batch_start(
        self,
        trainer: LightningTrainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Have the step draw random numbers that depend on its place alone."""
        self._seed(trainer, _STEPPING)

    @override
    def on_train_batch_end(
        self,
        trainer: LightningTrainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Keep a checkpoint where it is time to; the worker leaves if it was asked to."""
        self._seed(trainer, _FETCHING)
        step = trainer.global_step
        if step == self._stepped:  # gradients are still being accumulated
            return
        self._stepped = step
        loss = trainer.callback_metrics.get("loss") or trainer.callback_metrics.get("train_loss")
        whole = trainer.estimated_stepping_batches
        total = None if math.isinf(whole) else int(whole)
        at_end = trainer.is_last_batch or (batch_idx + 1) % self._validation_every(trainer) == 0
        shown = None if loss is None else float(loss)
        if self._loop.stepped(step, total, shown, resumable=not at_end):
            self._save(trainer, step)

    def _validation_every(self, trainer: LightningTrainer) -> float:
        """So many batches lie between two validations."""
        if trainer.val_check_batch is None:
            raise UsageError("validation by the clock", "val_check_interval in batches or parts of an epoch")
        return trainer.val_check_batch

    def _save(self, trainer: LightningTrainer, step: int) -> None:
        folder = self._loop.scratch / f"step-{step}"
        folder.mkdir(mode=0o700, parents=True)
        try:
            trainer.save_checkpoint(folder / _FILE)
            self._loop.keep(step, folder)
        finally:
            rmtree(folder)

    def _seed(self, trainer: LightningTrainer, what: int) -> None:
        """Seed what comes next from how many batches there were; what is resumed draws the same."""
        seed_everything(trainer.fit_loop.total_batch_idx, what)
