"""A trigger under the right labels wears a backdoor off; clean data alone does not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.contracts.model_suspicion import ModelSuspicion
from bezoar.defences.repair import unlearn
from bezoar.defences.repair.fine_tuning import accuracy_of, fine_tune


@pytest.fixture
def suspicion() -> ModelSuspicion:
    """Two inspected classes; the mask of class 1 is the planted pixel."""
    masks = np.zeros((2, 4, 4))
    masks[1, 3, 3] = 1.0
    return ModelSuspicion(
        inspector="neural-cleanse",
        classes=np.array([0, 1]),
        norms=np.array([[4.0, 1.0]] * 3),
        indices=np.array([[0.7, 3.0]] * 3),
        success=np.ones((3, 2)),
        reached=np.ones((3, 2), dtype=bool),
        flagged=((1,), (), (1,)),
        masks=masks,
        patterns=np.ones((2, 1, 4, 4)),
    )


HOW: dict[str, Any] = {"epochs": 40, "learning_rate": 0.2, "batch_size": 8}


def test_the_backdoor_is_unlearnt(
    planted: nn.Module,
    clean: Dataset,
    suspicion: ModelSuspicion,
    success_of: Callable[[nn.Module], float],
) -> None:
    before = copy.deepcopy(planted.state_dict())
    mended = unlearn(planted, clean, suspicion, share=0.5, **HOW)
    assert success_of(mended) == 0.0
    assert accuracy_of(mended, clean) == 1.0
    assert all(torch.equal(value, before[key]) for key, value in planted.state_dict().items())
    # The unit that carries it sleeps on clean data, so nothing there is learnt about it.
    tuned = copy.deepcopy(planted)
    fine_tune(tuned, clean, seed=0, **HOW)
    assert success_of(tuned) == 1.0


def test_same_seed_same_model(
    planted: nn.Module, clean: Dataset, suspicion: ModelSuspicion
) -> None:
    one, two, other = (unlearn(planted, clean, suspicion, seed=seed) for seed in (0, 0, 1))
    assert all(map(torch.equal, one.parameters(), two.parameters()))
    assert not all(map(torch.equal, one.parameters(), other.parameters()))


def test_classes_can_be_named(
    planted: nn.Module, clean: Dataset, suspicion: ModelSuspicion
) -> None:
    unsure = replace(suspicion, flagged=((1,), (), ()))
    with pytest.raises(InvalidArgument, match="half of the seeds"):
        unlearn(planted, clean, unsure)
    named = unlearn(planted, clean, unsure, classes=[1])
    flagged = unlearn(planted, clean, suspicion)
    assert all(map(torch.equal, named.parameters(), flagged.parameters()))


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ({"classes": [2]}, "classes"),
        ({"classes": []}, "classes"),
        ({"share": 0.0}, "share"),
        ({"share": 1.5}, "share"),
        ({"epochs": -1}, "epochs"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"batch_size": 1}, "batch_size"),
    ],
)
def test_arguments_out_of_range(
    planted: nn.Module,
    clean: Dataset,
    suspicion: ModelSuspicion,
    bad: dict[str, Any],
    problem: str,
) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        unlearn(planted, clean, suspicion, **bad)


def test_images_that_do_not_fit(
    planted: nn.Module, clean: Dataset, suspicion: ModelSuspicion
) -> None:
    with pytest.raises(InvalidData, match="two images"):
        unlearn(planted, clean.take([100]), suspicion)
    with pytest.raises(InvalidArgument, match="triggers of shape"):
        unlearn(planted, clean.with_features(np.zeros((40, 1, 5, 5))), suspicion)
    planted.get_parameter("4.bias").data[0] = np.inf
    with pytest.raises(InvalidData, match="finite"):
        unlearn(planted, clean, suspicion)
