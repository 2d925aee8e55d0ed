"""The images of an attacker who searches: its own, and none that its attack is judged on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.seeds import child_seed, generator
from bezoar.data.images import has_test_part, load_images
from bezoar.data.split import stratified_positions
from bezoar.evaluate.backdoors.plan import BackdoorPlan

# With fewer the surrogate and the success rates mean nothing.
_FEWEST = 20


def attacker_images(
    plan: BackdoorPlan,
    tests: Sequence[Dataset],
    *,
    seed: int,
    most: int,
    folder: Path | str | None = None,
    progress: Progress = silent,
) -> Dataset:
    """Images of the plan's training part that are in none of the test sets.

    Images are compared by their pixels. So a data set without a test part, whose seeds each draw
    another one, has fewer images left the more seeds there are.

    Args:
        plan: data, classes, image size and number of training images.
        tests: the test sets of all seeds.
        seed: of the draw.
        most: so many are drawn, every class in proportion, or all where there are fewer.
        folder: of the data sets.
        progress: told of downloads.

    Raises:
        InvalidArgument: `most`, or what is left, is below 20 or two for each class.
        BezoarError: as `load_images`.
    """
    if isinstance(most, bool) or not isinstance(most, int):
        raise InvalidArgument("attacker_images", wanted="a whole number", got=repr(most))
    pool = load_images(
        plan.data,
        size=plan.image_size,
        n_samples=plan.samples if has_test_part(plan.data) else None,
        seed=child_seed("attacker images", seed) % 2**31,
        classes=plan.classes,
        folder=folder,
        progress=progress,
    )
    fewest = max(_FEWEST, 2 * pool.n_classes)
    if most < fewest:
        raise InvalidArgument("attacker_images", wanted=f"{fewest} or more", got=most)
    judged_on = {name for test in tests for name in _names(test)}
    own = np.array([name not in judged_on for name in _names(pool)])
    n_own = int(own.sum())
    if n_own < fewest:
        raise InvalidArgument(
            "seeds",
            wanted=f"test sets that leave {fewest} images or more to the attacker",
            got=f"{n_own} images that are in no test set",
            mend="give fewer seeds, smaller test_samples or more samples",
        )
    pool = pool.take(pool.ids[own])
    if n_own <= most:
        return pool
    rng = generator(seed, "attacker images")
    return pool.take(pool.ids[stratified_positions(pool.labels, most, rng=rng)])


def _names(data: Dataset) -> list[bytes]:
    """One digest for each image."""
    return [hashlib.sha256(image.tobytes()).digest() for image in data.features]
