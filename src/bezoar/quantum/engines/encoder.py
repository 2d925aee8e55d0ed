"""Encode once: the states of a whole data set under an encoding circuit and its noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.contracts.progress import Progress, silent
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.engines.layout import ROWS, Layout, lay_out, plan_route
from bezoar.quantum.engines.lowering import channel_transfer, lower
from bezoar.quantum.engines.machine import Machine
from bezoar.quantum.gates import PAULIS, STATE_PREPARATION
from bezoar.quantum.noise import NoiseModel
from bezoar.quantum.states import EncodedStates

Floats = npt.NDArray[np.floating]

_CHUNK_BYTES = 128 << 20
_MOST_DENSE_QUBITS = 10


def encode(
    circuit: Circuit,
    features: npt.ArrayLike,
    noise: NoiseModel | None = None,
    *,
    dtype: npt.DTypeLike = np.float64,
    progress: Progress = silent,
) -> EncodedStates:
    """The encoded, noisy state of every sample.

    Args:
        circuit: an encoding: features, no parameters.
        features: ``(sample, feature)``, radians for angles.
        noise: channels after each gate of the encoding, if ``noise.on_encoding``.
        dtype: of the result, float32 or float64; the arithmetic is float64.
        progress: told after each chunk.

    Returns:
        Bloch vectors when no gate of the encoding touches two qubits, Pauli vectors otherwise.

    Raises:
        InvalidArgument: the circuit has parameters, wants more features than there are, or
            entangles more than 10 qubits.
        InvalidData: a feature is NaN or infinite.

    Example:
        >>> from bezoar.quantum.circuit import Circuit, Feature, Operation
        >>> turn = Circuit(1, (Operation("RX", (0,), (Feature((0,)),)),))
        >>> encode(turn, [[0.0], [np.pi]]).bloch[:, 0, 2].round(6).tolist()
        [1.0, -1.0]
    """
    x = check_features(circuit, features)
    if noise is not None and not noise.on_encoding:
        noise = None
    active = noise is not None and noise.is_active()
    if circuit.is_product and not starts_with_state(circuit):
        bloch = _in_chunks(_bloch_vectors, circuit, x, noise, 16 * circuit.n_qubits, progress)
        return EncodedStates(
            n_qubits=circuit.n_qubits, bloch=bloch.astype(dtype, copy=False), pure=not active
        )
    if circuit.n_qubits > _MOST_DENSE_QUBITS:
        raise InvalidArgument(
            "n_qubits",
            wanted=f"at most {_MOST_DENSE_QUBITS} for an encoding that entangles",
            got=circuit.n_qubits,
            mend="use an angle encoding, whose states stay products at any number of qubits",
        )
    size = 4**circuit.n_qubits
    pauli = _in_chunks(_pauli_vectors, circuit, x, noise, 4 * size, progress)
    return EncodedStates(
        n_qubits=circuit.n_qubits, pauli=pauli.astype(dtype, copy=False), pure=not active
    )


def check_features(circuit: Circuit, features: npt.ArrayLike) -> Floats:
    """The features as a finite float64 matrix with enough columns.

    Raises:
        InvalidArgument: wrong shape, too few columns.
        InvalidData: NaN, infinity or text.
    """
    try:
        x = np.asarray(features, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidData("features", wanted="a matrix of numbers", got=str(error)) from error
    if x.ndim != 2 or x.shape[1] < circuit.n_features:
        raise InvalidArgument(
            "features",
            wanted=f"shape (sample, {circuit.n_features} or more)",
            got=x.shape,
        )
    if not np.isfinite(x).all():
        raise InvalidData("features", wanted="finite numbers", got="NaN or infinity")
    # Arrays of a Dataset are read-only, which torch warns of.
    return x if x.flags.writeable else x.copy()


def amplitudes(circuit: Circuit, x: Floats) -> Floats:
    """Normalised amplitudes ``(sample, 2**n)`` of a circuit that starts with ``STATE``.

    Raises:
        InvalidData: a sample of norm zero.
    """
    operation = circuit.operations[0]
    psi = np.zeros((len(x), 2**circuit.n_qubits))
    psi[:, : len(operation.features)] = x[:, list(operation.features)]
    largest = np.abs(psi).max(axis=1, keepdims=True)
    if len(x) and not largest.min() > 0:
        raise InvalidData(
            "features",
            wanted="a non-zero vector in every sample (amplitudes are normalised)",
            got=f"sample {int(largest.argmin())} is all zeros",
        )
    psi /= largest  # squares of very large or small numbers would leave the range of floats
    return psi / np.linalg.norm(psi, axis=1, keepdims=True)


def starts_with_state(circuit: Circuit) -> bool:
    """Whether amplitudes are loaded first; elsewhere ``STATE`` is refused.

    Raises:
        InvalidArgument: ``STATE`` is not the first operation, or not on all wires in order.
    """
    places = [i for i, op in enumerate(circuit.operations) if op.gate == STATE_PREPARATION]
    if not places:
        return False
    if places != [0]:
        raise InvalidArgument("STATE", wanted="the first operation alone", got=f"places {places}")
    wires = circuit.operations[0].wires
    if wires != tuple(range(circuit.n_qubits)):
        raise InvalidArgument("STATE", wanted="all wires in order", got=wires)
    return True


def _in_chunks(
    run: Callable[[Circuit, Floats, NoiseModel | None], Floats],
    circuit: Circuit,
    x: Floats,
    noise: NoiseModel | None,
    numbers: int,
    progress: Progress,
) -> Floats:
    """`run` on as many samples at a time as fit the memory, at `numbers` numbers each."""
    step = max(1, _CHUNK_BYTES // (8 * numbers))
    parts = []
    for start in range(0, len(x), step):
        parts.append(run(circuit, x[start : start + step], noise))
        progress("encode", min(start + step, len(x)), len(x))
    # No samples: the shape of one, without it (torch does not reshape nothing).
    return np.concatenate(parts) if parts else run(circuit, np.ones((1, x.shape[1])), noise)[:0]


def _bloch_vectors(circuit: Circuit, x: Floats, noise: NoiseModel | None) -> Floats:
    layout = lay_out(lower(circuit, noise, "transfer"), circuit.n_qubits, "transfer", states=False)
    machine = _state_machine(layout)
    built = machine.build(_feature_angles(machine, x), len(x))
    vectors = np.empty((len(x), circuit.n_qubits, 3))
    for wire, chain in layout.chains.items():
        state = machine.vacuum.expand(len(x), 4)
        for ref in chain:
            state = (built.ones[machine.one_position(ref)] @ state[:, :, None])[:, :, 0]
        vectors[:, wire] = state[:, 1:].numpy()
    return vectors


def _pauli_vectors(circuit: Circuit, x: Floats, noise: NoiseModel | None) -> Floats:
    n = circuit.n_qubits
    rest = circuit
    start: tuple[int, ...] = ()
    rows = torch.ones((len(x), 1, 1), dtype=torch.float64)
    if starts_with_state(circuit):
        rows = torch.as_tensor(_prepared(circuit, x, noise))[:, None, :]
        rest = Circuit(n, circuit.operations[1:])
        start = tuple(range(n))
    layout = lay_out(lower(rest, noise, "transfer"), n, "transfer", states=True)
    machine = _state_machine(layout)
    built = machine.build(_feature_angles(machine, x), len(x))
    route = plan_route(layout.slots, start, backwards=False)
    states = machine.sweep(built, route, rows, None)
    # One row per sample, so its axis has length one and can be left out.
    order = [axis for axis in route.end if axis != ROWS]
    for wire in sorted(set(range(n)) - set(order)):
        states = (states[:, :, None] * machine.vacuum).reshape(len(x), -1)
        order.append(wire)
    shaped = states.reshape(len(x), *(4,) * n).permute(0, *(1 + np.argsort(order)))
    return shaped.reshape(len(x), -1).numpy()


def _prepared(circuit: Circuit, x: Floats, noise: NoiseModel | None) -> Floats:
    """Pauli vectors of amplitude-encoded states with the noise after ``STATE``."""
    n = circuit.n_qubits
    channel = np.eye(4)
    if noise is not None:
        channel = channel_transfer(noise.channels(STATE_PREPARATION, encoding=True))
    return pauli_from_amplitudes(amplitudes(circuit, x), n, channel)


def pauli_from_amplitudes(psi: npt.NDArray, n: int, channel: Floats) -> Floats:
    """``Tr(P |psi><psi|)`` for all Pauli strings, ``(sample, 4**n)``, after `channel` per wire."""
    one = np.stack([PAULIS[p].T.reshape(4) for p in "IXYZ"])
    one = channel @ one  # (Pauli, row bit * 2 + column bit)
    rho = psi.reshape(len(psi), -1, 1) * psi.conj().reshape(len(psi), 1, -1)
    vectors: npt.NDArray[Any] = rho.reshape(len(psi), 1, 2**n, 2**n)
    for _ in range(n):
        half = vectors.shape[2] // 2
        split = vectors.reshape(len(psi), -1, 2, half, 2, half)
        vectors = np.einsum("pab,nsakbl->nspkl", one.reshape(4, 2, 2), split)
        vectors = vectors.reshape(len(psi), -1, half, half)
    return np.real(vectors.reshape(len(psi), -1))


def _state_machine(layout: Layout) -> Machine:
    return Machine(
        layout,
        dtype=torch.float64,
        device=torch.device("cpu"),
        vacuum=(1.0, 0.0, 0.0, 1.0),
        backwards=False,
    )


def _feature_angles(machine: Machine, x: Floats) -> torch.Tensor:
    if any(source.parameter >= 0 for source, _ in machine.layout.angles):
        raise InvalidArgument("circuit", wanted="an encoding without parameters", got="parameters")
    if not machine.layout.angles:
        return torch.zeros((0, len(x)), dtype=torch.float64)
    features = torch.as_tensor(x)
    return machine.angles(features[:, :0], features)
