"""What a training function is given to work with."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from tidewatt.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyStopping:
    """When a loop is to end before its last epoch, since it gets no better; for ``Run.batches``.

    After each epoch worker 0 calls ``measure``, without gradients, dropout and batch norm at rest. After
    ``patience`` epochs without a gain of more than ``min_delta`` the loop ends. In either case the model is
    given back its best epoch's parameters and buffers at the end. What was measured survives suspends.
    """

    measure: Callable[[], Any]
    """A number, such as the loss over examples that are not trained on."""
    patience: int = 3
    """Epochs."""
    min_delta: float = 0.0
    mode: Literal["min", "max"] = "min"
    """Whether less or more is better."""

    def __post_init__(self) -> None:
        """Refuse what could never stop, or would stop at once.

        Raises:
            UsageError: a patience below one, a gain below zero, or another mode.
        """
        if self.patience < 1 or self.min_delta < 0 or self.mode not in {"min", "max"}:
            raise UsageError(
                f"patience={self.patience}, min_delta={self.min_delta:g}, mode={self.mode!r}",
                "a patience of 1 or more, a min_delta of 0 or more, and the mode 'min' or 'max'",
            )


class Run(Protocol):
    """One worker's view of its job: what to keep, what to train on, when a step is done.

    The loop stays an ordinary loop. Each turn of it sees the share of the batch that belongs to one
    shard; ``step`` adds the gradients of all shards, in an order that does not depend on the number of
    workers, and moves the optimizer once they are complete.
    """

    @property
    def rank(self) -> int:
        """This worker's number, from 0."""
        ...

    @property
    def workers(self) -> int:
        """How many workers the attempt has; it may be another number after a resume."""
        ...

    @property
    def loss(self) -> float | None:
        """The loss of the last whole step, the same on every worker; None before the first.

        Decide by this one when to leave the loop: the loss of a turn is that of one shard.
        """
        ...

    @property
    def device(self) -> Any:  # noqa: ANN401 - this room is light: no torch
        """A ``torch.device`` for the model and the batches: the worker's accelerator, else the processor."""
        ...

    def track(self, model: Any, optimizer: Any, scheduler: Any = None) -> None:  # noqa: ANN401 - the same
        """Keep these over suspends, and restore them now if the job is being resumed.

        Args:
            model: a ``torch.nn.Module``; its parameters and buffers are kept.
            optimizer: a ``torch.optim.Optimizer`` over the model's parameters.
            scheduler: a learning-rate scheduler; ``step`` advances it once for each optimizer step.

        Raises:
            UsageError: the scheduler waits for a measure, which nothing here would give it.
        """
        ...

    def batches(
        self,
        data: Any,  # noqa: ANN401 - the same
        *,
        size: int,
        epochs: int = 1,
        shuffle: bool = True,
        collate: Callable[[list[Any]], Any] | None = None,
        lengths: Sequence[int] | None = None,
        accumulate: int = 1,
        stop: EarlyStopping | None = None,
    ) -> Iterator[Any]:
        """Batches of ``data``, from where the job was suspended.

        Args:
            data: a ``torch.utils.data.Dataset`` with a length, a list of examples, or a tuple of tensors of
                equal length.
            size: examples in one optimizer step, over all shards.
            epochs: passes over the data.
            shuffle: another order in every epoch; it depends on nothing but the epoch.
            collate: makes a batch of a list of examples, for instance pads them; torch's own unless given.
            lengths: of each example, in tokens or what else is padded. Batches are then made of examples of
                like length, in random order. Needs ``shuffle``.
            accumulate: turns that each share is cut into, one after the other: less memory, the same step.
            stop: when to end before the last epoch.

        Yields:
            What a ``DataLoader`` would: for tensors a tuple of tensors, one shard's share of the batch.

        Raises:
            UsageError: ``track`` or ``step`` was not called where the loop needs it.
        """
        ...

    def step(self, loss: Any, *, clip_norm: float | None = None) -> None:  # noqa: ANN401 - the same
        """Add this share's gradients, and move the optimizer when all shards of the batch are there.

        Args:
            loss: a scalar tensor, the mean over the examples of this turn.
            clip_norm: upper bound on the norm of the whole gradient.
        """
        ...

    def autocast(self) -> AbstractContextManager[Any]:
        """Compute what lies in it in bfloat16 where that is safe, and only on hardware that knows bfloat16.

        Put the forward pass and the loss into it, and ``step`` behind it. On other hardware it does nothing,
        and says so in the log of the attempt. Parameters, gradients and the optimizer keep their type.
        """
        ...

    def log(self, **metrics: float) -> None:
        """Show figures beside the progress of the job."""
        ...
