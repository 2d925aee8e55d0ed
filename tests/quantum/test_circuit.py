"""The description: content, parts, and what is refused."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import circuits, generators, haar

from bezoar.contracts.errors import InvalidArgument, UnknownName
from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter, unitary
from bezoar.quantum.engines import reference

X0 = Operation("RX", (0,), (Feature((0,)),))
T0 = Operation("RY", (0,), (Parameter(0),))
CX = Operation("CX", (0, 1))


class TestContent:
    @given(circuits())
    @settings(max_examples=30)
    def test_equality_and_hash_are_by_content(self, circuit: Circuit):
        twin = copy.deepcopy(circuit)
        assert twin is not circuit
        assert twin == circuit
        assert hash(twin) == hash(circuit)
        assert {circuit: 1}[twin] == 1
        longer = circuit.then(Circuit(circuit.n_qubits, (Operation("H", (0,)),)))
        assert longer != circuit

    def test_operations_become_a_tuple(self):
        assert Circuit(2, [X0, CX]).operations == (X0, CX)  # type: ignore[arg-type]

    def test_a_circuit_does_not_change(self):
        with pytest.raises(AttributeError):
            Circuit(1, ()).n_qubits = 2  # type: ignore[misc]

    @given(circuits(reuploads=True))
    @settings(max_examples=30)
    def test_counts_are_one_more_than_the_highest_index(self, circuit: Circuit):
        angles = [angle for operation in circuit.operations for angle in operation.angles]
        parameters = {a.index for a in angles if isinstance(a, Parameter)}
        features = {i for a in angles if isinstance(a, Feature) for i in a.indices}
        assert circuit.n_parameters == max(parameters) + 1
        assert circuit.n_features == max(features) + 1

    def test_counts_of_nothing(self):
        empty = Circuit(3, ())
        assert (empty.n_parameters, empty.n_features, empty.encoding_length) == (0, 0, 0)
        assert empty.is_product
        assert not empty.reuploads

    def test_state_preparation_counts_features(self):
        loaded = Circuit(2, (Operation("STATE", (0, 1), features=(0, 5)),))
        assert loaded.n_features == 6
        assert loaded.encoding_length == 1
        assert loaded.operations[0].uses_features


class TestParts:
    @given(circuits())
    @settings(max_examples=50)
    def test_encoding_then_trainable_is_the_whole(self, circuit: Circuit):
        assert circuit.encoding().then(circuit.trainable()) == circuit
        assert circuit.trainable().n_features == 0
        assert circuit.encoding().n_parameters == 0
        assert not circuit.reuploads

    @given(circuits(reuploads=True))
    @settings(max_examples=30)
    def test_reuploading(self, circuit: Circuit):
        assert circuit.reuploads
        assert circuit.trainable().n_features == 0

    def test_constants_after_the_data_belong_to_what_is_trained(self):
        circuit = Circuit(2, (Operation("H", (0,)), X0, CX, T0))
        assert circuit.encoding_length == 2
        assert circuit.preparing() == (True, True, False, False)

    def test_where_nothing_is_trained_all_is_encoding(self):
        circuit = Circuit(2, (X0, CX, Operation("H", (1,))))
        assert circuit.encoding_length == 1
        assert all(circuit.preparing())

    def test_trained_gates_between_the_data_are_not_encoding(self):
        circuit = Circuit(1, (X0, T0, X0))
        assert circuit.preparing() == (True, False, True)

    @given(circuits(), st.integers(0, 5))
    @settings(max_examples=30)
    def test_shifted(self, circuit: Circuit, by: int):
        moved = circuit.shifted(by)
        if circuit.n_parameters:
            assert moved.n_parameters == circuit.n_parameters + by
        assert moved.n_features == circuit.n_features
        assert circuit.shifted(0) == circuit

    def test_repeated_layers_have_parameters_of_their_own(self):
        layer = Circuit(1, (T0, Operation("RZ", (0,), (Parameter(1, 0.5),))))
        three = layer.repeated(3)
        indices = [a.index for op in three.operations for a in op.angles]  # type: ignore[union-attr]
        assert indices == [0, 1, 2, 3, 4, 5]
        assert [op.angles[0].scale for op in three.operations] == [1, 0.5] * 3  # type: ignore[union-attr]
        assert layer.repeated(1) == layer

    @given(circuits(most_qubits=3, with_state=False))
    @settings(max_examples=20)
    def test_then_runs_one_after_the_other(self, circuit: Circuit):
        other = Circuit(circuit.n_qubits, (Operation("H", (0,)), Operation("T", (0,))))
        rng = np.random.default_rng(0)
        x, theta = rng.normal(size=circuit.n_features), rng.normal(size=circuit.n_parameters)
        rho = reference.density_matrix(circuit, x, theta)
        gate = np.kron(
            np.diag([1, np.exp(0.25j * np.pi)]) @ np.array([[1, 1], [1, -1]]) / np.sqrt(2),
            np.eye(2 ** (circuit.n_qubits - 1)),
        )
        together = reference.density_matrix(circuit.then(other), x, theta)
        np.testing.assert_allclose(together, gate @ rho @ gate.conj().T, rtol=0, atol=1e-13)

    def test_product_means_no_gate_on_two_wires(self):
        assert Circuit(2, (X0, T0)).is_product
        assert not Circuit(2, (X0, CX)).is_product

    def test_uses(self):
        assert X0.uses_features
        assert not X0.uses_parameters
        assert T0.uses_parameters
        assert not T0.uses_features
        both = Operation("U", (0,), (Feature((0,)), Parameter(0), 0.1))
        assert both.uses_features
        assert both.uses_parameters


class TestUnitary:
    @given(st.integers(1, 3), generators())
    @settings(max_examples=20)
    def test_keeps_the_matrix(self, n_wires: int, rng: np.random.Generator):
        matrix = haar(n_wires, rng)
        operation = unitary(matrix, range(n_wires))
        np.testing.assert_array_equal(np.array(operation.matrix), matrix)
        assert hash(operation) == hash(unitary(matrix.copy(), range(n_wires)))

    def test_takes_lists(self):
        assert unitary([[0, 1], [1, 0]], [1]).matrix == ((0, 1), (1, 0))

    @pytest.mark.parametrize(
        ("matrix", "wires", "message"),
        [
            (np.eye(2), (0, 1), r"matrix: wanted shape \(4, 4\) for 2 wires, got \(2, 2\)"),
            (np.ones((2, 3)), (0,), r"matrix: wanted shape \(2, 2\)"),
            (2 * np.eye(2), (0,), r"matrix: wanted a unitary, got \|U U\* - 1\| = 3"),
            (np.full((2, 2), np.nan), (0,), "matrix: wanted a unitary"),
            (np.diag([1, 1 + 1e-6]), (0,), "matrix: wanted a unitary"),
        ],
    )
    def test_refuses(self, matrix: np.ndarray, wires: tuple[int, ...], message: str):
        with pytest.raises(InvalidArgument, match=message):
            unitary(matrix, wires)

    def test_needs_its_matrix(self):
        with pytest.raises(InvalidArgument, match="matrix"):
            Operation("UNITARY", (0,))


class TestRefusals:
    @pytest.mark.parametrize(
        ("wires", "angles", "got"),
        [
            ((0, 1), (0.1,), "2 wires and 1 angles"),
            ((0,), (), "1 wires and 0 angles"),
            ((0,), (0.1, 0.2), "1 wires and 2 angles"),
            ((), (0.1,), "0 wires and 1 angles"),
        ],
    )
    def test_wrong_number(self, wires: tuple[int, ...], angles: tuple[float, ...], got: str):
        with pytest.raises(InvalidArgument, match=f"operation RX: .*1 wires and 1 angles.*{got}"):
            Operation("RX", wires, angles)

    def test_unknown_gate(self):
        with pytest.raises(UnknownName, match="did you mean 'RXX'"):
            Operation("RXX2", (0,))
        with pytest.raises(UnknownName):
            Operation("cx", (0, 1))

    @pytest.mark.parametrize("angle", [math.nan, math.inf, "theta", None, 1j])
    def test_angle_that_is_none(self, angle: object):
        with pytest.raises(
            InvalidArgument, match="angle of RX: wanted a Feature, a Parameter or a"
        ):
            Operation("RX", (0,), (angle,))  # type: ignore[arg-type]

    def test_whole_numbers_are_angles(self):
        circuit = Circuit(1, (Operation("RX", (0,), (1,)),))
        assert reference.expectations(circuit)[0] == pytest.approx(math.cos(1))

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"index": -1}, "wanted an index from 0 and a finite scale, got"),
            ({"index": 0, "scale": math.nan}, "finite scale"),
        ],
    )
    def test_parameter(self, wrong: dict, message: str):
        with pytest.raises(InvalidArgument, match=message):
            Parameter(**wrong)

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"indices": ()}, "indices: wanted one or more numbers from 0"),
            ({"indices": (0, -2)}, "indices: wanted one or more numbers from 0"),
            ({"indices": (0,), "scale": math.inf}, "scale, offset: wanted finite numbers"),
            ({"indices": (0,), "offset": math.nan}, "scale, offset: wanted finite numbers"),
        ],
    )
    def test_feature(self, wrong: dict, message: str):
        with pytest.raises(InvalidArgument, match=message):
            Feature(**wrong)

    @pytest.mark.parametrize("wires", [(0, 2), (-1, 0), (1, 1)])
    def test_wires(self, wires: tuple[int, int]):
        with pytest.raises(
            InvalidArgument, match="wires of CX: wanted different wires from 0 to 1"
        ):
            Circuit(2, (Operation("CX", wires),))

    @pytest.mark.parametrize("n_qubits", [0, -3])
    def test_no_qubits(self, n_qubits: int):
        with pytest.raises(InvalidArgument, match=f"n_qubits: wanted 1 or more, got {n_qubits}"):
            Circuit(n_qubits, ())

    def test_layers(self):
        with pytest.raises(InvalidArgument, match="n_layers: wanted 1 or more, got 0"):
            Circuit(1, (T0,)).repeated(0)

    def test_widths_that_differ(self):
        with pytest.raises(InvalidArgument, match="other: wanted a circuit on 2 qubits, got 1"):
            Circuit(2, ()).then(Circuit(1, ()))

    @pytest.mark.parametrize(
        "wrong", [{"features": ()}, {"features": tuple(range(5))}, {"angles": (0.1,)}]
    )
    def test_state(self, wrong: dict):
        settings = {"features": (0, 1), **wrong}
        with pytest.raises(InvalidArgument, match="STATE: wanted no angles and 1 to 4 features"):
            Operation("STATE", (0, 1), **settings)
