import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.ansatze.layered import STRONGLY_ENTANGLING
from bezoar.quantum.ansatze.sim import SIM_6, SIM_19
from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter
from bezoar.quantum.engines.reference import density_matrix
from bezoar.quantum.synthesis import (
    PERIODS,
    ApproximateSynthesis,
    unitary_distance,
    unitary_of,
    used_once,
)


@pytest.mark.parametrize("gate", PERIODS)
def test_a_gate_is_the_identity_after_its_period(gate: str) -> None:
    circuit = Circuit(2, (Operation(gate, (0, 1), (PERIODS[gate],)),))
    assert unitary_distance(unitary_of(circuit), np.eye(4)) == pytest.approx(0, abs=1e-9)


@given(angle=st.floats(-20, 20), gate=st.sampled_from(sorted(PERIODS)))
def test_what_is_dropped_is_within_the_threshold_and_its_error_is_the_bound(
    angle: float, gate: str
) -> None:
    circuit = Circuit(2, (Operation(gate, (0, 1), (Parameter(0),)),))
    synthesis = ApproximateSynthesis(threshold=0.5)
    found = synthesis.apply(circuit, [angle])
    distance = abs(math.remainder(angle, PERIODS[gate]))
    assert bool(found.dropped) == (distance <= 0.5)
    expected = 2 * math.sin(distance / 4) if found.dropped else 0.0
    # Eigenvalues near each other are computed to 1e-8.
    assert found.bound == pytest.approx(expected, abs=1e-7)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), bits=st.sampled_from([None, 3, 6]))
def test_the_bound_holds_for_whole_circuits(seed: int, bits: int | None) -> None:
    circuit = SIM_6.circuit(3, 1)
    theta = np.random.default_rng(seed).normal(0, 0.5, circuit.n_parameters)
    found = ApproximateSynthesis(threshold=0.3, bits=bits).apply(circuit, theta)
    before, after = unitary_of(circuit, theta), unitary_of(found.circuit, found.theta)
    # The distance is at most the operator norm of the difference, at the best global phase.
    assert unitary_distance(before, after) <= found.bound + 1e-9


def test_a_zero_budget_changes_nothing() -> None:
    circuit = SIM_19.circuit(3, 2)
    theta = np.linspace(0.1, 3, circuit.n_parameters)
    found = ApproximateSynthesis(threshold=0.0).apply(circuit, theta)
    assert found.circuit == circuit
    assert found.theta.tolist() == theta.tolist()
    assert (found.bound, found.dropped) == (0.0, ())


def test_encodings_fixed_gates_and_one_qubit_rotations_stay() -> None:
    circuit = Circuit(
        2,
        (
            Operation("RZZ", (0, 1), (Feature((0,)),)),
            Operation("CRX", (0, 1), (0.1,)),
            Operation("RX", (0,), (Parameter(0),)),
            Operation("CRX", (0, 1), (Parameter(1),)),
        ),
    )
    found = ApproximateSynthesis(threshold=0.3).apply(circuit, [0.0, 0.0])
    assert found.dropped == (3,)
    assert found.circuit.operations == circuit.operations[:3]


def test_the_unitary_agrees_with_the_reference_engine() -> None:
    circuit = STRONGLY_ENTANGLING.circuit(3, 2)
    theta = np.random.default_rng(0).uniform(0, 6, circuit.n_parameters)
    column = unitary_of(circuit, theta)[:, 0]
    np.testing.assert_allclose(
        np.outer(column, column.conj()), density_matrix(circuit, (), theta), atol=1e-12
    )


def test_close_unitaries_keep_their_digits() -> None:
    turned = unitary_of(Circuit(1, (Operation("RZ", (0,), (1e-7,)),)))
    assert unitary_distance(np.eye(2), turned) == pytest.approx(0.5e-7, rel=1e-6)


@pytest.mark.parametrize(
    "wrong", [{"threshold": -0.1}, {"threshold": math.nan}, {"threshold": 4.0}, {"bits": 0}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        ApproximateSynthesis(**wrong)


@pytest.mark.parametrize("theta", [[], [math.nan], [0.0, 1.0]])
def test_angles_that_do_not_fit_are_refused(theta: list[float]) -> None:
    circuit = Circuit(1, (Operation("RX", (0,), (Parameter(0),)),))
    with pytest.raises(InvalidArgument, match="theta"):
        ApproximateSynthesis().apply(circuit, theta)


def test_what_has_no_unitary_is_refused() -> None:
    state = Circuit(1, (Operation("STATE", (0,), features=(0, 1)),))
    with pytest.raises(InvalidArgument, match="STATE"):
        unitary_of(state, features=[1.0, 0.0])
    with pytest.raises(InvalidArgument, match="10 qubits"):
        unitary_of(Circuit(11, ()))
    mixed = Circuit(1, (Operation("U", (0,), (Feature((0,)), Parameter(0), 0.0)),))
    with pytest.raises(InvalidArgument, match="both turn"):
        ApproximateSynthesis().apply(mixed, [0.1])


def test_shared_and_scaled_parameters_are_refused_where_each_gate_needs_its_own() -> None:
    twice = Circuit(1, (Operation("RX", (0,), (Parameter(0),)),) * 2)
    scaled = Circuit(1, (Operation("RX", (0,), (Parameter(0, scale=2.0),)),))
    for circuit in (twice, scaled):
        with pytest.raises(InvalidArgument, match="one gate for each parameter"):
            used_once(circuit)
