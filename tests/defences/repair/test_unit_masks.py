"""What a unit is; that masks survive copies and files."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from bezoar.contracts.errors import InvalidArgument, UnknownName
from bezoar.defences.repair.unit_masks import mean_activations, prune


class Reshaped(nn.Module):
    """Lets its inner module see another shape, and returns two logits."""

    def __init__(self, inner: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.inner, self.shape = inner, shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x.view(len(x), *self.shape)).flatten(1)[:, :2]


@pytest.mark.parametrize(
    ("inner", "shape", "axes"),
    [
        (nn.Conv2d(2, 5, 1), (2, 3, 2), (0, 2, 3)),
        (nn.Conv1d(2, 5, 1), (2, 6), (0, 2)),
        (nn.Linear(4, 5), (3, 4), (0, 1)),
        (nn.Linear(12, 5), (12,), (0,)),
    ],
)
def test_units_of_each_kind_of_layer(
    inner: nn.Module, shape: tuple[int, ...], axes: tuple[int, ...]
) -> None:
    features = np.random.default_rng(0).normal(size=(7, 12))
    model = Reshaped(inner, shape)
    with torch.no_grad():
        out = inner(torch.tensor(features, dtype=torch.float32).view(7, *shape))
    means = mean_activations(model, ["inner"], features, batch_size=3)["inner"]
    # Float32 outputs, summed in another order.
    np.testing.assert_allclose(means, out.abs().mean(dim=axes).numpy(), rtol=1e-5)
    prune(model, {"inner": np.array([1, 4])}, {"inner": 5})
    silent = mean_activations(model, ["inner"], features)["inner"]
    assert (silent[[1, 4]] == 0).all()
    np.testing.assert_allclose(silent[[0, 2, 3]], means[[0, 2, 3]], rtol=1e-5)


def test_units_are_pruned_even_where_they_are_not_numbers() -> None:
    model = nn.Sequential(nn.Linear(2, 3))
    model.get_parameter("0.bias").data[1] = np.nan
    prune(model, {"0": np.array([1])}, {"0": 3})
    assert model(torch.ones(1, 2))[0, 1] == 0


def made() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))


def test_masks_survive_copies_and_state_dicts() -> None:
    model, x = made(), torch.randn(5, 2)
    prune(model, {"1": np.array([0, 2])}, {"1": 4})
    twin = copy.deepcopy(model)
    assert torch.equal(twin(x), model(x))
    # The copy has masks of its own.
    prune(twin, {"1": np.array([1, 3])}, {"1": 4})
    assert torch.equal(twin(x), twin.get_parameter("2.bias").expand(5, 2))
    assert model.state_dict()["1.pruned_units"].tolist() == [True, False, True, False]
    fresh = made()
    with pytest.raises(RuntimeError, match="pruned_units"):
        fresh.load_state_dict(model.state_dict())
    prune(fresh, {"1": np.array([], dtype=int)}, {"1": 4})
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(fresh(x), model(x))


def test_pruning_again_adds() -> None:
    model = made()
    prune(model, {"1": np.array([0])}, {"1": 4})
    prune(model, {"1": np.array([3])}, {"1": 4})
    assert model.state_dict()["1.pruned_units"].tolist() == [True, False, False, True]
    assert len(model[1]._forward_hooks) == 1


def test_pruned_units_get_no_gradient() -> None:
    model = made()
    prune(model, {"0": np.array([1])}, {"0": 4})
    model(torch.ones(3, 2)).sum().backward()
    grads = model.get_parameter("0.weight").grad
    assert grads is not None
    assert (grads[1] == 0).all()


def test_positions_that_are_no_units() -> None:
    for position in (-1, 4):
        with pytest.raises(InvalidArgument, match="positions from 0 to 3"):
            prune(made(), {"1": np.array([position])}, {"1": 4})
    with pytest.raises(UnknownName, match="got 'x'"):
        prune(made(), {"x": np.array([0])}, {"x": 4})


def test_a_module_used_for_layers_of_different_sizes_is_refused() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.act(x)[:, :2] + self.act(x[:, :2])

    with pytest.raises(InvalidArgument, match="several sizes"):
        mean_activations(Shared(), ["act"], np.ones((2, 3)))
