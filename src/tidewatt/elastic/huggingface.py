"""A Hugging Face ``Trainer`` that can be suspended after any step and goes on with the same bits."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false, reportUnknownVariableType=false
# The framework's own types are partial.

from pathlib import Path
from shutil import rmtree
from typing import Any, cast

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from typing_extensions import override

from tidewatt.elastic.trainer import Trainer
from tidewatt.errors import UsageError
from tidewatt.runtime.context import Run


class TidewattCallback(TrainerCallback):
    """Give it to a ``Trainer`` by ``callbacks=``, and ``checkpoint`` to its ``train``.

    ``train(resume_from_checkpoint=callback.checkpoint)`` goes on where the job was suspended.
    """

    def __init__(self, run: Run) -> None:
        self._loop = cast(Trainer, run).hand_over()
        self._asked = False
        """Whether a checkpoint is written for us, not for a strategy of the user's."""
        self._loss: float | None = None
        found = self._loop.resumed
        self.checkpoint: str | None = None if found is None else str(found)

    @override
    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Refuse what could not be resumed exactly.

        Raises:
            UsageError: checkpoints without the optimizer, or a resume that does not skip what was seen.
        """
        if args.save_only_model or args.ignore_data_skip:
            raise UsageError("save_only_model or ignore_data_skip", "checkpoints that can be resumed exactly")

    @override
    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Take note of the loss that the framework tells of."""
        self._loss = (logs or {}).get("loss", self._loss)

    @override
    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Have a checkpoint written where it is time to."""
        wanted = self._loop.stepped(state.global_step, state.max_steps, self._loss)
        self._asked = wanted and not control.should_save
        control.should_save = control.should_save or wanted

    @override
    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Keep what was written; the worker leaves if it was asked to."""
        folder = Path(args.output_dir or ".") / f"checkpoint-{state.global_step}"
        try:
            self._loop.keep(state.global_step, folder)
        finally:
            if self._asked:
                rmtree(folder, ignore_errors=True)
