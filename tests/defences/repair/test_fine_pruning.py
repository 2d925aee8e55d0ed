"""A dormant channel with a backdoor goes first; how much is pruned, chosen and trained."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName
from bezoar.defences.repair import SHARES, FinePruning
from bezoar.defences.repair.fine_tuning import accuracy_of
from bezoar.models.hybrid.network import NetworkSettings, build_network

Success = Callable[[nn.Module], float]
# 1 of 4 units.
QUARTER = FinePruning(layers=("1",), share=0.25, fine_tune_epochs=0)


def outputs(model: nn.Module, data: Dataset) -> np.ndarray:
    with torch.no_grad():
        return model(torch.tensor(data.features, dtype=torch.float32)).numpy()


def test_pruning_the_sleeping_unit_removes_the_backdoor(
    planted: nn.Module, clean: Dataset, success_of: Success
) -> None:
    assert accuracy_of(planted, clean) == 1.0
    assert success_of(planted) == 1.0
    repaired = QUARTER.repair(planted, clean)
    assert repaired.pruned["1"].tolist() == [3]
    assert success_of(repaired.model) == 0.0
    assert repaired.accuracy_before == repaired.accuracy_pruned == repaired.accuracy_after == 1.0
    # The unit is silent on clean data: nothing else moves.
    np.testing.assert_array_equal(outputs(repaired.model, clean), outputs(planted, clean))


def test_the_judge_measures_each_share_itself(
    planted: nn.Module, clean: Dataset, success_of: Success
) -> None:
    measured = {
        share: (accuracy_of(model, clean), success_of(model))
        for share, model in QUARTER.models(planted, clean, [0.0, 0.25, 0.75])
    }
    # Brightness alone is left in the end: all images are bright to it, with a trigger or without.
    assert measured == {0.0: (1.0, 1.0), 0.25: (1.0, 0.0), 0.75: (0.5, 1.0)}


def test_units_are_ranked_by_mean_absolute_output(planted: nn.Module, clean: Dataset) -> None:
    order = FinePruning(layers=("1", "4")).rank(planted, clean)
    with torch.no_grad():
        active = planted[:2](torch.tensor(clean.features, dtype=torch.float32))  # type: ignore[index]
    wanted = np.argsort(active.abs().mean(dim=(0, 2, 3)).numpy(), kind="stable")
    assert order["1"].tolist() == wanted.tolist()
    logits = np.abs(outputs(planted, clean)).mean(axis=0)
    assert order["4"].tolist() == np.argsort(logits).tolist()


def test_share_zero_is_the_same_network(planted: nn.Module, clean: Dataset) -> None:
    ((share, same),) = QUARTER.models(planted, clean, [0.0])
    assert share == 0
    np.testing.assert_array_equal(outputs(same, clean), outputs(planted, clean))


@pytest.mark.parametrize("training", [True, False])
def test_the_network_that_came_is_never_changed(
    planted: nn.Module, clean: Dataset, training: bool
) -> None:
    planted.train(training)
    before = copy.deepcopy(planted.state_dict())
    stream = torch.get_rng_state()
    defence = FinePruning(layers=("1", "0"), fine_tune_epochs=2)
    defence.curve(planted, clean)
    repaired = defence.repair(planted, clean)
    copies = [model for _, model in defence.models(planted, clean)]
    assert list(planted.state_dict()) == list(before)
    assert all(torch.equal(value, before[key]) for key, value in planted.state_dict().items())
    assert all(p.grad is None for p in planted.parameters())
    assert not any(module._forward_hooks for module in planted.modules())
    assert all(m.training == training for m in (planted, repaired.model, *copies))
    assert torch.equal(torch.get_rng_state(), stream)


@settings(max_examples=25, deadline=None)
@given(n_units=st.integers(1, 23), percent=st.integers(0, 99))
def test_the_share_is_kept_exactly(n_units: int, percent: int) -> None:
    rng = np.random.default_rng(n_units)
    data = Dataset(
        features=rng.random((6, 3)),
        labels=np.arange(6) % 2,
        ids=np.arange(6),
        class_names=("a", "b"),
    )
    model = nn.Sequential(nn.Linear(3, n_units), nn.Linear(n_units, 2))
    share = percent / 100
    defence = FinePruning(layers=("0",), share=share, fine_tune_epochs=0)
    repaired = defence.repair(model, data)
    wanted = percent * n_units // 100
    marks = repaired.model.state_dict()["0.pruned_units"]
    assert int(marks.sum()) == len(repaired.pruned["0"]) == wanted
    assert wanted < n_units
    with torch.no_grad():
        active = repaired.model[0](torch.ones(2, 3))  # type: ignore[index]
    assert (active[:, marks] == 0).all()
    assert (active[:, ~marks] != 0).all()
    assert defence.curve(model, data, [share]).n_pruned["0"].tolist() == [wanted]


def test_the_curve_goes_up_to_nine_tenths(planted: nn.Module, clean: Dataset) -> None:
    curve = FinePruning(layers=("1",)).curve(planted, clean)
    assert curve.shares.tolist() == list(SHARES)
    assert curve.accuracy == curve.accuracies[0] == 1.0
    assert curve.n_units == {"1": 4}
    assert curve.n_pruned["1"].tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]
    # Three units gone: all images are bright.
    assert curve.accuracies.tolist() == [1.0] * 8 + [0.5] * 2


@pytest.mark.parametrize(("tolerance", "wanted"), [(0.0, 0.74), (0.49, 0.74), (0.5, 0.98)])
def test_the_first_fall_ends_the_pruning(
    planted: nn.Module, clean: Dataset, tolerance: float, wanted: float
) -> None:
    defence = FinePruning(layers=("1",), tolerance=tolerance, fine_tune_epochs=0)
    # The third of four units goes at 0.75, and half of the accuracy with it.
    assert defence.repair(planted, clean).share == wanted


def test_nothing_is_pruned_where_the_first_unit_matters() -> None:
    data = Dataset(
        features=np.eye(4), labels=np.arange(4), ids=np.arange(4), class_names=tuple("abcd")
    )
    model = nn.Sequential(nn.Linear(4, 60), nn.Linear(60, 4))
    model.load_state_dict(
        {
            "0.weight": torch.eye(60)[:, :4].contiguous(),
            "0.bias": torch.tensor([0.0] * 4 + [9.0] * 56),
            "1.weight": torch.eye(60)[:4].contiguous(),
            "1.bias": torch.zeros(4),
        }
    )
    assert accuracy_of(model, data) == 1.0
    repaired = FinePruning(layers=("0",), fine_tune_epochs=0).repair(model, data)
    # Class 0 wins ties, so the first of the four units may go, the second not.
    assert repaired.share == pytest.approx(0.02)
    assert len(repaired.pruned["0"]) == 1


def with_batch_norm() -> nn.Sequential:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 5, 3),
            nn.BatchNorm2d(5),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Flatten(),
            nn.Linear(20, 2),
        )


def test_fine_tuning_learns_and_keeps_pruned_units_silent(clean: Dataset) -> None:
    model = with_batch_norm().eval()
    model.requires_grad_(requires_grad=False)
    defence = FinePruning(
        layers=("2",), share=0.4, fine_tune_epochs=10, learning_rate=0.02, batch_size=13
    )
    repaired = defence.repair(model, clean)
    assert repaired.accuracy_after > max(0.9, repaired.accuracy_pruned)
    assert len(repaired.pruned["2"]) == 2
    with torch.no_grad():
        active = repaired.model[:3](torch.tensor(clean.features, dtype=torch.float32))  # type: ignore[index]
    assert (active[:, repaired.pruned["2"].tolist()] == 0).all()
    assert not any(p.requires_grad for p in repaired.model.parameters())
    again = defence.repair(model, clean)
    np.testing.assert_array_equal(outputs(again.model, clean), outputs(repaired.model, clean))
    other = defence.repair(model, clean, seed=1)
    assert not np.array_equal(outputs(other.model, clean), outputs(repaired.model, clean))


def test_a_batch_of_one_does_not_come_up(clean: Dataset) -> None:
    # 33 samples in batches of at most 32: a rest of one would have no statistics.
    defence = FinePruning(layers=("2",), share=0.2, fine_tune_epochs=1, batch_size=32)
    assert defence.repair(with_batch_norm(), clean.take(clean.ids[:33])).accuracy_after >= 0
    with pytest.raises(InvalidData, match="two samples"):
        defence.repair(with_batch_norm(), clean.take(clean.ids[:1]))


@pytest.mark.parametrize("head", ["quantum", "linear"])
def test_a_hybrid_network_in_its_trunk_and_before_its_circuit(head: Any) -> None:
    network = build_network(
        NetworkSettings(n_classes=3, channels=1, image_size=8, head=head, width=4, layers=1), seed=0
    )
    rng = np.random.default_rng(0)
    data = Dataset(
        features=rng.random((6, 1, 8, 8)),
        labels=np.arange(6) % 3,
        ids=np.arange(6),
        class_names=("a", "b", "c"),
    )
    last = f"trunk.{network.trunk.stage_names[-1]}"  # type: ignore[union-attr]
    defence = FinePruning(layers=(last, "head.reduce"), share=0.5, fine_tune_epochs=1)
    repaired = defence.repair(network, data)
    assert len(repaired.pruned["head.reduce"]) == 2
    for precision in ("bfloat16", "float32"):
        half = FinePruning(layers=(last,), share=0.5, precision=precision)
        assert half.rank(network, data)[last].shape == (len(repaired.pruned[last]) * 2,)


def test_layers_that_cannot_be_pruned(planted: nn.Module, clean: Dataset) -> None:
    with pytest.raises(UnknownName, match="one of 0, 1, 2, 3, 4, got 'conv'"):
        FinePruning(layers=("conv",)).rank(planted, clean)
    unused = nn.Sequential(planted)
    unused.add_module("spare", nn.Identity())
    unused.forward = planted.forward  # type: ignore[method-assign]
    with pytest.raises(InvalidArgument, match="'spare', which it does not"):
        FinePruning(layers=("spare",)).rank(unused, clean)

    class Mean(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean()

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mean, self.inner = Mean(), planted

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x) + self.mean(x)

    with pytest.raises(InvalidArgument, match="'mean', a Mean"):
        FinePruning(layers=("mean",)).rank(Outer(), clean)


def test_data_and_models_that_cannot_be_used(planted: nn.Sequential, clean: Dataset) -> None:
    with pytest.raises(InvalidData, match="got none"):
        QUARTER.repair(planted, clean.take([]))
    with pytest.raises(InvalidArgument, match=r"torch\.nn\.Module"):
        QUARTER.repair(None, clean)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="takes a batch"):
        QUARTER.repair(planted, clean.with_features(clean.features.reshape(40, 16)))
    planted.get_parameter("0.bias").data[0] = np.nan
    with pytest.raises(InvalidData, match="finite"):
        QUARTER.repair(planted, clean)


def test_one_class_is_enough_to_rank(planted: nn.Module, clean: Dataset) -> None:
    bright = clean.take(clean.ids[clean.labels == 1])
    # Darkness sleeps as well on bright images; a defender needs all classes, and is not stopped.
    assert set(QUARTER.rank(planted, bright)["1"][:2]) == {1, 3}


@pytest.mark.parametrize(
    "bad",
    [
        {"layers": ()},
        {"layers": ("1", "1")},
        {"share": 1.0},
        {"share": float("nan")},
        {"share": -0.1},
        {"tolerance": 1.1},
        {"tolerance": float("nan")},
        {"fine_tune_epochs": -1},
        {"learning_rate": 0.0},
        {"batch_size": 1},
        {"precision": "float8"},
    ],
)
def test_pruning_settings_out_of_range(bad: dict[str, Any]) -> None:
    name = next(iter(bad)).removeprefix("fine_tune_")
    with pytest.raises(InvalidArgument, match=name):
        FinePruning(**{"layers": ("1",), **bad})


@pytest.mark.parametrize("shares", [[], [0.2, 0.1], [0.1, 0.1], [0.5, 1.0]])
def test_shares_of_a_curve_ascend(planted: nn.Module, clean: Dataset, shares: list[float]) -> None:
    with pytest.raises(InvalidArgument, match="share"):
        QUARTER.curve(planted, clean, shares)
    with pytest.raises(InvalidArgument, match="share"):
        QUARTER.models(planted, clean, shares)
