"""A backdoor put into a model by poisoning its training data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self, get_args

import numpy as np

from bezoar.attacks.backdoors.choice import (
    Choice,
    LabelMapping,
    challenged,
    check_classes,
    check_codes,
    draw,
    wanted_labels,
)
from bezoar.attacks.backdoors.none import NoTrigger
from bezoar.attacks.backdoors.settings import number, whole_number
from bezoar.attacks.backdoors.trigger import (
    CoveringTrigger,
    FittedTrigger,
    Trigger,
    describe_trigger,
)
from bezoar.attacks.poisoning.selection import check_ratio
from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName
from bezoar.contracts.records import ThreatModel
from bezoar.contracts.truth import Poisoned, PoisonTruth

_MOST_COVERS = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Challenge:
    """Triggered test samples and what the attacker wants of each.

    Attributes:
        data: triggered samples under their true labels and their ids.
        wanted: the label that counts as a success, ``(sample,)``; never the true one.
    """

    data: Dataset
    wanted: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Backdoor:
    """Puts a trigger on a share of the training samples and gives them the attacker's label.

    =================  ==============================  ============================
    mapping            who is triggered                label
    =================  ==============================  ============================
    all-to-one         samples of every other class    ``y' = target``
    all-to-all         any sample                      ``y' = (y + 1) mod n_classes``
    source-specific    samples of `sources`            ``y' = target``
    clean label        samples of the target class     kept
    =================  ==============================  ============================

    Of n samples ``round(ratio * n)`` are poisoned, uniformly among those that may be; too few of
    them is an error. For one state of the generator a larger ratio poisons the same samples and
    more. On top come ``round(cover * poisoned)`` cover samples, which keep their label: with
    all-to-one and all-to-all those of the trigger itself (only WaNet has some), drawn among all
    other samples; with source-specific samples of other classes than sources and target that carry
    the very trigger, so that the model learns that it means something for the sources alone.

    The truth lists all samples that changed, poisoned and covers alike, and no other: a sample that
    its trigger leaves as it was, under its own label, is not in it. A poisoned id under its own
    label is a cover, or a clean-label poison.

    Attributes:
        trigger: what is put on samples.
        target: class code that triggered samples get; without use in all-to-all.
        ratio: share of the training set to poison, in [0, 1).
        mapping: see the table.
        sources: class codes for source-specific; else empty.
        clean_label: see the table; with all-to-one alone.
        cover: cover samples for each poisoned one, 0 or more; WaNet's cross ratio.

    Raises:
        InvalidArgument: a setting out of its range, or settings that do not go together.
        UnknownName: no such mapping.

    Source: Gu et al. 2019 (BadNets), arXiv 1708.06733, sections 3 and 4 (all-to-one, all-to-all);
    Tang et al. 2021, arXiv 1908.00686 (source-specific with covers); Barni et al. 2019, arXiv
    1902.11237 (clean label); Nguyen and Tran 2021, arXiv 2102.10369 (covers by noise). As in arXiv
    2407.16273, section 3, the target class is not poisoned in all-to-one. BadNets adds poisoned
    copies to the training set; here samples are replaced, so that its size stays.

    Example:
        >>> from bezoar.attacks.backdoors.patch import Patch
        >>> data = Dataset(features=np.zeros((4, 1, 2, 2)), labels=[0, 1, 0, 1], ids=[0, 1, 2, 3],
        ...                class_names=("cat", "dog"))
        >>> backdoor = Backdoor(trigger=Patch(size=1), target=0, ratio=0.25)
        >>> poisoned = backdoor.poison(data, rng=np.random.default_rng(0))
        >>> poisoned.truth.poisoned_ids.tolist(), poisoned.data.labels.tolist()
        ([1], [0, 0, 0, 1])
        >>> challenge = backdoor.challenge(data)
        >>> challenge.data.ids.tolist(), challenge.wanted.tolist()
        ([1, 3], [0, 0])
    """

    trigger: Trigger
    target: int = 0
    ratio: float = 0.1
    mapping: LabelMapping = "all-to-one"
    sources: tuple[int, ...] = ()
    clean_label: bool = False
    cover: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.trigger, Trigger):
            raise InvalidArgument(
                "trigger",
                wanted="a trigger",
                got=repr(self.trigger),
                mend='make one with trigger_named("patch:3")',
            )
        check_ratio(self.ratio, at_one="no clean sample would be left")
        object.__setattr__(self, "target", whole_number("target", self.target, 0))
        object.__setattr__(self, "cover", number("cover", self.cover, 0, _MOST_COVERS))
        object.__setattr__(self, "sources", _codes(self.sources))
        if self.mapping not in get_args(LabelMapping):
            raise UnknownName("mapping", self.mapping, get_args(LabelMapping))
        self._check_together()

    def _check_together(self) -> None:
        if (self.mapping == "source-specific") != bool(self.sources):
            raise InvalidArgument(
                "sources",
                wanted="class codes with mapping source-specific, none with another",
                got=f"{self.sources} with {self.mapping}",
            )
        if self.target in self.sources:
            raise InvalidArgument("sources", wanted="other classes than target", got=self.sources)
        if not isinstance(self.clean_label, bool):
            raise InvalidArgument("clean_label", wanted="True or False", got=repr(self.clean_label))
        if self.clean_label and self.mapping != "all-to-one":
            raise InvalidArgument(
                "clean_label",
                wanted="mapping all-to-one, where triggered samples of one class keep its label",
                got=self.mapping,
            )
        by_trigger = self.mapping != "source-specific"
        if self.cover and by_trigger and not isinstance(self.trigger, CoveringTrigger):
            raise InvalidArgument(
                "cover",
                wanted=f"0 for the trigger {self.trigger.name} with {self.mapping}",
                got=self.cover,
                mend="covers need the trigger wanet, or mapping source-specific",
            )

    @property
    def name(self) -> str:
        """The registered name."""
        return "backdoor"

    @property
    def threat_model(self) -> ThreatModel:
        """What it knows, changes and wants."""
        kept = self.clean_label
        return ThreatModel(
            goal=f"triggered inputs get {self._wanted_in_words()}, others are answered as before",
            knows=("samples of the training set", "their labels"),
            changes=(
                "features of training samples",
                *(() if kept else ("their labels",)),
                "features of inputs at the time of use",
            ),
            budget="a share of the training samples"
            + (" of the target class" if kept else "")
            + (f", and {self.cover:g} cover samples for each" if self.cover else ""),
            needs_training=False,
            answered_by=self.trigger.answered_by,
            source=self.trigger.source,
        )

    def fitted(self, data: Dataset) -> Self:
        """The backdoor with its trigger measured on the training data, where it needs that.

        Call it before `poison` for the trigger ``feature`` in units of standard deviations; other
        triggers stay as they are.

        Raises:
            InvalidData: see the trigger.
        """
        if not isinstance(self.trigger, FittedTrigger):
            return self
        return replace(self, trigger=self.trigger.fitted(data))

    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        """Changes features and labels of `data`; ids and order stay.

        Args:
            data: images ``(sample, channel, height, width)`` in [0, 1], or ``(sample, feature)``
                for the trigger of tables.
            rng: draws the samples, and the noise of covers.

        Raises:
            InvalidData: the trigger does not fit the data, or there is something to poison and
                the samples are of one class.
            InvalidArgument: the target or a source is no class of the data, or fewer samples may
                be poisoned, or cover, than there should be.
        """
        choice = self.choose(data.labels, data.ids, n_classes=data.n_classes, rng=rng)
        features, labels = data.features.copy(), data.labels.copy()
        features[choice.poisoned] = self.trigger.apply(data.features[choice.poisoned])
        features[choice.covers] = self.cover_samples(data.features[choice.covers], choice.seeds)
        labels[choice.poisoned] = self.wanted(data.labels[choice.poisoned], data.n_classes)
        touched = np.concatenate([choice.poisoned, choice.covers])
        touched = touched[np.argsort(data.ids[touched])]
        moved = features[touched] != data.features[touched]
        moved = moved.any(axis=tuple(range(1, moved.ndim)))
        changed = touched[moved | (labels[touched] != data.labels[touched])]
        truth = PoisonTruth(
            attack=self.name,
            settings={
                **self.describe(),
                "poisoned": len(choice.poisoned),
                "covers": len(choice.covers),
            },
            poisoned_ids=data.ids[changed],
            original_labels=data.labels[changed],
        )
        poisoned = Dataset(
            features=features, labels=labels, ids=data.ids, class_names=data.class_names
        )
        return Poisoned(data=poisoned, truth=truth)

    def relabel_only(self) -> Self:
        """The zero-trigger control: the same draw, labels changed, no trigger and no cover.

        With a generator in the same state it changes the labels of the very samples that this
        backdoor poisons. Of a clean-label backdoor nothing is left: the control changes nothing.
        """
        return replace(self, trigger=NoTrigger())

    def challenge(self, data: Dataset) -> Challenge:
        """Triggers every sample that the trigger should move to another class.

        Left out are samples whose true class is the wanted one, and with source-specific all that
        are not of a source. So no success is counted that was none.

        Args:
            data: clean test samples.

        Raises:
            InvalidData: none is left, or the trigger does not fit the data.
            InvalidArgument: the target or a source is no class of the data.
        """
        self._check_codes(data.n_classes)
        wanted = self.wanted(data.labels, data.n_classes)
        moved = challenged(data.labels, wanted, self.mapping, self.sources)
        if not moved.any():
            raise InvalidData(
                "data",
                wanted="samples that the trigger should move to another class",
                got=f"none among {len(data)}",
                mend="test on samples of other classes than the target",
            )
        triggered = Dataset(
            features=self.trigger.apply(data.features[moved]),
            labels=data.labels[moved],
            ids=data.ids[moved],
            class_names=data.class_names,
        )
        wanted = wanted[moved]
        wanted.setflags(write=False)
        return Challenge(data=triggered, wanted=wanted)

    def choose(
        self, labels: IntArray, ids: IntArray, *, n_classes: int, rng: np.random.Generator
    ) -> Choice:
        """Which samples `poison` would change, without their features.

        Args:
            labels: ``(sample,)``.
            ids: ``(sample,)``, each once.
            n_classes: how many classes there are, with or without samples.
            rng: the source of the draw; untouched when nothing is poisoned.

        Raises:
            InvalidData, InvalidArgument: as `poison`.
        """
        n_poisoned = round(self.ratio * len(labels))
        self._check_codes(n_classes)
        if n_poisoned:
            check_classes(labels)
        wanted = self.wanted(labels, n_classes)
        candidates = labels == wanted
        if not self.clean_label:
            candidates = challenged(labels, wanted, self.mapping, self.sources)
        may_cover = np.ones(len(labels), dtype=bool)
        if self.mapping == "source-specific":
            may_cover = ~np.isin(labels, (*self.sources, self.target))
        return draw(
            ids,
            candidates,
            n_poisoned=n_poisoned,
            n_covers=round(self.cover * n_poisoned),
            may_cover=may_cover,
            rng=rng,
        )

    def wanted(self, labels: IntArray, n_classes: int) -> IntArray:
        """The label that the attacker wants of triggered samples of each label, ``(sample,)``."""
        return wanted_labels(labels, self.mapping, self.target, n_classes)

    def cover_samples(self, features: FloatArray, seeds: IntArray) -> FloatArray:
        """The cover version of each sample, ``(sample, ...)``; `seeds` from `choose`."""
        if self.mapping == "source-specific":
            return self.trigger.apply(features)
        if isinstance(self.trigger, CoveringTrigger):
            return self.trigger.cover(features, seeds=seeds.tolist())
        return features

    def describe(self) -> dict[str, object]:
        """The settings as JSON values."""
        return {
            "ratio": float(self.ratio),
            "trigger": self.trigger.spec,
            "trigger_settings": dict(describe_trigger(self.trigger)),
            "target": self.target,
            "mapping": self.mapping,
            "sources": list(self.sources),
            "clean_label": self.clean_label,
            "cover": self.cover,
        }

    def _check_codes(self, n_classes: int) -> None:
        check_codes(n_classes, target=self.target, sources=self.sources)

    def _wanted_in_words(self) -> str:
        if self.mapping == "all-to-all":
            return "the class after their own"
        whose = f", where they are of class {', '.join(map(str, self.sources))}"
        return f"class {self.target}" + (whose if self.sources else "")


def _codes(sources: object) -> tuple[int, ...]:
    if not isinstance(sources, tuple | list):
        raise InvalidArgument("sources", wanted="a tuple of class codes", got=repr(sources))
    codes = tuple(whole_number("sources", code, 0) for code in sources)
    if len(set(codes)) < len(codes):
        raise InvalidArgument("sources", wanted="no class twice", got=codes)
    return codes
