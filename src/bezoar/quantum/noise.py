"""What real gates do besides what they should: a table from gates to channels.

A channel is a completely positive, trace-preserving map. Each gives its Kraus operators, from
which every engine makes what it needs, so that no engine has a noise convention of its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal, Protocol

import numpy as np

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.gates import GATES, PAULIS, ComplexArray

_I, _X, _Y, _Z = (PAULIS[name] for name in "IXYZ")


class Channel(Protocol):
    """A one-qubit channel."""

    def kraus(self) -> tuple[ComplexArray, ...]:
        """Operators ``K_i`` of shape ``(2, 2)`` with ``sum_i K_i* K_i = 1``."""
        ...


@dataclass(frozen=True, slots=True)
class AmplitudeDamping:
    """Decay from 1 to 0 with probability `gamma` (T1)."""

    gamma: float

    def __post_init__(self) -> None:
        _fraction("gamma", self.gamma)

    def kraus(self) -> tuple[ComplexArray, ...]:
        """``diag(1, sqrt(1-gamma))`` and ``sqrt(gamma) |0><1|``."""
        return (
            np.diag([1, math.sqrt(1 - self.gamma)]).astype(complex),
            np.array([[0, math.sqrt(self.gamma)], [0, 0]], dtype=complex),
        )


@dataclass(frozen=True, slots=True)
class PhaseDamping:
    """Loss of phase with probability `gamma`; coherences shrink by ``sqrt(1 - gamma)``."""

    gamma: float

    def __post_init__(self) -> None:
        _fraction("gamma", self.gamma)

    def kraus(self) -> tuple[ComplexArray, ...]:
        """``diag(1, sqrt(1-gamma))`` and ``sqrt(gamma) |1><1|``."""
        return (
            np.diag([1, math.sqrt(1 - self.gamma)]).astype(complex),
            np.diag([0, math.sqrt(self.gamma)]).astype(complex),
        )


@dataclass(frozen=True, slots=True)
class Depolarizing:
    """Shrinks the Bloch vector by a factor; `p` means different things to different people.

    With ``convention="pennylane"`` a Pauli error X, Y or Z happens with probability ``p / 3`` each
    and the Bloch vector shrinks by ``1 - 4 p / 3``. With ``"qiskit"`` the state is replaced by the
    maximally mixed one with probability ``p``, and it shrinks by ``1 - p``.
    """

    p: float
    convention: Literal["pennylane", "qiskit"] = "pennylane"

    def __post_init__(self) -> None:
        _fraction("p", self.p)
        if self.convention not in ("pennylane", "qiskit"):
            raise InvalidArgument("convention", wanted="pennylane or qiskit", got=self.convention)

    @property
    def shrink(self) -> float:
        """The factor on the Bloch vector."""
        return 1 - (4 / 3 if self.convention == "pennylane" else 1) * self.p

    def kraus(self) -> tuple[ComplexArray, ...]:
        """``sqrt(1-q) 1`` and ``sqrt(q/3) P`` for each Pauli, with ``q = 3 (1 - shrink) / 4``."""
        q = 0.75 * (1 - self.shrink)
        side = math.sqrt(q / 3)
        return (math.sqrt(1 - q) * _I, side * _X, side * _Y, side * _Z)


@dataclass(frozen=True, slots=True)
class BitFlip:
    """X with probability `p`."""

    p: float

    def __post_init__(self) -> None:
        _fraction("p", self.p)

    def kraus(self) -> tuple[ComplexArray, ...]:
        """``sqrt(1-p) 1`` and ``sqrt(p) X``."""
        return (math.sqrt(1 - self.p) * _I, math.sqrt(self.p) * _X)


@dataclass(frozen=True, slots=True)
class PhaseFlip:
    """Z with probability `p`."""

    p: float

    def __post_init__(self) -> None:
        _fraction("p", self.p)

    def kraus(self) -> tuple[ComplexArray, ...]:
        """``sqrt(1-p) 1`` and ``sqrt(p) Z``."""
        return (math.sqrt(1 - self.p) * _I, math.sqrt(self.p) * _Z)


@dataclass(frozen=True, slots=True)
class ThermalRelaxation:
    """What `duration` does to an idle qubit with relaxation `t1` and dephasing `t2`.

    Populations move to the excited-state population `excited` by ``1 - exp(-duration / t1)``;
    coherences shrink by ``exp(-duration / t2)``. The three times share one unit.

    Raises:
        InvalidArgument: ``t2 > 2 t1``, which no physical process does, or a time out of range.
    """

    t1: float
    t2: float
    duration: float
    excited: float = 0.0

    def __post_init__(self) -> None:
        _fraction("excited", self.excited)
        if not (self.t1 > 0 and self.t2 > 0 and 0 <= self.duration < math.inf):
            raise InvalidArgument(
                "t1, t2, duration",
                wanted="positive times and a finite duration of 0 or more",
                got=(self.t1, self.t2, self.duration),
            )
        if self.t2 > 2 * self.t1 * (1 + 1e-12):
            raise InvalidArgument("t2", wanted=f"at most 2 t1 = {2 * self.t1:g}", got=self.t2)

    def kraus(self) -> tuple[ComplexArray, ...]:
        """From the eigenvectors of the Choi matrix."""
        reset = -math.expm1(-self.duration / self.t1)
        coherence = math.exp(-self.duration / self.t2)
        down, up = reset * (1 - self.excited), reset * self.excited
        choi = np.diag([1 - up, up, down, 1 - down])
        choi[0, 3] = choi[3, 0] = coherence
        values, vectors = np.linalg.eigh(choi)
        return tuple(
            math.sqrt(value) * vectors[:, i].reshape(2, 2).T.astype(complex)
            for i, value in enumerate(values)
            if value > 1e-15
        )


@dataclass(frozen=True, slots=True)
class CoherentRotation:
    """A calibration error: the rotation ``exp(-i angle P / 2)`` about `axis` after the gate.

    Over-rotation of a rotation gate is this channel with the gate's own axis.
    """

    angle: float
    axis: Literal["X", "Y", "Z"] = "X"

    def __post_init__(self) -> None:
        if self.axis not in ("X", "Y", "Z") or not math.isfinite(self.angle):
            raise InvalidArgument(
                "axis and angle",
                wanted="X, Y or Z and a finite angle",
                got=(self.axis, self.angle),
            )

    def kraus(self) -> tuple[ComplexArray, ...]:
        """One unitary."""
        half = self.angle / 2
        return (math.cos(half) * _I - 1j * math.sin(half) * PAULIS[self.axis],)


@dataclass(frozen=True, slots=True)
class ReadoutError:
    """Wrong bits at the measurement: `p10` reads 1 for a 0, `p01` reads 0 for a 1."""

    p10: float
    p01: float

    def __post_init__(self) -> None:
        _fraction("p10", self.p10)
        _fraction("p01", self.p01)

    @property
    def scale(self) -> float:
        """The factor on an expectation value."""
        return 1 - self.p10 - self.p01

    @property
    def shift(self) -> float:
        """What is added to it."""
        return self.p01 - self.p10


@dataclass(frozen=True, slots=True)
class NoiseModel:
    """Which channels follow which gate, in which order.

    Attributes:
        after_gate: channels after every gate that `by_gate` does not name, on each of its wires,
            applied in this order (a two-qubit gate gets them on both wires).
        by_gate: gate name to channels; replaces `after_gate` for it. The empty tuple is no noise.
        over_rotation: relative: a gate with an angle turns by ``(1 + over_rotation)`` times it.
        on_encoding: whether gates that prepare the data are noisy too (28-39 % of the output's
            spread depends on it, so it is never implicit).
        readout: error of every qubit's measurement, or None.

    Raises:
        InvalidArgument: an unknown gate, channels that are none, an over-rotation that is not
            finite.

    Example:
        >>> parse_noise("ad-dep:0.05").after_gate
        (AmplitudeDamping(gamma=0.05), Depolarizing(p=0.05, convention='pennylane'))
    """

    after_gate: tuple[Channel, ...] = ()
    by_gate: Mapping[str, tuple[Channel, ...]] = field(default_factory=dict, hash=False)
    over_rotation: float = 0.0
    on_encoding: bool = True
    readout: ReadoutError | None = None

    def __post_init__(self) -> None:
        unknown = set(self.by_gate) - set(GATES) - {"UNITARY", "STATE"}
        if unknown:
            raise InvalidArgument(
                "by_gate", wanted="names of gates", got=", ".join(sorted(unknown))
            )
        for name, channels in (("after_gate", self.after_gate), *self.by_gate.items()):
            if not isinstance(channels, tuple) or not all(hasattr(c, "kraus") for c in channels):
                raise InvalidArgument(
                    f"channels of {name}", wanted="a tuple of channels", got=repr(channels)
                )
        if not math.isfinite(self.over_rotation):
            raise InvalidArgument("over_rotation", wanted="a finite number", got=self.over_rotation)

    def channels(self, gate: str, *, encoding: bool) -> tuple[Channel, ...]:
        """The channels after `gate`, in order; none on the encoding unless `on_encoding`."""
        if encoding and not self.on_encoding:
            return ()
        return self.by_gate.get(gate, self.after_gate)

    def turn(self, *, encoding: bool) -> float:
        """The factor on every angle."""
        return 1.0 if encoding and not self.on_encoding else 1.0 + self.over_rotation

    def is_active(self) -> bool:
        """Whether anything here differs from perfect gates and readout."""
        channels = [*self.after_gate, *itertools.chain.from_iterable(self.by_gate.values())]
        return (
            self.over_rotation != 0
            or (self.readout is not None and (self.readout.scale, self.readout.shift) != (1, 0))
            or any(not is_identity(channel) for channel in channels)
        )


def is_identity(channel: Channel) -> bool:
    """Whether the channel does nothing, up to a phase."""
    return bool(np.abs(transfer_matrix(channel.kraus()) - np.eye(4)).max() < 1e-15)


def transfer_matrix(kraus: tuple[ComplexArray, ...]) -> np.ndarray:
    """The real Pauli transfer matrix ``R[i, j] = Tr(P_i sum_k K P_j K*) / d``, ``(d^2, d^2)``.

    ``P`` runs over Pauli strings in the order I, X, Y, Z per wire, first wire slowest.
    """
    basis = pauli_basis(kraus[0].shape[0])
    moved = sum(np.einsum("ab,jbc,dc->jad", k, basis, k.conj()) for k in kraus)
    return np.einsum("iab,jba->ij", basis, moved).real / kraus[0].shape[0]


def pauli_basis(dimension: int) -> ComplexArray:
    """All Pauli strings on ``log2(dimension)`` wires, ``(dimension**2, dimension, dimension)``."""
    basis = np.ones((1, 1, 1), dtype=complex)
    one = np.stack([_I, _X, _Y, _Z])
    while basis.shape[1] < dimension:
        size = 2 * basis.shape[1]
        basis = np.einsum("iab,jcd->ijacbd", basis, one).reshape(-1, size, size)
    return basis


def ad_dep(p: float, *, on_encoding: bool = True, damping_first: bool = True) -> NoiseModel:
    """Amplitude damping and depolarising (PennyLane's p) after each gate, as in the QUID paper.

    Source: arXiv 2411.14412, section 5.1; the order of the two is not given there, ours is damping
    first unless `damping_first` is false (2-15 % of the output's spread).
    """
    channels: tuple[Channel, ...] = (AmplitudeDamping(p), Depolarizing(p))
    return NoiseModel(
        after_gate=channels if damping_first else channels[::-1], on_encoding=on_encoding
    )


def parse_noise(text: str) -> NoiseModel | None:
    """A noise model from its short name; None for ``none``.

    ``ad-dep:P`` is `ad_dep`, ``dep-ad:P`` the other order, ``dep:P`` and ``dep-qiskit:P``
    depolarising alone in either convention, ``ad:P``, ``pd:P``, ``bit-flip:P``, ``phase-flip:P``,
    ``over-rotation:E`` (relative) and ``readout:P`` what they say.

    Raises:
        InvalidArgument: another form, or a probability outside [0, 1].
    """
    if text == "none":
        return None
    name, _, number = text.partition(":")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if name not in _PRESETS or not math.isfinite(value):
        raise InvalidArgument(
            "noise",
            wanted=f"none or NAME:NUMBER with NAME one of {', '.join(_PRESETS)}",
            got=repr(text),
            mend="for example ad-dep:0.05",
        )
    return _PRESETS[name](value)


def describe(noise: NoiseModel | None) -> dict[str, object]:
    """Every setting of the model as JSON values, for run records."""
    if noise is None:
        return {"active": False}
    return {
        "active": noise.is_active(),
        "after_gate": [_describe_channel(c) for c in noise.after_gate],
        "by_gate": {g: [_describe_channel(c) for c in cs] for g, cs in noise.by_gate.items()},
        "over_rotation": noise.over_rotation,
        "on_encoding": noise.on_encoding,
        "readout": None if noise.readout is None else [noise.readout.p10, noise.readout.p01],
    }


def _describe_channel(channel: Channel) -> dict[str, object]:
    settings = {f.name: getattr(channel, f.name) for f in fields(channel)}  # pyright: ignore[reportArgumentType]
    return {"channel": type(channel).__name__, **settings}


def _fraction(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise InvalidArgument(name, wanted="a probability in [0, 1]", got=value)


_PRESETS = {
    "ad-dep": ad_dep,
    "dep-ad": lambda p: ad_dep(p, damping_first=False),
    "dep": lambda p: NoiseModel(after_gate=(Depolarizing(p),)),
    "dep-qiskit": lambda p: NoiseModel(after_gate=(Depolarizing(p, "qiskit"),)),
    "ad": lambda p: NoiseModel(after_gate=(AmplitudeDamping(p),)),
    "pd": lambda p: NoiseModel(after_gate=(PhaseDamping(p),)),
    "bit-flip": lambda p: NoiseModel(after_gate=(BitFlip(p),)),
    "phase-flip": lambda p: NoiseModel(after_gate=(PhaseFlip(p),)),
    "over-rotation": lambda e: NoiseModel(over_rotation=e),
    "readout": lambda p: NoiseModel(readout=ReadoutError(p, p)),
}
