import numpy as np
import pytest
import torch
from torch import nn

from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName
from bezoar.evaluate.saliency import grad_cam, similarity


class Small(nn.Module):
    """Two convolutions, batch norm, an activation in place, dropout: what networks are made of."""

    def __init__(self, n_classes=3):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.Conv2d(4, 5, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
        )
        self.head = nn.Linear(5, n_classes)
        for weights in self.parameters():
            weights.data = torch.randn(weights.shape, generator=generator) * 0.5

    def forward(self, images):
        return self.head(self.trunk(images).mean(dim=(2, 3)))


def images(n=5, side=12):
    return np.random.default_rng(0).random((n, 3, side, side)).astype(np.float32)


def formula(network, pictures, code):
    """Grad-CAM of trunk.3, with the gradient by autograd and the rest as printed."""
    features = network.trunk[3](network.trunk[:3](torch.from_numpy(pictures)))
    features = features.detach().requires_grad_()
    scores = network.head(torch.relu(features).mean(dim=(2, 3)))
    (slopes,) = torch.autograd.grad(scores[:, code].sum(), features)
    maps = torch.relu((slopes.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1)).detach()
    size = pictures.shape[2:]
    return nn.functional.interpolate(maps[:, None], size, mode="bilinear")[:, 0].numpy()


@pytest.mark.parametrize("code", [0, 1, 2])
def test_maps_are_the_formula(code):
    network = Small().eval()
    wanted = formula(network, images(), code)
    highest = wanted.max(axis=(1, 2), keepdims=True)
    assert (highest > 0).any()
    wanted = np.divide(wanted, highest, out=np.zeros_like(wanted), where=highest > 0)
    got = grad_cam(network, images(), code, layer="trunk.3")
    # The same operations in single precision.
    assert np.allclose(got, wanted, rtol=0, atol=1e-5)
    assert got.dtype == np.float32
    assert got.min() >= 0
    assert set(got.max(axis=(1, 2)).tolist()) <= {0.0, 1.0}


def test_a_layer_is_named_or_given_and_batches_do_not_matter():
    network, codes = Small(), [0, 1, 2, 1, 0]
    whole = grad_cam(network, images(), codes, layer=network.trunk[0])
    parts = grad_cam(network, images(), codes, layer="trunk.0", batch_size=2)
    assert np.allclose(whole, parts, rtol=0, atol=1e-5)
    each = [grad_cam(network, images()[i : i + 1], codes[i], layer="trunk.0")[0] for i in range(5)]
    assert np.allclose(whole, each, rtol=0, atol=1e-5)


def test_the_network_stays_as_it_was():
    network = Small().train()
    network.trunk[1].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for weights in network.parameters():
        weights.grad = torch.ones_like(weights)
    grad_cam(network, images(), 0, layer="trunk.0")
    assert network.training
    assert network.trunk[5].training
    assert not network.trunk[1].training
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    assert all((weights.grad == 1).all() for weights in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())


def test_frozen_weights_and_inference_mode_are_no_hindrance():
    wanted = grad_cam(Small(), images(), 1, layer="trunk.3")
    frozen = Small().requires_grad_(requires_grad=False)
    assert np.array_equal(grad_cam(frozen, images(), 1, layer="trunk.3"), wanted)
    network = Small()
    with torch.no_grad():
        assert np.array_equal(grad_cam(network, images(), 1, layer="trunk.3"), wanted)
    read_only = images()
    read_only.setflags(write=False)
    assert np.array_equal(grad_cam(network, read_only, 1, layer="trunk.3"), wanted)


def plain(side, weight):
    """A convolution of one weight, and a class score that sums its output times `weight`."""
    convolution, linear = nn.Conv2d(1, 1, 1, bias=False), nn.Linear(side * side, 2)
    convolution.weight.data.fill_(1.0)
    linear.weight.data.fill_(weight)
    return nn.Sequential(convolution, nn.Flatten(), linear)


def test_it_looks_where_the_class_is():
    pictures = np.zeros((1, 1, 8, 8))
    pictures[0, 0, 5, 2] = 1
    found = grad_cam(plain(8, 1.0), pictures, 0, layer="0")[0]
    assert np.unravel_index(found.argmax(), found.shape) == (5, 2)
    assert found.sum() == pytest.approx(1)


def test_nothing_positive_is_a_map_of_zeros():
    assert not grad_cam(plain(4, -1.0), np.ones((2, 1, 4, 4)), 0, layer="0").any()


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"layer": "trunk.9"}, UnknownName, "layer: wanted one of trunk, trunk.0"),
        ({"layer": "head"}, InvalidArgument, "layer: wanted one that gives feature maps"),
        ({"layer": nn.Conv2d(3, 3, 1)}, InvalidArgument, "layer: wanted a part of the network"),
        ({"classes": 3}, InvalidArgument, "classes: wanted one code from 0 to 2"),
        ({"classes": -1}, InvalidArgument, "classes"),
        ({"classes": [0, 1]}, InvalidArgument, "for each of 5 images"),
        ({"classes": [0.5] * 5}, InvalidArgument, "classes"),
        ({"batch_size": 0}, InvalidArgument, "batch_size"),
        ({"images": images()[0]}, InvalidData, "images: wanted one or more images"),
        ({"images": images()[:0]}, InvalidData, "images: wanted one or more images"),
        ({"images": images() * np.nan}, InvalidData, "network: wanted finite"),
    ],
)
def test_what_cannot_be_explained_is_refused(settings, error, message):
    given = {"images": images(), "classes": 0, "layer": "trunk.0", **settings}
    network = Small().train()
    with pytest.raises(error, match=message):
        grad_cam(network, given.pop("images"), given.pop("classes"), **given)
    assert network.training


def test_maps_are_like_themselves():
    maps = np.random.default_rng(0).random((4, 16, 16))
    same = similarity(maps, maps)
    assert np.allclose(same.correlation, 1, atol=1e-12)
    assert np.allclose(same.ssim, 1, atol=1e-12)
    # A correlation does not see brightness and contrast.
    assert np.allclose(similarity(maps, 0.2 + maps / 2).correlation, 1, atol=1e-9)
    assert np.allclose(similarity(maps, 1 - maps).correlation, -1, atol=1e-9)
    other = np.random.default_rng(1).random((4, 16, 16))
    wanted = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(maps, other, strict=True)]
    assert np.allclose(similarity(maps, other).correlation, wanted, atol=1e-12)
    assert (similarity(maps, other).ssim < 0.5).all()


def test_constant_maps_have_a_similarity_too():
    shape = np.random.default_rng(0).random((1, 8, 8))
    flat, zero = np.full((1, 8, 8), 0.3), np.zeros((1, 8, 8))
    for one, other, wanted in (
        (flat, zero, 1),
        (zero, zero, 1),
        (flat, shape, 0),
        (shape, zero, 0),
    ):
        found = similarity(one, other)
        assert found.correlation.tolist() == [wanted]
        assert np.isfinite(found.ssim).all()


@pytest.mark.parametrize(
    "other", [np.zeros((2, 8, 9)), np.zeros((2, 8)), np.zeros((0, 8, 8)), np.full((2, 8, 8), 2.0)]
)
def test_what_are_no_pairs_of_maps_is_refused(other):
    with pytest.raises(InvalidData, match=r"triggered|maps"):
        similarity(np.zeros((2, 8, 8)), other)
