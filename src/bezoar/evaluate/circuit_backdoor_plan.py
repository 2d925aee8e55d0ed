"""What a run of circuit backdoors does."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from bezoar.attacks.backdoors.circuits.qdoor import QDoor
from bezoar.attacks.backdoors.circuits.qtrojan import QTrojan
from bezoar.attacks.backdoors.trigger import trigger_named
from bezoar.contracts.errors import InvalidArgument, UnknownName
from bezoar.contracts.records import hash_of
from bezoar.evaluate.plan import AuditPlan, read_toml
from bezoar.evaluate.plan_values import converted, listed
from bezoar.quantum.devices.tables import is_device
from bezoar.quantum.synthesis import ApproximateSynthesis

ATTACKS = ("qtrojan", "qdoor")

_OF_THE_VICTIM = (
    *("data", "label", "classes", "samples", "features", "reduce", "encoding", "axes", "qubits"),
    *("ansatz", "layers", "epochs", "batch_size", "learning_rate", "test"),
)
# What decides which cells there are, or how results are judged, but not what one cell computes.
_NOT_IN_A_CELL = ("data", "attacks", "seeds", "tolerance")


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBackdoorPlan:
    """Every option of a run of `run_circuit_backdoor`.

    Attributes:
        data: a table of features: a data set's name or a file.
        label: the label column of a file; None finds it.
        classes: names of the classes to keep; None keeps all.
        samples: how many samples to keep; None keeps all.
        features, reduce, encoding, axes, qubits, ansatz, layers: of the network, as in `AuditPlan`.
        noise: of gates and readout, when training and when predicting, see `parse_noise`; no
            device.
        attacks: among ``qtrojan`` and ``qdoor``.
        target: name of the wanted class; None for the first.
        wires: how many wires QTrojan blinds; None for all.
        armed: strengths at which QTrojan is measured, in [0, 1]; 0 and 1 always are.
        trigger: of QDoor, on raw features, see `trigger_named`.
        threshold, bits: of the victim's synthesis, see `ApproximateSynthesis`.
        share: of the trained two-qubit rotations that QDoor has dropped.
        seeds: how many repetitions; the seeds are 0, 1, ...
        epochs, batch_size, learning_rate: of honest and of QDoor's training.
        test: share of the samples held out for the judge.
        validation: share that the defender holds, to compare circuits on.
        tolerance: an attack success this much above the leak is reported as a finding.

    Raises:
        UnknownName: a name that is not registered.
        InvalidArgument: a value out of range.
    """

    data: str = "wine"
    label: str | None = None
    classes: tuple[str, ...] | None = None
    samples: int | None = None
    features: int | None = None
    reduce: str = "pca"
    encoding: str = "angle"
    axes: str = "XZ"
    qubits: int | None = None
    ansatz: str = "sim-6"
    layers: int = 2
    noise: str = "none"
    attacks: tuple[str, ...] = ATTACKS
    target: str | None = None
    wires: int | None = None
    armed: tuple[float, ...] = (0.25, 0.5, 0.75)
    trigger: str = "feature:0/1,2"
    threshold: float = 0.3
    bits: int | None = None
    share: float = 0.5
    seeds: int = 3
    epochs: int = 100
    batch_size: int = 32
    learning_rate: float = 0.03
    test: float = 0.3
    validation: float = 0.15
    tolerance: float = 0.1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = converted(str(field.type), field.name, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        self.victim()
        self.qtrojan(0)
        self.qdoor(0)
        trigger_named(self.trigger)
        for name in self.attacks:
            if name not in ATTACKS:
                raise UnknownName("attacks", name, ATTACKS)
        if not self.attacks:
            raise InvalidArgument("attacks", wanted="one or more", got="none at all")
        if is_device(self.noise):
            raise InvalidArgument(
                "noise", wanted="channels such as ad-dep:0.05", got=f"the device {self.noise}"
            )
        for strength in self.armed:
            if not 0 <= strength <= 1:
                raise InvalidArgument("armed", wanted="strengths in [0, 1]", got=strength)
        if not 0 < self.validation < 1 - self.test:
            raise InvalidArgument(
                "validation",
                wanted=f"a share above 0 and below {1 - self.test:g}, which test leaves",
                got=self.validation,
            )
        for name, value in (("seeds", self.seeds), ("tolerance", self.tolerance)):
            if not (1 <= value <= 10**4 if name == "seeds" else 0 <= value <= 1):
                raise InvalidArgument(name, wanted="1 or more seeds, a share", got=value)

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

    def victim(self) -> AuditPlan:
        """Data, network and training as an audit describes them."""
        chosen = {name: getattr(self, name) for name in _OF_THE_VICTIM}
        return AuditPlan(**chosen, noise=(self.noise,), attacks=(), detectors=())

    def qtrojan(self, target: int) -> QTrojan:
        """The attack on inference."""
        return QTrojan(target=target, n_wires=self.wires)

    def qdoor(self, target: int) -> QDoor:
        """The attack on training."""
        return QDoor(
            target=target,
            synthesis=ApproximateSynthesis(threshold=self.threshold, bits=self.bits),
            share=self.share,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
        )

    def hash(self, fingerprint: str) -> str:
        """A hash of every setting and of the data."""
        return hash_of({"plan": dataclasses.asdict(self), "data": fingerprint})

    def cell_settings(self) -> dict[str, Any]:
        """The settings that one repetition of one attack depends on."""
        return {k: v for k, v in dataclasses.asdict(self).items() if k not in _NOT_IN_A_CELL}

    def command(self) -> str:
        """The command line that gives this plan."""
        words = ["bezoar", "backdoor", "circuit", self.data]
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "data" and value != field.default:
                text = listed(value) if isinstance(value, tuple) else str(value)
                words += [f"--{field.name.replace('_', '-')}", text]
        return shlex.join(words)
