"""Copies of a state that stay as they were while the training goes on."""

from collections import OrderedDict

import torch

from tidewatt.elastic.staging import Staging


def test_a_copy_does_not_see_what_happens_to_the_original() -> None:
    weights = torch.ones(3)
    state = {"model": OrderedDict(w=weights), "groups": [{"lr": 0.1, "betas": (0.9, 0.99)}]}
    copied = Staging().copy(state)
    weights.fill_(7.0)
    state["groups"][0]["lr"] = 5.0  # type: ignore[index]  # a list of dictionaries
    assert copied["model"]["w"].tolist() == [1.0, 1.0, 1.0]
    assert copied["groups"] == [{"lr": 0.1, "betas": (0.9, 0.99)}]
    assert type(copied["model"]) is OrderedDict


def test_the_second_copy_takes_the_memory_of_the_first() -> None:
    staging, weights = Staging(), torch.ones(4)
    first = staging.copy({"w": weights})["w"]
    weights.fill_(2.0)
    second = staging.copy({"w": weights})["w"]
    assert second.data_ptr() == first.data_ptr()
    assert second.tolist() == [2.0] * 4


def test_a_tensor_of_another_shape_or_type_gets_memory_of_its_own() -> None:
    staging = Staging()
    staging.copy({"w": torch.zeros(4)})
    assert staging.copy({"w": torch.ones(2, 3)})["w"].shape == (2, 3)
    assert staging.copy({"w": torch.ones(2, 3, dtype=torch.int64)})["w"].dtype == torch.int64


def test_tensors_that_share_memory_share_it_in_the_copy() -> None:
    tied = torch.ones(5)
    copied = Staging().copy({"a": tied, "b": tied, "half": tied[:2]})
    assert copied["a"] is copied["b"]
    assert copied["half"].tolist() == [1.0, 1.0]


def test_empty_tensors_are_not_taken_for_one_another() -> None:
    copied = Staging().copy({"a": torch.zeros(0, 3), "b": torch.zeros(2, 0)})
    assert copied["a"].shape == (0, 3)
    assert copied["b"].shape == (2, 0)
