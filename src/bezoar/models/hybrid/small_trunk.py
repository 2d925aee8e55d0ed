"""A small convolutional trunk for images of 28 to 64 pixels, which trains in seconds on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bezoar.models.hybrid.initial import channels_last, convolution
from bezoar.models.hybrid.trunk import StagedTrunk

_WIDTHS = (16, 32, 64)


class SmallTrunk(StagedTrunk):
    """Three times a 3x3 convolution, batch norm, ReLU; two max-pools; the mean of each map.

    Args:
        channels: of the images.
        stream: what first weights are drawn from.

    Example:
        >>> trunk = SmallTrunk(1, torch.Generator())
        >>> trunk.stage_names, trunk(torch.zeros(2, 1, 28, 28)).shape
        (('stem', 'layer1', 'layer2'), torch.Size([2, 64]))
    """

    stage_names = ("stem", "layer1", "layer2")

    def __init__(self, channels: int, stream: torch.Generator) -> None:
        super().__init__()
        first, second, third = _WIDTHS
        self.stem = nn.Sequential(*_block(channels, first, stream), nn.MaxPool2d(2))
        self.layer1 = nn.Sequential(*_block(first, second, stream), nn.MaxPool2d(2))
        self.layer2 = nn.Sequential(*_block(second, third, stream))
        self.n_features = third
        channels_last(self)

    def prepare(self, images: Tensor) -> Tensor:
        """Images in [-1, 1], laid out as convolutions are fastest."""
        return (2 * images - 1).contiguous(memory_format=torch.channels_last)


def _block(n_inputs: int, n_outputs: int, stream: torch.Generator) -> list[nn.Module]:
    return [
        convolution(n_inputs, n_outputs, 3, stream),
        nn.BatchNorm2d(n_outputs),
        nn.ReLU(inplace=True),
    ]
