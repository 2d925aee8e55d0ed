"""The attacker's trunk for a search: given weights, or trained once and kept in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from bezoar.attacks.backdoors.search import TrunkSurrogate, small_surrogate
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import FileProblem, InvalidArgument
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.records import hash_of
from bezoar.evaluate.backdoors.lessons import weights_source
from bezoar.evaluate.backdoors.plan import BackdoorPlan
from bezoar.evaluate.victim import fingerprint
from bezoar.models.hybrid.archive import load_network, save_network
from bezoar.models.hybrid.network import HybridNetwork, NetworkSettings, build_network

# Files of another way to train are not read.
_FORMAT = 1


def check_surrogate(plan: BackdoorPlan, folder: Path | str | None) -> None:
    """Whether the plan's trunk can be a surrogate, before the work.

    Raises:
        InvalidArgument: a table, or a ResNet without weights.
        FileProblem: ``imagenet`` weights that are not there.
    """
    if plan.trunk == "none":
        raise InvalidArgument(
            "trunk",
            wanted="a trunk for images, which Qcolor is made for",
            got="none",
            mend="give --trunk small, or resnet-18 with --weights",
        )
    if plan.trunk != "small" and plan.weights == "none":
        raise InvalidArgument(
            "weights",
            wanted=f"those of the attacker's {plan.trunk}, which the search does not train",
            got="none",
            mend="give --weights imagenet, or --trunk small",
        )
    weights_source(plan, folder)


def surrogate_of(
    plan: BackdoorPlan,
    data: Dataset,
    *,
    seed: int,
    networks: Path,
    folder: Path | str | None = None,
    progress: Progress = silent,
) -> TrunkSurrogate:
    """The plan's trunk in the attacker's hands: what it knows of the victim is the architecture.

    With weights the trunk is taken as it is, as the victim starts with it too. The small trunk
    without weights is trained on the attacker's images and kept in a file, since a training that is
    done again on another number of cores differs in the last digits, and with them the search.

    Args:
        plan: trunk, stages, weights, precision and device.
        data: the attacker's images.
        seed: of the training.
        networks: where the trained trunk is kept.
        folder: of the data sets, for ``weights="imagenet"``.
        progress: told of steps.

    Raises:
        InvalidArgument, FileProblem: as `check_surrogate` and `build_network`.
    """
    check_surrogate(plan, folder)
    if plan.weights != "none":
        network = _network(plan, data, weights_source(plan, folder))
        return TrunkSurrogate(trunk=network.trunk.to(plan.device), precision=plan.precision)
    key = {"surrogate": _FORMAT, "data": fingerprint(data), "seed": seed}
    path = networks / f"surrogate-{hash_of(key)}.safetensors"
    try:
        return TrunkSurrogate(trunk=load_network(path).network.trunk)
    except FileProblem:
        # None there, or damaged: it costs its training.
        trained = small_surrogate(data, seed=seed, progress=progress)
    kept = _network(plan, data, "none")
    kept.trunk.load_state_dict(trained.trunk.state_dict())
    save_network(path, kept, data.class_names, {"trained": "the trunk alone"})
    return trained


def _network(plan: BackdoorPlan, data: Dataset, weights: str) -> HybridNetwork:
    settings = NetworkSettings(
        n_classes=data.n_classes,
        channels=data.features.shape[1],
        image_size=plan.image_size,
        trunk=cast("Any", plan.trunk),
        stages=plan.stages,
        head="linear",
    )
    return build_network(settings, seed=0, weights=weights)
