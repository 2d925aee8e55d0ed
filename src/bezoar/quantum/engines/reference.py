"""The slow engine: density matrices, one sample at a time, straight from the definitions.

It exists to be right. Nothing here is shared with the fast engine but the gate matrices and the
Kraus operators, and both of those are checked against PennyLane and Qiskit.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Angle, Circuit, Feature, Operation, Parameter
from bezoar.quantum.gates import PAULIS, STATE_PREPARATION, UNITARY, ComplexArray, gate_named
from bezoar.quantum.noise import NoiseModel

Floats = npt.NDArray[np.floating]


def density_matrix(
    circuit: Circuit,
    features: npt.ArrayLike = (),
    parameters: npt.ArrayLike = (),
    noise: NoiseModel | None = None,
) -> ComplexArray:
    """The state after the circuit, before readout, ``(2**n, 2**n)``, wire 0 leftmost.

    Args:
        circuit: what to run.
        features: ``(feature,)``, angles in radians or amplitudes.
        parameters: ``(parameter,)``, in radians.
        noise: channels after each gate; None for a perfect device.
    """
    x = np.asarray(features, dtype=float)
    theta = np.asarray(parameters, dtype=float)
    n = circuit.n_qubits
    rho = np.zeros((2**n, 2**n), dtype=complex)
    rho[0, 0] = 1
    for operation, encoding in zip(circuit.operations, circuit.preparing(), strict=True):
        rho = _apply(rho, operation, x, theta, noise, n, encoding=encoding)
    return rho


def expectations(
    circuit: Circuit,
    features: npt.ArrayLike = (),
    parameters: npt.ArrayLike = (),
    noise: NoiseModel | None = None,
    observables: Sequence[str] | None = None,
) -> Floats:
    """Expectations of Pauli strings with readout error, ``(observable,)``.

    Args:
        circuit, features, parameters, noise: as in `density_matrix`.
        observables: strings over I, X, Y, Z, one letter per wire; Z on each wire by default.
    """
    rho = density_matrix(circuit, features, parameters, noise)
    strings = pauli_z_each(circuit.n_qubits) if observables is None else observables
    return np.array([np.trace(_observable(s, noise) @ rho).real for s in strings])


def pauli_z_each(n_qubits: int) -> tuple[str, ...]:
    """``("ZI..I", "IZ..I", ...)``."""
    return tuple("I" * w + "Z" + "I" * (n_qubits - w - 1) for w in range(n_qubits))


def z_strings(n_qubits: int) -> tuple[str, ...]:
    """All ``2**n_qubits`` strings over I and Z: what the distribution of bit strings needs."""
    return tuple("".join(letters) for letters in itertools.product("IZ", repeat=n_qubits))


def _observable(string: str, noise: NoiseModel | None) -> ComplexArray:
    matrix = np.ones((1, 1), dtype=complex)
    for wire, letter in enumerate(string):
        factor = PAULIS[letter]
        error = None if noise is None or letter == "I" else noise.readout_on(wire)
        if error is not None:
            factor = error.scale * factor + error.shift * PAULIS["I"]
        matrix = np.kron(matrix, factor)
    return matrix


def _apply(
    rho: ComplexArray,
    operation: Operation,
    x: Floats,
    theta: Floats,
    noise: NoiseModel | None,
    n: int,
    *,
    encoding: bool,
) -> ComplexArray:
    if operation.gate == STATE_PREPARATION:
        rho = _prepared(operation, x, n)
    else:
        turn = 1.0 if noise is None else noise.turn(encoding=encoding)
        full = _on_wires(gate_matrix(operation, x, theta, turn), operation.wires, n)
        rho = full @ rho @ full.conj().T
    if noise is None:
        return rho
    for channel, wires in noise.placed(operation.gate, operation.wires, encoding=encoding):
        kraus = [_on_wires(k, wires, n) for k in channel.kraus()]
        rho = sum(k @ rho @ k.conj().T for k in kraus)  # pyright: ignore[reportAssignmentType]
    return rho


def gate_matrix(operation: Operation, x: Floats, theta: Floats, turn: float) -> ComplexArray:
    """The unitary of one operation, its angles multiplied by `turn`."""
    if operation.gate == UNITARY:
        return np.array(operation.matrix, dtype=complex)
    angles = [turn * _value(angle, x, theta) for angle in operation.angles]
    return gate_named(operation.gate).matrix(*angles)


def _value(angle: Angle, x: Floats, theta: Floats) -> float:
    if isinstance(angle, Feature):
        return angle.scale * float(np.prod([x[i] - angle.offset for i in angle.indices]))
    if isinstance(angle, Parameter):
        return angle.scale * float(theta[angle.index])
    return angle


def _prepared(operation: Operation, x: Floats, n: int) -> ComplexArray:
    if operation.wires != tuple(range(n)):
        raise InvalidArgument("STATE", wanted="all wires in order", got=operation.wires)
    amplitudes = np.zeros(2**n)
    amplitudes[: len(operation.features)] = x[list(operation.features)]
    amplitudes /= np.linalg.norm(amplitudes)
    return np.outer(amplitudes, amplitudes).astype(complex)


def _on_wires(matrix: ComplexArray, wires: tuple[int, ...], n: int) -> ComplexArray:
    rest = [w for w in range(n) if w not in wires]
    full = np.kron(matrix, np.eye(2 ** len(rest))).reshape((2,) * (2 * n))
    order = np.argsort([*wires, *rest])
    return full.transpose([*order, *(order + n)]).reshape(2**n, 2**n)
