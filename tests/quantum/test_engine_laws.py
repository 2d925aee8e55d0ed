"""Laws of physics that the fast engine keeps, at sizes that no density matrix reaches."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import Case, cases, channels, circuits, generators, haar, noise_models

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter, unitary
from bezoar.quantum.engines import reference
from bezoar.quantum.engines.plan import compile_circuit
from bezoar.quantum.noise import (
    AmplitudeDamping,
    BitFlip,
    Depolarizing,
    NoiseModel,
    PhaseFlip,
    ReadoutError,
    ad_dep,
)

NOISELESS = 1e-12
NOISY = 1e-10


def run(case: Case, noise: NoiseModel | None = None, strings: list[str] | None = None):
    program = compile_circuit(case.circuit, noise, strings or case.observables, dtype="float64")
    return program.run(case.features, case.theta[0])


def chain(n: int) -> Circuit:
    """Features on all wires, a layer of RY, and links from each even wire to the next."""
    return Circuit(
        n,
        (
            *(Operation("RX", (w,), (Feature((w,)),)) for w in range(n)),
            *(Operation("RY", (w,), (Parameter(w),)) for w in range(n)),
            *(Operation("CRX", (w, w + 1), (Parameter(n + w),)) for w in range(0, n - 1, 2)),
        ),
    )


class TestReadout:
    @given(cases(circuits(most_qubits=4), n_trainings=1), st.floats(0, 1), st.floats(0, 1))
    @settings(max_examples=40)
    def test_is_affine_on_single_letters(self, case: Case, p10: float, p01: float):
        n = case.circuit.n_qubits
        strings = ["I" * w + letter + "I" * (n - w - 1) for w in range(n) for letter in "XYZ"]
        clean = run(case, None, strings)
        read = run(case, NoiseModel(readout=ReadoutError(p10, p01)), strings)
        expected = (1 - p10 - p01) * clean + (p01 - p10)
        np.testing.assert_allclose(read, expected, rtol=0, atol=NOISY)

    @given(cases(circuits(most_qubits=4), n_trainings=1), st.floats(0, 1))
    @settings(max_examples=30)
    def test_symmetric_shrinks_by_the_weight(self, case: Case, p: float):
        clean = run(case)
        read = run(case, NoiseModel(readout=ReadoutError(p, p)))
        weights = [sum(letter != "I" for letter in string) for string in case.observables]
        np.testing.assert_allclose(
            read, clean * (1 - 2 * p) ** np.array(weights), rtol=0, atol=NOISY
        )

    def test_a_coin_toss_says_nothing(self):
        case = Case(
            circuit=chain(4),
            features=np.ones((2, 4)),
            theta=np.ones((1, 7)),
            observables=("ZIII", "XYII"),
        )
        read = run(case, NoiseModel(readout=ReadoutError(0.5, 0.5)))
        np.testing.assert_allclose(read, 0, rtol=0, atol=NOISELESS)


class TestChannels:
    @given(cases(circuits(most_qubits=4), n_trainings=1))
    @settings(max_examples=30)
    def test_full_depolarizing_kills_expectations(self, case: Case):
        """PennyLane's p = 3/4 is the completely mixed state; so is Qiskit's p = 1."""
        case = Case(
            circuit=case.circuit.then(
                Circuit(
                    case.circuit.n_qubits,
                    tuple(Operation("I", (w,)) for w in range(case.circuit.n_qubits)),
                )
            ),
            features=case.features,
            theta=case.theta,
            observables=case.observables,
        )
        blank = np.array([float(set(s) == {"I"}) for s in case.observables])
        for channel in (Depolarizing(0.75), Depolarizing(1.0, "qiskit")):
            out = run(case, NoiseModel(by_gate={"I": (channel,)}))
            np.testing.assert_allclose(out, np.tile(blank, (2, 1)), rtol=0, atol=NOISY)

    @given(st.integers(1, 12), st.floats(0, 0.75))
    @settings(max_examples=20)
    def test_depolarizing_shrinks_by_its_factor_each_time(self, depth: int, p: float):
        circuit = Circuit(1, (Operation("RY", (0,), (0.7,)), *[Operation("I", (0,))] * depth))
        noise = NoiseModel(by_gate={"I": (Depolarizing(p),)})
        out = compile_circuit(circuit, noise, dtype="float64").run(np.zeros((1, 0)))
        expected = np.cos(0.7) * (1 - 4 * p / 3) ** depth
        assert out[0, 0] == pytest.approx(expected, abs=NOISELESS)

    @given(st.integers(1, 30), st.floats(0, 1))
    @settings(max_examples=20)
    def test_damping_ends_in_the_ground_state(self, depth: int, gamma: float):
        circuit = Circuit(1, (Operation("X", (0,)), *[Operation("I", (0,))] * depth))
        noise = NoiseModel(by_gate={"I": (AmplitudeDamping(gamma),)})
        out = compile_circuit(circuit, noise, dtype="float64").run(np.zeros((1, 0)))
        assert out[0, 0] == pytest.approx(1 - 2 * (1 - gamma) ** depth, abs=NOISELESS)

    @given(cases(circuits(most_qubits=3), n_trainings=1), channels(), channels())
    @settings(max_examples=30)
    def test_channels_in_a_row_act_in_their_order(self, case: Case, first, second):
        """The pair after every gate is the first after the gate and the second after an I."""
        slow = []
        for operation in case.circuit.operations:
            marks = [Operation("I", (w,)) for w in operation.wires]
            slow += [operation, *marks]
        assume("I" not in {op.gate for op in case.circuit.operations})
        spread = Case(
            circuit=Circuit(case.circuit.n_qubits, tuple(slow)),
            features=case.features,
            theta=case.theta,
            observables=case.observables,
        )
        pair = NoiseModel(after_gate=(first, second))
        split = NoiseModel(after_gate=(first,), by_gate={"I": (second,)})
        np.testing.assert_allclose(run(case, pair), run(spread, split), rtol=0, atol=NOISY)


class TestUnitaries:
    @given(cases(circuits(most_qubits=4), n_trainings=1), generators(), noise_models())
    @settings(max_examples=30)
    def test_there_and_back_changes_nothing(
        self, case: Case, rng: np.random.Generator, noise: NoiseModel
    ):
        n = case.circuit.n_qubits
        gate = haar(n, rng)
        both = (unitary(gate, range(n)), unitary(gate.conj().T, range(n)))
        quiet = NoiseModel(
            after_gate=noise.after_gate,
            by_gate={**noise.by_gate, "UNITARY": ()},
            on_encoding=noise.on_encoding,
            readout=noise.readout,
        )
        longer = Case(
            circuit=case.circuit.then(Circuit(n, both)),
            features=case.features,
            theta=case.theta,
            observables=case.observables,
        )
        np.testing.assert_allclose(run(longer, quiet), run(case, quiet), rtol=0, atol=NOISY)

    @given(cases(circuits(most_qubits=3), n_trainings=1))
    @settings(max_examples=20)
    def test_pauli_spectrum_of_a_pure_state(self, case: Case):
        """The squares of all Pauli expectations sum to ``2**n``, whatever the circuit."""
        n = case.circuit.n_qubits
        strings = ["".join(letters) for letters in itertools.product("IXYZ", repeat=n)]
        squares = (run(case, None, strings) ** 2).sum(axis=1)
        np.testing.assert_allclose(squares, 2**n, rtol=0, atol=NOISY)
        flips = NoiseModel(after_gate=(BitFlip(0.1), PhaseFlip(0.1)))
        assert ((run(case, flips, strings) ** 2).sum(axis=1) <= 2**n + NOISY).all()

    @given(cases(circuits(most_qubits=4, with_state=False), n_trainings=1), st.data())
    @settings(max_examples=30)
    def test_names_of_wires_do_not_matter(self, case: Case, data: st.DataObject):
        n = case.circuit.n_qubits
        order = data.draw(st.permutations(range(n)))
        moved = Circuit(
            n,
            tuple(
                Operation(op.gate, tuple(order[w] for w in op.wires), op.angles, op.matrix)
                for op in case.circuit.operations
            ),
        )
        strings = []
        for string in case.observables:
            letters = ["I"] * n
            for wire, letter in enumerate(string):
                letters[order[wire]] = letter
            strings.append("".join(letters))
        renamed = Case(
            circuit=moved, features=case.features, theta=case.theta, observables=tuple(strings)
        )
        noise = ad_dep(0.05)
        np.testing.assert_allclose(run(renamed, noise), run(case, noise), rtol=0, atol=NOISY)


class TestLightCone:
    @pytest.mark.parametrize(
        ("noise", "method"),
        [(None, "pauli"), (None, "statevector"), (ad_dep(0.05), "pauli")],
    )
    def test_what_an_observable_cannot_see_has_no_gradient(self, noise, method):
        circuit = chain(6)
        program = compile_circuit(
            circuit, noise, ["IIYIII", "IIIYII"], dtype="float64", method=method
        )
        rng = np.random.default_rng(0)
        theta = torch.as_tensor(rng.uniform(0, 6, (2, circuit.n_parameters)))
        theta.requires_grad_()
        inputs = program.encode(rng.uniform(0, 3, (3, 6)))
        program.expectations(theta, inputs).sum().backward()
        assert theta.grad is not None
        seen = {2, 3, 6 + 2}
        for p in range(circuit.n_parameters):
            if p in seen:
                assert theta.grad[:, p].abs().min() > 1e-4
            else:
                np.testing.assert_allclose(theta.grad[:, p], 0, rtol=0, atol=NOISELESS)

    @pytest.mark.parametrize("noise", [None, ad_dep(0.05)])
    def test_far_gates_do_not_matter(self, noise: NoiseModel | None):
        """Nine entangled qubits with small cones: each pair is as a circuit of its own."""
        n = 9
        rng = np.random.default_rng(1)
        x, theta = rng.uniform(0, 3, (2, n)), rng.uniform(0, 6, 2 * n)
        circuit = chain(n)
        assert not circuit.is_product
        out = compile_circuit(circuit, noise, dtype="float64").run(x, theta[: circuit.n_parameters])
        assert out.shape == (2, n)
        for first in range(0, n - 1, 2):
            pair = Circuit(
                2,
                (
                    *(Operation("RX", (w,), (Feature((w,)),)) for w in (0, 1)),
                    *(Operation("RY", (w,), (Parameter(w),)) for w in (0, 1)),
                    Operation("CRX", (0, 1), (Parameter(2),)),
                ),
            )
            for row, sample in zip(out, x, strict=True):
                expected = reference.expectations(
                    pair,
                    sample[first : first + 2],
                    [theta[first], theta[first + 1], theta[n + first]],
                    noise,
                )
                np.testing.assert_allclose(row[first : first + 2], expected, rtol=0, atol=NOISY)

    @pytest.mark.parametrize("noise", [None, ad_dep(0.05)])
    def test_nine_qubits_in_a_row_of_links(self, noise: NoiseModel | None):
        """A line of CX: the first wires see little, the last all; nine is within reach."""
        n = 9
        turns = [Operation("RY", (w,), (Feature((w,)),)) for w in range(n)]
        links = [Operation("CX", (w, w + 1)) for w in range(n - 1)]
        circuit = Circuit(n, (*turns, *links))
        quiet = None if noise is None else NoiseModel(readout=ReadoutError(0.1, 0.1))
        out = compile_circuit(circuit, quiet, dtype="float64").run(np.full((1, n), 0.4))[0]
        shrink = 1.0 if noise is None else 0.8
        expected = shrink * np.cos(0.4) ** np.arange(1, n + 1)
        np.testing.assert_allclose(out, expected, rtol=0, atol=NOISY)

    def test_sixty_qubits_without_links(self):
        n = 60
        circuit = Circuit(
            n,
            (
                *(Operation("RX", (w,), (Feature((w,)),)) for w in range(n)),
                *(Operation("RX", (w,), (Parameter(w),)) for w in range(n)),
            ),
        )
        rng = np.random.default_rng(2)
        x, theta = rng.uniform(0, 3, (4, n)), rng.uniform(0, 3, n)
        noise = NoiseModel(after_gate=(Depolarizing(0.03),))
        out = compile_circuit(circuit, noise, dtype="float64").run(x, theta)
        expected = (1 - 0.04) ** 2 * np.cos(x + theta)
        np.testing.assert_allclose(out, expected, rtol=0, atol=NOISELESS)

    def test_a_long_string_on_few_product_wires(self):
        """An observable of several letters is a product on product states."""
        n = 40
        circuit = Circuit(n, tuple(Operation("RX", (w,), (Feature((w,)),)) for w in range(n)))
        string = "Z" * 5 + "I" * (n - 10) + "Y" * 5
        x = np.linspace(0.1, 1.0, n)
        out = compile_circuit(circuit, ad_dep(0.0), [string], dtype="float64").run(x[None])
        expected = np.prod(np.cos(x[:5])) * np.prod(-np.sin(x[-5:]))
        np.testing.assert_allclose(out, [[expected]], rtol=0, atol=NOISELESS)


class TestTooMany:
    def test_noisy_cone(self):
        n = 12
        links = [Operation("CX", (w, w + 1)) for w in range(n - 1)]
        circuit = Circuit(n, (Operation("RX", (0,), (Feature((0,)),)), *links))
        with pytest.raises(InvalidArgument) as caught:
            compile_circuit(circuit, ad_dep(0.1))
        said = str(caught.value)
        assert "observables that at most 10 qubits can reach" in said
        assert "11 entangled qubits with noise" in said  # the first that is too many
        assert said.endswith("use fewer qubits, or no noise (state vector)")
        assert compile_circuit(circuit).method == "statevector"
        assert compile_circuit(circuit, ad_dep(0.1), ["Z" + "I" * (n - 1)]).method == "pauli"

    def test_state_vector(self):
        n = 21
        links = [Operation("CX", (w, w + 1)) for w in range(n - 1)]
        with pytest.raises(
            InvalidArgument, match=r"at most 20 entangled qubits, got 21; use fewer"
        ):
            compile_circuit(Circuit(n, tuple(links)))

    def test_entangling_encoding_with_noise(self):
        n = 11
        circuit = Circuit(
            n,
            (Operation("CX", (0, 1)), *(Operation("RX", (w,), (Feature((w,)),)) for w in range(n))),
        )
        program = compile_circuit(circuit, ad_dep(0.1))
        with pytest.raises(InvalidArgument, match="at most 10 for an encoding that entangles"):
            program.encode(np.zeros((1, n)))
