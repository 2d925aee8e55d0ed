"""Backdoors for others to look at: poisoned images, trained networks and their scores, as files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bezoar.attacks.poisoning.truth_file import write_truth
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.seeds import child_seed, generator
from bezoar.contracts.truth import Poisoned
from bezoar.data import write_npz
from bezoar.data.tabular import read_file
from bezoar.evaluate.backdoors import measuring
from bezoar.evaluate.backdoors.lessons import Lesson, School
from bezoar.evaluate.backdoors.materials import Shelf
from bezoar.evaluate.backdoors.plan import BackdoorPlan
from bezoar.evaluate.cells import check_replaceable
from bezoar.models.hybrid.archive import load_network, save_network
from bezoar.models.hybrid.fitting import fit_network


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedFile:
    """A network that was written.

    Attributes:
        path: the file.
        accuracy: on the plan's clean test images.
        train_loss: mean over the last epoch, in nats.
        n_train, n_test: images.
    """

    path: Path
    accuracy: float
    train_loss: float
    n_train: int
    n_test: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a saved network does on the plan's test images.

    Attributes:
        accuracy: on clean images.
        success: attack success and leak by trigger.
        n_test: clean test images.
    """

    accuracy: float
    success: Mapping[str, Mapping[str, float]]
    n_test: int


def poison_to_files(
    plan: BackdoorPlan,
    *,
    seed: int,
    out: Path | str,
    truth: Path | str,
    folder: Path | str | None = None,
    progress: Progress = silent,
) -> Poisoned:
    """The plan's training images of one seed, poisoned: data in `out`, the truth in `truth`.

    The same images are poisoned as in a run of the plan. Both files appear, or neither.

    Args:
        plan: data, one trigger and one rate; how networks are trained is not used.
        seed: which images are drawn and poisoned.
        out: npz file of the data.
        truth: JSON file of what was changed.
        folder, progress: as in `run_backdoors`.

    Raises:
        InvalidArgument: several triggers or rates, or paths that cannot be used.
        FileProblem: a file cannot be written.
    """
    out, truth = Path(out), Path(truth)
    if len(plan.triggers) != 1 or len(plan.rates) != 1:
        raise InvalidArgument(
            "trigger",
            wanted="one trigger and one rate",
            got=f"{len(plan.triggers)} and {len(plan.rates)}",
        )
    if out.suffix != ".npz":
        raise InvalidArgument("out", wanted="a name that ends in .npz", got=str(out))
    if len({p.resolve() for p in (out, truth, Path(plan.data))}) < 3:
        raise InvalidArgument(
            "out, truth", wanted="files apart from each other and from the data", got=str(out)
        )
    check_replaceable(truth)
    check_replaceable(out)
    _check_seed(seed)
    materials = Shelf(folder=folder, progress=progress).materials(plan, seed)
    backdoor = plan.backdoor(
        plan.triggers[0], plan.rates[0], target=materials.target, sources=materials.sources
    ).fitted(materials.train)
    poisoned = backdoor.poison(materials.train, rng=generator(seed, "attack"))
    write_truth(truth, poisoned.truth, seed, poisoned.data.class_names)
    try:
        write_npz(out, poisoned.data)
    except BaseException:
        truth.unlink(missing_ok=True)
        raise
    return poisoned


def train_to_file(
    plan: BackdoorPlan,
    *,
    seed: int,
    out: Path | str,
    train: Path | str | None = None,
    folder: Path | str | None = None,
    progress: Progress = silent,
) -> TrainedFile:
    """Trains the plan's first network and writes it, with its settings, without pickle.

    Args:
        plan: data, network and training; its attack is not used.
        seed: of images, weights and order.
        out: a ``.safetensors`` file.
        train: a file of training images, for example what `poison_to_files` wrote; None for the
            plan's own, which are clean.
        folder, progress: as in `run_backdoors`.

    Raises:
        InvalidArgument: a path that cannot be used, or images of another shape or other classes.
        FileProblem: a file cannot be read or written.
    """
    out = Path(out)
    if out.suffix != ".safetensors":
        raise InvalidArgument("out", wanted="a name that ends in .safetensors", got=str(out))
    check_replaceable(out)
    _check_seed(seed)
    shelf = Shelf(folder=folder, progress=progress)
    materials = shelf.materials(plan, seed)
    data = materials.train if train is None else _same_kind(read_file(train), materials.train)
    school = School(
        plan=plan,
        materials=lambda _: materials,
        folder=out.parent,
        data_folder=folder,
        progress=progress,
    )
    lesson = Lesson(head=plan.heads[0], role="clean", trigger="none", rate=0.0, seed=seed)
    network = school.start(lesson)
    history = fit_network(
        network,
        data.features,
        data.labels,
        plan.training(),
        seed=child_seed("fit", seed) % 2**31,
        progress=progress,
    )
    facts: dict[str, Any] = {"data": plan.data, "train": str(train or plan.data), "seed": seed}
    save_network(out, network, data.class_names, facts)
    return TrainedFile(
        path=out,
        accuracy=measuring.accuracy(network, materials.test),
        train_loss=float(history.mean_losses[-1]),
        n_train=len(data),
        n_test=len(materials.test),
    )


def score_file(
    plan: BackdoorPlan,
    model: Path | str,
    *,
    seed: int,
    folder: Path | str | None = None,
    progress: Progress = silent,
) -> Score:
    """What a saved network does on clean and on triggered test images of the plan.

    Args:
        plan: data, triggers and target; how networks are trained is not used.
        model: a file that `train_to_file` or `save_network` wrote.
        seed: which test images are drawn.
        folder, progress: as in `run_backdoors`.

    Raises:
        FileProblem: the file is not a network of Bezoar.
        InvalidArgument: a network for other classes.
    """
    _check_seed(seed)
    found = load_network(model)
    materials = Shelf(folder=folder, progress=progress).materials(plan, seed)
    if tuple(found.class_names) != materials.test.class_names:
        raise InvalidArgument(
            "model",
            wanted=f"a network for the classes {', '.join(materials.test.class_names)}",
            got=", ".join(found.class_names),
        )
    success = {}
    for trigger in plan.triggers:
        backdoor = plan.backdoor(
            trigger, plan.rates[0], target=materials.target, sources=materials.sources
        ).fitted(materials.train)
        success[trigger] = measuring.success(found.network, backdoor, materials.test)
    return Score(
        accuracy=measuring.accuracy(found.network, materials.test),
        success=success,
        n_test=len(materials.test),
    )


def _same_kind(data: Dataset, like: Dataset) -> Dataset:
    if data.features.shape[1:] != like.features.shape[1:] or data.class_names != like.class_names:
        raise InvalidArgument(
            "train",
            wanted=f"samples of shape {like.features.shape[1:]} and the classes "
            f"{', '.join(like.class_names)}",
            got=f"{data.features.shape[1:]} and {', '.join(data.class_names)}",
            mend="give the data and image size that the file was made with",
        )
    return data


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise InvalidArgument("seed", wanted="0 or more", got=seed)
