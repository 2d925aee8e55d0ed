"""What a backdoor run does: one frozen record, from the command line, a TOML file or code."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self, cast

from bezoar.attacks.backdoors.backdoor import Backdoor
from bezoar.attacks.backdoors.trigger import CoveringTrigger, trigger_named
from bezoar.contracts.errors import InvalidArgument, UnknownName
from bezoar.contracts.records import hash_of
from bezoar.evaluate.plan import read_toml
from bezoar.evaluate.plan_values import converted, listed
from bezoar.models.hybrid.fit_settings import FitSettings

DEFENCES = (
    "fine-pruning",
    "neural-cleanse",
    "strip",
    "activation-clustering",
    "spectral-signatures",
)
HEADS = ("quantum", "linear", "tanh")

Mapped = Literal["all-to-one", "all-to-all", "source-specific"]

# Beyond these a number is a slip of the hand, and would take all memory before anything is said.
_MOST: Mapping[str, int] = {
    "samples": 10**7,
    "test_samples": 10**7,
    "validation": 10**6,
    "image_size": 1024,
    "width": 16,
    "layers": 1000,
    "seeds": 10**4,
    "epochs": 10**5,
    "batch_size": 10**6,
    "shots": 10**9,
}
_LEAST: Mapping[str, int] = {"image_size": 8}
# What decides which trainings there are, or what is asked of them, but not what one of them does.
_NOT_IN_A_TRAINING = (
    *("data", "heads", "triggers", "rates", "seeds", "defences", "curves", "saliency"),
    *("control", "gradients", "theory", "tolerance", "retrain"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackdoorPlan:
    """Every option of `bezoar backdoor evaluate`.

    Attributes:
        data: an image data set, the path of an image folder, or a table of features (a data set's
            name or a file), whose networks have no trunk.
        classes: names of the classes to keep; None keeps all.
        image_size: side of the images in pixels; without effect on a table.
        samples: training images that each seed draws; None takes all.
        test_samples: test images that each seed draws; None takes all, or a third of `samples`
            where the source has no test part.
        validation: clean images that the defender holds, apart from training and test.
        trunk: ``small``, ``resnet-18`` or ``resnet-50``; ``none`` for a table.
        stages: ResNet stages kept, 1 to 4.
        weights: of the trunk, see `bezoar.models.hybrid.weights`; ``none`` starts at random,
            ``imagenet`` takes torchvision's or those in the data folder.
        heads: ``quantum``; ``linear``, the classical twin; ``tanh``, the classical control with the
            quantum head's bottleneck.
        width: qubits, or width of the bottleneck.
        layers: of the circuit.
        entangler: ``ring`` or ``chain``.
        noise: noise model of the circuit, see `parse_noise`.
        shots: measurements per circuit execution; None is exact expectations.
        triggers: see `trigger_named`.
        rates: shares of the training set that are poisoned.
        target: name of the class wanted by the attacker; None for the first.
        mapping: ``all-to-one``, ``all-to-all`` or ``source-specific``.
        sources: names of the classes that are poisoned, for ``source-specific``.
        clean_label: poison samples of the target class and leave their labels.
        cover: cover samples for each poisoned one, for WaNet and for ``source-specific``; see
            `Backdoor`.
        warm_up, epochs, train_from, batch_size, learning_rate, head_learning_rate,
            theta_learning_rate, precision,
            device: of the training, see `FitSettings`. The defaults suit the small trunk, which
            starts at random; a trunk with weights wants a warm-up and 2e-4.
        defences: which to mount, of `DEFENCES`.
        retrain: whether models are trained anew on what the sample detectors leave.
        control: whether the zero-trigger control is trained.
        curves: whether accuracy and attack success are measured after each epoch.
        saliency: whether Grad-CAM maps are drawn and compared.
        gradients: whether gradient norms and parameter counts are measured (Tables 2 and 3).
        theory: whether the bounds of the paper's theorems are laid beside the measurements.
        seeds: how many repetitions; the seeds are 0, 1, ...
        tolerance: an attack success this little above leak and control is no finding.

    Raises:
        UnknownName: a name that does not exist.
        InvalidArgument: a value out of range.

    Example:
        >>> plan = BackdoorPlan(triggers=("patch:3",), rates=(0.1,))
        >>> plan.data, plan.heads
        ('digits-rgb', ('quantum', 'linear'))
    """

    data: str = "digits-rgb"
    classes: tuple[str, ...] | None = None
    image_size: int = 32
    samples: int | None = None
    test_samples: int | None = None
    validation: int = 200
    trunk: str = "small"
    stages: int = 4
    weights: str = "none"
    heads: tuple[str, ...] = ("quantum", "linear")
    width: int = 10
    layers: int = 6
    entangler: str = "ring"
    noise: str = "none"
    shots: int | None = None
    triggers: tuple[str, ...] = ("patch:3", "blend:0.15", "qcolor:1.2,1,0.8")
    rates: tuple[float, ...] = (0.1,)
    target: str | None = None
    mapping: str = "all-to-one"
    sources: tuple[str, ...] = ()
    clean_label: bool = False
    cover: float = 0.0
    warm_up: int = 0
    epochs: int = 15
    train_from: str = "stem"
    batch_size: int = 32
    learning_rate: float = 1e-3
    head_learning_rate: float = 2e-3
    theta_learning_rate: float = 2e-2
    precision: str = "auto"
    device: str = "cpu"
    defences: tuple[str, ...] = ()
    retrain: bool = False
    control: bool = True
    curves: bool = False
    saliency: bool = False
    gradients: bool = False
    theory: bool = False
    seeds: int = 3
    tolerance: float = 0.1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = converted(str(field.type), field.name, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        self._check_names()
        self._check_numbers()
        self.training()
        for text in self.triggers:
            self.backdoor(text, self.rates[0])

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], *, source: str) -> Self:
        """A plan from keys named like the fields, ``-`` or ``_``.

        Raises:
            UnknownName: a key that is no field.
            InvalidArgument: a value of the wrong kind.
        """
        known = [field.name for field in fields(cls)]
        values = {key.replace("-", "_"): value for key, value in settings.items()}
        for name in values:
            if name not in known:
                raise UnknownName(f"{source}: key", name, known)
        return cls(**values)

    @classmethod
    def from_toml(cls, path: Path | str) -> Self:
        """A plan from a TOML file with the fields as keys.

        Raises:
            FileProblem: it cannot be read or is not TOML.
            UnknownName, InvalidArgument: as `from_settings`.
        """
        return cls.from_settings(read_toml(path), source=str(path))

    def hash(self, fingerprint: str) -> str:
        """A hash of every setting and of the data."""
        return hash_of({"plan": dataclasses.asdict(self), "data": fingerprint})

    def training_settings(self) -> dict[str, Any]:
        """The settings that a single training depends on, JSON values."""
        values = dataclasses.asdict(self)
        return {name: value for name, value in values.items() if name not in _NOT_IN_A_TRAINING}

    def training(self) -> FitSettings:
        """How networks are trained."""
        return FitSettings(
            warm_up=self.warm_up,
            epochs=self.epochs,
            train_from=self.train_from,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            head_learning_rate=self.head_learning_rate,
            theta_learning_rate=self.theta_learning_rate,
            precision=cast("Any", self.precision),
            device=self.device,
        )

    def backdoor(
        self, trigger: str, rate: float, *, target: int = 0, sources: tuple[int, ...] = (1,)
    ) -> Backdoor:
        """The attack with one of the triggers.

        Args:
            trigger: see `trigger_named`.
            rate: share of the training set.
            target: code of the class that is wanted.
            sources: codes of the classes that are poisoned; only for ``source-specific``.
        """
        made = trigger_named(trigger)
        covers = self.mapping == "source-specific" or isinstance(made, CoveringTrigger)
        return Backdoor(
            trigger=made,
            target=target,
            ratio=rate,
            mapping=cast("Mapped", self.mapping),
            sources=sources if self.mapping == "source-specific" else (),
            clean_label=self.clean_label,
            cover=self.cover if covers else 0.0,
        )

    def command(self) -> str:
        """The command line that gives this plan."""
        words = ["bezoar", "backdoor", "evaluate", self.data]
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "data" or value == field.default:
                continue
            flag = f"--{field.name.replace('_', '-')}"
            if field.name == "triggers":
                words += [word for spec in value for word in ("--trigger", spec)]
            elif isinstance(value, bool):
                words.append(flag if value else f"--no-{flag[2:]}")
            elif isinstance(value, tuple):
                words += [flag, listed(value)]
            else:
                words += [flag, str(value)]
        return shlex.join(words)

    def _check_names(self) -> None:
        _known("heads", self.heads, HEADS)
        _known("defences", self.defences, DEFENCES)
        _known("trunk", (self.trunk,), ("small", "resnet-18", "resnet-50", "none"))
        _known("entangler", (self.entangler,), ("ring", "chain"))
        _known("mapping", (self.mapping,), ("all-to-one", "all-to-all", "source-specific"))
        for name in ("heads", "triggers", "rates"):
            if not getattr(self, name):
                raise InvalidArgument(name, wanted="one or more", got="none at all")
        if (self.mapping == "source-specific") != bool(self.sources):
            raise InvalidArgument(
                "sources",
                wanted="class names with the mapping source-specific, and none without",
                got=", ".join(self.sources) or "none",
            )
        if self.retrain and not {"activation-clustering", "spectral-signatures"} & {*self.defences}:
            raise InvalidArgument(
                "retrain",
                wanted="false without a defence that scores training samples",
                got="true",
                mend="add activation-clustering or spectral-signatures to the defences",
            )

    def _check_numbers(self) -> None:
        for name, most in _MOST.items():
            value, least = getattr(self, name), _LEAST.get(name, 1)
            if value is not None and not least <= value <= most:
                raise InvalidArgument(name, wanted=f"from {least} to {most}", got=value)
        if not 1 <= self.stages <= 4:
            raise InvalidArgument("stages", wanted="from 1 to 4", got=self.stages)
        for rate in self.rates:
            if not 0 < rate < 1:
                raise InvalidArgument("rates", wanted="shares in (0, 1)", got=rate)
        if not 0 <= self.tolerance <= 1:
            raise InvalidArgument("tolerance", wanted="a share in [0, 1]", got=self.tolerance)


def _known(argument: str, chosen: tuple[str, ...], known: tuple[str, ...]) -> None:
    for name in chosen:
        if name not in known:
            raise UnknownName(argument, name, known)
