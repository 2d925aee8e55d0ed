"""What the attacks of this room share once they have chosen their samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.protocols import Attack
from bezoar.contracts.truth import Poisoned, PoisonTruth
from bezoar.models.white_box import WhiteBoxVictim
from bezoar.quantum.state_encoder import StateEncoder


def replace_samples(
    attack: Attack,
    data: Dataset,
    chosen: IntArray,
    *,
    labels: IntArray,
    features: FloatArray | None = None,
    spent: Mapping[str, object] | None = None,
) -> Poisoned:
    """The data with new labels, and perhaps features, at some positions; and the truth.

    Args:
        attack: a dataclass; its name and fields go into the truth.
        data: the training set.
        chosen: positions, ``(poisoned,)``, in ascending order of their ids.
        labels: new codes, ``(poisoned,)``.
        features: new features, ``(poisoned, ...)``, or None to keep them.
        spent: what the attack cost beside its time, JSON values; goes into the truth's settings.
    """
    all_labels = data.labels.copy()
    all_labels[chosen] = labels
    changed = data.with_labels(all_labels)
    if features is not None:
        all_features = data.features.copy()
        all_features[chosen] = features
        changed = changed.with_features(all_features)
    truth = PoisonTruth(
        attack=attack.name,
        settings={**settings_of(attack), **(spent or {})},
        poisoned_ids=data.ids[chosen],
        original_labels=data.labels[chosen],
    )
    return Poisoned(data=changed, truth=truth)


def settings_of(attack: Any) -> Mapping[str, object]:
    """The fields of an attack as JSON values."""
    return {field.name: _plain(getattr(attack, field.name)) for field in fields(attack)}


def other_labels(labels: IntArray, classes: IntArray, *, rng: np.random.Generator) -> IntArray:
    """For each label another of `classes`, uniformly at random, ``(label,)``.

    Args:
        labels: codes that occur in `classes`, ``(label,)``.
        classes: two or more codes, ascending.
        rng: the source of the draw.
    """
    steps = rng.integers(1, len(classes), size=len(labels))
    return classes[(np.searchsorted(classes, labels) + steps) % len(classes)]


def _plain(value: object) -> object:
    if isinstance(value, StateEncoder | WhiteBoxVictim):
        return value.describe()
    if isinstance(value, Dataset):
        return {"samples": len(value), "classes": list(value.class_names)}
    if isinstance(value, tuple):
        return list(value)
    return value.item() if isinstance(value, np.generic) else value
