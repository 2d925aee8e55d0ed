"""Fine-Pruning: switch off what sleeps on clean data, then train a little."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.errors import InvalidArgument
from bezoar.defences.repair.fine_tuning import accuracy_of, check_tuning, fine_tune
from bezoar.defences.repair.unit_masks import mean_activations, prune
from bezoar.models.hybrid.precision import Precision, check_precision

SHARES = tuple(step / 10 for step in range(10))
_CHOICES = tuple(step / 50 for step in range(1, 50))
# Accuracies are shares of the same samples; rounding must not decide at the border.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PruningCurve:
    """How accuracy on the validation data falls as more is pruned, without fine-tuning.

    Attributes:
        shares: ``(share,)``, ascending.
        accuracies: ``(share,)``, on the validation data, which also ranked the units.
        n_pruned: for each layer, how many units each share switches off, ``(share,)``.
        n_units: for each layer, how many it has.
        accuracy: of the model as it came.
    """

    shares: FloatArray
    accuracies: FloatArray
    n_pruned: Mapping[str, IntArray]
    n_units: Mapping[str, int]
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Repaired:
    """A pruned and fine-tuned copy, with what the defender knows of it.

    Attributes:
        model: the copy.
        share: of each layer's units that is switched off.
        pruned: for each layer, the positions of the units that are, least active first.
        accuracy_before, accuracy_pruned, accuracy_after: on the validation data: of the model as
            it came, after pruning, after fine-tuning. The last was trained on the same data.
    """

    model: nn.Module
    share: float
    pruned: Mapping[str, IntArray]
    accuracy_before: float
    accuracy_pruned: float
    accuracy_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FinePruning:
    """Prunes the units that are least active on clean data, then fine-tunes on that data.

    Units are ranked within each layer by their mean absolute output over clean validation data
    (`bezoar.defences.repair.unit_masks.mean_activations`), and ``floor(share * units)`` of each
    layer, the least active ones, are switched off: their outputs are set to zero by a forward hook
    that a deep copy and a state dict keep (`bezoar.defences.repair.unit_masks.prune`). The share
    is given, or goes up by 0.02 until accuracy on the validation data falls by more than
    `tolerance`, and the last one before that is taken. The model that is given is never changed,
    and no test data is seen: to draw accuracy and attack success over the share, measure the
    copies of `models`.

    Name layers whose output is an activation: the last residual stage rather than the convolution
    before a normalisation, whose outputs say little about which units sleep. A hybrid network's
    ``head.reduce`` feeds the circuit: a pruned unit leaves its qubit without input.

    It can remove a backdoor that sits in units of its own. One that shares units with clean
    classes stays, as its authors say; fine-tuning may then weaken it.

    Attributes:
        layers: submodule names, one or more.
        share: of each layer's units, in [0, 1), or None to choose it.
        tolerance: how much validation accuracy may be lost by pruning, in [0, 1].
        fine_tune_epochs: over the validation data; 0 prunes alone.
        learning_rate, batch_size: of the fine-tuning, see
            `bezoar.defences.repair.fine_tuning.fine_tune`.
        precision: of the forward passes that rank and measure: ``float32``, ``bfloat16``, or
            ``auto`` for the faster on this processor. Fine-tuning is in float32.

    Raises:
        InvalidArgument: no layer or one twice, or a number out of range.
        UnknownName: no such precision.

    Source: Liu, Dolan-Gavitt and Garg, Fine-Pruning, RAID 2018, section 3, with its 4 percentage
    points. As there: rank by average activation on clean validation data, prune until accuracy
    drops too far, then fine-tune. Ours: absolute values, for outputs that have a sign; several
    layers, each pruned by the same share (there the last convolution alone); steps of 2 % of a
    layer (there single units); Adam.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2)).requires_grad_(False)
        >>> model[0].weight[:] = torch.tensor([[1.0, 0], [0, 1], [0, 0], [0.1, 0]])
        >>> model[0].bias[:] = 0.0
        >>> data = Dataset(features=[[1.0, 0.0], [0.0, 1.0]], labels=[0, 1], ids=[0, 1],
        ...                class_names=("a", "b"))
        >>> defence = FinePruning(layers=("1",), share=0.5, fine_tune_epochs=0)
        >>> defence.repair(model, data).pruned
        {'1': array([2, 3])}
    """

    layers: tuple[str, ...]
    share: float | None = None
    tolerance: float = 0.04
    fine_tune_epochs: int = 5
    learning_rate: float = 1e-3
    batch_size: int = 32
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        layers = (self.layers,) if isinstance(self.layers, str) else tuple(self.layers)
        if not layers or len(set(layers)) < len(layers):
            raise InvalidArgument("layers", wanted="layer names, none twice", got=layers)
        object.__setattr__(self, "layers", layers)
        if self.share is not None:
            _checked_shares((self.share,))
        if not 0 <= self.tolerance <= 1:
            raise InvalidArgument("tolerance", wanted="a number in [0, 1]", got=self.tolerance)
        check_precision(self.precision)
        check_tuning(self.fine_tune_epochs, self.learning_rate, self.batch_size)

    @property
    def name(self) -> str:
        """The defence's name."""
        return "fine-pruning"

    def rank(self, model: nn.Module, data: Dataset) -> dict[str, IntArray]:
        """For each layer, the positions of its units ``(unit,)``, least active first.

        Raises:
            UnknownName, InvalidArgument, InvalidData: see
                `bezoar.defences.repair.unit_masks.mean_activations`.
        """
        activations = mean_activations(model, self.layers, data.features, precision=self.precision)
        return {name: np.argsort(means, kind="stable") for name, means in activations.items()}

    def models(
        self, model: nn.Module, data: Dataset, shares: Sequence[float] = SHARES
    ) -> Iterator[tuple[float, nn.Module]]:
        """Pruned copies, not fine-tuned, each made when it is asked for.

        Args:
            model: stays as it is.
            data: clean validation data, which ranks the units.
            shares: ascending, in [0, 1).

        Yields:
            The share, and the copy, in the mode of `model`.

        Raises:
            InvalidArgument: shares out of range or order. Further as `rank`.
        """
        checked = _checked_shares(shares)
        order = self.rank(model, data)
        return ((share, _pruned_copy(model, order, share)) for share in checked)

    def curve(
        self, model: nn.Module, data: Dataset, shares: Sequence[float] = SHARES
    ) -> PruningCurve:
        """Accuracy on the validation data at each share; arguments and errors as `models`."""
        checked = _checked_shares(shares)
        order = self.rank(model, data)
        accuracies = [self._accuracy(_pruned_copy(model, order, share), data) for share in checked]
        return PruningCurve(
            shares=np.array(checked),
            accuracies=np.array(accuracies),
            n_pruned={
                name: np.array([_n_pruned(len(units), share) for share in checked])
                for name, units in order.items()
            },
            n_units={name: len(units) for name, units in order.items()},
            accuracy=self._accuracy(model, data),
        )

    def repair(self, model: nn.Module, data: Dataset, *, seed: int = 0) -> Repaired:
        """Prunes a copy by the given or chosen share and fine-tunes it.

        Args:
            model: stays as it is.
            data: clean validation data.
            seed: of the run, for the fine-tuning's batches.

        Raises:
            InvalidData: fine-tuning on fewer than two samples. Further as `models`.
        """
        order = self.rank(model, data)
        before = self._accuracy(model, data)
        share = self._chosen(model, data, order, before) if self.share is None else self.share
        pruned = _pruned_copy(model, order, share)
        accuracy_pruned = self._accuracy(pruned, data)
        if self.fine_tune_epochs:
            fine_tune(
                pruned,
                data,
                epochs=self.fine_tune_epochs,
                learning_rate=self.learning_rate,
                batch_size=self.batch_size,
                seed=seed,
            )
        return Repaired(
            model=pruned,
            share=share,
            pruned={name: units[: _n_pruned(len(units), share)] for name, units in order.items()},
            accuracy_before=before,
            accuracy_pruned=accuracy_pruned,
            accuracy_after=self._accuracy(pruned, data),
        )

    def _chosen(
        self, model: nn.Module, data: Dataset, order: Mapping[str, IntArray], before: float
    ) -> float:
        """The last share before accuracy first falls too far; 0.0 if the first one does."""
        chosen = 0.0
        for share in _CHOICES:
            accuracy = self._accuracy(_pruned_copy(model, order, share), data)
            if accuracy < before - self.tolerance - _ROUNDING:
                break
            chosen = share
        return chosen

    def _accuracy(self, model: nn.Module, data: Dataset) -> float:
        return accuracy_of(model, data, precision=self.precision)


def _pruned_copy(model: nn.Module, order: Mapping[str, IntArray], share: float) -> nn.Module:
    pruned = copy.deepcopy(model)
    units = {name: ranked[: _n_pruned(len(ranked), share)] for name, ranked in order.items()}
    prune(pruned, units, {name: len(ranked) for name, ranked in order.items()})
    return pruned


def _n_pruned(n_units: int, share: float) -> int:
    """Rounded down, so that a share below 1 leaves a unit; 0.7 of 10 are 7, not 6.999...."""
    return math.floor(round(share * n_units, 9))


def _checked_shares(shares: Sequence[float]) -> tuple[float, ...]:
    checked = tuple(float(share) for share in shares)
    if (
        not checked
        or not all(0 <= share < 1 for share in checked)
        or list(checked) != sorted(set(checked))
    ):
        raise InvalidArgument("share", wanted="shares in [0, 1), ascending", got=checked)
    return checked
