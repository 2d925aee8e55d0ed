"""Layers whose first weights come from a stream of their own, never from torch's global one."""

from __future__ import annotations

import torch
from torch import nn

from bezoar.contracts.seeds import generator


def torch_stream(seed: int, *names: str | float) -> torch.Generator:
    """The torch stream of the step called `names` in the run `seed`, as `contracts.seeds` has it.

    Example:
        >>> a, b = (torch.rand((), generator=torch_stream(0, "head")) for _ in range(2))
        >>> bool(a == b)
        True
    """
    return torch.Generator().manual_seed(int(generator(seed, *names).integers(2**63)))


def linear(n_inputs: int, n_outputs: int, stream: torch.Generator) -> nn.Linear:
    """A linear layer, weights and biases uniform within 1/sqrt(n_inputs), torch's own default."""
    # skip_init makes the layer without a draw from the global stream.
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, n_inputs, n_outputs)  # type: ignore[assignment]
    bound = n_inputs**-0.5
    nn.init.uniform_(layer.weight, -bound, bound, generator=stream)
    nn.init.uniform_(layer.bias, -bound, bound, generator=stream)
    return layer


def convolution(
    n_inputs: int, n_outputs: int, kernel: int, stream: torch.Generator, *, stride: int = 1
) -> nn.Conv2d:
    """A convolution without bias, padded to keep the size, with He's normal weights (fan out)."""
    layer: nn.Conv2d = nn.utils.skip_init(  # type: ignore[assignment]
        nn.Conv2d, n_inputs, n_outputs, kernel, stride=stride, padding=kernel // 2, bias=False
    )
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu", generator=stream)
    return layer


def channels_last(trunk: nn.Module) -> None:
    """Lays the weights of convolutions out as they are fastest, in place.

    Always, because sums in another order have other last bits: a network that was saved and
    loaded must score the same.
    """
    for layer in trunk.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
