"""Audits that take a fraction of a second, and what to compare of their records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.records import Measurement, RunRecord
from bezoar.data import write_npz
from bezoar.evaluate.plan import AuditPlan

TIMINGS = ("wall_seconds", "distance_seconds", "poison_seconds")


def small_plan(**settings: Any) -> AuditPlan:
    """Iris, two seeds, two attacks, one ratio, no noise, two epochs, unless told otherwise."""
    defaults: dict[str, Any] = {
        "data": "iris",
        "noise": ("none",),
        "attacks": ("random", "quid"),
        "ratios": (0.3,),
        "seeds": 2,
        "epochs": 2,
    }
    return AuditPlan(**defaults | settings)


def comparable(record: RunRecord) -> dict[str, Any]:
    """All of a record that two equal runs share: no times, no commit."""
    return {
        "plan": record.plan,
        "plan_hash": record.plan_hash,
        "seeds": record.seeds,
        "outcome": record.outcome,
        "command": record.command,
        "measurements": [m for m in record.measurements if m.metric not in TIMINGS],
        "tables": record.tables,
        "findings": record.findings,
        "threat_models": record.threat_models,
        "notes": record.notes,
        "failures": record.failures,
    }


def only(found: tuple[Measurement, ...]) -> Measurement:
    """The single measurement of a selection."""
    assert len(found) == 1, found
    return found[0]


def clouds(n_samples: int, class_names: tuple[str, ...], *, n_features: int = 4) -> Dataset:
    """Noisy clouds, one for each class, with ids that are no positions."""
    rng = np.random.default_rng(5)
    labels = np.arange(n_samples) % len(class_names)
    centres = rng.normal(0, 3, (len(class_names), n_features))
    return Dataset(
        features=centres[labels] + rng.normal(0, 0.5, (n_samples, n_features)),
        labels=labels,
        ids=1000 + 7 * np.arange(n_samples),
        class_names=class_names,
    )


def saved(folder: Path, data: Dataset) -> str:
    """Path of the data set as a file in `folder`."""
    return str(write_npz(folder / "data.npz", data))
