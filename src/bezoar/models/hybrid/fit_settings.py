"""How a hybrid network is trained, and what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidArgument
from bezoar.models.circuits import whole_number
from bezoar.models.hybrid.precision import Precision, check_precision

_MOST_LEARNING_RATE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """How to train. The paper (arXiv 2407.16273) gives none of these numbers.

    Adam and the step decay are those of the dressed circuit of Mari et al. (2020, arXiv
    1912.08278), on which the paper builds; their rate of 4e-4 is for a head on a frozen trunk. The
    rates here were chosen by clean accuracy alone (design/hybrid-networks.md). They suit a trunk
    with pretrained weights; for one that starts at random see `from_scratch`.

    Attributes:
        warm_up: epochs of the head alone, on features that the trunk gives before training.
        epochs: epochs of head and trunk together, after those.
        train_from: the first stage of the trunk that is trained; ``head`` for none.
        batch_size: images per step; a last image alone joins the batch before it.
        learning_rate: of the trunk.
        theta_learning_rate: of the circuit's angles.
        head_learning_rate: of the linear layers of the head.
        decay: what all rates are multiplied with each `decay_every` epochs after the warm-up.
        decay_every: see `decay`.
        precision: of the trunk: ``auto``, ``float32`` or ``bfloat16``; the head has float32.
        device: a torch device.

    Raises:
        InvalidArgument: a number out of range.
    """

    warm_up: int = 5
    epochs: int = 6
    train_from: str = "stem"
    batch_size: int = 32
    learning_rate: float = 1e-4
    theta_learning_rate: float = 2e-2
    head_learning_rate: float = 1e-3
    decay: float = 0.1
    decay_every: int = 10
    precision: Precision = "auto"
    device: str = "cpu"

    @classmethod
    def from_scratch(cls, **changes: Any) -> Self:
        """Settings for a small trunk that starts at random: no warm-up, higher rates.

        Example:
            >>> FitSettings.from_scratch(epochs=2).learning_rate
            0.004
        """
        return cls(**{"warm_up": 0, "learning_rate": 4e-3, "head_learning_rate": 2e-3, **changes})

    def __post_init__(self) -> None:
        for name, least in (("warm_up", 0), ("epochs", 0), ("batch_size", 2), ("decay_every", 1)):
            whole_number(name, getattr(self, name), least=least)
        if self.warm_up + self.epochs < 1:
            raise InvalidArgument("epochs", wanted="one epoch or more, warm-up included", got=0)
        for name, most in (
            ("learning_rate", _MOST_LEARNING_RATE),
            ("theta_learning_rate", _MOST_LEARNING_RATE),
            ("head_learning_rate", _MOST_LEARNING_RATE),
            ("decay", 1.0),
        ):
            value = getattr(self, name)
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or not 0 < value <= most
            ):
                raise InvalidArgument(name, wanted=f"above 0, at most {most:g}", got=repr(value))
        check_precision(self.precision)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """How a training went.

    Attributes:
        losses: ``(epoch, sample)`` float32, the cross entropy of each sample when it was visited,
            warm-up first, in nats; a sample's own update comes after.
        n_warm_up: how many of the epochs were of the head alone.
    """

    losses: npt.NDArray[np.float32]
    n_warm_up: int

    @property
    def mean_losses(self) -> npt.NDArray[np.float64]:
        """The mean over the samples, ``(epoch,)``."""
        return self.losses.mean(axis=1, dtype=np.float64)
