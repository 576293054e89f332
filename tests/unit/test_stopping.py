"""When a training ends before its last epoch, and with which model."""

import math

import pytest
import torch
from torch import nn

from tidewatt.elastic.stopping import Stopping
from tidewatt.errors import UsageError
from tidewatt.runtime.context import EarlyStopping


def stopped(values: list[float], rule: EarlyStopping) -> tuple[int, float]:
    """After how many epochs it stops, and the weight it then has; each epoch's weight is its number."""
    model = nn.Linear(1, 1, bias=False)
    stopping = Stopping(rule, model)
    for epoch, value in enumerate(values, 1):
        nn.init.constant_(model.weight, epoch)
        if stopping.see(value):
            break
    stopping.restore()
    return epoch, model.weight.item()


def rule(patience: int = 2, min_delta: float = 0.0, mode: str = "min") -> EarlyStopping:
    return EarlyStopping(measure=float, patience=patience, min_delta=min_delta, mode=mode)  # type: ignore[arg-type]  # bad modes are tried


def test_it_waits_for_as_many_epochs_as_it_has_patience_and_gives_back_the_best() -> None:
    assert stopped([5, 4, 3, 4, 3.5, 1], rule()) == (5, 3.0)
    assert stopped([5, 4, 5, 3, 4, 2], rule()) == (6, 6.0)
    assert stopped([1, 2, 3, 2, 2.5], rule(mode="max")) == (5, 3.0)


def test_a_gain_has_to_be_large_enough() -> None:
    assert stopped([5, 4.9, 4.8, 1], rule(min_delta=0.5)) == (3, 1.0)


def test_what_is_not_a_number_is_no_gain_and_never_the_best() -> None:
    assert stopped([math.nan, 3, math.nan, math.nan, 1], rule()) == (4, 2.0)
    assert stopped([math.nan, math.nan, 1], rule())[0] == 2


def test_it_goes_on_where_it_was() -> None:
    model = nn.Linear(1, 1, bias=False)
    before, after = Stopping(rule(), model), Stopping(rule(), model)
    before.see(1.0)
    best = model.weight.item()
    before.see(2.0)
    nn.init.zeros_(model.weight)
    after.load_state_dict(before.state_dict())
    assert after.see(3.0)
    after.restore()
    assert model.weight.item() == best


def test_the_measure_sees_a_model_at_rest_and_no_gradients() -> None:
    model = nn.Dropout()
    seen: list[bool] = []

    def look() -> torch.Tensor:
        seen.extend([model.training, torch.is_grad_enabled()])
        return torch.tensor(2.5)

    assert Stopping(EarlyStopping(measure=look), model).measure() == 2.5
    assert seen == [False, False]
    assert model.training


@pytest.mark.parametrize("bad", [{"patience": 0}, {"min_delta": -1.0}, {"mode": "least"}])
def test_a_rule_that_makes_no_sense_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="wanted a patience of 1 or more"):
        EarlyStopping(measure=float, **bad)  # type: ignore[arg-type]  # that is what is tried
