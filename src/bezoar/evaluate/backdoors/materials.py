"""The samples of one seed: to train on, to hold by the defender, and to judge on."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bezoar.contracts.dataset import Dataset, FloatArray
from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.seeds import generator
from bezoar.data.images import has_test_part, load_images
from bezoar.data.load import load
from bezoar.data.split import split, stratified_positions
from bezoar.evaluate.backdoors.plan import BackdoorPlan
from bezoar.evaluate.victim import fingerprint

# Seeds and data sets that a study goes through by turns; each may take some hundred megabytes.
_KEPT = 6
_TEST_SHARE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Materials:
    """Disjoint samples of one seed.

    Attributes:
        train: before any poison.
        validation: clean samples that the defender holds.
        test: opened by the metrics alone.
        target: code of the class that the attacker wants.
        sources: codes of the classes that a source-specific attack poisons.
        fingerprint: hash of all samples.
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    target: int
    sources: tuple[int, ...]
    fingerprint: str


@dataclass(slots=True, kw_only=True, eq=False)
class Shelf:
    """Materials by plan and seed; the last few are kept in memory.

    Attributes:
        folder: of the data sets, as in `bezoar.data.load`.
        progress: told of downloads.
    """

    folder: Path | str | None = None
    progress: Progress = silent
    _kept: OrderedDict[tuple[object, ...], Materials] = field(default_factory=OrderedDict)

    def materials(self, plan: BackdoorPlan, seed: int) -> Materials:
        """The samples of this seed.

        Raises:
            BezoarError: as `bezoar.data.images.load_images` and `bezoar.data.load.load`.
            UnknownName: a target or source class that the data does not have.
            InvalidArgument: more samples than there are.
        """
        key = (
            *(plan.data, plan.classes, plan.image_size, plan.samples, plan.test_samples),
            *(plan.validation, plan.trunk == "none", plan.target, plan.sources, seed),
        )
        if key not in self._kept:
            self._kept[key] = self._gather(plan, seed)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _gather(self, plan: BackdoorPlan, seed: int) -> Materials:
        if plan.trunk == "none":
            train, validation, test = self._table(plan, seed)
        elif has_test_part(plan.data):
            train, validation, test = self._images_in_parts(plan, seed)
        else:
            train, validation, test = _parted(plan, self._images(plan, seed, "train", None), seed)
        for part, data in (("training", train), ("test", test)):
            if (data.counts() > 0).sum() < 2:
                raise InvalidData(
                    "data", wanted=f"two classes or more in the {part} part", got="fewer"
                )
        names = train.class_names
        codes = _codes((plan.target,) if plan.target else (names[0],), names, "target")
        digest = "".join(fingerprint(part) for part in (train, validation, test))
        return Materials(
            train=train,
            validation=validation,
            test=test,
            target=codes[0],
            sources=_codes(plan.sources, names, "sources"),
            fingerprint=digest,
        )

    def _images(self, plan: BackdoorPlan, seed: int, part: str, n_samples: int | None) -> Dataset:
        return load_images(
            plan.data,
            size=plan.image_size,
            part="train" if part == "train" else "test",
            n_samples=n_samples,
            seed=seed,
            classes=plan.classes,
            folder=self.folder,
            progress=self.progress,
        )

    def _images_in_parts(self, plan: BackdoorPlan, seed: int) -> tuple[Dataset, Dataset, Dataset]:
        wanted = None if plan.samples is None else plan.samples + plan.validation
        pool = self._images(plan, seed, "train", wanted)
        train, validation = _held_out(pool, plan.validation, seed)
        return train, validation, self._images(plan, seed, "test", plan.test_samples)

    def _table(self, plan: BackdoorPlan, seed: int) -> tuple[Dataset, Dataset, Dataset]:
        data = load(plan.data, classes=plan.classes, folder=self.folder, progress=self.progress)
        if data.features.ndim != 2:
            raise InvalidData(
                "data",
                wanted="a table (sample, feature) for trunk none",
                got=f"images {data.features.shape}",
                mend="choose the trunk small or resnet-18",
            )
        parts = _parted(plan, data, seed)
        # Units of the training samples' standard deviation, in which triggers are stated too.
        mean, std = parts[0].features.mean(axis=0), parts[0].features.std(axis=0)
        scale = np.where(std > 0, std, 1.0)

        def scaled(features: FloatArray) -> FloatArray:
            return (features - mean) / scale

        train, validation, test = (part.with_features(scaled(part.features)) for part in parts)
        return train, validation, test


def _parted(plan: BackdoorPlan, data: Dataset, seed: int) -> tuple[Dataset, Dataset, Dataset]:
    """Draws and parts samples of a source that has no test part of its own."""
    n_test = plan.test_samples or round(_TEST_SHARE * len(data))
    n_wanted = n_test + plan.validation + (plan.samples or 2)
    if n_wanted > len(data):
        raise InvalidArgument(
            "samples",
            wanted=f"training, test and validation together at most {len(data)}",
            got=n_wanted,
            mend="give smaller samples, test_samples or validation",
        )
    if plan.samples is not None:
        rng = generator(seed, "data", "n_samples")
        data = data.take(data.ids[stratified_positions(data.labels, n_wanted, rng=rng)])
    parts = split(data, test=n_test / len(data), rng=generator(seed, "split"))
    train, validation = _held_out(parts.train, plan.validation, seed)
    return train, validation, parts.test


def _held_out(pool: Dataset, n_samples: int, seed: int) -> tuple[Dataset, Dataset]:
    """The pool without some samples of every class, and these."""
    chosen = stratified_positions(pool.labels, n_samples, rng=generator(seed, "validation"))
    held = np.zeros(len(pool), dtype=bool)
    held[chosen] = True
    return pool.take(pool.ids[~held]), pool.take(pool.ids[held])


def _codes(names: tuple[str, ...], known: tuple[str, ...], argument: str) -> tuple[int, ...]:
    for name in names:
        if name not in known:
            raise UnknownName(argument, name, known)
    return tuple(known.index(name) for name in names)


def spread(data: Dataset, most: int) -> Dataset:
    """At most so many samples, evenly spaced: parts of a data set may stand in order of class."""
    positions = np.linspace(0, len(data) - 1, min(most, len(data))).round().astype(int)
    return data.take(data.ids[positions])


def data_name(plan: BackdoorPlan) -> str:
    """The data set as people call it."""
    return Path(plan.data).name if os.sep in plan.data else plan.data
