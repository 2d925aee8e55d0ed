"""What an audit does: one frozen record, from the command line, a TOML file or code."""

from __future__ import annotations

import dataclasses
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from bezoar.attacks.named import attacks_white_box, releases_with_key
from bezoar.contracts import plugins
from bezoar.contracts.errors import FileProblem, InvalidArgument, UnknownName
from bezoar.contracts.records import hash_of
from bezoar.data.reduce import REDUCTIONS
from bezoar.defences.training import ensemble_named
from bezoar.evaluate.plan_values import converted, listed
from bezoar.models.training import TrainingSettings
from bezoar.quantum.devices.tables import device_names, is_device
from bezoar.quantum.distances import METRICS
from bezoar.quantum.engines.gradients import SPSA, Gradient, gradient_named
from bezoar.quantum.noise import parse_noise
from bezoar.quantum.tomography import parse_tomography

GRADIENTS = ("exact", "parameter-shift", "spsa", "spsa-pennylane")

_FIRST: dict[str, Any] = {"data": "digits", "classes": ("0", "1", "2", "3")}

# What decides which cells there are, or how results are judged, but not what one cell computes.
_NOT_IN_A_CELL = (
    "data",
    "noise",
    "attacks",
    "ratios",
    "seeds",
    "detectors",
    "distances",
    "tolerance",
)

_MODELS = ("qnn", "quantum-kernel")

