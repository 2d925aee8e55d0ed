"""Ground truth of a poisoning. Only `attacks` and `evaluate` may import this module.

Defences take a `Dataset`, so they cannot see it; import-linter holds the door.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bezoar.contracts.dataset import Dataset, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoisonTruth:
    """What an attack changed.

    Attributes:
        attack: the attack's registered name.
        settings: its settings, JSON values.
        poisoned_ids: ids of the samples whose label or features the attack *chose* to poison,
            ``(poisoned,)``, ascending. An attack that draws labels with replacement may leave
            some of them unchanged; see the attack.
        original_labels: the label codes that `poisoned_ids` had before, ``(poisoned,)``.
    """

    attack: str
    settings: Mapping[str, object]
    poisoned_ids: IntArray
    original_labels: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Poisoned:
    """What an attack returns: the data that the victim sees, and the truth for the judge."""

    data: Dataset
    truth: PoisonTruth
