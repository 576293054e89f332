"""Has a training stand still at a known place, so that what is done to it there is done for certain."""

from pathlib import Path

from torch import nn


def hold(model: nn.Module, gate: str, after: int) -> None:
    """Before its forward pass of this number, have the model knock at a gate and wait to be let through."""
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += model.training
        if seen == after and model.training:
            Path(gate, "knock").write_bytes(b".")
            with Path(gate, "let").open("rb", buffering=0) as let:
                let.read(1)

    if gate:
        model.register_forward_pre_hook(count)