# Beyond these a number is a slip of the hand, and would take all memory before anything is said.
_MOST: Mapping[str, int] = {
    "samples": 10**9,
    "features": 10**4,
    "qubits": 10**4,
    "layers": 10**3,
    "seeds": 10**4,
    "epochs": 10**9,
    "batch_size": 10**9,
    "shots": 10**9,
    "spsa_directions": 10**4,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPlan:
    """Every option of `bezoar audit`; the defaults follow the QUID paper where it says.

    They differ in two things: gradients and expectations are exact (there: SPSA, 1000 shots), and
    features are reduced by PCA (there: an autoencoder).

    Attributes:
        data: a data set's name or a file.
        label: the label column of a file; None finds it.
        classes: names of the classes to keep; None keeps all.
        samples: how many samples to keep; None keeps all.
        fresh_samples: whether each seed draws its samples afresh, from all that the data set has,
            so that intervals cover the draw too.
        features: how many latent features to reduce to; None is 8, or all of fewer.
        reduce: ``pca``, ``autoencoder`` or ``none``, fitted on the training part; or
            ``pool-autoencoder``, fitted once, without labels, on all samples that the data set is
            drawn from, as in the QUID paper.
        model: ``qnn``, or ``quantum-kernel``, which uses neither ansatz nor training settings.
        encoding: a registered encoding.
        axes: rotation axes of the angle encoding; a leading H is a layer of Hadamards.
        qubits: None for as few as hold the features.
        ansatz: a registered ansatz.
        layers: of the ansatz.
        noise: noise models by short name, see `parse_noise`, or devices, see `is_device`; all
            cells run under each. For a device the circuit is transpiled.
        device_qubits: the device's qubits that wires 0, 1, ... are put on; none for those that the
            transpiler chooses, which are the best.
        noise_on_encoding: whether the gates that prepare the data are noisy too.
        gradient: ``exact``, ``parameter-shift``, ``spsa`` or ``spsa-pennylane``.
        spsa_step, spsa_directions, spsa_shared: see `SPSA`.
        shots: per circuit execution; None is exact expectations.
        sampler: see `ShotSampler`.
        attacks: registered attacks.
        ratios: shares of the training samples to poison.
        metric: distance between states, for the attacks that compare them.
        distances: in which the classes of the clean data are compared; none for those of the QUID
            paper that the states have a form for.
        source_classes: classes whose samples are poisoned, for the attacks that can be targeted;
            none for all.
        attacker_noise: the noise that attackers reckon with; None for that of the victim.
        attacker_states: how attackers know the states, see `parse_tomography`.
        with_key: whether the victim holds the key where the attack is a protected release.
        ensemble: a defence while training, see `ensemble_named`.
        curves: whether loss and accuracy on the test part are measured after each epoch.
        detectors: registered detectors, to answer whether the poisoning shows.
        seeds: how many repetitions; the seeds are 0, 1, ...
        epochs, batch_size, learning_rate, optimizer: of the training.
        test: share of the samples held out.
        dtype, device: of the engine.
        tolerance: an accuracy drop up to this is not reported as a finding.

    Raises:
        UnknownName: a name that is not registered.
        InvalidArgument: a value out of range.
    """

    data: str = "digits"
    label: str | None = None
    classes: tuple[str, ...] | None = None
    samples: int | None = None
    fresh_samples: bool = False
    features: int | None = None
    reduce: str = "pca"
    encoding: str = "angle"
    axes: str = "XZ"
    qubits: int | None = None
    model: str = "qnn"
    ansatz: str = "sim-1"
    layers: int = 1
    noise: tuple[str, ...] = ("none", "ad-dep:0.05")
    device_qubits: tuple[int, ...] = ()
    noise_on_encoding: bool = True
    gradient: str = "exact"
    spsa_step: float = 0.01
    spsa_directions: int = 1
    spsa_shared: bool = True
    shots: int | None = None
    sampler: str = "auto"
    attacks: tuple[str, ...] = ("random", "quid", "bilevel")
    ratios: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7)
    metric: str = "frobenius"
    distances: tuple[str, ...] = ()
    source_classes: tuple[str, ...] = ()
    attacker_noise: str | None = None
    attacker_states: str = "exact"
    with_key: bool = False
    ensemble: str = "none"
    curves: bool = False
    detectors: tuple[str, ...] = ("state-similarity",)
    seeds: int = 5
    epochs: int = 30
    batch_size: int = 32
    learning_rate: float = 0.01
    optimizer: str = "adam"
    test: float = 0.3
    dtype: str = "float32"
    device: str = "cpu"
    tolerance: float = 0.05

    def __post_init__(self) -> None:
        for field in fields(self):
            value = converted(str(field.type), field.name, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        self._check_names()
        self._check_numbers()

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], *, source: str) -> Self:
        """A plan from keys named like the fields, ``-`` or ``_``.

        Raises:
            UnknownName: a key that is no field.
            InvalidArgument: a value of the wrong kind.
        """
        known = [field.name for field in fields(cls)]
        values: dict[str, Any] = {}
        for key, value in settings.items():
            name = key.replace("-", "_")
            if name not in known:
                raise UnknownName(f"{source}: key", key, known)
            values[name] = value
        return cls(**values)

    @classmethod
    def from_toml(cls, path: Path | str) -> Self:
        """A plan from a TOML file with the fields as keys.

        Raises:
            FileProblem: it cannot be read or is not TOML.
            UnknownName, InvalidArgument: as `from_settings`.
        """
        return cls.from_settings(read_toml(path), source=str(path))

    @staticmethod
    def first_settings(given: Mapping[str, Any]) -> dict[str, Any]:
        """`given`, with the digits 0 to 3 where no data is: a first run that is quick to read."""
        return dict(given) if "data" in given else _FIRST | dict(given)

    def hash(self, fingerprint: str) -> str:
        """A hash of every setting and of the data."""
        return hash_of({"plan": dataclasses.asdict(self), "data": fingerprint})

    def cell_settings(self) -> dict[str, Any]:
        """The settings that a single training depends on."""
        return {k: v for k, v in dataclasses.asdict(self).items() if k not in _NOT_IN_A_CELL}

    def command(self) -> str:
        """The command line that repeats the audit; ``--out`` is not part of a plan."""
        words = ["bezoar", "audit"]
        # After -- nothing is taken for an option.
        last = ["--", self.data] if self.data.startswith("-") else []
        if not last:
            words.append(self.data)
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "data" or value == field.default:
                continue
            option = field.name.replace("_", "-")
            if isinstance(value, bool):
                words.append(f"--{option}" if value else f"--no-{option}")
                continue
            text = listed(value) if isinstance(value, tuple) else str(value)
            words += [f"--{option}={text}"] if text.startswith("-") else [f"--{option}", text]
        return shlex.join(words + last)

    def gradient_method(self) -> Gradient:
        """The gradient with its settings."""
        if self.gradient == "spsa":
            return SPSA(
                step=self.spsa_step, directions=self.spsa_directions, shared=self.spsa_shared
            )
        return gradient_named(self.gradient)

    def training(self) -> TrainingSettings:
        """The settings of the training loop."""
        return TrainingSettings(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            optimizer=self.optimizer,
            gradient=self.gradient_method(),
            shots=self.shots,
            sampler=self.sampler,  # type: ignore[arg-type]
        )

    def _check_names(self) -> None:
        for kind, argument, chosen in (
            ("attacks", "attacks", self.attacks),
            ("detectors", "detectors", self.detectors),
            ("encodings", "encoding", (self.encoding,)),
            ("ansatze", "ansatz", (self.ansatz,)),
        ):
            _check_known(argument, chosen, plugins.names(kind))
        _check_known("gradient", (self.gradient,), GRADIENTS)
        _check_known("reduce", (self.reduce,), (*REDUCTIONS, "pool-autoencoder"))
        _check_known("model", (self.model,), _MODELS)
        _check_known("metric", (self.metric,), METRICS)
        _check_known("distances", self.distances, METRICS)
        _check_known("dtype", (self.dtype,), ("float32", "float64"))
        _check_known("sampler", (self.sampler,), ("auto", "joint", "marginal", "gaussian"))
        for name in self._noises():
            _check_noise(name)
        if not self.noise:
            raise InvalidArgument("noise", wanted="one or more noise models", got="none at all")
        parse_tomography(self.attacker_states)
        self._check_together(ensemble_named(self.ensemble) is not None)

    def _check_together(self, ensemble: bool) -> None:
        """Refuses what would have no meaning together, or no effect."""
        self._check_model(ensemble)
        if self.with_key and not any(map(releases_with_key, self.attacks)):
            raise InvalidArgument(
                "with_key",
                wanted="false without a protected release among the attacks",
                got="true",
                mend="add protected-release to the attacks",
            )
        if self.fresh_samples and self.samples is None:
            raise InvalidArgument(
                "samples",
                wanted="how many each seed draws afresh",
                got="none",
                mend="give samples, or leave out fresh_samples",
            )
        if self.device_qubits and not any(map(is_device, self._noises())):
            raise InvalidArgument(
                "device_qubits",
                wanted="none without a device among the noise models",
                got=self.device_qubits,
            )
        if len(set(self.device_qubits)) < len(self.device_qubits):
            raise InvalidArgument(
                "device_qubits", wanted="a qubit for each wire, none twice", got=self.device_qubits
            )

    def _noises(self) -> tuple[str, ...]:
        """Of the victim and of the attacker."""
        return (*self.noise, *filter(None, (self.attacker_noise,)))

    def _check_model(self, ensemble: bool) -> None:
        if self.model != "qnn" and (ensemble or self.curves):
            raise InvalidArgument(
                "model", wanted="qnn with an ensemble or with curves", got=self.model
            )
        if ensemble and self.curves:
            raise InvalidArgument("curves", wanted="none with an ensemble", got="both")
        if self.model == "qnn":
            return
        for name in filter(is_device, self._noises()):
            raise InvalidArgument("noise", wanted=f"no device with {self.model}", got=name)
        for name in filter(attacks_white_box, self.attacks):
            raise InvalidArgument(
                "attacks", wanted=f"none that trains a network, with {self.model}", got=name
            )

    def _check_numbers(self) -> None:
        for name, most in _MOST.items():
            value = getattr(self, name)
            if value is not None and not 1 <= value <= most:
                raise InvalidArgument(name, wanted=f"from 1 to {most}", got=value)
        for ratio in self.ratios:
            if not 0 <= ratio < 1:
                raise InvalidArgument(
                    "ratios",
                    wanted="shares in [0, 1)",
                    got=ratio,
                    mend="at 1 no clean sample is left to compare with" if ratio == 1 else "",
                )
        if not 0 < self.test < 1:
            raise InvalidArgument("test", wanted="a share in (0, 1)", got=self.test)
        if not 0 <= self.tolerance <= 1:
            raise InvalidArgument("tolerance", wanted="a share in [0, 1]", got=self.tolerance)
        self.training()


def _check_noise(name: str) -> None:
    if is_device(name):
        return
    if name != "none" and ":" not in name:
        raise UnknownName("noise", name, ["none", "ad-dep:P and others", *device_names()])
    parse_noise(name)


def read_toml(path: Path | str) -> dict[str, Any]:
    """The top level of a TOML file.

    Raises:
        FileProblem: it cannot be read or is not TOML.
    """
    try:
        with Path(path).open("rb") as handle:
            return tomllib.load(handle)
    except tomllib.TOMLDecodeError as error:
        raise FileProblem(path, f"is not TOML ({error})") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FileProblem(path, f"cannot be read ({reason})", mend="name a TOML file") from error


def _check_known(argument: str, chosen: tuple[str, ...], known: tuple[str, ...]) -> None:
    for name in chosen:
        if name not in known:
            raise UnknownName(argument, name, known)
