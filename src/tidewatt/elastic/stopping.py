"""Ending a training once it gets no better."""

# pyright: reportUnknownMemberType=false
# torch's own types are partial.

import copy
import math
from typing import Any

import torch
from torch import nn

from tidewatt.runtime.context import EarlyStopping


class Stopping:
    """What was measured after each epoch so far, with the model that was best."""

    def __init__(self, rule: EarlyStopping, model: nn.Module) -> None:
        self._rule = rule
        self._model = model
        self._best = math.nan
        self._model_at_best: dict[str, Any] = {}
        self._since = 0
        """Epochs since the best one."""

    def measure(self) -> float:
        """Ask the user's measure, dropout and batch norm at rest, without gradients."""
        training = self._model.training
        self._model.eval()
        try:
            with torch.no_grad():
                return float(self._rule.measure())
        finally:
            self._model.train(training)

    def see(self, value: float) -> bool:
        """Take the measure of an epoch; whether the training has got no better for long enough.

        What is not a number is no better than anything.
        """
        gain = self._best - value if self._rule.mode == "min" else value - self._best
        if gain > self._rule.min_delta or (math.isnan(self._best) and not math.isnan(value)):
            self._best, self._since = value, 0
            self._model_at_best = copy.deepcopy(self._model.state_dict())
        else:
            self._since += 1
        return self._since >= self._rule.patience

    def restore(self) -> None:
        """Give the model back its parameters and buffers of the best epoch."""
        if self._model_at_best:
            self._model.load_state_dict(self._model_at_best)

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed attempt has to know."""
        return {"best": self._best, "since": self._since, "model": self._model_at_best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._best, self._since, self._model_at_best = state["best"], state["since"], state["model"]
