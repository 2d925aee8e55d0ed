"""Hybrid networks: a classical trunk and a quantum head, and their classical twins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor, nn

from bezoar.contracts.errors import InvalidArgument, UnknownName
from bezoar.contracts.progress import Progress, silent
from bezoar.models.circuits import whole_number
from bezoar.models.hybrid.heads import Head, LinearHead, QuantumHead, TanhHead
from bezoar.models.hybrid.initial import torch_stream
from bezoar.models.hybrid.resnet import ResNetTrunk, check_stages
from bezoar.models.hybrid.small_trunk import SmallTrunk
from bezoar.models.hybrid.trunk import StagedTrunk, TabularTrunk
from bezoar.models.hybrid.weights import load_weights

TrunkKind = Literal["small", "resnet-18", "resnet-50", "none"]
HeadKind = Literal["quantum", "linear", "tanh"]
Entangler = Literal["ring", "chain"]

# Beyond these no network is useful; a file that asks for more is refused before memory is taken.
_MOST = {
    "n_classes": 10_000,
    "channels": 64,
    "image_size": 4096,
    "width": 4096,
    "layers": 1000,
    "n_features": 1_000_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """What a network is made of.

    Attributes:
        n_classes: logits per image.
        channels: of the images; a ResNet takes 3.
        image_size: height and width of the images in pixels.
        trunk: ``small``, ``resnet-18``, ``resnet-50``, or ``none`` for tabular features.
        stages: stages of blocks that a ResNet keeps, 1 to 4.
        head: ``quantum``, ``linear`` (the classical twin) or ``tanh`` (the classical control).
        width: qubits, or the width of the bottleneck that stands for them.
        layers, entangler, noise, shots: of the circuit, see `QuantumLayer`; the others lack it.
        n_features: numbers per sample with trunk ``none``, else None.

    Raises:
        InvalidArgument: a setting that cannot be used.
    """

    n_classes: int
    channels: int = 3
    image_size: int = 32
    trunk: TrunkKind = "small"
    stages: int = 4
    head: HeadKind = "quantum"
    width: int = 10
    layers: int = 6
    entangler: Entangler = "ring"
    noise: str = "none"
    shots: int | None = None
    n_features: int | None = None

    def __post_init__(self) -> None:
        for name, kinds in (("trunk", TrunkKind), ("head", HeadKind), ("entangler", Entangler)):
            if getattr(self, name) not in get_args(kinds):
                raise UnknownName(name, getattr(self, name), get_args(kinds))
        self._check_numbers()
        if self.trunk.startswith("resnet"):
            check_stages(self.stages)
            if self.channels != 3:
                raise InvalidArgument(
                    "channels",
                    wanted=f"3 for the trunk {self.trunk}",
                    got=self.channels,
                    mend="repeat a grey image three times, or use the trunk small",
                )
        if (self.trunk == "none") != (self.n_features is not None):
            raise InvalidArgument(
                "n_features",
                wanted="a number with the trunk none, None with any other",
                got=self.n_features,
            )

    def _check_numbers(self) -> None:
        for name, most in _MOST.items():
            value = getattr(self, name)
            if value is None and name == "n_features":
                continue
            least = 2 if name == "n_classes" else 1
            if whole_number(name, value, least=least) > most:
                raise InvalidArgument(name, wanted=f"at most {most}", got=value)
        whole_number("stages", self.stages)
        if self.shots is not None:
            whole_number("shots", self.shots)
        if not isinstance(self.noise, str):
            raise InvalidArgument(
                "noise", wanted="text such as none or ad-dep:0.05", got=repr(self.noise)
            )


class HybridNetwork(nn.Module):
    """A trunk and a head: images in, logits out.

    Args:
        trunk: images to features ``(batch, feature)``; any module will do, one of ours can also
            be trained from a stage on.
        head: features to logits, for example `QuantumHead`.
        settings: what both were made of; None where the parts are yours.

    Attributes:
        trunk, head, settings: as given.

    Example:
        >>> import torch
        >>> mine = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU())
        >>> network = HybridNetwork(trunk=mine, head=QuantumHead(12, 3, width=4))
        >>> network(torch.rand(5, 1, 8, 8)).shape
        torch.Size([5, 3])
    """

    def __init__(
        self, trunk: nn.Module, head: nn.Module, settings: NetworkSettings | None = None
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head
        self.settings = settings

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(batch, class)`` of images ``(batch, channel, height, width)`` in [0, 1]."""
        return self.head(self.trunk(images))

    def features(self, images: Tensor) -> Tensor:
        """What the trunk makes of images, ``(batch, feature)``."""
        return self.trunk(images)


def build_network(
    settings: NetworkSettings, *, seed: int, weights: str = "none", progress: Progress = silent
) -> HybridNetwork:
    """A network with first weights from `seed`, and the trunk's from `weights`.

    With 10 classes, HQResNet-18 has 11,181,812 weights and its classical twin 11,181,862, as in
    table 3 of the paper (arXiv 2407.16273).

    Args:
        settings: what it is made of.
        seed: of all weights that are drawn.
        weights: of the trunk, see `load_weights`.
        progress: told of a download of them.

    Raises:
        InvalidArgument: weights that cannot be used.
        FileProblem: a file that is missing, damaged or of another network.
        MissingExtra: ``torchvision`` without that package.

    Example:
        >>> twin = NetworkSettings(n_classes=10, trunk="resnet-18", head="linear")
        >>> sum(p.numel() for p in build_network(twin, seed=0).parameters())
        11181862
    """
    whole_number("seed", seed, least=0)
    trunk = _trunk(settings, seed)
    load_weights(trunk, weights, kind=settings.trunk, progress=progress)
    head = _head(settings, trunk.n_features, seed)
    return HybridNetwork(trunk=trunk, head=head, settings=settings)


def _trunk(settings: NetworkSettings, seed: int) -> StagedTrunk:
    if settings.n_features is not None:
        return TabularTrunk(settings.n_features)
    stream = torch_stream(seed, "hybrid", "trunk")
    if settings.trunk == "small":
        return SmallTrunk(settings.channels, stream)
    return ResNetTrunk(settings.trunk, settings.stages, stream)


def _head(settings: NetworkSettings, n_features: int, seed: int) -> Head:
    if settings.head == "quantum":
        return QuantumHead(
            n_features,
            settings.n_classes,
            width=settings.width,
            layers=settings.layers,
            entangler=settings.entangler,
            noise=settings.noise,
            shots=settings.shots,
            seed=seed,
        )
    made = LinearHead if settings.head == "linear" else TanhHead
    return made(n_features, settings.n_classes, width=settings.width, seed=seed)
