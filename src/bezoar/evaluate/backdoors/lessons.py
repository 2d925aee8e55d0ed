"""One training of a victim: on clean, relabelled or poisoned images; its network kept on disk."""

from __future__ import annotations

import dataclasses
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from bezoar.attacks.backdoors.backdoor import Backdoor
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import FileProblem
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.records import hash_of
from bezoar.contracts.seeds import child_seed, generator
from bezoar.contracts.truth import PoisonTruth
from bezoar.data.downloads import data_folder
from bezoar.evaluate.backdoors.materials import Materials
from bezoar.evaluate.backdoors.plan import BackdoorPlan
from bezoar.models.hybrid.archive import load_network, save_network
from bezoar.models.hybrid.fit_settings import History
from bezoar.models.hybrid.fitting import fit_network
from bezoar.models.hybrid.network import HybridNetwork, NetworkSettings, build_network

# Cells of another version of the judge are computed again.
_FORMAT = 1
# Networks in memory: a lesson and its clean twin, with one to spare.
_KEPT = 3
_IMAGENET_FILES = {"resnet-18": "weights/resnet18_imagenet_bnfolded_conv1_to_layer3.npz"}
_OF_THE_ATTACK = ("triggers", "target", "mapping", "sources", "clean_label", "cover")

Role = Literal["clean", "control", "backdoored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Which training.

    Attributes:
        head: of the network.
        role: ``clean`` data; ``control``, the labels of the poison without its trigger; or
            ``backdoored``.
        trigger: spec of the trigger; "none" for a clean lesson and for a control.
        rate: share that is poisoned; 0 for a clean lesson.
        seed: of data, poison and network.
        without: a detector whose most suspicious samples were removed before the training; "" for
            none.
    """

    head: str
    role: Role
    trigger: str
    rate: float
    seed: int
    without: str = ""

    def clean_twin(self) -> Lesson:
        """The same network on clean data."""
        return Lesson(head=self.head, role="clean", trigger="none", rate=0.0, seed=self.seed)

    def control(self) -> Lesson:
        """The same network on the relabelled data without trigger."""
        return Lesson(
            head=self.head, role="control", trigger="none", rate=self.rate, seed=self.seed
        )

    def __str__(self) -> str:
        of = "" if self.role == "clean" else f" {self.trigger} {self.rate:g}"
        return f"{self.head}, {self.role}{of}, seed {self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learnt:
    """What a lesson gave.

    Attributes:
        network: in evaluation mode.
        history: losses by sample; None where the network came from disk.
    """

    network: HybridNetwork
    history: History | None


@dataclass(slots=True, kw_only=True, eq=False)
class School:
    """Trains what is asked for once, and keeps what will be asked for again.

    Attributes:
        plan: how networks are built and trained.
        materials: the samples of a seed.
        folder: where networks are kept.
        data_folder: of the data sets, for ``weights="imagenet"``.
        progress: told of epochs.
    """

    plan: BackdoorPlan
    materials: Callable[[int], Materials]
    folder: Path
    data_folder: Path | str | None = None
    progress: Progress = silent
    _memory: OrderedDict[str, HybridNetwork] = field(default_factory=OrderedDict)
    _weights: str = ""

    def key(self, lesson: Lesson) -> dict[str, Any]:
        """What the network of this lesson depends on, JSON values."""
        settings = dict(self.plan.training_settings())
        unused = _OF_THE_ATTACK if lesson.role == "clean" else ("triggers",)
        for name in unused:
            settings.pop(name, None)
        settings["weights"] = self._weights_digest()
        return {
            "kind": "hybrid training",
            "format": _FORMAT,
            "settings": settings,
            "fit": dataclasses.asdict(self.plan.training()),
            "head": lesson.head,
            "role": lesson.role,
            "trigger": lesson.trigger,
            "rate": lesson.rate,
            "seed": lesson.seed,
            "without": lesson.without,
            "data": self.materials(lesson.seed).fingerprint,
        }

    def backdoor(self, lesson: Lesson, trigger: str | None = None) -> Backdoor:
        """The attack of this lesson, or one with another trigger."""
        materials = self.materials(lesson.seed)
        backdoor = self.plan.backdoor(
            trigger or lesson.trigger,
            lesson.rate or self.plan.rates[0],
            target=materials.target,
            sources=materials.sources,
        )
        return backdoor.fitted(materials.train)

    def seen(self, lesson: Lesson) -> tuple[Dataset, PoisonTruth | None]:
        """What the victim trains on, and the truth about it."""
        train = self.materials(lesson.seed).train
        if lesson.role == "clean":
            return train, None
        backdoor = self.backdoor(lesson)
        if lesson.role == "control":
            backdoor = backdoor.relabel_only()
        # One stream for all: triggers and larger rates poison the same samples and some more.
        poisoned = backdoor.poison(train, rng=generator(lesson.seed, "attack"))
        return poisoned.data, poisoned.truth

    def settings(self, head: str) -> NetworkSettings:
        """The network with this head."""
        train = self.materials(0).train
        plan = self.plan
        return NetworkSettings(
            n_classes=train.n_classes,
            channels=train.features.shape[1] if train.features.ndim == 4 else 1,
            image_size=plan.image_size,
            trunk=cast("Any", plan.trunk),
            stages=plan.stages,
            head=cast("Any", head),
            width=plan.width,
            layers=plan.layers,
            entangler=cast("Any", plan.entangler),
            noise=plan.noise,
            shots=plan.shots,
            n_features=train.features.shape[1] if plan.trunk == "none" else None,
        )

    def start(self, lesson: Lesson) -> HybridNetwork:
        """The network before its training; heads and roles of a seed share the trunk's weights."""
        return build_network(
            self.settings(lesson.head),
            seed=child_seed("network", lesson.seed) % 2**31,
            weights=self._weights_source(),
        )

    def teach(
        self,
        lesson: Lesson,
        *,
        data: Dataset | None = None,
        keep: bool = False,
        after_epoch: Callable[[int, HybridNetwork], None] | None = None,
    ) -> Learnt:
        """Trains anew.

        Args:
            lesson: which training.
            data: other samples than those that the victim was given.
            keep: whether the network is written to disk.
            after_epoch: as in `fit_network`.
        """
        if data is None:
            data, _ = self.seen(lesson)
        network = self.start(lesson)
        history = fit_network(
            network,
            data.features,
            data.labels,
            self.plan.training(),
            seed=child_seed("fit", lesson.seed) % 2**31,
            progress=self.progress,
            after_epoch=after_epoch,
        )
        network.eval()
        if keep:
            save_network(self._path(lesson), network, data.class_names)
        self._remember(lesson, network)
        return Learnt(network=network, history=history)

    def network(self, lesson: Lesson) -> HybridNetwork:
        """The trained network: from memory, from disk, or trained now and written to disk."""
        name = hash_of(self.key(lesson))
        if name in self._memory:
            self._memory.move_to_end(name)
            return self._memory[name]
        try:
            found = load_network(self._path(lesson)).network.eval()
        except FileProblem:
            # None there, or damaged: it costs its training.
            return self.teach(lesson, keep=True).network
        self._remember(lesson, found)
        return found

    def facts(self, lesson: Lesson) -> Mapping[str, Any]:
        """What a saved network says of itself."""
        return {"lesson": str(lesson), "data": self.plan.data, "command": self.plan.command()}

    def _remember(self, lesson: Lesson, network: HybridNetwork) -> None:
        self._memory[hash_of(self.key(lesson))] = network
        while len(self._memory) > _KEPT:
            self._memory.popitem(last=False)

    def _path(self, lesson: Lesson) -> Path:
        return self.folder / f"{hash_of(self.key(lesson))}.safetensors"

    def _weights_source(self) -> str:
        return weights_source(self.plan, self.data_folder)

    def _weights_digest(self) -> str:
        """The weights by content, so that another file of the same name is another training."""
        if not self._weights:
            self._weights = _digest(self._weights_source())
        return self._weights


def weights_source(plan: BackdoorPlan, folder: Path | str | None) -> str:
    """The plan's weights as `build_network` takes them; ``imagenet`` is looked for.

    Raises:
        FileProblem: ``imagenet``, and neither torchvision nor a file is there.
    """
    if plan.weights != "imagenet":
        return plan.weights
    name = _IMAGENET_FILES.get(plan.trunk)
    where = data_folder(folder)
    if name is not None and (where.path / name).is_file() and plan.stages < 4:
        return str(where.path / name)
    if _torchvision_imports():
        return "torchvision"
    raise FileProblem(
        where.path / (name or f"weights/{plan.trunk}"),
        f"ImageNet weights of {plan.trunk} with {plan.stages} stages are not here, and torchvision "
        "is not installed",
        mend="install bezoar[torchvision], or give weights as a .safetensors or .npz file",
    )


def _torchvision_imports() -> bool:
    try:
        import torchvision  # noqa: F401 # pyright: ignore[reportMissingImports]
    except (ImportError, RuntimeError):
        # A build of torchvision for another torch fails with RuntimeError.
        return False
    return True


def _digest(source: str) -> str:
    import hashlib

    if os.path.isfile(source):  # noqa: PTH113 - the source may be a URL, which Path would mangle
        with Path(source).open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()[:16]
    return source
