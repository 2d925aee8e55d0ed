"""What the items of the study of hybrid networks share: scales, plans and quantities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bezoar.evaluate.backdoors.plan import BackdoorPlan
from bezoar.evaluate.study import Pick

QCOLOR = "qcolor:1.2,1,0.8"
PATCHES = {side: f"patch:{side}" for side in (1, 2, 3, 4)}
BLENDS = {ratio: f"blend:{ratio:g}" for ratio in (0.05, 0.1, 0.15, 0.2)}
WANET = "wanet:k=4,s=0.5"
COLOUR = "colour:0.1,0,-0.1"

_WARM_UP = 5
# Chosen by clean accuracy on validation images, before any attack was run at these scales.
_LEARNING_RATE = 2e-4

HEAD_NAMES = {"quantum": "HQ{}", "linear": "{}", "tanh": "{} with a tanh bottleneck"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How large the study is; the code is the same for all.

    Attributes:
        name: on the command line.
        image_size, samples, test_samples, stages, train_from, epochs, batch_size, device: as in
            `BackdoorPlan`.
        trunks: which ResNets.
        rates, control_rates: poisoning rates of Table 6, for the quantum head and for the control
            with a tanh bottleneck.
        depths: layers of the circuit in Table 7, six among them.
        factors: of a single channel in Figure 6, 0.95 and 1.05 among them.
        pairs: factors of two channels in Figure 7.
        followed: triggers whose success is followed over epochs.
        seeds: repetitions.
        long_epochs: of the item that follows attack success over epochs.
        setting: sentences that every page says.
    """

    name: str
    image_size: int
    samples: int | None
    test_samples: int | None
    stages: int
    train_from: str
    epochs: int
    long_epochs: int
    trunks: tuple[str, ...]
    setting: tuple[str, ...]
    rates: tuple[float, ...] = (0.1, 0.04, 0.03, 0.02, 0.01)
    control_rates: tuple[float, ...] = (0.1, 0.02)
    depths: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    factors: tuple[float, ...] = (0.8, 0.9, 0.95, 1.05, 1.1, 1.2)
    pairs: tuple[tuple[float, float], ...] = ((0.9, 0.9), (0.9, 1.1), (1.1, 0.9), (1.1, 1.1))
    followed: tuple[str, ...] = ("patch 3 x 3", "blend 0.1")
    seeds: int = 3
    batch_size: int = 32
    device: str = "cpu"

    def plan(self, **changes: Any) -> BackdoorPlan:
        """The plan of this scale on Imagenette, with changes."""
        first = BackdoorPlan(
            data="imagenette",
            image_size=self.image_size,
            samples=self.samples,
            test_samples=self.test_samples,
            validation=200,
            trunk=self.trunks[0],
            stages=self.stages,
            weights="imagenet",
            heads=("quantum",),
            triggers=(QCOLOR,),
            rates=(0.1,),
            warm_up=_WARM_UP,
            epochs=self.epochs,
            learning_rate=_LEARNING_RATE,
            train_from=self.train_from,
            batch_size=self.batch_size,
            device=self.device,
            seeds=self.seeds,
        )
        return replace(first, **changes)


_SMALLER = (
    "Verdicts are of this scale. With a tenth of the paper's images at a third of their size, what "
    "fails here may work there: a claim that is contradicted here is not refuted."
)
_SMALL_TRUNK = (
    "The trunk is ResNet-18 without its last stage (conv1 to layer3 with ImageNet weights, 256 "
    "features): weights of layer4 and of a ResNet-50 without a download were not to be had. conv1 "
    "and layer1 stay frozen. The paper trains the whole network on 224 x 224 images."
)

