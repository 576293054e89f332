"""What a training function is given to work with."""

from collections.abc import Iterator
from typing import Any, Protocol


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

    def track(self, model: Any, optimizer: Any, scheduler: Any = None) -> None:  # noqa: ANN401 - this room is light: no torch
        """Keep these over suspends, and restore them now if the job is being resumed.

        Args:
            model: a ``torch.nn.Module``; its parameters and buffers are kept.
            optimizer: a ``torch.optim.Optimizer`` over the model's parameters.
            scheduler: a learning-rate scheduler; ``step`` advances it once for each optimizer step.
        """
        ...

    def batches(self, data: Any, *, size: int, epochs: int = 1, shuffle: bool = True) -> Iterator[Any]:  # noqa: ANN401 - the same
        """Batches of ``data``, from where the job was suspended.

        Args:
            data: a ``torch.utils.data.Dataset`` with a length, or a tuple of tensors of equal length.
            size: examples in one optimizer step, over all shards.
            epochs: passes over the data.
            shuffle: another order in every epoch; it depends on nothing but the epoch.

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

    def log(self, **metrics: float) -> None:
        """Show figures beside the progress of the job."""
        ...
