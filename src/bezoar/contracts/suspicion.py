"""What a detector says."""

from __future__ import annotations

from dataclasses import dataclass

from bezoar.contracts.dataset import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Suspicion:
    """A score for each sample; higher is more suspicious; no threshold inside.

    Attributes:
        detector: the detector's registered name.
        ids: ``(sample,)``, the ids of the inspected data set in its order.
        scores: ``(sample,)``, finite.
    """

    detector: str
    ids: IntArray
    scores: FloatArray
