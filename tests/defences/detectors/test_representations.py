"""What a network makes of samples, wherever one looks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName
from bezoar.defences.detectors.representations import representations
from bezoar.models.hybrid.network import NetworkSettings, build_network

IMAGES = np.random.default_rng(0).random((7, 2, 4, 4), dtype=np.float32)


def network() -> nn.Sequential:
    torch_seeded = torch.Generator().manual_seed(0)
    made = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 2)
    )
    for parameter in made.parameters():
        nn.init.normal_(parameter, generator=torch_seeded)
    return made


def test_takes_what_goes_into_the_last_linear_layer() -> None:
    model = network()
    wanted = model[:5](torch.from_numpy(IMAGES)).detach().numpy()
    np.testing.assert_allclose(representations(model, IMAGES), wanted, rtol=1e-6)


def test_takes_the_output_of_a_named_layer_and_averages_maps() -> None:
    model = network()
    wanted = model[:2](torch.from_numpy(IMAGES)).mean(dim=(2, 3)).detach().numpy()
    np.testing.assert_allclose(representations(model, IMAGES, layer="1"), wanted, rtol=1e-6)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_does_not_depend_on_batches(size: int) -> None:
    model = network()
    whole = representations(model, IMAGES)
    np.testing.assert_allclose(representations(model, IMAGES, batch_size=size), whole, atol=1e-6)


@pytest.mark.parametrize("head", ["quantum", "linear", "tanh"])
def test_takes_the_trunk_of_a_hybrid_network(head: str) -> None:
    settings = NetworkSettings(n_classes=3, channels=2, image_size=16, head=head, width=3)  # type: ignore[arg-type]
    model = build_network(settings, seed=0).eval()
    images = np.random.default_rng(0).random((5, 2, 16, 16), dtype=np.float32)
    wanted = model.features(torch.from_numpy(images)).detach().numpy()
    np.testing.assert_allclose(representations(model, images), wanted, atol=1e-6)
    assert representations(model, images, layer="head.reduce").shape == (5, 3)
    # 8 bits of mantissa in the trunk; the head is not rounded, or the circuit would refuse.
    half = representations(model, images, precision="bfloat16")
    np.testing.assert_allclose(half, wanted, atol=0.05 * np.abs(wanted).max())


def test_leaves_the_model_as_it_was() -> None:
    model = network().train()
    model[1].eval()
    representations(model, IMAGES)
    assert model.training
    assert not model[1].training
    assert not model[5]._forward_pre_hooks
    with pytest.raises(InvalidArgument):
        representations(model, IMAGES[:, :1])
    assert not model[5]._forward_pre_hooks
    assert model.training


def test_takes_tables() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    assert representations(model, np.zeros((6, 3))).shape == (6, 4)


def test_refuses_what_it_cannot_do() -> None:
    model = network()
    with pytest.raises(UnknownName, match="layer"):
        representations(model, IMAGES, layer="head.reduce")
    with pytest.raises(InvalidArgument, match="no linear layer"):
        representations(nn.Flatten(), IMAGES)
    with pytest.raises(InvalidArgument, match="model"):
        representations(len, IMAGES)  # type: ignore[arg-type]
    with pytest.raises(InvalidData, match="a sample or more"):
        representations(model, IMAGES[:0])
    with pytest.raises(UnknownName, match="precision"):
        representations(model, IMAGES, precision="float64")
    with pytest.raises(InvalidArgument, match="batch_size"):
        representations(model, IMAGES, batch_size=0)


def test_refuses_a_layer_that_does_not_run() -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used = nn.Linear(3, 2)
            self.unused = nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.used(x)

    with pytest.raises(InvalidArgument, match="did not run"):
        representations(Idle(), np.zeros((4, 3)))


def test_refuses_a_broken_network() -> None:
    model = network()
    with torch.no_grad():
        model[0].bias.fill_(float("nan"))  # type: ignore[union-attr]
    with pytest.raises(InvalidData, match="NaN"):
        representations(model, IMAGES)
