"""What all trunks share: stages in order, so that training can begin at any of them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from bezoar.contracts.errors import InvalidArgument, UnknownName


class StagedTrunk(nn.Module):
    """Images in, features out, through stages that are submodules with names.

    Attributes:
        stage_names: names of the stages in order; ``get_submodule`` knows each.
        n_features: numbers per image that come out.
    """

    stage_names: tuple[str, ...] = ()
    n_features: int

    def forward(self, images: Tensor) -> Tensor:
        """Features ``(batch, feature)`` of images ``(batch, channel, height, width)`` in [0, 1]."""
        return self.pool(self.run(images, self.stage_names))

    def run(self, x: Tensor, stages: Sequence[str]) -> Tensor:
        """What the last of `stages` gives, where `x` is what the first of them takes."""
        if stages and stages[0] == self.stage_names[0]:
            x = self.prepare(x)
        for name in stages:
            x = self.get_submodule(name)(x)
        return x

    def prepare(self, images: Tensor) -> Tensor:
        """What is done to images before the first stage; nothing unless a trunk says so."""
        return images

    def pool(self, maps: Tensor) -> Tensor:
        """The mean of each map over its pixels, ``(batch, channel)``."""
        return maps.mean(dim=(2, 3))

    def parted(self, train_from: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the stages before `train_from`, and from it on; ``head`` is behind them all.

        A trunk without stages has nothing to train; ``stem``, the usual first stage, is the head.

        Raises:
            UnknownName: no such stage.
        """
        if train_from == "head" or (train_from == "stem" and not self.stage_names):
            return self.stage_names, ()
        if train_from not in self.stage_names:
            raise UnknownName("train_from", train_from, (*self.stage_names, "head"))
        at = self.stage_names.index(train_from)
        return self.stage_names[:at], self.stage_names[at:]

    @property
    def last_convolution(self) -> nn.Module:
        """The last convolution, which Grad-CAM looks at.

        Raises:
            InvalidArgument: the trunk has none.
        """
        found = [m for m in self.modules() if isinstance(m, nn.Conv2d)]
        if not found:
            raise InvalidArgument("trunk", wanted="one with a convolution", got="none in it")
        return found[-1]


class TabularTrunk(StagedTrunk):
    """No trunk: features ``(batch, feature)`` go to the head as they are."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.n_features = n_features

    def pool(self, maps: Tensor) -> Tensor:
        """The features themselves."""
        return maps
