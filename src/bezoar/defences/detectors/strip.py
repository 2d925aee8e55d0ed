"""STRIP: an input whose class survives any overlay carries a trigger."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn

from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName
from bezoar.contracts.seeds import generator
from bezoar.contracts.suspicion import Suspicion
from bezoar.defences.detectors.inference import check_model, logits_in
from bezoar.models.circuits import whole_number
from bezoar.models.hybrid.precision import check_precision
from bezoar.models.hybrid.scoring import as_tensor, device_of, in_evaluation

ThresholdRule = Literal["empirical", "normal"]
THRESHOLD_RULES: tuple[ThresholdRule, ...] = ("empirical", "normal")
# Superposed images that pass the network at once, whatever the number of overlays.
_BATCH = 128


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StripInspection:
    """What STRIP saw.

    Attributes:
        suspicion: minus the entropy of each input.
        entropies: of the inputs, ``(sample,)``, in [0, 1].
        clean_entropies: of the defender's clean images, ``(clean sample,)``, in [0, 1].
        threshold: an input is flagged when its entropy is below it.
    """

    suspicion: Suspicion
    entropies: FloatArray
    clean_entropies: FloatArray
    threshold: float

    @property
    def flagged(self) -> IntArray:
        """Ids of the flagged inputs, ``(flagged,)``, in their order."""
        return self.suspicion.ids[self.entropies < self.threshold]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """STRIP (strong intentional perturbation): the entropy of the predictions under overlays.

    Each input x is superposed with N clean images v_1 ... v_N that the defender holds:

    ``x_n = clip(a x + b v_n, 0, 1)``
    ``H(x) = -1/(N ln C) sum_n sum_c p_c(x_n) ln p_c(x_n)``

    with the softmax p over C classes; natural logarithm, divided by ln C, so H is in [0, 1]. The
    score is -H. A trigger that holds its class under any overlay makes H small. The same x gets
    the same overlays whatever else is inspected: they are drawn by the seed and the sample's id,
    without replacement, never the sample itself (as known by its id).

    It answers triggers that act on any input and survive the overlay. It does not see triggers
    that the overlay destroys (warping, colour), source-specific ones, or a poisoned training set
    without a trained model. A hybrid network whose logits are bounded (expectation values times a
    small scale) is never sure of anything: entropies are high for all inputs.

    Attributes:
        overlays: N.
        weights: a and b. As in the authors' code both are 1, and the sum saturates; the paper
            gives none. (0.5, 0.5) is the mean, common elsewhere.
        false_alarm_rate: the share of clean inputs that may be flagged; in (0, 1).
        threshold_rule: ``empirical`` takes the k-th smallest clean entropy, with
            k = floor(rate (n + 1)): for inputs exchangeable with the clean images, the expected
            false-alarm rate is at most `false_alarm_rate`. ``normal`` takes the quantile of a
            normal distribution with the mean and standard deviation of the clean entropies, as
            published; entropies are not normal, and its rate is off by what they are not.
        precision: ``float32``, ``bfloat16``, or ``auto`` for the faster on this processor.
        seed: of the overlays.

    Raises:
        InvalidArgument: a setting that cannot be used.
        UnknownName: no such threshold rule or precision.

    Source: Gao, Xu, Wang, Chen, Ranasinghe, Nepal, STRIP: A Defence Against Trojan Attacks on Deep
    Neural Networks, ACSAC 2019, arXiv 1902.06531, equations 2 to 4; entropy in bits there, and the
    threshold from a normal fit.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> images = np.random.default_rng(0).random((40, 1, 2, 2))
        >>> data = Dataset(features=images, labels=np.arange(40) % 2, ids=range(40),
        ...                class_names=("cat", "dog"))
        >>> strip = Strip(overlays=8, false_alarm_rate=0.1)
        >>> seen = strip.examine(model, data.take(range(30)), data.take(range(30, 40)))
        >>> seen.entropies.shape, bool(seen.entropies.max() <= 1)
        ((10,), True)
    """

    overlays: int = 50
    weights: tuple[float, float] = (1.0, 1.0)
    false_alarm_rate: float = 0.01
    threshold_rule: ThresholdRule = "empirical"
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        whole_number("overlays", self.overlays)
        whole_number("seed", self.seed, least=0)
        check_precision(self.precision)
        weights = tuple(self.weights) if isinstance(self.weights, tuple | list) else ()
        if len(weights) != 2 or not all(_positive(weight) for weight in weights):
            raise InvalidArgument(
                "weights", wanted="two positive numbers, input and overlay", got=repr(self.weights)
            )
        if not _positive(self.false_alarm_rate) or self.false_alarm_rate >= 1:
            raise InvalidArgument(
                "false_alarm_rate", wanted="a number in (0, 1)", got=repr(self.false_alarm_rate)
            )
        if self.threshold_rule not in THRESHOLD_RULES:
            raise UnknownName("threshold_rule", self.threshold_rule, THRESHOLD_RULES)

    @property
    def name(self) -> str:
        """The defence's name."""
        return "strip"

    def inspect(self, model: nn.Module, clean: Dataset, inputs: Dataset) -> Suspicion:
        """Minus the entropy of each of `inputs`; errors as in `entropies`."""
        return self._suspicion(inputs, self.entropies(model, clean, inputs))

    def examine(self, model: nn.Module, clean: Dataset, inputs: Dataset) -> StripInspection:
        """Scores, entropies and the threshold in one; errors as in `entropies`, `threshold`."""
        clean_entropies = self.entropies(model, clean, clean)
        threshold = self.threshold(clean_entropies)
        entropies = self.entropies(model, clean, inputs)
        return StripInspection(
            suspicion=self._suspicion(inputs, entropies),
            entropies=entropies,
            clean_entropies=clean_entropies,
            threshold=threshold,
        )

    def entropies(self, model: nn.Module, clean: Dataset, inputs: Dataset) -> FloatArray:
        """The normalised entropy of each of `inputs`, ``(sample,)``, in [0, 1].

        Args:
            model: images ``(batch, channel, height, width)`` in [0, 1] to logits.
            clean: images of the defender that are clean and were not trained on.
            inputs: what to inspect; labels are not used.

        Raises:
            InvalidData: no clean image but the input itself; shapes disagree, no images, or pixels
                outside [0, 1]; logits that are not finite.
            InvalidArgument: the model refuses the images, or has fewer than two logits.
        """
        check_model(model)
        _check_images(clean, "clean")
        _check_images(inputs, "inputs")
        if len(inputs) and clean.features.shape[1:] != inputs.features.shape[1:]:
            raise InvalidData(
                "inputs",
                wanted=f"images of the clean ones' shape {clean.features.shape[1:]}",
                got=inputs.features.shape[1:],
            )
        chosen = self._draw(clean, inputs)
        found = np.empty(len(inputs))
        step = max(1, _BATCH // self.overlays)
        device = device_of(model)
        behind = as_tensor(clean.features).to(device)
        with in_evaluation(model), torch.no_grad():
            for start in range(0, len(inputs), step):
                part = slice(start, start + step)
                images = as_tensor(inputs.features[part]).to(device)
                found[part] = self._batch_entropies(model, images, behind, chosen[part])
        return found

    def threshold(self, clean_entropies: FloatArray) -> float:
        """The entropy below which an input is flagged, by the settings' rule.

        Args:
            clean_entropies: of the defender's clean images, ``(clean sample,)``.

        Raises:
            InvalidData: too few of them for `false_alarm_rate`, or NaN among them.
        """
        values = np.sort(np.asarray(clean_entropies, dtype=np.float64).ravel())
        if not np.isfinite(values).all():
            raise InvalidData("clean_entropies", wanted="finite numbers", got="NaN or infinity")
        if self.threshold_rule == "normal":
            if len(values) < 2:
                raise InvalidData(
                    "clean", wanted="two images or more for a normal fit", got=len(values)
                )
            from scipy.stats import norm

            return float(values.mean() + values.std(ddof=1) * norm.ppf(self.false_alarm_rate))
        rank = math.floor(self.false_alarm_rate * (len(values) + 1) + 1e-9)
        if not rank:
            raise InvalidData(
                "clean",
                wanted=f"at least {math.ceil(1 / self.false_alarm_rate - 1e-9) - 1} images for a "
                f"false-alarm rate of {self.false_alarm_rate:g}",
                got=len(values),
                mend="give more clean images, a higher rate, or threshold_rule='normal'",
            )
        return float(values[rank - 1])

    def _suspicion(self, inputs: Dataset, entropies: FloatArray) -> Suspicion:
        return Suspicion(detector=self.name, ids=inputs.ids, scores=-entropies)

    def _draw(self, clean: Dataset, inputs: Dataset) -> IntArray:
        """Positions in `clean` for each input, ``(sample, overlay)``, its own left out."""
        place = {int(sample): i for i, sample in enumerate(clean.ids)}
        chosen = np.empty((len(inputs), self.overlays), dtype=np.int64)
        for row, sample in enumerate(inputs.ids):
            own = place.get(int(sample), len(clean))
            others = len(clean) - (own < len(clean))
            if others < 1:
                raise InvalidData(
                    "clean", wanted="an image other than the input itself", got=len(clean)
                )
            rng = generator(self.seed, "strip", int(sample))
            drawn = rng.choice(others, self.overlays, replace=others < self.overlays)
            chosen[row] = drawn + (drawn >= own)
        return chosen

    def _batch_entropies(
        self, model: nn.Module, images: torch.Tensor, behind: torch.Tensor, chosen: IntArray
    ) -> FloatArray:
        """Entropies of ``(sample, channel, height, width)`` under their overlays, ``(sample,)``."""
        own, other = self.weights
        overlays = behind[torch.from_numpy(chosen).to(behind.device)]
        mixed = (own * images[:, None] + other * overlays).clamp_(0, 1)
        parts = mixed.flatten(0, 1).split(_BATCH)
        logits = torch.cat([logits_in(model, part, self.precision) for part in parts])
        if logits.shape[1] < 2:
            raise InvalidArgument("model", wanted="two logits or more", got=logits.shape[1])
        logs = torch.log_softmax(logits.double(), dim=1)
        entropies = -(logs.exp() * logs).sum(dim=1) / math.log(logits.shape[1])
        # Rounding can leave the uniform distribution a few 1e-16 above one.
        return entropies.clamp(0, 1).unflatten(0, chosen.shape).mean(dim=1).cpu().numpy()


def _positive(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value > 0


def _check_images(data: Dataset, name: str) -> None:
    if data.features.ndim != 4:
        raise InvalidData(
            name,
            wanted="images (sample, channel, height, width)",
            got=f"features of shape {data.features.shape}",
        )
    if data.features.size and (data.features.min() < 0 or data.features.max() > 1):
        raise InvalidData(name, wanted="pixels in [0, 1]", got="values outside")
