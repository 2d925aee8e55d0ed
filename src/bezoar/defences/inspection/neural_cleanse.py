"""Neural Cleanse: a class that a small trigger reaches from everywhere may be a backdoor's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from bezoar.contracts.dataset import Dataset, FloatArray
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.contracts.model_suspicion import ModelSuspicion
from bezoar.contracts.progress import Progress, silent
from bezoar.defences.detectors.inference import check_model, logits_in
from bezoar.defences.inspection.anomaly import anomaly_index
from bezoar.defences.inspection.trigger_search import SearchSettings, TriggerSearch, positive_number
from bezoar.models.circuits import whole_number
from bezoar.models.hybrid.scoring import as_tensor, device_of, in_evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class NeuralCleanse(SearchSettings):
    """Restores the smallest trigger of each class and flags a class whose trigger is far smaller.

    For each class t a mask ``m (height, width)`` and a pattern ``p (channel, height, width)``, both
    ``(tanh(.) + 1) / 2`` of free numbers, minimise over clean images x

    ``mean cross entropy(model((1 - m) x + m p), t) + weight_t sum(m)``

    by Adam. ``weight_t`` goes up while the trigger sends the wanted share of images to t, and down
    while it does not (`bezoar.defences.inspection.mask_weight.MaskWeight`); the smallest mask that
    succeeded is kept. A class is flagged where its `anomaly_index` over the classes is above
    `threshold`, its norm ``sum(m)`` is below the median, and its trigger was reached.

    All classes go through the model in one batch, up to `largest_forward` images. The model is
    copied: mode, weights and gradients stay as they are. Equal settings, data and seed give equal
    results on one machine, up to rounding for other `classes` or `largest_forward`.

    What it can and cannot say. It needs a trigger that is one mask and one pattern for all images:
    a colour change or a warp is none. Clean models pass an index of 2 often, as ten norms make a
    rough MAD: ask for several seeds, and inspect a clean twin beside. An L1 norm is in pixels: it
    grows with the image size.

    Attributes:
        seeds: how many searches from other starts.
        classes: codes to restrict it to, three or more; None for all. The index is then taken over
            these alone.
        threshold: of the anomaly index.
        others: see `bezoar.defences.inspection.trigger_search.SearchSettings`.

    Raises:
        InvalidArgument: a number out of range, or fewer than three `classes`.
        UnknownName: no such precision.

    Source: Wang et al., Neural Cleanse, IEEE S&P 2019, sections IV-A and IV-B, and the authors'
    public programme with its example for GTSRB: the objective over all images, those of the class
    among them, Adam and its numbers, success 0.99, first weight 0.001, factors 2 and 2^1.5, when to
    stop, index 2. Ours: 200 updates in rounds of 10 and patience 2 (there up to 1000 rounds of
    about 31 updates on 32 images, patience 5), a weight that is not 0 at first, all classes at
    once, several seeds, and no flag for a class whose trigger was never reached. On a small CNN,
    1000 updates with patience 5 gave clean classes norms about 10 % smaller than 200 with patience
    2, and the same verdict on the backdoor's class.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).requires_grad_(False)
        >>> model[1].weight[:] = 0.1 * torch.arange(48.0).reshape(3, 16).sin()
        >>> model[1].weight[1, 5] = 9.0      # one white pixel decides for class 1
        >>> images = np.linspace(0.0, 0.4, 12 * 16).reshape(12, 1, 4, 4)
        >>> data = Dataset(features=images, labels=np.arange(12) % 3, ids=np.arange(12),
        ...                class_names=("a", "b", "c"))
        >>> suspicion = NeuralCleanse(seeds=1, steps=100).inspect(model, data)
        >>> int(suspicion.norms[0].argmin()), int(suspicion.masks[1].argmax())
        (1, 5)
    """

    seeds: int = 3
    classes: tuple[int, ...] | None = None
    threshold: float = 2.0

    def __post_init__(self) -> None:
        SearchSettings.__post_init__(self)  # super() has no class to start from in a slotted one
        whole_number("seeds", self.seeds)
        positive_number("threshold", self.threshold)
        if self.classes is not None:
            codes = tuple(whole_number("classes", code, least=0) for code in self.classes)
            if len(set(codes)) < max(3, len(codes)):
                raise InvalidArgument(
                    "classes", wanted="three different class codes or more", got=self.classes
                )
            object.__setattr__(self, "classes", codes)

    @property
    def name(self) -> str:
        """The inspection's name."""
        return "neural-cleanse"

    def inspect(
        self, model: nn.Module, data: Dataset, *, seed: int = 0, progress: Progress = silent
    ) -> ModelSuspicion:
        """Inspects `model` with the defender's clean images.

        Args:
            model: maps images ``(image, channel, height, width)`` in [0, 1] to logits
                ``(image, class)``, differentiable; on any device.
            data: clean images that the defender trusts, of two classes or more; labels are only
                looked at for that.
            seed: of the run.
            progress: hears of each round.

        Raises:
            InvalidArgument: no module, one that does not take these images, or not a logit for
                each class; `classes` has a code that the data has no name for.
            InvalidData: no images, images outside [0, 1], of one class alone, fewer than three
                class names, logits or gradients that are not finite.
        """
        classes = self._checked_classes(data)
        _check_images(data)
        _check_logits(model, data.features[:1], data.n_classes)
        search = TriggerSearch(model, data.features, self)
        found = [
            search.run(
                classes,
                seed=seed,
                number=number,
                task=f"Neural Cleanse, seed {number + 1} of {self.seeds}",
                progress=progress,
            )
            for number in range(self.seeds)
        ]
        norms = np.array([each.norms for each in found])
        indices = np.array([anomaly_index(row) for row in norms])
        reached = np.array([each.reached for each in found])
        small = norms < np.median(norms, axis=1, keepdims=True)
        stands_out = (indices > self.threshold) & small & reached
        codes = np.array(classes)
        return ModelSuspicion(
            inspector=self.name,
            classes=codes,
            norms=norms,
            indices=indices,
            success=np.array([each.success for each in found]),
            reached=reached,
            flagged=tuple(tuple(codes[row].tolist()) for row in stands_out),
            masks=found[0].masks,
            patterns=found[0].patterns,
        )

    def _checked_classes(self, data: Dataset) -> tuple[int, ...]:
        if data.n_classes < 3:
            raise InvalidData(
                "data",
                wanted="three classes or more: with two, the anomaly index is 0.67 for any model",
                got=data.n_classes,
            )
        classes = tuple(range(data.n_classes)) if self.classes is None else self.classes
        if max(classes) >= data.n_classes:
            raise InvalidArgument(
                "classes", wanted=f"codes from 0 to {data.n_classes - 1}", got=classes
            )
        return classes


def _check_images(data: Dataset) -> None:
    images = data.features
    if images.ndim != 4 or not images.size:
        raise InvalidData(
            "data", wanted="images (image, channel, height, width)", got=f"shape {images.shape}"
        )
    if images.min() < 0 or images.max() > 1:
        raise InvalidData(
            "data",
            wanted="images with values in [0, 1]",
            got=f"{images.min():g} to {images.max():g}",
            mend="scale them, and let the model normalise",
        )
    if len(np.unique(data.labels)) < 2:
        raise InvalidData(
            "data",
            wanted="clean images of two classes or more",
            got="one class",
            mend="images of a class need no trigger to be sent to it; add other classes",
        )


def _check_logits(model: nn.Module, image: FloatArray, n_classes: int) -> None:
    check_model(model)
    with in_evaluation(model), torch.no_grad():
        n_logits = logits_in(model, as_tensor(image).to(device_of(model)), "float32").shape[1]
    if n_logits != n_classes:
        raise InvalidArgument(
            "model",
            wanted=f"{n_classes} logits, one for each class name of the data",
            got=n_logits,
        )
