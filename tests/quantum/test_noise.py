"""Channels against their closed forms, PennyLane and Qiskit; models; names; descriptions."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import kraus, pennylane_channel
from pennylane.operation import Channel as PennyLaneChannel
from qiskit.quantum_info import PTM, SuperOp
from qiskit_aer.noise import depolarizing_error, thermal_relaxation_error
from strategies import channels, noise_models, probabilities, thermal_relaxations

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Circuit, Operation
from bezoar.quantum.engines import reference
from bezoar.quantum.gates import GATES
from bezoar.quantum.noise import (
    AmplitudeDamping,
    BitFlip,
    Channel,
    CoherentRotation,
    Depolarizing,
    NoiseModel,
    PhaseDamping,
    PhaseFlip,
    ReadoutError,
    ThermalRelaxation,
    ad_dep,
    describe,
    is_identity,
    parse_noise,
    pauli_basis,
    transfer_matrix,
)

# Sums of four products of numbers up to 1, with square roots squared again.
ROUNDING = 1e-14


def transfer(channel: Channel) -> np.ndarray:
    return transfer_matrix(channel.kraus())


def affine(diagonal: tuple[float, float, float], shift: float = 0.0) -> np.ndarray:
    """The transfer matrix that scales X, Y, Z and adds `shift` to Z."""
    matrix = np.diag([1.0, *diagonal])
    matrix[3, 0] = shift
    return matrix


class TestChannels:
    @given(channels())
    @settings(max_examples=100)
    def test_kraus_operators_are_complete(self, channel: Channel):
        operators = channel.kraus()
        assert all(k.shape == (2, 2) for k in operators)
        total = sum(k.conj().T @ k for k in operators)
        np.testing.assert_allclose(total, np.eye(2), rtol=0, atol=ROUNDING)

    @given(channels())
    @settings(max_examples=100)
    def test_transfer_matrix_as_qiskit(self, channel: Channel):
        theirs = np.asarray(PTM(kraus(channel)))
        np.testing.assert_allclose(transfer(channel), theirs, rtol=0, atol=ROUNDING)

    @given(channels())
    @settings(max_examples=100)
    def test_as_pennylane(self, channel: Channel):
        theirs = pennylane_channel(channel, 0)
        is_channel = isinstance(theirs, PennyLaneChannel)
        found = theirs.kraus_matrices() if is_channel else [theirs.matrix()]
        operators = tuple(np.asarray(k) for k in found)
        # PennyLane adds 1e-14 under its square roots.
        np.testing.assert_allclose(
            transfer(channel), transfer_matrix(operators), rtol=0, atol=1e-12
        )

    @given(probabilities())
    def test_amplitude_damping(self, gamma: float):
        root = math.sqrt(1 - gamma)
        expected = affine((root, root, 1 - gamma), gamma)
        np.testing.assert_allclose(
            transfer(AmplitudeDamping(gamma)), expected, rtol=0, atol=ROUNDING
        )

    @given(probabilities())
    def test_phase_damping(self, gamma: float):
        root = math.sqrt(1 - gamma)
        expected = affine((root, root, 1))
        np.testing.assert_allclose(transfer(PhaseDamping(gamma)), expected, rtol=0, atol=ROUNDING)

    @given(st.floats(0, 1), st.sampled_from(["pennylane", "qiskit"]))
    def test_depolarizing(self, p: float, convention):
        channel = Depolarizing(p, convention)
        shrink = 1 - 4 * p / 3 if convention == "pennylane" else 1 - p
        assert channel.shrink == pytest.approx(shrink, abs=1e-15)
        expected = affine((shrink, shrink, shrink))
        np.testing.assert_allclose(transfer(channel), expected, rtol=0, atol=ROUNDING)

    @given(st.floats(0, 1))
    def test_both_conventions_name_the_same_channels(self, p: float):
        ours = transfer(Depolarizing(0.75 * p, "pennylane"))
        np.testing.assert_allclose(ours, transfer(Depolarizing(p, "qiskit")), rtol=0, atol=ROUNDING)

    @given(st.floats(0, 1))
    @settings(max_examples=20)
    def test_depolarizing_as_qiskit(self, p: float):
        theirs = PTM(SuperOp(depolarizing_error(p, 1))).data
        ours = transfer(Depolarizing(p, "qiskit"))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=ROUNDING)

    @given(probabilities())
    def test_flips(self, p: float):
        kept = 1 - 2 * p
        np.testing.assert_allclose(
            transfer(BitFlip(p)), affine((1, kept, kept)), rtol=0, atol=ROUNDING
        )
        np.testing.assert_allclose(
            transfer(PhaseFlip(p)), affine((kept, kept, 1)), rtol=0, atol=ROUNDING
        )

    @given(thermal_relaxations())
    @settings(max_examples=100)
    def test_thermal_relaxation(self, channel: ThermalRelaxation):
        kept = math.exp(-channel.duration / channel.t1)
        coherence = math.exp(-channel.duration / channel.t2)
        rest = (1 - kept) * (1 - 2 * channel.excited)
        expected = affine((coherence, coherence, kept), rest)
        np.testing.assert_allclose(transfer(channel), expected, rtol=0, atol=ROUNDING)

    @given(thermal_relaxations())
    @settings(max_examples=50)
    def test_thermal_relaxation_as_qiskit(self, channel: ThermalRelaxation):
        error = thermal_relaxation_error(
            channel.t1,
            channel.t2,
            channel.duration,
            channel.excited,  # pyright: ignore[reportArgumentType]
        )
        theirs = PTM(SuperOp(error)).data
        # Qiskit drops operators of weight below 1e-8; ours holds the closed form to rounding, see
        # the test above.
        np.testing.assert_allclose(transfer(channel), theirs, rtol=0, atol=2e-8)

    def test_thermal_relaxation_at_its_ends(self):
        assert is_identity(ThermalRelaxation(1.0, 1.0, 0.0))
        assert is_identity(ThermalRelaxation(math.inf, math.inf, 1.0))
        forever = transfer(ThermalRelaxation(1.0, 2.0, 1e4, excited=0.25))
        np.testing.assert_allclose(forever, affine((0, 0, 0), 0.5), rtol=0, atol=ROUNDING)
        damping = ThermalRelaxation(1.0, 2.0, 0.3)
        same = AmplitudeDamping(1 - math.exp(-0.3))
        np.testing.assert_allclose(transfer(damping), transfer(same), rtol=0, atol=ROUNDING)

    @given(st.floats(-10, 10), st.sampled_from("XYZ"))
    def test_coherent_rotation(self, angle: float, axis):
        gate = GATES[f"R{axis}"].matrix(angle)
        ours = transfer(CoherentRotation(angle, axis))
        np.testing.assert_allclose(ours, transfer_matrix((gate,)), rtol=0, atol=ROUNDING)

    @given(st.floats(0, 1), st.sampled_from([AmplitudeDamping, PhaseDamping, BitFlip, PhaseFlip]))
    def test_none_of_it_is_the_identity(self, p: float, kind: type):
        assert is_identity(kind(0.0))
        assert is_identity(kind(p)) == (np.abs(transfer(kind(p)) - np.eye(4)).max() < 1e-15)

    def test_a_full_turn_is_the_identity(self):
        assert is_identity(CoherentRotation(0.0))
        assert not is_identity(CoherentRotation(0.1, "Z"))


class TestTransferMatrices:
    def test_basis_is_orthogonal(self):
        for n in (1, 2, 3):
            basis = pauli_basis(2**n)
            assert basis.shape == (4**n, 2**n, 2**n)
            gram = np.einsum("iab,jab->ij", basis, basis.conj())
            np.testing.assert_allclose(gram, 2**n * np.eye(4**n), rtol=0, atol=ROUNDING)

    def test_first_wire_is_slowest(self):
        np.testing.assert_array_equal(pauli_basis(4)[3 * 4], np.diag([1, 1, -1, -1]))

    def test_of_a_unitary_is_orthogonal(self):
        for gate in GATES.values():
            matrix = transfer_matrix((gate.matrix(*[0.3, 1.2, -0.7][: gate.n_angles]),))
            np.testing.assert_allclose(
                matrix @ matrix.T, np.eye(len(matrix)), rtol=0, atol=10 * ROUNDING
            )
            assert matrix.dtype == np.float64


class TestModels:
    def test_channels_by_gate(self):
        flip, damp = BitFlip(0.1), AmplitudeDamping(0.2)
        model = NoiseModel(after_gate=(damp,), by_gate={"CX": (flip, damp), "RZ": ()})
        assert model.channels("H", encoding=False) == (damp,)
        assert model.channels("CX", encoding=True) == (flip, damp)
        assert model.channels("RZ", encoding=True) == ()

    def test_quiet_encoding(self):
        model = NoiseModel(after_gate=(BitFlip(0.1),), over_rotation=0.1, on_encoding=False)
        assert model.channels("H", encoding=True) == ()
        assert model.channels("H", encoding=False) == (BitFlip(0.1),)
        assert model.turn(encoding=True) == 1
        assert model.turn(encoding=False) == pytest.approx(1.1)

    @given(noise_models())
    @settings(max_examples=40)
    def test_equality_hash_and_description(self, model: NoiseModel):
        twin = NoiseModel(
            after_gate=model.after_gate,
            by_gate=dict(model.by_gate),
            over_rotation=model.over_rotation,
            on_encoding=model.on_encoding,
            readout=model.readout,
        )
        assert twin == model
        assert hash(twin) == hash(model)
        text = json.dumps(describe(model), allow_nan=False)
        assert json.loads(text)["active"] == model.is_active()

    def test_description_has_every_setting(self):
        model = NoiseModel(
            after_gate=(ThermalRelaxation(3.0, 4.0, 0.5, 0.1), Depolarizing(0.1, "qiskit")),
            by_gate={"CX": (CoherentRotation(0.2, "Z"),)},
            over_rotation=0.01,
            on_encoding=False,
            readout=ReadoutError(0.02, 0.03),
        )
        thermal = {"t1": 3.0, "t2": 4.0, "duration": 0.5, "excited": 0.1}
        assert describe(model) == {
            "active": True,
            "after_gate": [
                {"channel": "ThermalRelaxation", **thermal},
                {"channel": "Depolarizing", "p": 0.1, "convention": "qiskit"},
            ],
            "by_gate": {"CX": [{"channel": "CoherentRotation", "angle": 0.2, "axis": "Z"}]},
            "over_rotation": 0.01,
            "on_encoding": False,
            "readout": [0.02, 0.03],
        }
        assert describe(None) == {"active": False}

    @pytest.mark.parametrize(
        ("model", "active"),
        [
            (NoiseModel(), False),
            (ad_dep(0.0), False),
            (NoiseModel(readout=ReadoutError(0, 0)), False),
            (NoiseModel(by_gate={"CX": (BitFlip(0),)}), False),
            (ad_dep(0.01), True),
            (NoiseModel(readout=ReadoutError(0.1, 0)), True),
            (NoiseModel(readout=ReadoutError(0, 0.1)), True),
            (NoiseModel(over_rotation=-0.1), True),
            (NoiseModel(by_gate={"CX": (BitFlip(0.1),)}), True),
            (NoiseModel(after_gate=(CoherentRotation(0.1),)), True),
        ],
    )
    def test_is_active(self, model: NoiseModel, active: bool):
        assert model.is_active() is active

    def test_order_matters(self):
        circuit = Circuit(1, (Operation("H", (0,)), Operation("X", (0,))))
        first = reference.expectations(circuit, noise=ad_dep(0.1))
        second = reference.expectations(circuit, noise=ad_dep(0.1, damping_first=False))
        assert abs(first - second) > 1e-3

    def test_ad_dep(self):
        assert ad_dep(0.05) == NoiseModel((AmplitudeDamping(0.05), Depolarizing(0.05)))
        assert ad_dep(0.05, on_encoding=False).on_encoding is False

    @given(st.floats(0, 1), st.floats(0, 1))
    def test_readout(self, p10: float, p01: float):
        error = ReadoutError(p10, p01)
        for z in (1, -1):
            one = p10 if z == 1 else 1 - p01
            assert error.scale * z + error.shift == pytest.approx(1 - 2 * one, abs=1e-15)


class TestNames:
    @pytest.mark.parametrize(
        ("text", "model"),
        [
            ("none", None),
            ("ad-dep:0.05", ad_dep(0.05)),
            ("dep-ad:0.05", ad_dep(0.05, damping_first=False)),
            ("dep:0.1", NoiseModel((Depolarizing(0.1),))),
            ("dep-qiskit:0.1", NoiseModel((Depolarizing(0.1, "qiskit"),))),
            ("ad:1", NoiseModel((AmplitudeDamping(1.0),))),
            ("pd:0", NoiseModel((PhaseDamping(0.0),))),
            ("bit-flip:1e-3", NoiseModel((BitFlip(0.001),))),
            ("phase-flip:0.2", NoiseModel((PhaseFlip(0.2),))),
            ("over-rotation:-0.02", NoiseModel(over_rotation=-0.02)),
            ("readout:0.03", NoiseModel(readout=ReadoutError(0.03, 0.03))),
        ],
    )
    def test_known(self, text: str, model: NoiseModel | None):
        assert parse_noise(text) == model

    @pytest.mark.parametrize(
        "text",
        ["", "ad-dep", "ad-dep:", "ad-dep:x", "ad-dep:nan", "ad-dep:inf", "addep:0.1", "None",
         ":0.1", "none:0.1", "ad-dep:0.1:0.2"],
    )  # fmt: skip
    def test_other_forms(self, text: str):
        with pytest.raises(InvalidArgument) as caught:
            parse_noise(text)
        said = str(caught.value)
        assert said.startswith("noise: wanted none or NAME:NUMBER with NAME one of ad-dep, dep-ad")
        assert repr(text) in said
        assert said.endswith("for example ad-dep:0.05")
        assert caught.value.exit_code == 4

    @pytest.mark.parametrize("name", ["ad-dep", "dep", "dep-qiskit", "ad", "pd", "readout"])
    @pytest.mark.parametrize("value", ["-0.1", "1.1"])
    def test_not_a_probability(self, name: str, value: str):
        with pytest.raises(
            InvalidArgument, match=rf"wanted a probability in \[0, 1\], got {value}"
        ):
            parse_noise(f"{name}:{value}")


class TestRefusals:
    @pytest.mark.parametrize("value", [-1e-9, 1.0000001, math.nan, math.inf])
    @pytest.mark.parametrize(
        ("make", "name"),
        [
            (AmplitudeDamping, "gamma"),
            (PhaseDamping, "gamma"),
            (Depolarizing, "p"),
            (BitFlip, "p"),
            (PhaseFlip, "p"),
            (lambda p: ReadoutError(p, 0.0), "p10"),
            (lambda p: ReadoutError(0.0, p), "p01"),
            (lambda p: ThermalRelaxation(1.0, 1.0, 1.0, p), "excited"),
        ],
    )
    def test_not_a_probability(self, make, name: str, value: float):
        with pytest.raises(InvalidArgument, match=rf"{name}: wanted a probability in \[0, 1\]"):
            make(value)

    def test_convention(self):
        with pytest.raises(
            InvalidArgument, match="convention: wanted pennylane or qiskit, got cirq"
        ):
            Depolarizing(0.1, "cirq")  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "times",
        [(0, 1, 1), (1, 0, 1), (-1, 1, 1), (1, 1, -1), (math.nan, 1, 1), (1, 1, math.nan),
         (1, 1, math.inf)],
    )  # fmt: skip
    def test_times(self, times: tuple[float, float, float]):
        with pytest.raises(InvalidArgument, match="t1, t2, duration: wanted positive times"):
            ThermalRelaxation(*times)

    def test_dephasing_slower_than_physics_allows(self):
        with pytest.raises(InvalidArgument, match=r"t2: wanted at most 2 t1 = 2, got 2\.1"):
            ThermalRelaxation(1.0, 2.1, 1.0)

    @pytest.mark.parametrize(("angle", "axis"), [(0.1, "x"), (math.nan, "X"), (math.inf, "Z")])
    def test_rotation(self, angle: float, axis):
        with pytest.raises(InvalidArgument, match="axis and angle: wanted X, Y or Z and a finite"):
            CoherentRotation(angle, axis)

    def test_unknown_gates(self):
        with pytest.raises(InvalidArgument, match="by_gate: wanted names of gates, got CNOT, rx"):
            NoiseModel(by_gate={"rx": (), "CNOT": (), "CX": ()})
        NoiseModel(by_gate={"UNITARY": (), "STATE": ()})

    @pytest.mark.parametrize("channels", [BitFlip(0.1), [BitFlip(0.1)], (0.1,), "ad-dep"])
    def test_not_channels(self, channels):
        with pytest.raises(InvalidArgument, match="channels of after_gate: wanted a tuple of"):
            NoiseModel(after_gate=channels)
        with pytest.raises(InvalidArgument, match="channels of CX: wanted a tuple of"):
            NoiseModel(by_gate={"CX": channels})

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_over_rotation(self, value: float):
        with pytest.raises(InvalidArgument, match="over_rotation: wanted a finite number"):
            NoiseModel(over_rotation=value)
