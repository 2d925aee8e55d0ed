"""Which samples a backdoor poisons, which cover it, and which label each is to get."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from bezoar.contracts.dataset import IntArray
from bezoar.contracts.errors import InvalidArgument, InvalidData

BoolArray = npt.NDArray[np.bool_]
LabelMapping = Literal["all-to-one", "all-to-all", "source-specific"]


class Choice(NamedTuple):
    """What a draw chose.

    Attributes:
        poisoned: positions of the samples that get the trigger and the wanted label,
            ``(poisoned,)``, in ascending order of their ids.
        covers: positions of the samples that get a cover and keep their label, ``(cover,)``, in
            that order too; none of them is poisoned.
        seeds: one for each cover, ``(cover,)``.
    """

    poisoned: IntArray
    covers: IntArray
    seeds: IntArray


def draw(
    ids: IntArray,
    candidates: BoolArray,
    *,
    n_poisoned: int,
    n_covers: int,
    may_cover: BoolArray,
    rng: np.random.Generator,
) -> Choice:
    """Draws both groups without replacement, uniformly.

    The draw depends on the ids and not on the order of the rows. For one state of `rng`, a larger
    `n_poisoned` poisons the same samples and more. A cover's seed depends on the draw and its id.

    Args:
        ids: of all samples, ``(sample,)``, each once.
        candidates: whether each may be poisoned, ``(sample,)``.
        n_poisoned: how many are.
        n_covers: how many cover them.
        may_cover: whether each may be a cover where it is not poisoned, ``(sample,)``.
        rng: the source; untouched when nothing is poisoned.

    Raises:
        InvalidArgument: too few samples for either group.
    """
    none = np.zeros(0, dtype=np.int64)
    if n_poisoned == 0:
        return Choice(none, none, none)
    order = np.argsort(ids)
    pool = order[candidates[order]]
    if n_poisoned > len(pool):
        raise _too_few("ratio", "be poisoned", n_poisoned, len(pool))
    poisoned = pool[np.sort(rng.permutation(len(pool))[:n_poisoned])]
    if n_covers == 0:
        return Choice(poisoned, none, none)
    free = may_cover.copy()
    free[poisoned] = False
    # Drawn among all samples, so that most covers stay when the ratio grows.
    shuffled = order[rng.permutation(len(order))]
    pool = shuffled[free[shuffled]]
    if n_covers > len(pool):
        raise _too_few("cover", "be covers", n_covers, len(pool))
    covers = pool[:n_covers]
    covers = covers[np.argsort(ids[covers])]
    entropy = int(rng.integers(2**63))
    sequences = (np.random.SeedSequence([entropy, int(i) & (2**64 - 1)]) for i in ids[covers])
    seeds = np.array([s.generate_state(1, np.uint64)[0] >> np.uint64(1) for s in sequences])
    return Choice(poisoned, covers, seeds.astype(np.int64))


def wanted_labels(labels: IntArray, mapping: LabelMapping, target: int, n_classes: int) -> IntArray:
    """The label that the attacker wants for triggered samples of each label, ``(sample,)``."""
    if mapping == "all-to-all":
        return (labels + 1) % n_classes
    return np.full_like(labels, target)


def challenged(
    labels: IntArray, wanted: IntArray, mapping: LabelMapping, sources: tuple[int, ...]
) -> BoolArray:
    """Whether a trigger would move each sample: another class is wanted, and it is a source."""
    moved = labels != wanted
    return moved & np.isin(labels, sources) if mapping == "source-specific" else moved


def check_codes(n_classes: int, *, target: int, sources: tuple[int, ...]) -> None:
    """Refuses a target or sources that are no class of the data.

    Raises:
        InvalidArgument: one of them is not below `n_classes`.
    """
    for argument, codes in (("target", (target,)), ("sources", sources)):
        beyond = [code for code in codes if code >= n_classes]
        if beyond:
            raise InvalidArgument(
                argument, wanted=f"a class code from 0 to {n_classes - 1}", got=beyond[0]
            )


def check_classes(labels: IntArray) -> None:
    """Refuses labels of a single class.

    Raises:
        InvalidData: there are not two classes that have samples.
    """
    if len(np.unique(labels)) < 2:
        raise InvalidData(
            "labels", wanted="samples of two classes or more", got="one class", mend="add a class"
        )


def _too_few(argument: str, purpose: str, wanted: int, found: int) -> InvalidArgument:
    return InvalidArgument(
        argument,
        wanted=f"at most the {found} samples that may {purpose}",
        got=f"{wanted}",
        mend=f"lower {argument}",
    )
