"""ResNet-18 and ResNet-50 without their classifier, under torchvision's names of weights."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from bezoar.contracts.errors import InvalidArgument
from bezoar.models.hybrid.initial import channels_last, convolution
from bezoar.models.hybrid.trunk import StagedTrunk

# Of the images that the published weights were trained on; red, green, blue in [0, 1].
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_DEPTHS = {"resnet-18": (2, 2, 2, 2), "resnet-50": (3, 4, 6, 3)}
_WIDTHS = (64, 128, 256, 512)
_BOTTLENECKED = ("resnet-50",)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2016, arXiv 1512.03385, figure 5 left)."""

    expansion: ClassVar[int] = 1

    def __init__(self, n_inputs: int, width: int, stride: int, stream: torch.Generator) -> None:
        super().__init__()
        self.conv1 = convolution(n_inputs, width, 3, stream, stride=stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = convolution(width, width, 3, stream)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(n_inputs, width, stride, stream)

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``(batch, width, height / stride, width / stride)``."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """A 1x1, a 3x3 and a 1x1 convolution and a shortcut (figure 5 right).

    The stride is on the 3x3 convolution, as torchvision's weights want it ("v1.5"); the paper has
    it on the first.
    """

    expansion: ClassVar[int] = 4

    def __init__(self, n_inputs: int, width: int, stride: int, stream: torch.Generator) -> None:
        super().__init__()
        n_outputs = width * self.expansion
        self.conv1 = convolution(n_inputs, width, 1, stream)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = convolution(width, width, 3, stream, stride=stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = convolution(width, n_outputs, 1, stream)
        self.bn3 = nn.BatchNorm2d(n_outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(n_inputs, n_outputs, stride, stream)

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``(batch, 4 * width, height / stride, width / stride)``."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class ResNetTrunk(StagedTrunk):
    """A ResNet up to the mean over the last maps; images are normalised inside.

    ``state_dict`` has torchvision's names without ``fc``. ``stem`` stands for ``conv1``, ``bn1``,
    ``relu`` and ``maxpool`` together.

    Args:
        depth: ``resnet-18`` or ``resnet-50``.
        stages: how many of the four stages are kept; fewer are faster, and keep larger maps.
        stream: what first weights are drawn from.

    Example:
        >>> trunk = ResNetTrunk("resnet-18", 4, torch.Generator())
        >>> trunk.stage_names, trunk.n_features, sum(p.numel() for p in trunk.parameters())
        (('stem', 'layer1', 'layer2', 'layer3', 'layer4'), 512, 11176512)
    """

    mean: Tensor
    std: Tensor

    def __init__(self, depth: str, stages: int, stream: torch.Generator) -> None:
        super().__init__()
        block = Bottleneck if depth in _BOTTLENECKED else BasicBlock
        self.conv1 = convolution(3, 64, 7, stream, stride=2)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        # In a tuple it is not registered, so that no weight has two names.
        self._stem = (nn.Sequential(self.conv1, self.bn1, self.relu, self.maxpool),)
        names, n_inputs = ["stem"], 64
        for i in range(stages):
            layer = nn.Sequential()
            for j in range(_DEPTHS[depth][i]):
                layer.append(block(n_inputs, _WIDTHS[i], 2 if i and not j else 1, stream))
                n_inputs = _WIDTHS[i] * block.expansion
            self.add_module(f"layer{i + 1}", layer)
            names.append(f"layer{i + 1}")
        self.stage_names = tuple(names)
        self.n_features = n_inputs
        # Constants, so they are in no file of weights.
        for name, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)
        channels_last(self)

    @property
    def stem(self) -> nn.Sequential:
        """What comes before the first stage of blocks."""
        return self._stem[0]

    def prepare(self, images: Tensor) -> Tensor:
        """Normalised images, laid out as convolutions are fastest."""
        normalised = (images - self.mean) / self.std
        return normalised.contiguous(memory_format=torch.channels_last)


def check_stages(stages: int) -> None:
    """Refuses a number of stages that no ResNet has.

    Raises:
        InvalidArgument: not 1 to 4.
    """
    if not 1 <= stages <= len(_WIDTHS):
        raise InvalidArgument("stages", wanted=f"1 to {len(_WIDTHS)}", got=stages)


def _shortcut(
    n_inputs: int, n_outputs: int, stride: int, stream: torch.Generator
) -> nn.Sequential | None:
    if stride == 1 and n_inputs == n_outputs:
        return None
    return nn.Sequential(
        convolution(n_inputs, n_outputs, 1, stream, stride=stride), nn.BatchNorm2d(n_outputs)
    )
