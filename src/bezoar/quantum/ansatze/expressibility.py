"""How much of the state space a trainable circuit reaches, and how entangled its states are.

Source: Sim et al. 2019, arXiv 1905.10876, sections 2.1 and 2.2. We differ in the measure of
entanglement: theirs is named Meyer-Wallach, but its published values are not (`normalised_halves`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from numbers import Integral
from typing import cast

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Angle, Circuit, Operation, Parameter
from bezoar.quantum.gates import ComplexArray, Gate, gate_named

Floats = npt.NDArray[np.float64]

# Amplitudes held at once; a few times 16 bytes each.
_CHUNK = 1 << 20


def expressibility(
    circuit: Circuit, *, n_samples: int, n_bins: int = 75, rng: np.random.Generator
) -> float:
    """The Kullback-Leibler divergence of the circuit's state fidelities from those of Haar states.

    ``KL = sum_b p_b ln(p_b / q_b)`` over equal bins of the fidelity ``|<psi(a)|psi(b)>|^2`` of
    `n_samples` pairs of states at angles drawn uniformly from [0, 2 pi), with ``q`` the exact mass
    of a bin under ``(N - 1) (1 - F)^(N - 2)``, ``N = 2**n_qubits``. Zero is as expressive as Haar;
    nats. The estimate is biased upwards by about (occupied bins - 1) / (2 n_samples).

    Args:
        circuit: parameters only, no features; at least one qubit.
        n_samples: pairs of states.
        n_bins: bins on [0, 1]; the paper has 75.
        rng: where the angles come from.

    Raises:
        InvalidArgument: the circuit takes features, or a number below 1.

    Example:
        >>> from bezoar.quantum.ansatze.sim import SIM_1
        >>> rng = np.random.default_rng(0)
        >>> expressibility(SIM_1.circuit(4, 1), n_samples=2000, rng=rng) > 0.2
        True
    """
    return divergence_from_haar(
        sample_fidelities(circuit, n_samples=n_samples, rng=rng),
        n_qubits=circuit.n_qubits,
        n_bins=n_bins,
    )


def entangling_capability(
    circuit: Circuit,
    *,
    n_samples: int,
    rng: np.random.Generator,
    measure: Callable[[ComplexArray], Floats] | None = None,
) -> float:
    """The mean entanglement of the circuit's states, in [0, 1]: Meyer-Wallach's, unless told.

    Args:
        circuit: parameters only, no features.
        n_samples: states, at angles drawn uniformly from [0, 2 pi).
        rng: where the angles come from.
        measure: function of states ``(state, 2**n)`` to numbers ``(state,)``; `meyer_wallach` by
            default. The numbers published by Sim et al. need `normalised_halves`.

    Raises:
        InvalidArgument: the circuit takes features, or a number below 1.

    Example:
        >>> from bezoar.quantum.circuit import Operation
        >>> bell = Circuit(2, (Operation("H", (0,)), Operation("CX", (0, 1))))
        >>> round(entangling_capability(bell, n_samples=1, rng=np.random.default_rng(0)), 12)
        1.0
    """
    _check(n_samples)
    total = 0.0
    for size in _chunks(n_samples, 1 << circuit.n_qubits):
        angles = rng.uniform(0, 2 * np.pi, (size, circuit.n_parameters))
        total += float((measure or meyer_wallach)(states(circuit, angles)).sum())
    return total / n_samples


def sample_fidelities(circuit: Circuit, *, n_samples: int, rng: np.random.Generator) -> Floats:
    """Fidelities ``(n_samples,)`` of pairs of the circuit's states at uniformly drawn angles.

    Raises:
        InvalidArgument: the circuit takes features, or `n_samples` is below 1.
    """
    _check(n_samples)
    parts = []
    for size in _chunks(n_samples, 2 << circuit.n_qubits):
        angles = rng.uniform(0, 2 * np.pi, (size, 2, circuit.n_parameters))
        psi = states(circuit, angles.reshape(2 * size, -1)).reshape(size, 2, -1)
        overlap = np.einsum("si,si->s", psi[:, 0].conj(), psi[:, 1])
        parts.append(np.abs(overlap) ** 2)
    return np.concatenate(parts)


def divergence_from_haar(fidelities: npt.ArrayLike, *, n_qubits: int, n_bins: int = 75) -> float:
    """The Kullback-Leibler divergence, in nats, of a histogram of fidelities from Haar's.

    Raises:
        InvalidArgument: no fidelities, one outside [0, 1], or fewer than one bin.
    """
    values = np.asarray(fidelities, dtype=float)
    # Rounding may carry a fidelity a little beyond 1.
    if values.size == 0 or not bool(np.all((values >= 0) & (values <= 1 + 1e-9))):
        raise InvalidArgument("fidelities", wanted="at least one, all in [0, 1]", got=values)
    if n_bins < 1:
        raise InvalidArgument("n_bins", wanted="1 or more", got=n_bins)
    edges = np.linspace(0, 1, n_bins + 1)
    found = np.histogram(np.minimum(values, 1), bins=edges)[0] / values.size
    # In logarithms: the top bins hold less than the smallest float for many qubits.
    power = 2**n_qubits - 1
    with np.errstate(divide="ignore"):
        below = power * np.log1p(-edges)
    log_haar = below[:-1] + np.log(-np.expm1(below[1:] - below[:-1]))
    seen = found > 0
    return float(np.sum(found[seen] * (np.log(found[seen]) - log_haar[seen])))


def meyer_wallach(psi: ComplexArray) -> Floats:
    """The Meyer-Wallach measure ``Q = 2 (1 - mean_k Tr rho_k^2)`` of states ``(state, 2**n)``.

    ``rho_k`` is the reduced state of qubit k; the result is ``(state,)`` in [0, 1], zero for
    product states. Source: Meyer and Wallach, J. Math. Phys. 43, 4273 (2002), in the form of
    Brennen, Quantum Inf. Comput. 3, 619 (2003).
    """
    terms = [4 * (low * high - overlap) for low, high, overlap in _halves(psi)]
    return np.clip(np.mean(terms, axis=0), 0, 1)  # rounding may leave the interval


def normalised_halves(psi: ComplexArray) -> Floats:
    """The measure that reproduces the published entangling capabilities of Sim et al. 2019.

    With ``u`` and ``v`` the halves of the state where qubit k is 0 and 1, Meyer-Wallach is the
    mean over k of ``4 (|u|^2 |v|^2 - |<u|v>|^2)``. Scaling both halves to one norm first gives
    ``1 - |<u|v>|^2 / (|u|^2 |v|^2)``, which is never smaller and depends on the basis of each
    qubit, so it is not an entanglement measure. It is here to compare with the paper; see
    ``design/ansatze.md``. States ``(state, 2**n)`` give ``(state,)``; where a half vanishes, its
    qubit counts as 0.
    """
    terms = []
    for low, high, overlap in _halves(psi):
        weight = low * high
        there = weight > 0
        terms.append(np.where(there, 1 - overlap / np.where(there, weight, 1), 0))
    return np.clip(np.mean(terms, axis=0), 0, 1)


def _halves(psi: ComplexArray) -> Iterator[tuple[Floats, Floats, Floats]]:
    """For each qubit ``|u|^2``, ``|v|^2`` and ``|<u|v>|^2``, each ``(state,)``."""
    n_qubits = psi.shape[1].bit_length() - 1
    for wire in range(n_qubits):
        split = psi.reshape(len(psi), 1 << wire, 2, -1)
        u, v = split[:, :, 0], split[:, :, 1]
        overlap = np.einsum("sab,sab->s", u.conj(), v)
        norms = (np.sum(np.abs(half) ** 2, axis=(1, 2)) for half in (u, v))
        yield (*norms, np.abs(overlap) ** 2)


def states(circuit: Circuit, parameters: Floats) -> ComplexArray:
    """State vectors ``(sample, 2**n_qubits)`` at parameters ``(sample, n_parameters)``, radians.

    Raises:
        InvalidArgument: the circuit takes features.
    """
    if any(operation.uses_features for operation in circuit.operations):
        raise InvalidArgument(
            "circuit",
            wanted="parameters only",
            got=f"{circuit.n_features} features",
            mend="give its trainable part: circuit.trainable()",
        )
    n_samples, n = len(parameters), circuit.n_qubits
    psi = np.zeros((n_samples, *(2,) * n), dtype=complex)
    psi[(slice(None), *(0,) * n)] = 1
    for operation in circuit.operations:
        k = len(operation.wires)
        axes = [1 + wire for wire in operation.wires]
        moved = np.moveaxis(psi, axes, range(1, k + 1))
        flat = moved.reshape(n_samples, 1 << k, -1)
        psi = np.moveaxis(
            (_matrices(operation, parameters) @ flat).reshape(moved.shape), range(1, k + 1), axes
        )
    return psi.reshape(n_samples, -1)


def _matrices(operation: Operation, parameters: Floats) -> ComplexArray:
    """The unitary, ``(d, d)``, or one per sample, ``(sample, d, d)``."""
    if operation.matrix is not None:
        return np.array(operation.matrix)
    gate = gate_named(operation.gate)
    if not operation.uses_parameters:
        return gate.matrix(*operation.angles)
    values = [_values(angle, parameters) for angle in operation.angles]
    if not gate.parts:
        return _turned(gate, values[0])
    out: ComplexArray = np.eye(2**gate.n_wires, dtype=complex)
    for name, which in gate.parts:
        out = _turned(gate_named(name), values[which]) @ out
    return out


def _values(angle: Angle, parameters: Floats) -> Floats:
    if isinstance(angle, Parameter):
        return angle.scale * parameters[:, angle.index]
    return np.full(len(parameters), cast("float", angle))


def _turned(gate: Gate, theta: Floats) -> ComplexArray:
    """Matrices of a one-angle gate: every entry is a sum of 1, cos, sin of theta / 2 and theta."""
    points = 4 * np.pi * np.arange(5) / 5
    samples = np.stack([gate.matrix(float(point)) for point in points])
    weights = np.linalg.solve(_waves(points), samples.reshape(5, -1))
    return (_waves(theta) @ weights).reshape(len(theta), *samples.shape[1:])


def _waves(theta: Floats) -> Floats:
    half = theta / 2
    return np.stack(
        [np.ones_like(theta), np.cos(half), np.sin(half), np.cos(theta), np.sin(theta)], axis=1
    )


def _chunks(n_samples: int, amplitudes: int) -> list[int]:
    size = max(1, _CHUNK // amplitudes)
    whole, rest = divmod(n_samples, size)
    return [size] * whole + ([rest] if rest else [])


def _check(n_samples: int) -> None:
    if not isinstance(n_samples, Integral) or n_samples < 1:
        raise InvalidArgument("n_samples", wanted="a whole number, 1 or more", got=n_samples)
