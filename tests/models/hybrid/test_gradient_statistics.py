from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.models.hybrid import NetworkSettings, build_network
from bezoar.models.hybrid.gradient_statistics import gradient_statistics


@pytest.mark.parametrize("head", ["quantum", "linear", "tanh"])
def test_they_are_those_of_one_backward_pass(digits, head):
    images, labels = digits[0][:80], digits[1][:80].astype(np.int64)
    network: Any = build_network(NetworkSettings(n_classes=10, head=head), seed=0)
    found = gradient_statistics(network, images, labels)
    assert network.training
    assert all(p.grad is None for p in network.parameters())
    network.eval()
    cross_entropy(network(torch.from_numpy(images)), torch.from_numpy(labels)).backward()
    everything = []
    for layer, (name, weights) in zip(found.layers, network.named_parameters(), strict=True):
        assert weights.grad is not None
        wanted = weights.grad.numpy().astype(np.float64)
        everything.append(wanted.ravel())
        assert (layer.name, layer.n_weights) == (name, wanted.size)
        # Float32 sums over 80 images, in batches here and at once there.
        assert layer.norm == pytest.approx(np.linalg.norm(wanted), rel=1e-3, abs=1e-6)
        assert layer.mean == pytest.approx(wanted.mean(), rel=1e-2, abs=1e-6)
    values = np.concatenate(everything)
    assert found.total.n_weights == values.size
    assert found.total.norm == pytest.approx(np.linalg.norm(values), rel=1e-3)
    assert found.total.maximum == pytest.approx(values.max(), rel=1e-3)
    assert found.total.minimum == pytest.approx(values.min(), rel=1e-3)
    names = [layer.name for layer in found.fully_connected]
    assert names == [f"head.{name}" for name in network.head.fully_connected]


def test_what_has_no_exact_gradient_is_refused(digits):
    images, labels = digits[0][:4], digits[1][:4]
    shots = build_network(NetworkSettings(n_classes=10, shots=10), seed=0)
    with pytest.raises(InvalidArgument, match="shots"):
        gradient_statistics(shots, images, labels)
    exact = build_network(NetworkSettings(n_classes=10, head="tanh"), seed=0)
    with pytest.raises(InvalidData, match="one for each image"):
        gradient_statistics(exact, images, labels[:3])
    with pytest.raises(InvalidData, match="one or more"):
        gradient_statistics(exact, images[:0], labels[:0])
