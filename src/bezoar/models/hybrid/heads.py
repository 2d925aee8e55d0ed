"""What stands on the trunk: the quantum head, its classical twin, and the control between them.

All three begin alike, with normalised features and a linear layer ``reduce`` down to `width`
numbers, and end with a linear layer ``classify``; they differ in what is between.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import pi
from typing import Literal

import torch
from torch import Tensor, nn

from bezoar.models.hybrid.initial import linear, torch_stream

# With expectations in [-1, 1] the last layer learns slowly; measured in design/hybrid-networks.md.
OUTPUT_SCALE = 5.0


class Head(nn.Module, ABC):
    """Features ``(batch, feature)`` to logits ``(batch, class)``.

    Attributes:
        normalize: batch norm without weights of its own.
        reduce: the linear layer that leads to the circuit or to what stands for it.
        classify: the linear layer that gives the logits.
        fully_connected: names of the weights of the three "FC layers" in tables 2 and 3 of the
            paper (arXiv 2407.16273), biases apart; the tanh head has two.
    """

    fully_connected: tuple[str, ...]

    def __init__(self, n_features: int, n_classes: int, *, width: int, seed: int) -> None:
        super().__init__()
        self.n_features = n_features
        self.normalize = nn.BatchNorm1d(n_features, affine=False)
        stream = torch_stream(seed, "hybrid", "head")
        self.reduce = linear(n_features, width, stream)
        self.classify = linear(width, n_classes, stream)

    def forward(self, features: Tensor) -> Tensor:
        """Logits ``(batch, class)`` of features ``(batch, feature)``."""
        return self.classify(self.between(self.reduce(self.normalize(features))))

    @abstractmethod
    def between(self, reduced: Tensor) -> Tensor:
        """What happens to the `width` numbers between the two linear layers."""


class QuantumHead(Head):
    """Linear, tanh(.) pi/2, circuit, linear: the dressed circuit of Mari et al. (2020).

    Plain ``nn.Module``: it stands on any trunk that gives ``(batch, feature)``. Where the paper
    (arXiv 2407.16273) is silent, the recipe is the one that learnt best here: features normalised,
    expectations times 5, a ring of CNOTs, first angles normal with standard deviation 1.5.

    Args:
        n_features: numbers per sample that come in.
        n_classes: logits per sample that go out.
        width: qubits.
        layers, entangler, noise, shots: of `QuantumLayer`; noise ``none`` is none.
        seed: of the first weights.

    Example:
        >>> head = QuantumHead(512, 10)
        >>> head(torch.randn(4, 512)).shape, sum(p.numel() for p in head.parameters())
        (torch.Size([4, 10]), 5300)
    """

    fully_connected = ("reduce.weight", "circuit.weights", "classify.weight")

    def __init__(
        self,
        n_features: int,
        n_classes: int,
        *,
        width: int = 10,
        layers: int = 6,
        entangler: Literal["ring", "chain"] = "ring",
        noise: str = "none",
        shots: int | None = None,
        seed: int = 0,
    ) -> None:
        from bezoar.models.quantum_layer import QuantumLayer

        super().__init__(n_features, n_classes, width=width, seed=seed)
        self.circuit = QuantumLayer(
            width,
            n_layers=layers,
            entangler=entangler,
            noise=None if noise == "none" else noise,
            shots=shots,
            seed=seed,
        )

    def between(self, reduced: Tensor) -> Tensor:
        """Five times the expectations of Z, ``(batch, width)``."""
        return OUTPUT_SCALE * self.circuit(torch.tanh(reduced) * (pi / 2))


class LinearHead(Head):
    """Three linear layers: the head of the paper's convolutional twin.

    Example:
        >>> sum(p.numel() for p in LinearHead(512, 10).parameters())
        5350
    """

    fully_connected = ("reduce.weight", "middle.weight", "classify.weight")

    def __init__(self, n_features: int, n_classes: int, *, width: int = 10, seed: int = 0) -> None:
        super().__init__(n_features, n_classes, width=width, seed=seed)
        self.middle = linear(width, width, torch_stream(seed, "hybrid", "head", "middle"))

    def between(self, reduced: Tensor) -> Tensor:
        """The second linear layer, ``(batch, width)``."""
        return self.middle(reduced)


class TanhHead(Head):
    """The quantum head with tanh in place of the circuit: a bottleneck as narrow and as bounded.

    It tells apart what the circuit does and what any bounded bottleneck of its width does.

    Example:
        >>> sum(p.numel() for p in TanhHead(512, 10).parameters())
        5240
    """

    fully_connected = ("reduce.weight", "classify.weight")

    def __init__(self, n_features: int, n_classes: int, *, width: int = 10, seed: int = 0) -> None:
        super().__init__(n_features, n_classes, width=width, seed=seed)

    def between(self, reduced: Tensor) -> Tensor:
        """Five times the tanh, ``(batch, width)``."""
        return OUTPUT_SCALE * torch.tanh(reduced)
