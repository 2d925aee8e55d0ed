"""QSA907, and Keras in QSA901: headers that lie, files outside, code in configurations."""

from __future__ import annotations

import json
from pathlib import Path

import artefact_files as make
import pytest

from bezoar.scan.artefacts import keras_files
from bezoar.scan.rules.qsa901_dangerous_pickle import RULE as DANGEROUS
from bezoar.scan.rules.qsa907_malformed_model_file import RULE as MALFORMED
from bezoar.scan.rules.qsa908_unreadable_artefact import RULE as UNREADABLE

NPY = "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x01", "too short"),
        ((10**12).to_bytes(8, "little") + b"{", "claims"),
        (make.safetensors_with(b"[]"), "brace"),
        (make.safetensors_with(b'{"a":'), "JSON"),
        (make.safetensors_with(b'{"a":' + b"[" * 90_000), "JSON"),
        (make.safetensors_with(b'{"a": 1, "a": 2}'), "twice"),
        (make.safetensors_with({"__metadata__": {"a": 1}}), "metadata"),
        (make.safetensors_with({"a": 1}), "object"),
        (make.safetensors_with({"a": make.tensor(4, 0, 1)}, bytes(4)), "offsets"),
        (make.safetensors_with({"a": make.tensor(0, 8, 1)}, bytes(8)), "fill"),
        (make.safetensors_with({"a": make.tensor(0, 4, -1)}, bytes(4)), "shape"),
        (make.safetensors_with({"a": make.tensor(4, 8, 1)}, bytes(8)), "unused"),
        (make.safetensors_with({"a": make.tensor(0, 4, 1)}, bytes(8)), "take"),
        (
            make.safetensors_with(
                {"a": make.tensor(0, 8, 2), "b": make.tensor(4, 12, 2)}, bytes(12)
            ),
            "overlaps",
        ),
    ],
)
def test_safetensors_that_lie(content: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / "net.safetensors"
    file.write_bytes(content)
    (hit,) = make.findings(MALFORMED, file)
    assert words in hit.message


def test_safetensors_of_the_library(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    library = pytest.importorskip("safetensors.numpy")
    file = tmp_path / "net.safetensors"
    arrays = {
        "a": numpy.zeros(3),
        "b": numpy.zeros((2, 2), numpy.float32),
        "c": numpy.zeros((0, 2)),
    }
    library.save_file(arrays, file, metadata={"made": "here"})
    assert not make.findings(MALFORMED, file)
    library.save_file({}, file)
    assert not make.findings(MALFORMED, file)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (make.npy_with(NPY.replace("3", "1000000000000")), "promises"),
        (make.npy_with(NPY, bytes(23)), "promises 24"),
        (make.npy_with("{'descr': '<f8', 'shape': (3,)}"), "other entries"),
        (make.npy_with(NPY.replace("3", "-3")), "shape"),
        (make.npy_with(NPY.replace("<f8", "<q3x")), "type"),
        (make.npy_with("__import__('os').system('true')"), "constants"),
        (make.npy_with("(" * 110), "constants"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\x00", "refuses"),
        (b"\x93NUMPY\x01\x00\xff\x00{", "ends early"),
    ],
)
def test_arrays_that_lie(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    (tmp_path / "x.npz").write_bytes(make.zip_of({"x.npy": content}))
    for name in ("x.npy", "x.npz"):
        (hit,) = make.findings(MALFORMED, tmp_path / name)
        assert words in hit.message


def test_arrays_of_python_2(tmp_path: Path) -> None:
    file = tmp_path / "old.npy"
    file.write_bytes(make.npy_with(NPY.replace("3", "3L"), bytes(24)))
    assert not make.findings(MALFORMED, file)


def test_arrays_of_numpy(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    arrays = {
        "plain": numpy.zeros((3, 4)),
        "scalar": numpy.float64(3),
        "empty": numpy.zeros((0, 3)),
        "text": numpy.array(["a", "bcd"]),
        "bytes": numpy.array([b"a", b"bcd"]),
        "date": numpy.array(["2020-01-01"], dtype="M8[D]"),
        "complex": numpy.zeros(2, complex),
        "fortran": numpy.asfortranarray(numpy.zeros((2, 3), bool)),
        "record": numpy.zeros(2, dtype=[("a", "<f4", (2, 2)), ("b", [("c", "U3"), ("d", "i1")])]),
    }
    for name, array in arrays.items():
        numpy.save(tmp_path / f"{name}.npy", array)
        assert not make.findings(MALFORMED, tmp_path / f"{name}.npy"), name
    for save in (numpy.savez, numpy.savez_compressed):
        save(tmp_path / "all.npz", **arrays)
        for rule in (MALFORMED, UNREADABLE, DANGEROUS):
            assert not make.findings(rule, tmp_path / "all.npz")


@pytest.mark.parametrize(
    ("content", "severity"),
    [
        (make.onnx_model("../../etc/passwd"), "high"),
        (make.onnx_model("/etc/passwd"), "high"),
        (make.onnx_model("C:\\secret"), "high"),
        (make.onnx_model("a/../../b"), "high"),
        (make.onnx_model()[:-1], "medium"),
        (b"\x08\x08\x07\x07", "medium"),
        (b"\x08" + b"\xff" * 20, "medium"),
        (make.onnx_model(domain="my.company.ops"), "low"),
    ],
)
def test_onnx_models_that_reach_out(content: bytes, severity: str, tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(content)
    (hit,) = make.findings(MALFORMED, file)
    assert hit.severity == severity


@pytest.mark.parametrize(
    "content",
    [
        make.onnx_model(),
        make.onnx_model("weights.bin"),
        make.onnx_model("data/weights..bin"),
        make.onnx_model(domain="com.microsoft"),
    ],
)
def test_usual_onnx_models(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(content)
    assert not make.findings(MALFORMED, file)


def keras(config: object) -> bytes:
    return make.zip_of({"metadata.json": b"{}", "config.json": json.dumps(config).encode()})


LAMBDA = {"class_name": "Lambda", "config": {"function": {"class_name": "__lambda__"}}}
OLD_LAMBDA = {"class_name": "Lambda", "config": {"function_type": "lambda", "function": ["4w=="]}}
LAYERS = {
    "module": "keras",
    "class_name": "Functional",
    "layers": [
        {"module": "keras.layers", "class_name": "Dense", "config": {"module": "builtins"}},
        {"class_name": "Lambda", "config": {"function_type": "function", "function": "scale"}},
    ],
}


def test_code_in_keras_models(tmp_path: Path) -> None:
    hostile = {
        "a.keras": (keras({"layers": [LAMBDA]}), "high"),
        "b.keras": (keras({"module": "os", "config": "system"}), "critical"),
        "c.h5": (b"\x89HDF\r\n\x1a\n" + bytes(900) + json.dumps(OLD_LAMBDA).encode(), "high"),
    }
    for name, (content, severity) in hostile.items():
        (tmp_path / name).write_bytes(content)
        (hit,) = make.findings(DANGEROUS, tmp_path / name)
        assert hit.severity == severity
    harmless = {
        "d.keras": keras(LAYERS),
        "e.h5": b"\x89HDF\r\n\x1a\n" + bytes(900) + json.dumps(LAYERS).encode(),
        "f.hdf5": b"\x89HDF\r\n\x1a\n" + bytes(2000),
    }
    for name, content in harmless.items():
        (tmp_path / name).write_bytes(content)
        assert not make.findings(DANGEROUS, tmp_path / name)


def test_a_lambda_between_two_chunks_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras_files, "_CHUNK", 4096)
    text = b'"function_type": "lambda"'
    for shift in range(0, len(text), 3):
        file = tmp_path / f"{shift}.h5"
        start = b"\x89HDF\r\n\x1a\n"
        file.write_bytes(start + bytes(4096 - len(start) - shift) + text + bytes(5000))
        (hit,) = make.findings(DANGEROUS, file)
        assert f"byte {4096 - shift}" in hit.message
