"""Spectral signatures: poison stands out along the main direction of its label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import nn

from bezoar.contracts.dataset import Dataset, FloatArray
from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.suspicion import Suspicion
from bezoar.defences.detectors.representations import representations

_REMOVAL_FACTOR = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectralSignatures:
    """Squared projection on the top singular direction of a label's centred representations.

    For the samples i with label y, with representations R_i, their mean m_y and the top right
    singular vector v of the rows R_i - m_y:

    ``score(i) = ((R_i - m_y) . v)^2``

    Scores compare within a label. The published use: remove the share `removal_share` of *each*
    label and retrain; `bezoar.defences.filters.remove_most_suspicious` with ``per_class=True`` does
    it. It removes as many from labels without poison. The outliers of a clean label score too: a
    high score alone proves nothing.

    Attributes:
        expected_ratio: eps, an upper bound of the poisoned share of a label, in [0, 2/3); it sets
            `removal_share` and touches no score.
        layer: see `bezoar.defences.detectors.representations.representations`.
        batch_size, precision: of the model's runs.

    Raises:
        InvalidArgument: `expected_ratio` out of range.

    Source: Tran, Li and Madry, Spectral Signatures in Backdoor Attacks, NeurIPS 2018,
    arXiv 1811.00636, algorithm 1. As there, 1.5 eps of each label. A label whose representations
    are all equal, or with one sample, scores 0: ours.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
        >>> data = Dataset(features=[[0.1, 0.0], [0.0, 0.1], [0.1, 0.1], [1.0, 1.0]],
        ...                labels=[0, 0, 0, 0], ids=range(4), class_names=("cat",))
        >>> SpectralSignatures().inspect(model, data).scores.argmax()
        np.int64(3)
    """

    expected_ratio: float = 0.1
    layer: str | None = None
    batch_size: int = 256
    precision: str = "float32"

    def __post_init__(self) -> None:
        ratio = self.expected_ratio
        if (
            isinstance(ratio, bool)
            or not isinstance(ratio, int | float)
            or not 0 <= ratio * _REMOVAL_FACTOR < 1
        ):
            raise InvalidArgument("expected_ratio", wanted="a number in [0, 2/3)", got=repr(ratio))

    @property
    def name(self) -> str:
        """The defence's name."""
        return "spectral-signatures"

    @property
    def removal_share(self) -> float:
        """1.5 eps, the share of each label that the paper removes."""
        return _REMOVAL_FACTOR * self.expected_ratio

    def inspect(self, model: nn.Module, data: Dataset) -> Suspicion:
        """A score for each sample of the training set that `model` learnt from.

        Args:
            model: features to logits.
            data: the training set, labels as they came.

        Raises:
            UnknownName, InvalidArgument, InvalidData: as in `representations`.
        """
        found = representations(
            model,
            data.features,
            layer=self.layer,
            batch_size=self.batch_size,
            precision=self.precision,
        )
        scores = np.zeros(len(data))
        for label in np.unique(data.labels):
            own = data.labels == label
            scores[own] = _outlier_scores(found[own].astype(np.float64))
        return Suspicion(detector=self.name, ids=data.ids, scores=scores)


def _outlier_scores(rows: FloatArray) -> FloatArray:
    """Squared projections of ``(sample, unit)`` on their main direction, ``(sample,)``."""
    centred = rows - rows.mean(axis=0)
    # Rounding leaves crumbs where all rows are equal; their direction would mean nothing.
    if np.abs(centred).max() <= 1e-6 * np.abs(rows).max():
        return np.zeros(len(rows))
    # The smaller of the two Gram matrices has the same top singular vector.
    if len(rows) <= rows.shape[1]:
        values, vectors = np.linalg.eigh(centred @ centred.T)
        return values[-1] * vectors[:, -1] ** 2
    vectors = np.linalg.eigh(centred.T @ centred)[1]
    return (centred @ vectors[:, -1]) ** 2
