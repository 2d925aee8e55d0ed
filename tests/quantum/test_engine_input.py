"""What `compile_circuit` and its programs refuse, and how they say it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter
from bezoar.quantum.engines.encoder import encode
from bezoar.quantum.engines.plan import compile_circuit
from bezoar.quantum.noise import ad_dep

X0 = Operation("RX", (0,), (Feature((0,)),))
T0 = Operation("RY", (0,), (Parameter(0),))
PAIR = Circuit(2, (X0, T0, Operation("CX", (0, 1))))
REUPLOAD = Circuit(2, (T0, X0))


@pytest.mark.parametrize("observables", [["Z"], ["ZZZ"], ["zz"], ["Z0"], ["ZZ", "AB"], "ZZ"])
def test_observables(observables):
    with pytest.raises(
        InvalidArgument, match="observables: wanted strings of 2 letters among I, X"
    ):
        compile_circuit(PAIR, None, observables)


def test_no_observables():
    with pytest.raises(InvalidArgument, match="observables: wanted one or more Pauli strings"):
        compile_circuit(PAIR, None, [])


@pytest.mark.parametrize("dtype", ["float16", "double", torch.float32])
def test_dtype(dtype):
    with pytest.raises(InvalidArgument, match="dtype: wanted float32 or float64"):
        compile_circuit(PAIR, dtype=dtype)


def test_method():
    with pytest.raises(
        InvalidArgument, match="method: wanted auto, pauli or statevector, got fast"
    ):
        compile_circuit(PAIR, method="fast")  # type: ignore[arg-type]


@pytest.mark.parametrize(("circuit", "noise"), [(PAIR, ad_dep(0.1)), (REUPLOAD, None)])
def test_state_vector_with_noise_or_reuploading(circuit, noise):
    with pytest.raises(InvalidArgument, match=r"pauli for a circuit with noise.*leave it at auto"):
        compile_circuit(circuit, noise, method="statevector")


@pytest.mark.parametrize("device", ["abacus", "cuda:99"])
def test_device(device: str):
    with pytest.raises(InvalidArgument, match="device: wanted a device of this torch, for example"):
        compile_circuit(PAIR, device=device)


def test_amplitudes_and_reuploading():
    loaded = Operation("STATE", (0, 1), features=(0, 1))
    circuit = Circuit(2, (loaded, T0, X0))
    with pytest.raises(InvalidArgument, match=r"amplitudes \(STATE\) or re-uploading, got both"):
        compile_circuit(circuit)


@pytest.mark.parametrize("circuit", [PAIR, REUPLOAD], ids=["encode once", "reupload"])
class TestRunning:
    @pytest.mark.parametrize("parameters", [[], [0.1, 0.2], [[0.1]], 0.1])
    def test_parameters(self, circuit: Circuit, parameters):
        with pytest.raises(InvalidArgument, match=r"theta: wanted shape \(training, 1\)"):
            compile_circuit(circuit).run([[0.3]], parameters)

    def test_features(self, circuit: Circuit):
        program = compile_circuit(circuit)
        with pytest.raises(InvalidArgument, match=r"features: wanted shape \(sample, 1 or more\)"):
            program.run([0.3], [0.1])
        with pytest.raises(InvalidArgument, match=r"features: wanted shape \(sample, 1 or more\)"):
            program.run(np.zeros((3, 0)), [0.1])
        for value in (np.nan, np.inf):
            with pytest.raises(InvalidData, match="features: wanted finite numbers"):
                program.run([[value]], [0.1])
        with pytest.raises(InvalidData, match="features: wanted a matrix of numbers"):
            program.run([["a"]], [0.1])  # type: ignore[list-item]


class TestStatesFromElsewhere:
    def test_other_width(self):
        states = encode(Circuit(1, (X0,)), [[0.3]])
        with pytest.raises(InvalidArgument, match=r"of 2 qubits.*got 1 qubits for a pauli"):
            compile_circuit(PAIR).inputs_from(states)

    @pytest.mark.parametrize(("circuit", "method"), [(REUPLOAD, "auto"), (PAIR, "statevector")])
    def test_programs_that_keep_none(self, circuit: Circuit, method):
        states = encode(Circuit(2, (X0,)), [[0.3]])
        with pytest.raises(
            InvalidArgument, match=r"encode the features with this program's encode"
        ):
            compile_circuit(circuit, method=method).inputs_from(states)


def test_errors_are_usage_errors():
    with pytest.raises(ValueError, match="method") as caught:
        compile_circuit(PAIR, method="fast")  # type: ignore[arg-type]
    assert isinstance(caught.value, InvalidArgument)
    assert caught.value.exit_code == 4
    assert caught.value.argument == "method"
