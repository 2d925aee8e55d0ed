"""Noise that belongs to a gate at its wires, two-qubit channels and readout of each wire."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import PTM
from qiskit_aer.noise import depolarizing_error
from strategies import Case, cases, circuits, generators, haar, kraus_channel, placed_noise_models

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter
from bezoar.quantum.density import density_matrices
from bezoar.quantum.engines import reference
from bezoar.quantum.engines.encoder import encode
from bezoar.quantum.engines.plan import compile_circuit
from bezoar.quantum.engines.sampling import ShotSampler
from bezoar.quantum.noise import (
    AmplitudeDamping,
    BitFlip,
    Depolarizing,
    GateNoise,
    KrausChannel,
    NoiseModel,
    ReadoutError,
    TwoQubitDepolarizing,
    describe,
    transfer_matrix,
)

# Rounding of at most a few hundred operations on numbers up to 1, in float64.
ROUNDING = 1e-10
# Central differences with step h: rounding 1e-16 / h, curvature h**2.
STEP, DIFFERENCES = 1e-5, 2e-8


def expectations(case: Case, noise: NoiseModel) -> np.ndarray:
    program = compile_circuit(case.circuit, noise, case.observables, dtype="float64")
    theta = torch.as_tensor(case.theta)
    return program.forward(theta, program.encode(case.features))[0].numpy()


@given(st.data(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_fast_engine_as_reference(data: st.DataObject, reuploads: bool):
    chosen = circuits(most_qubits=4, most_operations=8, reuploads=reuploads)
    case = data.draw(cases(chosen))
    noise = data.draw(placed_noise_models(case))
    np.testing.assert_allclose(
        expectations(case, noise), case.reference(noise), rtol=0, atol=ROUNDING
    )


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_encoded_states_as_reference(data: st.DataObject):
    case = data.draw(cases(circuits(most_qubits=3, most_operations=8, most_wires=2)))
    noise = data.draw(placed_noise_models(case))
    encoding = case.circuit.encoding()
    found = density_matrices(encode(encoding, case.features, noise))
    for rho, x in zip(found, case.features, strict=True):
        expected = reference.density_matrix(encoding, x, noise=noise)
        np.testing.assert_allclose(rho, expected, rtol=0, atol=ROUNDING)


def entangled(n: int) -> Circuit:
    turns = [Operation("RX", (w,), (Feature((w,)),)) for w in range(n)]
    trained = [Operation("RY", (w,), (Parameter(w),)) for w in range(n)]
    links = [Operation("CX", (w, w + 1)) for w in range(n - 1)]
    return Circuit(n, (*turns, *trained, *links))


def device_like(n: int) -> NoiseModel:
    """Each place and wire with numbers of its own."""
    links = [
        GateNoise(
            gate="CX",
            wires=(w, w + 1),
            channels=(
                (TwoQubitDepolarizing(0.02 + 0.03 * w), (w, w + 1)),
                (AmplitudeDamping(0.01 + 0.02 * w), (w + 1,)),
            ),
        )
        for w in range(n - 1)
    ]
    turns = [
        GateNoise(gate=gate, wires=(w,), channels=((Depolarizing(0.01 * (w + 1)), (w,)),))
        for w in range(n)
        for gate in ("RX", "RY")
    ]
    readout = tuple(ReadoutError(0.01 * (w + 1), 0.05 * (w + 1)) for w in range(n))
    return NoiseModel(by_place=(*links, *turns), readout=readout)


def test_product_encodings_stay_products():
    states = encode(entangled(3).encoding(), np.ones((2, 3)), device_like(3))
    assert states.bloch is not None
    assert not states.pure
    # Wires with more noise are shorter.
    assert np.all(np.diff((states.bloch[0] ** 2).sum(1)) < 0)


def test_gradients_as_differences():
    circuit, noise = entangled(3), device_like(3)
    program = compile_circuit(circuit, noise, dtype="float64")
    inputs = program.encode(np.array([[0.3, 1.1, 2.0]]))
    theta = torch.tensor([[0.4, -0.9, 2.2]], dtype=torch.float64, requires_grad=True)
    program.expectations(theta, inputs).sum().backward()
    assert theta.grad is not None
    for which in range(3):
        moved = torch.zeros(1, 3, dtype=torch.float64)
        moved[0, which] = STEP
        ends = [program.forward(theta.detach() + s * moved, inputs)[0].sum() for s in (1, -1)]
        slope = float(ends[0] - ends[1]) / (2 * STEP)
        assert float(theta.grad[0, which]) == pytest.approx(slope, abs=DIFFERENCES)


@pytest.mark.parametrize("kind", ["joint", "gaussian"])
def test_shots_have_the_mean_and_the_spread_of_the_reference(kind):
    circuit, noise, shots, rounds = entangled(3), device_like(3), 50, 4000
    sampler = ShotSampler(circuit, noise, shots, kind=kind, dtype="float64")
    x, theta = np.array([[0.3, 1.1, 2.0]]), np.array([0.4, -0.9, 2.2])
    inputs = sampler.program.encode(x)
    rngs = [np.random.default_rng(5)]
    rows = torch.as_tensor(np.tile(theta, (rounds, 1)))
    drawn = sampler(rows, inputs, None, rngs)[:, 0].numpy()
    exact = reference.expectations(circuit, x[0], theta, noise)
    # Five standard errors of a mean over all shots.
    np.testing.assert_allclose(drawn.mean(0), exact, rtol=0, atol=5 / np.sqrt(shots * rounds))
    pairs = reference.expectations(circuit, x[0], theta, noise, ["ZZI", "ZIZ", "IZZ"])
    covariance = np.cov(drawn.T)
    for (a, b), second in zip([(0, 1), (0, 2), (1, 2)], pairs, strict=True):
        expected = (second - exact[a] * exact[b]) / shots
        assert covariance[a, b] == pytest.approx(expected, abs=5 / shots / np.sqrt(rounds))


class TestChannels:
    @pytest.mark.parametrize("p", [0.0, 0.3, 1.0, 16 / 15])
    def test_two_qubit_depolarizing_as_qiskit(self, p: float):
        theirs = np.real(PTM(depolarizing_error(p, 2)).data)
        ours = transfer_matrix(TwoQubitDepolarizing(p).kraus())
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-14)

    def test_two_qubit_depolarizing_is_not_one_on_each_wire(self):
        one = transfer_matrix(Depolarizing(0.3, "qiskit").kraus())
        both = transfer_matrix(TwoQubitDepolarizing(0.3).kraus())
        assert np.abs(np.kron(one, one) - both).max() > 0.1

    @given(st.integers(1, 2), generators())
    @settings(max_examples=20)
    def test_kraus_channels_keep_their_operators(self, n_wires: int, rng: np.random.Generator):
        channel = kraus_channel(n_wires, rng)
        again = KrausChannel.of(channel.kraus())
        assert again == channel
        assert hash(again) == hash(channel)
        total = sum(k.conj().T @ k for k in channel.kraus())
        np.testing.assert_allclose(total, np.eye(2**n_wires), rtol=0, atol=1e-14)

    @pytest.mark.parametrize(
        "operators",
        [
            [],
            [np.eye(3)],
            [np.eye(8)],
            [np.eye(2), np.eye(4)],
            [2 * np.eye(2)],
            [np.full((2, 2), np.nan)],
            [np.ones(2)],
        ],
    )
    def test_operators_that_are_no_channel(self, operators: Sequence[np.ndarray]):
        with pytest.raises(InvalidArgument, match="operators"):
            KrausChannel.of(operators)

    @pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
    def test_two_qubit_depolarizing_out_of_range(self, p: float):
        with pytest.raises(InvalidArgument, match="p: wanted"):
            TwoQubitDepolarizing(p)


class TestPlaces:
    def test_a_place_replaces_the_name_in_its_order_of_wires(self):
        here = GateNoise(gate="CX", wires=(1, 0), channels=((BitFlip(0.2), (0,)),))
        model = NoiseModel(by_gate={"CX": (BitFlip(0.1),)}, by_place=(here,))
        assert model.placed("CX", (1, 0), encoding=False) == ((BitFlip(0.2), (0,)),)
        assert model.placed("CX", (0, 1), encoding=False) == (
            (BitFlip(0.1), (0,)),
            (BitFlip(0.1), (1,)),
        )

    def test_an_empty_place_is_a_perfect_gate(self):
        model = NoiseModel(
            after_gate=(BitFlip(0.1),), by_place=(GateNoise(gate="X", wires=(0,), channels=()),)
        )
        circuit = Circuit(2, (Operation("X", (0,)), Operation("X", (1,))))
        np.testing.assert_allclose(
            reference.expectations(circuit, noise=model), [-1, -0.8], rtol=0, atol=1e-15
        )

    def test_quiet_encoding(self):
        here = GateNoise(gate="X", wires=(0,), channels=((BitFlip(0.2), (0,)),))
        model = NoiseModel(by_place=(here,), on_encoding=False)
        assert model.placed("X", (0,), encoding=True) == ()
        assert model.placed("X", (0,), encoding=False) == here.channels

    def test_activity(self):
        here = GateNoise(gate="X", wires=(0,), channels=((BitFlip(0.0), (0,)),))
        assert not NoiseModel(by_place=(here,), readout=(None, ReadoutError(0, 0))).is_active()
        assert NoiseModel(readout=(None, ReadoutError(0, 0.1))).is_active()
        there = GateNoise(gate="X", wires=(0,), channels=((BitFlip(0.1), (0,)),))
        assert NoiseModel(by_place=(there,)).is_active()

    def test_description_has_every_setting(self):
        here = GateNoise(
            gate="CX",
            wires=(1, 0),
            channels=((TwoQubitDepolarizing(0.1), (0, 1)), (BitFlip(0.2), (1,))),
        )
        text = json.dumps(
            describe(NoiseModel(by_place=(here,), readout=(None, ReadoutError(0.1, 0))))
        )
        told = json.loads(text)
        assert told["readout"] == [None, [0.1, 0]]
        assert told["by_place"] == [
            {
                "gate": "CX",
                "wires": [1, 0],
                "channels": [
                    {"channel": "TwoQubitDepolarizing", "p": 0.1, "wires": [0, 1]},
                    {"channel": "BitFlip", "p": 0.2, "wires": [1]},
                ],
            }
        ]

    def test_general_channels_can_be_told(self):
        channel = KrausChannel.of([haar(1, np.random.default_rng(0))])
        told = json.loads(json.dumps(describe(NoiseModel(after_gate=(channel,)))))
        assert np.shape(told["after_gate"][0]["real"]) == (1, 2, 2)

    @pytest.mark.parametrize(
        ("gate", "wires", "channels"),
        [
            ("BOGUS", (0,), ()),
            ("UNITARY", (0,), ()),
            ("CX", (0,), ()),
            ("CX", (0, 0), ()),
            ("X", (-1,), ()),
            ("X", (0,), ((BitFlip(0.1), (1,)),)),
            ("X", (0,), ((TwoQubitDepolarizing(0.1), (0,)),)),
            ("CX", (0, 1), ((BitFlip(0.1), (0, 1)),)),
            ("CX", (0, 1), ((TwoQubitDepolarizing(0.1), (0, 0)),)),
            ("CX", (0, 1), (("noise", (0,)),)),
        ],
    )
    def test_places_that_do_not_fit(self, gate, wires, channels):
        with pytest.raises(InvalidArgument):
            GateNoise(gate=gate, wires=wires, channels=channels)

    def test_other_refusals(self):
        here = GateNoise(gate="X", wires=(0,), channels=())
        with pytest.raises(InvalidArgument, match="each gate and place once"):
            NoiseModel(by_place=(here, here))
        with pytest.raises(InvalidArgument, match="channels on one qubit"):
            NoiseModel(after_gate=(TwoQubitDepolarizing(0.1),))
        with pytest.raises(InvalidArgument, match="channels on one qubit"):
            NoiseModel(by_gate={"X": (TwoQubitDepolarizing(0.1),)})
        with pytest.raises(InvalidArgument, match="readout"):
            NoiseModel(readout=(0.1, 0.2))  # type: ignore[arg-type]

    def test_too_few_readout_errors(self):
        model = NoiseModel(readout=(ReadoutError(0.1, 0.1),))
        circuit = entangled(2)
        with pytest.raises(InvalidArgument, match="a readout error for wire 1"):
            compile_circuit(circuit, model)
        with pytest.raises(InvalidArgument, match="a readout error for wire 1"):
            reference.expectations(circuit, [0, 0], [0, 0], model)
