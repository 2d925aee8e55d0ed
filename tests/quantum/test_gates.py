"""Every gate against PennyLane and Qiskit, and what is derived from its matrix."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pennylane as qml
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import PENNYLANE_GATES, QISKIT_GATES
from qiskit.quantum_info import Operator

from bezoar.contracts.errors import InvalidArgument, UnknownName
from bezoar.quantum.gates import GATES, PAULIS, controlled, gate_named, rotation

ALL = sorted(GATES)
TURNING = [gate.name for gate in GATES.values() if gate.n_angles == 1]
# Products of a few numbers of size 1.
ROUNDING = 1e-14

angles = st.lists(st.floats(-10, 10), min_size=3, max_size=3)


@pytest.mark.parametrize("name", ALL)
@given(angles)
@settings(max_examples=10)
def test_unitary(name: str, theta: list[float]):
    gate = GATES[name]
    matrix = gate.matrix(*theta[: gate.n_angles])
    assert matrix.shape == (2**gate.n_wires,) * 2
    np.testing.assert_allclose(matrix @ matrix.conj().T, np.eye(len(matrix)), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("name", ALL)
@given(angles)
@settings(max_examples=10)
def test_as_pennylane(name: str, theta: list[float]):
    gate = GATES[name]
    wires = list(range(gate.n_wires))
    theirs = np.asarray(
        qml.matrix(PENNYLANE_GATES[name](*theta[: gate.n_angles], wires=wires), wires)
    )
    ours = gate.matrix(*theta[: gate.n_angles])
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("name", ALL)
@given(angles)
@settings(max_examples=10)
def test_as_qiskit(name: str, theta: list[float]):
    gate = GATES[name]
    # Qiskit puts the first wire rightmost.
    theirs = np.asarray(Operator(QISKIT_GATES[name](*theta[: gate.n_angles])).reverse_qargs())
    ours = gate.matrix(*theta[: gate.n_angles])
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=ROUNDING)


def test_both_frameworks_know_every_gate():
    assert set(PENNYLANE_GATES) == set(QISKIT_GATES) == set(GATES)


def test_echoed_cross_resonance_has_a_direction():
    """(X I - Y X) / sqrt(2) with the first wire leftmost: not the same with its wires swapped."""
    ecr = GATES["ECR"].matrix()
    x, y, one = PAULIS["X"], PAULIS["Y"], PAULIS["I"]
    expected = (np.kron(x, one) - np.kron(y, x)) / np.sqrt(2)
    np.testing.assert_allclose(ecr, expected, rtol=0, atol=ROUNDING)
    swap = GATES["SWAP"].matrix()
    assert np.abs(swap @ ecr @ swap - ecr).max() > 0.5
    np.testing.assert_allclose(ecr @ ecr, np.eye(4), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("name", TURNING)
def test_frequencies_are_differences_of_the_generator(name: str):
    gate = GATES[name]
    step = 1e-5
    slope = (gate.matrix(0.7 + step) - gate.matrix(0.7 - step)) / (2 * step)
    generator = 1j * slope @ gate.matrix(0.7).conj().T
    values = np.linalg.eigvalsh((generator + generator.conj().T) / 2)
    # The slope is right to about 1e-10, so nine digits tell frequencies apart.
    differences = np.unique(np.round(values[:, None] - values[None], 8))
    assert tuple(differences[differences > 0]) == gate.frequencies


def test_only_turning_gates_have_frequencies():
    for gate in GATES.values():
        assert bool(gate.frequencies) == (gate.n_angles == 1)
        assert bool(gate.parts) == (gate.n_angles > 1)


@given(angles)
def test_parts_make_the_whole(theta: list[float]):
    for gate in GATES.values():
        if not gate.parts:
            continue
        made = reduce(
            lambda total, part: GATES[part[0]].matrix(theta[part[1]]) @ total,
            gate.parts,
            np.eye(2, dtype=complex),
        )
        whole = gate.matrix(*theta)
        phase = np.trace(made.conj().T @ whole) / 2
        assert abs(phase) == pytest.approx(1, abs=1e-13)
        np.testing.assert_allclose(made * phase, whole, rtol=0, atol=1e-13)


def test_inverses():
    for name, inverse in (("S", "SDG"), ("T", "TDG"), ("SX", "SXDG")):
        product = GATES[name].matrix() @ GATES[inverse].matrix()
        np.testing.assert_allclose(product, np.eye(2), rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(
        np.linalg.matrix_power(GATES["SX"].matrix(), 2), PAULIS["X"], rtol=0, atol=ROUNDING
    )
    np.testing.assert_allclose(
        np.linalg.matrix_power(GATES["T"].matrix(), 4), PAULIS["Z"], rtol=0, atol=ROUNDING
    )


@given(st.floats(-10, 10), st.sampled_from("XYZ"))
def test_rotation_and_control(theta: float, axis: str):
    turn = rotation(PAULIS[axis])(theta)
    np.testing.assert_allclose(turn, GATES[f"R{axis}"].matrix(theta), rtol=0, atol=ROUNDING)
    steered = controlled(turn)
    np.testing.assert_allclose(steered, GATES[f"CR{axis}"].matrix(theta), rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(steered[:2, :2], np.eye(2), rtol=0, atol=0)


def test_constant_matrices_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        GATES["X"].matrix()[0, 0] = 1


def test_unknown_gate_lists_the_known_and_suggests_the_nearest():
    with pytest.raises(UnknownName, match=r"gate: wanted one of I, X, Y.*did you mean 'SWAP'\?"):
        gate_named("SWPA")
    assert issubclass(UnknownName, InvalidArgument)
    assert issubclass(UnknownName, LookupError)
    with pytest.raises(LookupError):
        gate_named("rx")
