"""Which examples belong to which step and shard: a matter of numbers alone, never of workers."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# torch's own types are partial.

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import TensorDataset, default_collate

from tidewatt.errors import UsageError


@dataclass(frozen=True, slots=True)
class Share:
    """The examples of one shard in one step, and what part of the step's batch they are."""

    indices: Tensor
    weight: float


class Source:
    """Picks examples out of a data set or a tuple of tensors."""

    def __init__(self, data: Any) -> None:  # noqa: ANN401 - torch types neither the length nor the items of a data set
        self._tensors: Sequence[Tensor] | None = None
        if isinstance(data, TensorDataset):
            self._tensors = data.tensors
        elif isinstance(data, list | tuple):
            self._tensors = cast(Sequence[Tensor], data)
        self._examples = data
        if self._tensors is not None and len({t.shape[0] for t in self._tensors}) != 1:
            lengths = ", ".join(str(t.shape[0]) for t in self._tensors)
            raise UsageError(f"tensors of {lengths} examples", "tensors of one length")
        self.length = self._tensors[0].shape[0] if self._tensors is not None else len(self._examples)
        if self.length == 0:
            raise UsageError("data without a single example", "at least one")

    def pick(self, indices: Tensor) -> Any:  # noqa: ANN401 - what the user's data set yields
        """A batch of these examples."""
        if self._tensors is not None:
            return tuple(t[indices] for t in self._tensors)
        return default_collate([self._examples[int(i)] for i in indices])


@dataclass(frozen=True, slots=True)
class Schedule:
    """The order of examples over all steps."""

    length: int
    size: int
    epochs: int
    shards: int
    shuffle: bool
    stage: int = 0
    """Which loop of the function this is: each has orders of its own."""

    def __post_init__(self) -> None:
        """Refuse a schedule without steps.

        Raises:
            UsageError: a size or a number of epochs below one.
        """
        if self.size < 1 or self.epochs < 1:
            raise UsageError(f"batches of {self.size} over {self.epochs} epochs", "1 or more of each")

    @property
    def steps_per_epoch(self) -> int:
        """Steps in one pass; the last batch of a pass may be smaller."""
        return -(-self.length // self.size)

    @property
    def total(self) -> int:
        """Steps in all."""
        return self.steps_per_epoch * self.epochs

    def steps(self, start: int) -> Iterator[tuple[int, list[Share]]]:
        """Each step from ``start`` on with the shares of all shards; later shards may be empty."""
        order = torch.empty(0)
        for step in range(start, self.total):
            epoch, within = divmod(step, self.steps_per_epoch)
            if within == 0 or step == start:
                order = self._order(epoch)
            batch = order[within * self.size : (within + 1) * self.size]
            pieces = torch.tensor_split(batch, self.shards)
            yield step, [Share(piece, len(piece) / len(batch)) for piece in pieces]

    def _order(self, epoch: int) -> Tensor:
        if not self.shuffle:
            return torch.arange(self.length)
        return torch.randperm(self.length, generator=torch.Generator().manual_seed(self.stage << 32 | epoch))
