"""Images as files hold them, 8 bits a pixel, before a part of them becomes a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bezoar.contracts.dataset import Dataset, IntArray
from bezoar.contracts.errors import InvalidData, UnknownName
from bezoar.contracts.seeds import generator
from bezoar.data.split import stratified_positions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pixels:
    """All images of one file, with their labels; an eighth of what floating point would take.

    Attributes:
        images: ``(sample, channel, height, width)``, uint8 from 0 to 255, read-only.
        labels: ``(sample,)`` codes into `class_names`.
        class_names: the name of each code.
    """

    images: npt.NDArray[np.uint8]
    labels: IntArray
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    def dataset(
        self,
        *,
        classes: Sequence[str] | None = None,
        n_samples: int | None = None,
        seed: int = 0,
    ) -> Dataset:
        """Some of the images, as ``pixel / 255``; only these become floating point.

        Args:
            classes: the classes to keep, which get the codes 0, 1, ... in this order; None for all.
            n_samples: how many to draw, every class in proportion; None takes all.
            seed: which ones; the stream is that of ``bezoar.data.load``.

        Returns:
            Images ``(sample, channel, height, width)`` in [0, 1]; ids are positions in the file.

        Raises:
            UnknownName: a class that is not here.
            InvalidData: no image of the classes asked.
            InvalidArgument: `n_samples` cannot be drawn.

        Example:
            >>> import numpy as np
            >>> pixels = Pixels(images=np.full((2, 1, 2, 2), 255, np.uint8),
            ...                 labels=np.array([1, 0]), class_names=("cat", "dog"))
            >>> data = pixels.dataset(classes=["dog", "cat"])
            >>> data.labels.tolist(), data.features.max()
            ([0, 1], np.float64(1.0))
        """
        ids, codes, names = drawn(
            self.labels, self.class_names, classes=classes, n_samples=n_samples, seed=seed
        )
        return Dataset(
            features=self.images[ids] / 255.0,
            labels=codes,
            ids=ids,
            class_names=names,
        )


def drawn(
    labels: IntArray,
    class_names: tuple[str, ...],
    *,
    classes: Sequence[str] | None = None,
    n_samples: int | None = None,
    seed: int = 0,
) -> tuple[IntArray, IntArray, tuple[str, ...]]:
    """Which samples are kept, before any of them is turned into numbers.

    Args:
        labels: ``(sample,)`` codes into `class_names`.
        class_names: the name of each code.
        classes, n_samples, seed: as in `Pixels.dataset`.

    Returns:
        Positions in `labels`, ascending; the new code of each; the names of these codes.

    Raises:
        UnknownName, InvalidData, InvalidArgument: as in `Pixels.dataset`.
    """
    names = tuple(class_names if classes is None else classes)
    for name in names:
        if name not in class_names:
            raise UnknownName("class", name, class_names)
    code_of = np.full(len(class_names), -1)
    code_of[[class_names.index(name) for name in names]] = np.arange(len(names))
    positions = np.flatnonzero(code_of[labels] >= 0)
    if not len(positions):
        raise InvalidData(
            "images",
            wanted=f"some of the classes {', '.join(names)}",
            got=f"none among {len(labels)}",
            mend="use the official files",
        )
    if n_samples is not None:
        rng = generator(seed, "data", "n_samples")
        positions = positions[stratified_positions(labels[positions], n_samples, rng=rng)]
    return positions, code_of[labels[positions]], names
