"""Unlearning: training on restored triggers under the right labels."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.contracts.model_suspicion import ModelSuspicion
from bezoar.contracts.seeds import generator
from bezoar.defences.inspection.trigger_search import apply_trigger
from bezoar.defences.repair.fine_tuning import fine_tune


def unlearn(
    model: nn.Module,
    data: Dataset,
    suspicion: ModelSuspicion,
    *,
    classes: Sequence[int] | None = None,
    share: float = 0.2,
    epochs: int = 1,
    learning_rate: float = 1e-3,
    batch_size: int = 32,
    seed: int = 0,
) -> nn.Module:
    """Fine-tunes a copy of `model` on clean images, a share of which carry a restored trigger.

    Labels stay right, so the model learns that the trigger means nothing. The triggers are those
    of the suspicion's first seed; each drawn image gets that of one of the classes, at random.

    Args:
        model: stays as it is.
        data: the defender's clean images ``(image, channel, height, width)`` in [0, 1].
        suspicion: of this model, for its masks and patterns.
        classes: codes whose triggers are unlearnt; None for those that at least half of the seeds
            flag.
        share: of the images that get a trigger, in (0, 1]; ``ceil(share * n)`` are drawn.
        epochs, learning_rate, batch_size: see `bezoar.defences.repair.fine_tuning.fine_tune`.
        seed: of the run.

    Returns:
        The fine-tuned copy, in the mode of `model`.

    Raises:
        InvalidArgument: no class is flagged or given, one that was not inspected, a number out
            of range, or triggers of another size than the images.
        InvalidData: fewer than two images, or training that meets NaN or infinity.

    Source: Wang et al., Neural Cleanse, IEEE S&P 2019, section VI, patching by unlearning: one
    epoch, a trigger on 20 % of the images. There a tenth of the training set, here the defender's
    clean data; Adam is ours.

    Example:
        >>> suspicion = ModelSuspicion(
        ...     inspector="neural-cleanse", classes=np.arange(3), norms=np.ones((1, 3)),
        ...     indices=np.zeros((1, 3)), success=np.ones((1, 3)),
        ...     reached=np.ones((1, 3), bool), flagged=((2,),),
        ...     masks=np.zeros((3, 2, 2)), patterns=np.zeros((3, 1, 2, 2)))
        >>> data = Dataset(features=np.zeros((4, 1, 2, 2)), labels=[0, 1, 2, 2], ids=range(4),
        ...                class_names=("a", "b", "c"))
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
        >>> mended = unlearn(model, data, suspicion)
        >>> bool((mended[1].bias == model[1].bias).any())
        False
    """
    if not 0 < share <= 1:
        raise InvalidArgument("share", wanted="a share in (0, 1]", got=share)
    if len(data) < 2:
        raise InvalidData("data", wanted="two images or more", got=len(data))
    rows = _trigger_rows(suspicion, classes)
    size = suspicion.patterns.shape[1:]
    if data.features.shape[1:] != size:
        raise InvalidArgument(
            "suspicion",
            wanted=f"triggers of shape {data.features.shape[1:]}, as the images have",
            got=size,
        )
    rng = generator(seed, "unlearning")
    chosen = np.sort(rng.permutation(len(data))[: math.ceil(share * len(data))])
    which = rng.choice(rows, len(chosen))
    images = np.array(data.features)
    images[chosen] = apply_trigger(
        torch.tensor(images[chosen]),
        torch.tensor(suspicion.masks[which]),
        torch.tensor(suspicion.patterns[which]),
    ).numpy()
    mended = copy.deepcopy(model)
    fine_tune(
        mended,
        data.with_features(images),
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        seed=seed,
    )
    return mended


def _trigger_rows(suspicion: ModelSuspicion, classes: Sequence[int] | None) -> np.ndarray:
    """Which rows of the suspicion's masks to unlearn."""
    if classes is None:
        rows = np.flatnonzero(suspicion.flagged_shares >= 0.5)
        if not len(rows):
            raise InvalidArgument(
                "suspicion",
                wanted="a class that at least half of the seeds flag",
                got="none",
                mend="there may be no backdoor; else name the classes",
            )
        return rows
    rows = np.flatnonzero(np.isin(suspicion.classes, list(classes)))
    if not len(rows) or len(rows) < len(set(classes)):
        raise InvalidArgument(
            "classes", wanted=f"some of {suspicion.classes.tolist()}", got=list(classes)
        )
    return rows
