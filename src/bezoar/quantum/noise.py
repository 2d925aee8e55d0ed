"""What real gates do besides what they should: which channels follow which gate, and readout.

The channels themselves are in `bezoar.quantum.channels`; they can be imported from here as well.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.channels import (
    AmplitudeDamping,
    BitFlip,
    Channel,
    CoherentRotation,
    Depolarizing,
    KrausChannel,
    PhaseDamping,
    PhaseFlip,
    ThermalRelaxation,
    TwoQubitDepolarizing,
    check_fraction,
    describe_channel,
    is_identity,
    n_wires,
    pauli_basis,
    transfer_matrix,
)
from bezoar.quantum.gates import GATES, STATE_PREPARATION, UNITARY

__all__ = [
    "AmplitudeDamping",
    "BitFlip",
    "Channel",
    "CoherentRotation",
    "Depolarizing",
    "GateNoise",
    "KrausChannel",
    "NoiseModel",
    "PhaseDamping",
    "PhaseFlip",
    "PlacedChannel",
    "ReadoutError",
    "ThermalRelaxation",
    "TwoQubitDepolarizing",
    "ad_dep",
    "describe",
    "is_identity",
    "parse_noise",
    "pauli_basis",
    "transfer_matrix",
]

PlacedChannel = tuple[Channel, tuple[int, ...]]
"""A channel and the wires it acts on."""


@dataclass(frozen=True, slots=True)
class ReadoutError:
    """Wrong bits at the measurement: `p10` reads 1 for a 0, `p01` reads 0 for a 1."""

    p10: float
    p01: float

    def __post_init__(self) -> None:
        check_fraction("p10", self.p10)
        check_fraction("p01", self.p01)

    @property
    def scale(self) -> float:
        """The factor on an expectation value."""
        return 1 - self.p10 - self.p01

    @property
    def shift(self) -> float:
        """What is added to it."""
        return self.p01 - self.p10

    @property
    def is_perfect(self) -> bool:
        """Whether every bit is read as it is."""
        return (self.scale, self.shift) == (1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateNoise:
    """The channels after one gate at one place.

    Attributes:
        gate: name of a standard gate.
        wires: where it acts, in its own order: noise of ``(0, 1)`` is not that of ``(1, 0)``.
        channels: in time order, each with the wires that it acts on, which are among `wires`; the
            first of two is the slower index of its Kraus operators.

    Raises:
        InvalidArgument: an unknown gate, wires that do not fit it, or channels that do not fit
            their wires.

    Example:
        >>> GateNoise(gate="CX", wires=(1, 0), channels=((TwoQubitDepolarizing(0.01), (1, 0)),
        ...                                              (AmplitudeDamping(0.02), (0,)))).wires
        (1, 0)
    """

    gate: str
    wires: tuple[int, ...]
    channels: tuple[PlacedChannel, ...]

    def __post_init__(self) -> None:
        if self.gate not in GATES:
            raise InvalidArgument("gate", wanted="the name of a standard gate", got=self.gate)
        size = GATES[self.gate].n_wires
        if len(self.wires) != size or len(set(self.wires)) != size or min(self.wires) < 0:
            raise InvalidArgument(
                f"wires of {self.gate}", wanted=f"{size} different wires from 0", got=self.wires
            )
        for channel, wires in self.channels:
            fits = hasattr(channel, "kraus") and n_wires(channel) == len(set(wires)) == len(wires)
            if not fits or not set(wires) <= set(self.wires):
                raise InvalidArgument(
                    f"channels of {self.gate}",
                    wanted=f"channels, each on as many of the wires {self.wires} as it has",
                    got=f"{channel!r} on {wires}",
                )


@dataclass(frozen=True, slots=True)
class NoiseModel:
    """Which channels follow which gate, in which order.

    Attributes:
        after_gate: one-qubit channels after every gate that nothing below names, on each of its
            wires, applied in this order (a two-qubit gate gets them on both wires).
        by_gate: gate name to channels; replaces `after_gate` for it. The empty tuple is no noise.
            A two-qubit gate may have two-qubit channels, on its wires in its order.
        over_rotation: relative: a gate with an angle turns by ``(1 + over_rotation)`` times it.
        on_encoding: whether gates that prepare the data are noisy too (28-39 % of the output's
            spread depends on it, so it is never implicit).
        readout: error of every qubit's measurement; or one for each wire, None for a perfect one;
            or None.
        by_place: noise of a gate at certain wires; replaces `by_gate` there. Devices have it.

    Raises:
        InvalidArgument: an unknown gate, channels that are none or act on another number of
            qubits, a place that is named twice, an over-rotation that is not finite.

    Example:
        >>> parse_noise("ad-dep:0.05").after_gate
        (AmplitudeDamping(gamma=0.05), Depolarizing(p=0.05, convention='pennylane'))
    """

    after_gate: tuple[Channel, ...] = ()
    by_gate: Mapping[str, tuple[Channel, ...]] = field(default_factory=dict, hash=False)
    over_rotation: float = 0.0
    on_encoding: bool = True
    readout: ReadoutError | tuple[ReadoutError | None, ...] | None = None
    by_place: tuple[GateNoise, ...] = ()

    def __post_init__(self) -> None:
        unknown = set(self.by_gate) - set(GATES) - {UNITARY, STATE_PREPARATION}
        if unknown:
            raise InvalidArgument(
                "by_gate", wanted="names of gates", got=", ".join(sorted(unknown))
            )
        _check_channels("after_gate", self.after_gate, most=1)
        for name, channels in self.by_gate.items():
            _check_channels(name, channels, most=GATES[name].n_wires if name in GATES else 1)
        if not math.isfinite(self.over_rotation):
            raise InvalidArgument("over_rotation", wanted="a finite number", got=self.over_rotation)
        _check_readout(self.readout)
        places = Counter((noise.gate, noise.wires) for noise in self.by_place)
        twice = [place for place, count in places.items() if count > 1]
        if twice:
            raise InvalidArgument("by_place", wanted="each gate and place once", got=sorted(twice))

    def channels(self, gate: str, *, encoding: bool) -> tuple[Channel, ...]:
        """The channels after `gate` where no place has its own, in order.

        None on the encoding unless `on_encoding`.
        """
        if encoding and not self.on_encoding:
            return ()
        return self.by_gate.get(gate, self.after_gate)

    def placed(
        self, gate: str, wires: tuple[int, ...], *, encoding: bool
    ) -> tuple[PlacedChannel, ...]:
        """The channels after `gate` on `wires`, in time order, each with its wires.

        None on the encoding unless `on_encoding`.
        """
        for noise in self.by_place:
            if noise.gate == gate and noise.wires == wires:
                return noise.channels if self.on_encoding or not encoding else ()
        return tuple(
            (channel, on)
            for channel in self.channels(gate, encoding=encoding)
            for on in ([wires] if n_wires(channel) > 1 else [(wire,) for wire in wires])
        )

    def readout_on(self, wire: int) -> ReadoutError | None:
        """The readout error of one wire.

        Raises:
            InvalidArgument: there is one for each wire, but none for this.
        """
        if not isinstance(self.readout, tuple):
            return self.readout
        if wire >= len(self.readout):
            raise InvalidArgument(
                "noise",
                wanted=f"a readout error for wire {wire}",
                got=f"{len(self.readout)} of them",
                mend="use the noise of the qubits that the circuit runs on",
            )
        return self.readout[wire]

    def turn(self, *, encoding: bool) -> float:
        """The factor on every angle."""
        return 1.0 if encoding and not self.on_encoding else 1.0 + self.over_rotation

    def is_active(self) -> bool:
        """Whether anything here differs from perfect gates and readout."""
        channels = [*self.after_gate, *itertools.chain.from_iterable(self.by_gate.values())]
        channels += [channel for noise in self.by_place for channel, _ in noise.channels]
        errors = self.readout if isinstance(self.readout, tuple) else (self.readout,)
        return (
            self.over_rotation != 0
            or any(error is not None and not error.is_perfect for error in errors)
            or any(not is_identity(channel) for channel in channels)
        )


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
    settings: dict[str, object] = {
        "active": noise.is_active(),
        "after_gate": [describe_channel(c) for c in noise.after_gate],
        "by_gate": {g: [describe_channel(c) for c in cs] for g, cs in noise.by_gate.items()},
        "over_rotation": noise.over_rotation,
        "on_encoding": noise.on_encoding,
        "readout": [_describe_readout(error) for error in noise.readout]
        if isinstance(noise.readout, tuple)
        else _describe_readout(noise.readout),
    }
    if noise.by_place:
        settings["by_place"] = [
            {
                "gate": place.gate,
                "wires": list(place.wires),
                "channels": [describe_channel(c) | {"wires": list(on)} for c, on in place.channels],
            }
            for place in noise.by_place
        ]
    return settings


def _describe_readout(error: ReadoutError | None) -> list[float] | None:
    return None if error is None else [error.p10, error.p01]


def _check_channels(name: str, channels: object, *, most: int) -> None:
    if not isinstance(channels, tuple) or not all(hasattr(c, "kraus") for c in channels):
        raise InvalidArgument(
            f"channels of {name}", wanted="a tuple of channels", got=repr(channels)
        )
    wide = [channel for channel in channels if n_wires(channel) > most]
    if wide:
        raise InvalidArgument(
            f"channels of {name}",
            wanted="channels on one qubit",
            got=repr(wide[0]),
            mend="name a gate on two qubits in by_gate, or its places in by_place",
        )


def _check_readout(readout: object) -> None:
    errors = readout if isinstance(readout, tuple) else (readout,)
    if not all(error is None or isinstance(error, ReadoutError) for error in errors):
        raise InvalidArgument(
            "readout", wanted="a ReadoutError, a tuple of them, or None", got=repr(readout)
        )


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
