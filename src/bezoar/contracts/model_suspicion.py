"""What an inspection of a whole model says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bezoar.contracts.dataset import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelSuspicion:
    """How suspicious each class of a model is as the target of a backdoor, for several seeds.

    The record holds each seed's own numbers; means and intervals are for the judge.

    Attributes:
        inspector: the inspection's name.
        classes: ``(class,)``, the inspected class codes; the other arrays are in this order.
        norms: ``(seed, class)``, the L1 norm of the restored trigger's mask, in pixels.
        indices: ``(seed, class)``, the anomaly index, higher is more unusual, to either side; may
            be infinite.
        success: ``(seed, class)``, the share of all inspected images, those of the class itself
            among them, that the restored trigger sends to the class.
        reached: ``(seed, class)``, whether a trigger met the wanted success during the search;
            where not, the norm is that of the last one tried.
        flagged: for each seed, the class codes that stand out with a small trigger.
        masks: ``(class, height, width)`` in [0, 1], of the first seed.
        patterns: ``(class, channel, height, width)`` in [0, 1], of the first seed.

    Example:
        >>> suspicion = ModelSuspicion(
        ...     inspector="neural-cleanse", classes=np.arange(3), norms=np.ones((2, 3)),
        ...     indices=np.zeros((2, 3)), success=np.ones((2, 3)),
        ...     reached=np.ones((2, 3), bool), flagged=((2,), (0, 2)),
        ...     masks=np.zeros((3, 4, 4)), patterns=np.zeros((3, 1, 4, 4)))
        >>> suspicion.flagged_shares.tolist()
        [0.5, 0.0, 1.0]
    """

    inspector: str
    classes: IntArray
    norms: FloatArray
    indices: FloatArray
    success: FloatArray
    reached: npt.NDArray[np.bool_]
    flagged: tuple[tuple[int, ...], ...]
    masks: FloatArray
    patterns: FloatArray

    def __post_init__(self) -> None:
        for name in ("classes", "norms", "indices", "success", "reached", "masks", "patterns"):
            own = np.array(getattr(self, name))
            own.setflags(write=False)
            object.__setattr__(self, name, own)

    @property
    def flagged_shares(self) -> FloatArray:
        """``(class,)``, the share of seeds that flag each class."""
        return np.array([np.isin(self.classes, codes) for codes in self.flagged]).mean(axis=0)
