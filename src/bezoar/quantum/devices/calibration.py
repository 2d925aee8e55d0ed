"""What a calibration says of a qubit and of a gate, and the channels that follow from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.gates import GATES
from bezoar.quantum.noise import (
    Depolarizing,
    PlacedChannel,
    ReadoutError,
    ThermalRelaxation,
    TwoQubitDepolarizing,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceQubit:
    """One qubit.

    Attributes:
        t1, t2: relaxation and dephasing time in seconds; None where it was not measured.
        readout: error of its measurement; None where it was not measured.
    """

    t1: float | None = None
    t2: float | None = None
    readout: ReadoutError | None = None

    def __post_init__(self) -> None:
        for name, time in (("t1", self.t1), ("t2", self.t2)):
            if time is not None and not time > 0:
                raise InvalidArgument(name, wanted="a positive time in seconds", got=time)

    def relaxation(self, duration: float) -> ThermalRelaxation | None:
        """What `duration` seconds do to the qubit, at zero temperature; None without times.

        A `t2` above ``2 t1``, which measurement error can give, counts as ``2 t1``.
        """
        if duration == 0 or (self.t1 is None and self.t2 is None):
            return None
        t1 = math.inf if self.t1 is None else self.t1
        t2 = 2 * t1 if self.t2 is None else min(self.t2, 2 * t1)
        return ThermalRelaxation(t1, t2, duration)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceGate:
    """One gate at one place.

    Attributes:
        gate: name of a standard gate.
        qubits: where it acts, in its own order.
        error: average gate infidelity in [0, 1]; None where it was not measured. 1 is how IBM
            writes a gate that could not be calibrated.
        duration: in seconds; None where it is not known.

    Raises:
        InvalidArgument: an unknown gate, another number of qubits, an error or duration out of
            range.
    """

    gate: str
    qubits: tuple[int, ...]
    error: float | None = None
    duration: float | None = None

    def __post_init__(self) -> None:
        if self.gate not in GATES or len(set(self.qubits)) != GATES[self.gate].n_wires:
            raise InvalidArgument(
                "gate", wanted="a standard gate on its qubits", got=(self.gate, self.qubits)
            )
        if self.error is not None and not 0 <= self.error <= 1:
            raise InvalidArgument(f"error of {self.gate}", wanted="0 to 1", got=self.error)
        if self.duration is not None and not 0 <= self.duration < math.inf:
            raise InvalidArgument(
                f"duration of {self.gate}", wanted="0 or more seconds", got=self.duration
            )

    @property
    def is_calibrated(self) -> bool:
        """Whether it can be used at all."""
        return self.error is None or self.error < 1


def channels_of(gate: DeviceGate, qubits: Sequence[DeviceQubit]) -> tuple[PlacedChannel, ...]:
    """The channels after a gate: depolarising on its qubits, then relaxation of each of them.

    Relaxation lasts as long as the gate. Depolarising makes up what is missing to the measured
    error: with ``F`` the average fidelity of relaxation alone and d the dimension, depolarising
    with probability p (Qiskit's) and then relaxation have the average fidelity
    ``(1 - p) F + p / d``, which is ``1 - error`` for ``p = (F - 1 + error) / (F - 1 / d)``. p is 0
    where relaxation alone is worse than the error, and at most ``d^2 / (d^2 - 1)``.

    Source: the rule that the documentation of ``NoiseModel.from_backend`` of Qiskit Aer states.

    Args:
        gate: which, on one or two qubits.
        qubits: of the whole device.

    Returns:
        Channels in time order with the qubits that they act on; none for a perfect gate.

    Example:
        >>> noisy = DeviceGate(gate="X", qubits=(0,), error=0.001, duration=5e-8)
        >>> [type(c).__name__ for c, _ in channels_of(noisy, [DeviceQubit(t1=2e-4, t2=1e-4)])]
        ['Depolarizing', 'ThermalRelaxation']
    """
    relaxed = [(q, qubits[q].relaxation(gate.duration or 0.0)) for q in gate.qubits]
    dimension = 2 ** len(gate.qubits)
    fidelity = _average_fidelity([channel for _, channel in relaxed])
    placed: list[PlacedChannel] = []
    missing = fidelity - 1 + (gate.error or 0.0)
    if missing > 0 and fidelity > 1 / dimension:
        most = dimension**2 / (dimension**2 - 1)
        p = min(missing / (fidelity - 1 / dimension), most)
        # PennyLane's p reaches as far as a channel can, Qiskit's on one qubit would stop at 1.
        channel = Depolarizing(min(0.75 * p, 1.0)) if dimension == 2 else TwoQubitDepolarizing(p)
        placed.append((channel, gate.qubits))
    placed += [(channel, (qubit,)) for qubit, channel in relaxed if channel is not None]
    return tuple(placed)


def _average_fidelity(relaxed: Sequence[ThermalRelaxation | None]) -> float:
    """Of relaxation on each qubit, from the traces of the Pauli transfer matrices."""
    process = 1.0
    for channel in relaxed:
        if channel is not None:
            decay = math.exp(-channel.duration / channel.t1)
            process *= (1 + 2 * math.exp(-channel.duration / channel.t2) + decay) / 4
    dimension = 2 ** len(relaxed)
    return (dimension * process + 1) / (dimension + 1)
