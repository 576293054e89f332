"""Which examples belong to which step and shard: a matter of numbers alone, never of workers."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# torch's own types are partial.

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import TensorDataset, default_collate

from tidewatt.errors import UsageError

_SORTED_BATCHES = 50
"""So many batches are sorted by length together: enough to pad little, too few to tie examples for good."""


@dataclass(frozen=True, slots=True)
class Share:
    """The examples of one shard in one step, and what part of the step's batch they are."""

    indices: Tensor
    weight: float

    def cut(self, pieces: int) -> list["Share"]:
        """The same examples in so many shares, or fewer where there are not enough of them."""
        cut = [piece for piece in self.indices.tensor_split(pieces) if len(piece)]
        return [Share(piece, self.weight * len(piece) / len(self.indices)) for piece in cut]


Collate = Callable[[list[Any]], Any]
"""Makes a batch of examples; a ``DataLoader`` calls it ``collate_fn``."""


class Source:
    """Picks examples out of a data set, a list of examples or a tuple of tensors."""

    def __init__(self, data: Any, collate: Collate | None = None) -> None:  # noqa: ANN401 - torch types neither the length nor the items of a data set
        self._tensors: Sequence[Tensor] | None = None
        self._collate = collate or default_collate
        self._examples = data
        if collate is None:
            if isinstance(data, TensorDataset):
                self._tensors = data.tensors
            elif isinstance(data, list | tuple) and all(isinstance(each, Tensor) for each in data):
                self._tensors = cast(Sequence[Tensor], data)
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
        return self._collate([self._examples[int(i)] for i in indices])


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
    lengths: Sequence[int] | None = None
    """Of each example; examples of like length then come together, so that little is padded."""

    def __post_init__(self) -> None:
        """Refuse a schedule without steps.

        Raises:
            UsageError: a size or a number of epochs below one, or lengths of other examples than there are.
        """
        if self.size < 1 or self.epochs < 1:
            raise UsageError(f"batches of {self.size} over {self.epochs} epochs", "1 or more of each")
        if self.lengths is not None and len(self.lengths) != self.length:
            raise UsageError(
                f"lengths of {len(self.lengths)} examples for {self.length}", "one for each example"
            )

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
        order: list[Tensor] = []
        for step in range(start, self.total):
            epoch, within = divmod(step, self.steps_per_epoch)
            if within == 0 or step == start:
                order = self._order(epoch)
            batch = order[within]
            pieces = torch.tensor_split(batch, self.shards)
            yield step, [Share(piece, len(piece) / len(batch)) for piece in pieces]

    def _order(self, epoch: int) -> list[Tensor]:
        """All batches of a pass."""
        if not self.shuffle:
            return list(torch.split(torch.arange(self.length), self.size))
        generator = torch.Generator().manual_seed(self.stage << 32 | epoch)
        order = torch.randperm(self.length, generator=generator)
        if self.lengths is None:
            return list(torch.split(order, self.size))
        lengths = torch.as_tensor(self.lengths)
        alike = [
            each[lengths[each].argsort(stable=True)]
            for each in torch.split(order, self.size * _SORTED_BATCHES)
        ]
        *batches, last = torch.split(torch.cat(alike), self.size)
        return [*(batches[i] for i in torch.randperm(len(batches), generator=generator)), last]
