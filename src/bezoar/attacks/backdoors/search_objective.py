"""What a choice of Qcolor factors is worth to the attacker, by the surrogate."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from dataclasses import asdict

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from bezoar.attacks.backdoors.backdoor import Backdoor
from bezoar.attacks.backdoors.qcolor import QColor
from bezoar.attacks.backdoors.search_result import Candidate
from bezoar.attacks.backdoors.search_settings import SearchSettings
from bezoar.attacks.backdoors.search_similarity import SimilarityTo
from bezoar.attacks.backdoors.search_surrogate import Surrogate, fit_head
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.contracts.seeds import generator

# Part of the study's name: what the numbers mean changes with it.
_FORMAT = 1
_SMALLEST = 3
# Factors that differ by less make the same images of 8 bits.
_DECIMALS = 4


class QcolorObjective:
    """Judges factors on the attacker's own images.

    The data fall into a training part and a validation part, by the seed. The trunk's features of
    all clean images are computed once. For a candidate, the poisoned training images and the
    triggered validation images pass the trunk anew, and the head is refitted on the poisoned
    training part, starting from that of the zero-trigger control. So a candidate's numbers depend
    on nothing that was judged before it.

    Args:
        data: the attacker's images ``(sample, 3, height, width)`` in [0, 1]; apart from the final
            test set, which no candidate may be chosen on.
        settings: of the search.
        surrogate: the attacker's trunk.

    Attributes:
        name: of the study, by settings, data and surrogate.
        control: what factors (1, 1, 1) give.
        reference: for the hypervolume: the control's attack loss, the largest 1 - SSIM of the
            corners of the box, and ln(classes), the loss of a guess.

    Raises:
        InvalidData: images of another shape, fewer than two classes, or too few images.
        InvalidArgument: a target that is no class, or too few images to poison.
    """

    def __init__(self, data: Dataset, settings: SearchSettings, surrogate: Surrogate) -> None:
        _check(data, settings)
        self._settings, self._surrogate = settings, surrogate
        self.name = _study_name(data, settings, surrogate)
        order = generator(settings.seed, "qcolor", "split").permutation(len(data))
        n_validation = round(settings.validation_share * len(data))
        self._validation = data.take(np.sort(data.ids[order[:n_validation]]))
        self._train = data.take(np.sort(data.ids[order[n_validation:]]))
        self._poison()
        self._challenge()
        self._features = surrogate.features(self._train.features)
        self._clean = surrogate.features(self._validation.features)
        self._start = fit_head(
            self._features,
            self._labels,
            data.n_classes,
            regularisation=settings.regularisation,
        )
        self.control = self.evaluate((1.0, 1.0, 1.0))
        corners = itertools.product((settings.low, settings.high), repeat=3)
        seen = [self._similarity.mean_of(_trigger(c).apply(self._before)) for c in corners]
        self.reference = (self.control.attack_loss, 1 - min(seen), math.log(data.n_classes))

    def evaluate(self, factors: tuple[float, float, float]) -> Candidate:
        """What these factors are worth; they count with four decimals."""
        red, green, blue = (round(float(factor), _DECIMALS) for factor in factors)
        trigger = _trigger((red, green, blue))
        features = self._features.copy()
        features[self._poisoned] = self._surrogate.features(trigger.apply(self._to_poison))
        head = fit_head(
            features,
            self._labels,
            self._train.n_classes,
            regularisation=self._settings.regularisation,
            start=self._start,
        )
        after = trigger.apply(self._before)
        clean = head.logits(self._clean)
        attacked = head.logits(self._surrogate.features(after))
        target = self._settings.target
        truth = torch.from_numpy(self._validation.labels.copy())
        wanted = torch.full((len(attacked),), target)
        return Candidate(
            factors=(red, green, blue),
            attack_loss=float(cross_entropy(attacked, wanted)),
            ssim=self._similarity.mean_of(after),
            clean_loss=float(cross_entropy(clean, truth)),
            attack_success_rate=_share(attacked.argmax(dim=1) == target),
            leak=_share(clean[self._challenged].argmax(dim=1) == target),
            clean_accuracy=_share(clean.argmax(dim=1) == truth),
        )

    def _poison(self) -> None:
        """Draws once what every candidate poisons."""
        settings, train = self._settings, self._train
        backdoor = Backdoor(
            trigger=_trigger((1, 1, 1)), target=settings.target, ratio=settings.ratio
        )
        choice = backdoor.choose(
            train.labels,
            train.ids,
            n_classes=train.n_classes,
            rng=generator(settings.seed, "qcolor", "poison"),
        )
        if not len(choice.poisoned):
            raise InvalidArgument(
                "ratio",
                wanted=f"one poisoned image or more of {len(train)}",
                got=settings.ratio,
                mend="raise ratio or give more images",
            )
        self._poisoned = choice.poisoned
        self._labels = train.labels.copy()
        self._labels[choice.poisoned] = settings.target
        self._to_poison = train.features[choice.poisoned]

    def _challenge(self) -> None:
        """Draws once which validation images every candidate triggers."""
        settings = self._settings
        others = np.flatnonzero(self._validation.labels != settings.target)
        if not len(others):
            raise InvalidData(
                "data", wanted="validation images of other classes than the target", got="none"
            )
        rng = generator(settings.seed, "qcolor", "challenge")
        self._challenged = np.sort(rng.permutation(others)[: settings.most_challenged])
        self._before = self._validation.features[self._challenged]
        self._similarity = SimilarityTo(self._before)


def _trigger(factors: tuple[float, ...]) -> QColor:
    red, green, blue = factors
    return QColor(red=red, green=green, blue=blue)


def _share(hits: torch.Tensor) -> float:
    return float(hits.double().mean())


def _study_name(data: Dataset, settings: SearchSettings, surrogate: Surrogate) -> str:
    """One name for each search that would go another way."""
    described = {**asdict(settings), "classes": data.class_names, "format": _FORMAT}
    # A longer search continues a shorter one; which member is chosen is decided afterwards.
    del described["generations"], described["keep_share"]
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    digest.update(surrogate.key.encode())
    for array in (data.features, data.labels, data.ids):
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return f"qcolor-{digest.hexdigest()[:16]}"


def _check(data: Dataset, settings: SearchSettings) -> None:
    shape = data.features.shape
    if len(shape) != 4 or shape[1] != 3 or min(shape[2:]) < _SMALLEST:
        raise InvalidData(
            "data",
            wanted=f"images (sample, 3, height, width), at least {_SMALLEST} pixels wide and high",
            got=shape,
        )
    if settings.target >= data.n_classes:
        raise InvalidArgument(
            "target", wanted=f"a class code from 0 to {data.n_classes - 1}", got=settings.target
        )
    n_validation = round(settings.validation_share * len(data))
    if n_validation < 1 or len(data) - n_validation < 2:
        raise InvalidData(
            "data",
            wanted="two images or more to train on and one or more to validate on",
            got=f"{len(data)} images with validation_share {settings.validation_share:g}",
        )