CPU_SMALL = Scale(
    name="cpu-small",
    image_size=64,
    samples=1000,
    test_samples=400,
    stages=3,
    train_from="layer2",
    epochs=6,
    long_epochs=10,
    trunks=("resnet-18",),
    rates=(0.1, 0.04, 0.02, 0.01),
    control_rates=(0.1,),
    depths=(1, 3, 6),
    factors=(0.95, 1.05),
    pairs=((1.1, 0.9),),
    followed=("patch 3 x 3",),
    setting=(
        (
            "Scale cpu-small: 64 x 64 images, 1,000 training images and 400 test images drawn "
            "afresh for each seed, 5 epochs of the head alone, then 6 epochs of head and trunk."
        ),
        _SMALL_TRUNK,
        _SMALLER,
    ),
)
CPU = Scale(
    name="cpu",
    image_size=64,
    samples=1500,
    test_samples=800,
    stages=3,
    train_from="layer2",
    epochs=8,
    long_epochs=20,
    trunks=("resnet-18",),
    setting=(
        (
            "Scale cpu: 64 x 64 images, 1,500 training images and 800 test images drawn afresh for "
            "each seed, 5 epochs of the head alone, then 8 epochs of head and trunk."
        ),
        _SMALL_TRUNK,
        _SMALLER,
    ),
)
PAPER = Scale(
    name="paper",
    image_size=224,
    samples=None,
    test_samples=None,
    stages=4,
    train_from="stem",
    epochs=10,
    long_epochs=30,
    trunks=("resnet-18", "resnet-50"),
    batch_size=64,
    device="cuda",
    setting=(
        (
            "Scale paper: 224 x 224 images, all training and test images, whole ResNets with "
            "ImageNet weights, 5 epochs of the head alone, then 10 epochs of the whole network. "
            "The paper names neither epochs nor optimiser."
        ),
    ),
)
SCALES = {scale.name: scale for scale in (CPU_SMALL, CPU, PAPER)}

RECIPE = (
    "Head: Linear to 10, tanh x pi/2, 10 qubits (H, RY of the input, 6 layers of a CNOT ring and "
    "RY with initial angles N(0, 1.5)), Pauli Z times 5, Linear to the classes; Adam, 2e-4, "
    "linear layers of the head 2e-3, circuit angles 2e-2. The paper gives circuit and sizes, not "
    "the recipe (Mari et al. 2020 fill the gaps)."
)
DIGITS = (
    "Scikit-learn's digits in RGB, 32 x 32 pixels, 900 training and 400 test images, a small "
    "convolutional trunk trained from scratch: the same at every scale."
)
ATTACK = (
    "The attacker poisons 10 % of the training images where nothing else is said, never those of "
    "the target class, which is the first. Success is counted on triggered test images of the "
    "other classes; the leak is the share of the same images, untouched, that the same network "
    "puts into the target class; the control is a network trained with the same wrong labels on "
    "images without the trigger."
)


def network_name(trunk: str, head: str) -> str:
    """As tables call a network.

    Example:
        >>> network_name("resnet-18", "quantum")
        'HQResNet-18'
    """
    return HEAD_NAMES[head].format(trunk.replace("resnet", "ResNet"))


def of(
    run: str,
    metric: str,
    head: str = "quantum",
    trigger: str | None = None,
    rate: float | None = None,
    *,
    less: Pick | None = None,
    **tags: str | float,
) -> Pick:
    """A quantity of a network."""
    wanted: dict[str, str | int | float] = {"head": head, **tags}
    if trigger is not None:
        wanted["trigger"] = trigger
    if rate is not None:
        wanted["rate"] = rate
    return Pick(run=run, metric=metric, tags=wanted, less=less)


def success(
    run: str, head: str = "quantum", trigger: str = QCOLOR, rate: float = 0.1, **more: Any
) -> Pick:
    """The attack success rate."""
    return of(run, "attack_success_rate", head, trigger, rate, **more)


def beyond_leak(run: str, head: str = "quantum", trigger: str = QCOLOR, rate: float = 0.1) -> Pick:
    """The attack success rate less the leak."""
    leak = of(run, "leak", head, trigger, rate)
    return success(run, head, trigger, rate, less=leak)
