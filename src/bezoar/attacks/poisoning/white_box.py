"""What the attacks with white-box access share: their knowledge, the box of features, the account.

They were published as injecting samples; here they replace samples, as all attacks of this room do,
so that the training set keeps its size (arXiv 2411.14412, section 3.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.models.circuits import whole_number
from bezoar.models.training import Job, Trained
from bezoar.models.white_box import WhiteBox, WhiteBoxVictim

KNOWS_VICTIM = (
    "the training set",
    "the whole circuit, and the noise of its device where that is given",
    "the training procedure, but for its random seed",
)
KNOWS_TEST = "the test set"

_MOST_SEED = 2**31


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """What each feature may be: between its least and its greatest value in the training set.

    Attributes:
        low, high: ``(feature,)``.
    """

    low: FloatArray
    high: FloatArray

    @classmethod
    def around(cls, features: FloatArray) -> Box:
        """The box of observed features ``(sample, feature)``; one sample or more."""
        return cls(features.min(axis=0), features.max(axis=0))

    def clip(self, features: FloatArray) -> FloatArray:
        """The nearest points of the box."""
        return np.clip(features, self.low, self.high)

    def draw(self, n_samples: int, *, rng: np.random.Generator) -> FloatArray:
        """Uniform points ``(n_samples, feature)``."""
        share = rng.random((n_samples, len(self.low)))
        return self.clip((1 - share) * self.low + share * self.high)


def check_victim(victim: object, **whole: object) -> None:
    """Refuses what is no victim, and counts that are no whole numbers from 1 up.

    Raises:
        InvalidArgument: as said.
    """
    if not isinstance(victim, WhiteBoxVictim):
        raise InvalidArgument("victim", wanted="a WhiteBoxVictim", got=type(victim).__name__)
    for name, value in whole.items():
        whole_number(name, value)


def check_above_zero(**values: object) -> None:
    """Refuses what is no finite number above 0.

    Raises:
        InvalidArgument: as said.
    """
    for name, value in values.items():
        if not (_is_number(value) and 0 < value < np.inf):
            raise InvalidArgument(name, wanted="a finite number above 0", got=repr(value))


def check_row(name: str, values: object, low: float, high: float) -> None:
    """Refuses what is no tuple of numbers in [low, high), one or more.

    Raises:
        InvalidArgument: as said.
    """
    row = values if isinstance(values, tuple) else ()
    if not row or not all(_is_number(value) and low <= value < high for value in row):
        raise InvalidArgument(
            name,
            wanted=f"a tuple of numbers from {low:g} to below {high:g}, one or more",
            got=repr(values),
        )


def check_test_type(test_data: object) -> None:
    """Refuses what is no data set, or an empty one.

    Raises:
        InvalidArgument: as said.
    """
    if not isinstance(test_data, Dataset) or not len(test_data):
        got = "an empty one" if isinstance(test_data, Dataset) else type(test_data).__name__
        raise InvalidArgument("test_data", wanted="a Dataset with samples", got=got)


def check_same_kind(data: Dataset, test_data: Dataset) -> None:
    """Refuses test data of other classes or features than the training set.

    Raises:
        InvalidData: as said.
    """
    ours = (data.class_names, data.features.shape[1:])
    theirs = (test_data.class_names, test_data.features.shape[1:])
    if ours != theirs:
        raise InvalidData(
            "test_data",
            wanted=f"classes {', '.join(ours[0])} and features of shape {ours[1]}",
            got=f"classes {', '.join(theirs[0])} and features of shape {theirs[1]}",
            mend="scale and name the test data as the training set",
        )


def training_seeds(n_models: int, *, rng: np.random.Generator) -> list[int]:
    """Seeds of the attacker's own trainings: he does not know the victim's."""
    return [int(seed) for seed in rng.integers(0, _MOST_SEED, n_models)]


def replaced(data: Dataset, chosen: IntArray, features: FloatArray, labels: IntArray) -> Dataset:
    """The training set with other samples at some positions."""
    all_features, all_labels = data.features.copy(), data.labels.copy()
    all_features[chosen], all_labels[chosen] = features, labels
    return data.with_features(all_features).with_labels(all_labels)


def rest_of(data: Dataset, chosen: IntArray) -> Dataset:
    """The samples that stay clean.

    Raises:
        InvalidData: none does.
    """
    clean = np.delete(data.ids, chosen)
    if not len(clean):
        raise InvalidData(
            "training set",
            wanted="samples that stay clean, which the attack works against",
            got=f"all {len(data)} samples to poison",
            mend="lower the ratio or add samples",
        )
    return data.take(clean)


def fit_all(access: WhiteBox, sets: Sequence[Dataset], seeds: Sequence[int]) -> list[list[Trained]]:
    """A model of each data set for each seed, all trained at once, ``[set][seed]``."""
    pool = np.concatenate([data.features for data in sets])
    jobs, start = [], 0
    for data in sets:
        where = np.arange(start, start + len(data))
        jobs += [
            Job(train=where, labels=data.labels, n_classes=data.n_classes, seed=seed)
            for seed in seeds
        ]
        start += len(data)
    models = access.train(pool, jobs)
    return [models[i : i + len(seeds)] for i in range(0, len(models), len(seeds))]


def most_harmful(
    access: WhiteBox, sets: Sequence[Dataset], seeds: Sequence[int], measured: Dataset
) -> int:
    """Which training set gives models with the most errors on `measured`, the first on a tie.

    Args:
        access: trains a model of each set for each seed.
        sets: candidates.
        seeds: of the trainings.
        measured: what the attacker has to measure with.
    """
    harms = [
        access.errors(models, measured.features, measured.labels).mean()
        for models in fit_all(access, sets, seeds)
    ]
    return int(np.argmax(harms))


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
