"""The weight of the mask's size against its success: raised while it succeeds, else lowered."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bezoar.contracts.dataset import FloatArray

# As in the authors' programme: up by the factor, down by its power 1.5, and stop after five times
# the patience.
_DOWN_POWER = 1.5
_STOP_AFTER = 5


class MaskWeight:
    """The published schedule, for many classes side by side.

    The search goes in rounds. After `patience` rounds in a row in which the trigger of a class
    succeeded, the weight of that class is multiplied by `factor`; after as many rounds in a row in
    which it did not, divided by ``factor ** 1.5``. A class is finished when its weight has moved
    both ways and no smaller successful mask came in ``5 patience`` rounds.

    Attributes:
        weights: ``(class,)``, the current ones.
        best_norms: ``(class,)``, the smallest norm of a mask that succeeded; infinite before.
        finished: ``(class,)`` bool.

    Source: Wang et al., Neural Cleanse, IEEE S&P 2019, section IV-A and the authors' public
    programme, whose counters these are. There the weight is 0 until a trigger has succeeded for
    `patience` rounds, unless it is run "for early detection"; here it is `first` from the start.

    Example:
        >>> weight = MaskWeight(1, first=0.001, factor=2.0, patience=1, success=0.99)
        >>> weight.update(np.array([1.0]), np.array([30.0])).tolist(), weight.weights.tolist()
        ([True], [0.002])
    """

    def __init__(
        self, n_classes: int, *, first: float, factor: float, patience: int, success: float
    ) -> None:
        self._factor, self._patience, self._success = factor, patience, success
        self.weights: FloatArray = np.full(n_classes, first)
        self.best_norms: FloatArray = np.full(n_classes, np.inf)
        self.finished: npt.NDArray[np.bool_] = np.zeros(n_classes, dtype=bool)
        self._ups = np.zeros(n_classes, dtype=int)
        self._downs = np.zeros(n_classes, dtype=int)
        self._stale = np.zeros(n_classes, dtype=int)
        self._went_up = np.zeros(n_classes, dtype=bool)
        self._went_down = np.zeros(n_classes, dtype=bool)

    def update(self, success: FloatArray, norms: FloatArray) -> npt.NDArray[np.bool_]:
        """Takes in a round, ``(class,)`` each; says where the mask is the best so far."""
        succeeded = success >= self._success
        better = succeeded & (norms < self.best_norms) & ~self.finished
        self.best_norms = np.where(better, norms, self.best_norms)
        self._stale = np.where(better, 0, self._stale + np.isfinite(self.best_norms))
        self._move_weights(succeeded)
        self.finished |= (
            self._went_up & self._went_down & (self._stale >= _STOP_AFTER * self._patience)
        )
        return better

    def _move_weights(self, succeeded: npt.NDArray[np.bool_]) -> None:
        self._ups = np.where(succeeded, self._ups + 1, 0)
        self._downs = np.where(succeeded, 0, self._downs + 1)
        up, down = self._ups >= self._patience, self._downs >= self._patience
        self.weights = np.where(up, self.weights * self._factor, self.weights)
        self.weights = np.where(down, self.weights / self._factor**_DOWN_POWER, self.weights)
        self._ups[up] = 0
        self._downs[down] = 0
        self._went_up |= up
        self._went_down |= down
