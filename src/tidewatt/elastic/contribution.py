"""What one shard adds to a step, as one flat vector.

The vector holds the weighted gradients, which parameters have one at all, the weighted loss, the
weighted changes of floating-point buffers (batch-norm statistics) and, from shard 0 alone, how far each
integer buffer advanced. Integer buffers count forward passes, so they would depend on the worker count
if every worker kept its own.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Layout:
    """Where everything lies in the vector of a model."""

    def __init__(self, model: nn.Module) -> None:
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        buffers = list(model.buffers())
        self.averaged = [b for b in buffers if b.is_floating_point()]
        self.counted = [b for b in buffers if not b.is_floating_point() and b.dtype != torch.bool]
        self.dtype = torch.float32
        self.device = self.parameters[0].device if self.parameters else torch.device("cpu")
        for tensor in (*self.parameters, *self.averaged):
            self.dtype = torch.promote_types(self.dtype, tensor.dtype)
        self._gradients = sum(p.numel() for p in self.parameters)
        self._present = self._gradients + len(self.parameters)
        self._loss = self._present + 1
        self._averaged = self._loss + sum(b.numel() for b in self.averaged)
        self.length = self._averaged + sum(b.numel() for b in self.counted)
        self._pieces = [p.numel() for p in self.parameters]

    def remember_buffers(self) -> list[Tensor]:
        """Copies of all buffers as they are before a step."""
        return [b.clone() for b in (*self.averaged, *self.counted)]

    def restore_buffers(self, remembered: Sequence[Tensor]) -> None:
        """Put buffers back to a copy."""
        with torch.no_grad():
            for buffer, value in zip((*self.averaged, *self.counted), remembered, strict=True):
                buffer.copy_(value)

    def collect(self, shard: int, weight: float, loss: Tensor, before: Sequence[Tensor]) -> Tensor:
        """The vector of a shard whose backward passes have run; gradients are cleared.

        Args:
            shard: its number.
            weight: its share of the batch's examples.
            loss: its loss, which like the gradients carries that weight already.
            before: the buffers before the step.
        """
        vector = self.empty()
        offset = 0
        for index, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                vector[offset : offset + self._pieces[index]] = parameter.grad.detach().reshape(-1)
                vector[self._gradients + index] = 1.0
                parameter.grad = None
            offset += self._pieces[index]
        vector[self._present] = loss
        offset = self._loss
        for buffer, old in zip(self.averaged, before, strict=False):
            # A buffer that did not change stays as it is, even where it holds infinities.
            change = torch.where(buffer == old, torch.zeros_like(buffer), buffer - old)
            vector[offset : offset + buffer.numel()] = change.reshape(-1) * weight
            offset += buffer.numel()
        if shard == 0:
            for buffer, old in zip(self.counted, before[len(self.averaged) :], strict=True):
                vector[offset : offset + buffer.numel()] = (buffer - old).reshape(-1)
                offset += buffer.numel()
        return vector

    def empty(self) -> Tensor:
        """The vector of a shard without examples."""
        return torch.zeros(self.length, dtype=self.dtype, device=self.device)

    def apply(self, vector: Tensor, before: Sequence[Tensor]) -> Tensor:
        """Set gradients and buffers from the sum over all shards; the batch's loss is returned."""
        offset = 0
        for index, parameter in enumerate(self.parameters):
            piece = vector[offset : offset + self._pieces[index]]
            present = bool(vector[self._gradients + index] > 0)
            parameter.grad = piece.view_as(parameter).to(parameter.dtype) if present else None
            offset += self._pieces[index]
        offset = self._loss
        with torch.no_grad():
            for buffer, old in zip(self.averaged, before, strict=False):
                buffer.copy_(old + vector[offset : offset + buffer.numel()].view_as(buffer).to(buffer.dtype))
                offset += buffer.numel()
            for buffer, old in zip(self.counted, before[len(self.averaged) :], strict=True):
                buffer.copy_(old + vector[offset : offset + buffer.numel()].view_as(buffer).to(buffer.dtype))
                offset += buffer.numel()
        return vector[self._present]
