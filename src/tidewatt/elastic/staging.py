"""A copy of a training's state in memory, so that it can be written while the training goes on."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# torch's own types are partial.

import copy
from typing import Any

import torch
from torch import Tensor


class Staging:
    """Copies nested states into the memory of the copy before: fresh memory costs more than the copying.

    The memory of one whole state is held from the first copy on. What is returned is valid until the next.
    """

    def __init__(self) -> None:
        self._before: dict[tuple[object, ...], Tensor] = {}

    def copy(self, state: Any) -> Any:  # noqa: ANN401 - whatever parts return as their state
        """The same state, every tensor of it in the processor's memory and independent of the original.

        Tensors that share their memory share it in the copy.
        """
        taken: dict[tuple[object, ...], Tensor] = {}
        result = self._copy(state, (), taken, {})
        self._before = taken
        return result

    def _copy(
        self,
        value: Any,  # noqa: ANN401 - the same
        path: tuple[object, ...],
        taken: dict[tuple[object, ...], Tensor],
        shared: dict[tuple[object, ...], Tensor],
    ) -> Any:  # noqa: ANN401 - the same
        if isinstance(value, Tensor):
            place = (value.data_ptr(), value.shape, value.stride(), value.dtype, value.device)
            if value.numel() == 0 or place not in shared:
                taken[path] = shared[place] = self._copy_tensor(value, path)
            return shared[place]
        if isinstance(value, dict):
            entries: Any = value.items()
            kind: Any = value.__class__
            return kind((key, self._copy(each, (*path, key), taken, shared)) for key, each in entries)
        if type(value) in (list, tuple):
            return type(value)(
                self._copy(each, (*path, place), taken, shared) for place, each in enumerate(value)
            )
        return copy.deepcopy(value)

    def _copy_tensor(self, tensor: Tensor, path: tuple[object, ...]) -> Tensor:
        before = self._before.get(path)
        if before is None or (before.shape, before.dtype) != (tensor.shape, tensor.dtype):
            before = torch.empty_like(tensor, device="cpu", requires_grad=False)
        return before.copy_(tensor.detach())
