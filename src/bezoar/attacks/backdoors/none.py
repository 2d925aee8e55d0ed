"""No trigger: the control of every backdoor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidData


@dataclass(frozen=True, slots=True, kw_only=True)
class NoTrigger:
    """Changes nothing, in images and tables alike.

    With it a poisoning is a plain relabelling: what the model then does to untriggered samples is
    what relabelling alone does, and no success of a trigger.

    Example:
        >>> NoTrigger().apply(np.full((1, 1, 2, 2), 0.5)).ravel().tolist()
        [0.5, 0.5, 0.5, 0.5]
    """

    @property
    def name(self) -> str:
        """The registered name."""
        return "none"

    @property
    def spec(self) -> str:
        """Text that `trigger_named` reads back."""
        return self.name

    @property
    def source(self) -> str:
        """Paper, with section or equation."""
        return "a control of ours: the relabelling of Gu et al. 2019, arXiv 1708.06733, alone"

    @property
    def answered_by(self) -> str:
        """Which defences answer it, in general terms."""
        return "whatever finds wrong labels, such as the detector state-similarity"

    def apply(self, images: FloatArray) -> FloatArray:
        """A copy of the inputs, ``(sample, ...)``.

        Raises:
            InvalidData: neither images nor a table.
        """
        copy = np.array(images)
        if copy.ndim not in (2, 4):
            raise InvalidData(
                "trigger none",
                wanted="images (sample, channel, height, width) or a table (sample, feature)",
                got=f"shape {copy.shape}",
            )
        return copy

    def cover(self, images: FloatArray, *, seeds: Sequence[int]) -> FloatArray:  # noqa: ARG002
        """A copy of the inputs, ``(sample, ...)``."""
        return self.apply(images)
