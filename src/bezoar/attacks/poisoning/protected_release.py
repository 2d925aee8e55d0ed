"""Protected release: a data set published with QUID's labels, and a key that takes them back."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from bezoar.attacks.poisoning.poisoned import settings_of
from bezoar.attacks.poisoning.quid import ANSWER, QUID
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import FileProblem, InvalidArgument, InvalidData
from bezoar.contracts.records import ThreatModel
from bezoar.contracts.truth import Poisoned
from bezoar.quantum.distances import Metric
from bezoar.quantum.state_encoder import StateEncoder

_FORMAT = "bezoar-release-key"
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseKey:
    """What turns a protected release back into the original: keep it apart from the data.

    Labels are kept by name, so that a release whose classes were renumbered on the way can still be
    restored.

    Attributes:
        ids: of the samples with another label, ``(poisoned,)``.
        original: the name of the label that each had.
        released: the name of the label that each was released with.

    Raises:
        InvalidArgument: the three differ in length, or an id is there twice.

    Example:
        >>> key = ReleaseKey(ids=(7,), original=("cat",), released=("dog",))
        >>> release = Dataset(features=[[0.0], [1.0]], labels=[1, 1], ids=[7, 8],
        ...                   class_names=("cat", "dog"))
        >>> key.restore(release).labels.tolist(), ReleaseKey.from_json(key.to_json()) == key
        ([0, 1], True)
    """

    ids: tuple[int, ...]
    original: tuple[str, ...]
    released: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.original) == len(self.released):
            raise InvalidArgument(
                "ids, original, released",
                wanted="as many of each",
                got=f"{len(self.ids)}, {len(self.original)}, {len(self.released)}",
            )
        twice = [i for i, count in Counter(self.ids).items() if count > 1]
        if twice:
            raise InvalidArgument("ids", wanted="no id twice", got=f"{twice[0]} more than once")

    def restore(self, release: Dataset) -> Dataset:
        """The release with its original labels.

        Raises:
            InvalidData: this is not the release of this key: an id or a class is missing, or a
                sample does not have the label that it was released with.
        """
        where = release.positions(self.ids)
        if not np.array_equal(release.labels[where], _codes(self.released, release)):
            raise InvalidData(
                "release",
                wanted="samples with the labels that they were released with",
                got="others",
                mend="pass the data set that this key was made with, as it was released",
            )
        labels = release.labels.copy()
        labels[where] = _codes(self.original, release)
        return release.with_labels(labels)

    def to_json(self) -> str:
        """The key as JSON text."""
        return (
            json.dumps(
                {
                    "format": _FORMAT,
                    "format_version": _VERSION,
                    "ids": self.ids,
                    "original": self.original,
                    "released": self.released,
                },
                indent=1,
            )
            + "\n"
        )

    @classmethod
    def from_json(cls, text: str, *, path: str = "release key") -> Self:
        """Reads what `to_json` wrote.

        Args:
            text: the JSON text.
            path: where it is from, for the message.

        Raises:
            FileProblem: the text is not a key, or one of another version.
        """
        try:
            return cls(**_key_fields(json.loads(text)))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise FileProblem(
                path,
                "is not a release key of format 1, or a damaged one",
                mend="name the file that was written with the release",
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedRelease:
    """Poisons a data set with `QUID` before it is published, and keeps the key.

    Who has the key restores the data exactly; who trains on the release without it trains on
    poison. This deters, it does not encrypt: the features are open, and what answers QUID answers
    this too. At a ratio of 0.3 and below, the detector ``state-similarity`` finds wrong labels.

    Attributes:
        ratio: share of the samples released with another label, in [0, 1).
        encoder: how those it is meant for prepare states.
        metric: one of `bezoar.quantum.distances.METRICS`.
        max_references: as in `QUID`.

    Raises:
        InvalidArgument: the ratio is outside [0, 1), `max_references` is below 1, or `encoder` is
            none.
        UnknownName: there is no such metric.

    Source: Kundu and Ghosh 2024, arXiv 2411.14412, section 6 (Applications), after Fowl et al.
    2021 (Adversarial examples make strong poisons). The key is ours; the paper has none.

    Example:
        >>> from bezoar.quantum.circuit import Circuit, Feature, Operation
        >>> turn = Circuit(1, (Operation("RX", (0,), (Feature((0,)),)),))
        >>> data = Dataset(features=[[0.0], [0.1], [3.0], [3.1]], labels=[0, 0, 1, 1],
        ...                ids=range(4), class_names=("low", "high"))
        >>> protect = ProtectedRelease(ratio=0.5, encoder=StateEncoder(circuit=turn))
        >>> poisoned, key = protect.release(data, rng=np.random.default_rng(0))
        >>> poisoned.data.labels.tolist(), key.restore(poisoned.data).labels.tolist()
        ([1, 0, 0, 1], [0, 0, 1, 1])
    """

    ratio: float
    encoder: StateEncoder
    metric: Metric = "frobenius"
    max_references: int | None = None

    def __post_init__(self) -> None:
        self._quid()

    @property
    def name(self) -> str:
        """The registered name."""
        return "protected-release"

    @property
    def threat_model(self) -> ThreatModel:
        """What it knows, changes and wants; the owner of the data is the one who attacks."""
        return ThreatModel(
            goal="models trained on the release without its key fail",
            knows=("the whole data set, as its owner", "the encoding circuit that users will run"),
            changes=("labels of released samples",),
            budget="a share of the released samples",
            needs_training=False,
            answered_by=f"the key; without it {ANSWER}",
            source="Kundu and Ghosh 2024, arXiv 2411.14412, section 6",
        )

    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        """Changes labels of `data` as `QUID` does; features, ids and order stay.

        Raises:
            InvalidArgument, InvalidData: as `QUID.poison`.
        """
        poisoned = self._quid().poison(data, rng=rng)
        truth = replace(poisoned.truth, attack=self.name, settings=settings_of(self))
        return Poisoned(data=poisoned.data, truth=truth)

    def release(self, data: Dataset, *, rng: np.random.Generator) -> tuple[Poisoned, ReleaseKey]:
        """`poison`, and the key that undoes it.

        Raises:
            InvalidArgument, InvalidData: as `QUID.poison`; or two classes have one name.
        """
        names = data.class_names
        if len(set(names)) != len(names):
            raise InvalidData("class_names", wanted="no name twice", got=", ".join(names))
        poisoned = self.poison(data, rng=rng)
        ids = poisoned.truth.poisoned_ids
        released = poisoned.data.labels[data.positions(ids)]
        key = ReleaseKey(
            ids=tuple(ids.tolist()),
            original=tuple(names[code] for code in poisoned.truth.original_labels),
            released=tuple(names[code] for code in released),
        )
        return poisoned, key

    def _quid(self) -> QUID:
        return QUID(
            ratio=self.ratio,
            encoder=self.encoder,
            metric=self.metric,
            max_references=self.max_references,
        )


def _codes(names: tuple[str, ...], data: Dataset) -> list[int]:
    missing = set(names) - set(data.class_names)
    if missing:
        raise InvalidData(
            "release",
            wanted=f"the class {min(missing)!r} that the key names",
            got=f"classes {', '.join(data.class_names)}",
            mend="pass the data set that this key was made with",
        )
    return [data.class_names.index(name) for name in names]


def _key_fields(raw: Any) -> dict[str, Any]:
    if raw["format"] != _FORMAT or raw["format_version"] != _VERSION:
        raise ValueError
    for column, kind in (("ids", int), ("original", str), ("released", str)):
        if not isinstance(raw[column], list) or any(type(item) is not kind for item in raw[column]):
            raise TypeError
    return {column: tuple(raw[column]) for column in ("ids", "original", "released")}
