"""From names to circuits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bezoar.contracts.errors import InvalidArgument, UnknownName
from bezoar.contracts.plugins import names
from bezoar.models.circuits import build_ansatz, build_circuit, build_encoding, whole_number
from bezoar.quantum.ansatze.sim import SIM_6
from bezoar.quantum.encodings import AngleEncoding, IQPEncoding


@pytest.mark.parametrize("encoding", names("encodings"))
@pytest.mark.parametrize("ansatz", names("ansatze"))
def test_every_registered_pair_makes_a_circuit(encoding: str, ansatz: str) -> None:
    circuit = build_circuit(build_encoding(encoding), build_ansatz(ansatz), n_features=3)
    assert circuit.n_features == 3
    assert circuit.n_parameters > 0
    assert not circuit.reuploads


def test_the_encoding_comes_first_on_as_few_qubits_as_hold_the_features() -> None:
    circuit = build_circuit(build_encoding(), build_ansatz("sim-6"), 5, n_layers=2)
    assert circuit.n_qubits == 3
    assert circuit.encoding() == AngleEncoding().circuit(5, 3)
    assert circuit.trainable() == SIM_6.circuit(3, 2)


def test_a_leading_h_is_a_layer_of_hadamard_gates() -> None:
    assert build_encoding("angle", "HZX") == AngleEncoding(axes="ZX", hadamard_first=True)
    assert build_encoding("angle", "Y") == AngleEncoding(axes="Y")


def test_objects_are_taken_as_they_are() -> None:
    encoding = IQPEncoding(n_repeats=1)
    assert build_encoding(encoding) is encoding
    assert build_ansatz(SIM_6) is SIM_6


@pytest.mark.parametrize(
    ("encoding", "axes", "error", "text"),
    [
        ("angel", "XZ", UnknownName, "did you mean 'angle'"),
        ("iqp", "XY", InvalidArgument, "axes.*iqp.*leave axes out"),
        (IQPEncoding(), "XY", InvalidArgument, "axes.*IQPEncoding"),
        ("angle", "ZX", InvalidArgument, "axes.*lost"),
        ("angle", "H", InvalidArgument, "axes"),
        ("angle", "", InvalidArgument, "axes"),
        ("angle", "XQ", InvalidArgument, "axes"),
        ("angle", None, InvalidArgument, "axes"),
        (3, "XZ", InvalidArgument, "encoding"),
        (AngleEncoding, "XZ", InvalidArgument, "encoding"),
        (SIM_6, "XZ", InvalidArgument, "encoding"),
    ],
)
def test_encodings_that_do_not_exist_are_refused(
    encoding: Any, axes: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        build_encoding(encoding, axes)


def test_ansatze_that_do_not_exist_are_refused() -> None:
    with pytest.raises(UnknownName, match="sim-19"):
        build_ansatz("sim-20")
    with pytest.raises(InvalidArgument, match="ansatz"):
        build_ansatz(AngleEncoding())  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0, -1, 2.0, "2", True, None, np.float64(1), [1]])
@pytest.mark.parametrize("name", ["n_features", "n_layers"])
def test_sizes_that_are_no_whole_numbers_are_refused(name: str, value: Any) -> None:
    sizes: dict[str, Any] = {"n_features": 2, "n_layers": 1} | {name: value}
    with pytest.raises(InvalidArgument, match=name):
        build_circuit(build_encoding(), build_ansatz(), **sizes)


def test_too_many_features_are_refused_with_the_mend() -> None:
    with pytest.raises(InvalidArgument, match="use 3 qubits or reduce the data to 4 features"):
        build_circuit(build_encoding(), build_ansatz(), 5, 2)


def test_whole_numbers_of_numpy_are_whole_numbers() -> None:
    value = whole_number("n", np.int16(3))
    assert (value, type(value)) == (3, int)
