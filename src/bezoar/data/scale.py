"""From features to angles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.data.features import flat_features, read_only


@dataclass(frozen=True, slots=True)
class AngleScaler:
    """Min-max scaling of each feature to a range of angles.

    ``angle = low + (high - low) * (x - minimum) / (maximum - minimum)``, with minimum and maximum
    of the feature in the train part. Unseen values beyond them are clipped to the range, so no
    angle wraps around; a feature that was constant in training maps to the middle for any value.

    Attributes:
        low, high: the range, in radians. [0, pi] keeps RX, then RZ injective; the ranges
            [0, 2 pi] and [-pi, pi] alias the ends. QUID (arXiv 2411.14412) does not tell its
            range; [0, pi] is the one that reproduces its Table 2.

    Raises:
        InvalidArgument: not two finite numbers with ``low < high``.

    Example:
        >>> import numpy as np
        >>> scaler = AngleScaler().fit(np.array([[0.0], [10.0]]))
        >>> scaler.transform(np.array([[5.0], [99.0]])).round(4).tolist()
        [[1.5708], [3.1416]]
    """

    low: float = 0.0
    high: float = math.pi

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InvalidArgument(
                "low and high", wanted="finite angles, low < high", got=f"{self.low}, {self.high}"
            )

    def fit(self, train_features: FloatArray) -> FittedAngleScaler:
        """Learns each feature's range from ``(sample, feature)``; images are flattened.

        Raises:
            InvalidData: no sample, or features that are not finite numbers.
        """
        matrix = flat_features(train_features)
        if not len(matrix):
            raise InvalidData("train_features", wanted="at least one sample", got="none")
        return FittedAngleScaler(
            low=self.low,
            high=self.high,
            minimum=read_only(matrix.min(axis=0)),
            maximum=read_only(matrix.max(axis=0)),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedAngleScaler:
    """What `AngleScaler.fit` learnt.

    Attributes:
        low, high: the range of angles, in radians.
        minimum, maximum: ``(feature,)``, of the train part.
    """

    low: float
    high: float
    minimum: FloatArray
    maximum: FloatArray

    def transform(self, features: FloatArray) -> FloatArray:
        """Angles ``(sample, feature)`` in [low, high], radians, of features of the same kind.

        Raises:
            InvalidData: another number of features than in the fit, or not finite numbers.
        """
        matrix = flat_features(features, n_features=len(self.minimum))
        span = self.maximum - self.minimum
        constant = span == 0
        share = np.clip(matrix, self.minimum, self.maximum)
        share -= self.minimum
        share /= np.where(constant, 1.0, span)
        share[:, constant] = 0.5
        angles = self.low + (self.high - self.low) * share
        return np.clip(angles, self.low, self.high)
