"""QSA901 and QSA902: what loading a pickle would do, in files that the real libraries wrote."""

from __future__ import annotations

import builtins
import collections
import datetime as dt
import enum
import functools
import gzip
import operator
import os
import pickle
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import artefact_files as make
import pytest

from bezoar.scan.artefacts.pickle_names import verdict
from bezoar.scan.rules.qsa901_dangerous_pickle import RULE as DANGEROUS
from bezoar.scan.rules.qsa902_pickle_artefact import RULE as PICKLE
from bezoar.scan.rules.qsa908_unreadable_artefact import RULE as UNREADABLE

REAL = {
    "system": make.Reaches(os.system, "true"),
    "eval": make.Reaches(builtins.eval, "1"),
    "open": make.Reaches(builtins.open, "x"),
    "subprocess": make.Reaches(subprocess.Popen, ["true"]),
    "attrgetter": make.Reaches(operator.attrgetter, "system"),
    "partial of a call": make.Reaches(functools.partial, make.Reaches(operator.not_, 1)),
    "pickle again": make.Reaches(pickle.loads, b"N."),
}
#: Written by hand, with the opcodes that no pickler writes.
BY_HAND = {
    "old import": b"c__builtin__\nexec\n(S'1'\ntR.",
    "INST": b"(S'true'\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nS'true'\no.",
    "names on the stack": b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x8c\x04true\x85R.",
    "escaped name": b"\x80\x04S'\\x6fs'\nS'system'\n\x93S'true'\n\x85R.",
    "through torch": b"\x80\x04\x8c\x13torch.serialization\x8c\x09os.system\x93)R.",
    "computed name": b"\x80\x04cbuiltins\nstr\n)R\x8c\x06system\x93)R.",
    "call of a result": b"\x80\x04ccollections\nOrderedDict\n)R)R.",
    "getattr of a hidden thing": b"\x80\x04cbuiltins\ngetattr\nNS'x'\n\x86R.",
    "getattr handed on": b"\x80\x04cfunctools\npartial\ncbuiltins\ngetattr\n\x85R.",
    "getattr chain": (
        b"\x80\x04cbuiltins\ngetattr\nccollections\nOrderedDict\nS'__init__'\n\x86R."
    ),
    "prepared twice": b"\x80\x04cfunctools\npartial\nN\x85R)R.",
    "prepared, then changed": (b"\x80\x04cfunctools\npartial\ncbuiltins\nset\n\x85R(N)}Ntb)R."),
    "setattr": b"\x80\x04cbuiltins\nsetattr\nccollections\nOrderedDict\nS'x'\nK\x01\x87R.",
    "attributes of an import": b"\x80\x04ccollections\nOrderedDict\n}S'a'\nK\x01sb.",
    "numpy's compiler": b"\x80\x04cnumpy.f2py\ncompile\n.",
    "torch.load of other bytes": b"\x80\x04ctorch.storage\n_load_from_bytes\nN\x85R.",
}


class Colour(enum.Enum):
    RED = 1


class Outer:
    class Inner:
        pass


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("name", REAL)
def test_calls_are_found_in_every_protocol(name: str, protocol: int, tmp_path: Path) -> None:
    file = tmp_path / "params.pkl"
    file.write_bytes(pickle.dumps({"w": [1.0], "x": REAL[name]}, protocol))
    (hit,) = make.findings(DANGEROUS, file)
    assert hit.severity == "critical"
    assert not make.findings(PICKLE, file)


@pytest.mark.parametrize("name", BY_HAND)
def test_opcodes_by_hand_are_found(name: str, tmp_path: Path) -> None:
    file = tmp_path / "params.pkl"
    file.write_bytes(BY_HAND[name])
    (hit,) = make.findings(DANGEROUS, file)
    assert hit.severity == "critical"


@pytest.mark.parametrize(
    "content",
    [
        make.runs_command()[:-1],
        make.runs_command() + b"more",
        pickle.dumps([1]) + make.runs_command(),
        pickle.dumps({"inner": make.runs_command()}),
        pickle.dumps({"inner": pickle.dumps([make.runs_command(2)])}, 2),
        make.runs_command()[:-1] + b"\xff\xff",
        gzip.compress(make.runs_command()),
        b"\x80\x04" + b"N0" * 1000 + make.runs_command()[2:],
    ],
    ids=["cut", "trailing", "second", "buried", "buried twice", "broken", "packed", "padded"],
)
def test_a_call_does_not_hide(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "params.pkl"
    file.write_bytes(content)
    (hit,) = make.findings(DANGEROUS, file)
    assert ".system" in hit.message
    assert hit.severity == "critical"


def test_long_chains_do_not_recurse(tmp_path: Path) -> None:
    file = tmp_path / "params.pkl"
    partial = b"\x80\x04cfunctools\npartial\nq\x00cbuiltins\nset\nq\x01"
    file.write_bytes(partial + b"h\x00h\x01" + b"\x85Rq\x01h\x00h\x01" * 5000 + b"\x85R)R.")
    assert not make.findings(DANGEROUS, file)
    # A record type of joblib's array that has itself as a field.
    circle = (
        b"\x80\x04cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(X\x05\x00\x00\x00shapeK\x01\x85"
        b"X\x05\x00\x00\x00dtypecnumpy\ndtype\nX\x02\x00\x00\x00V8\x85Rq\x00"
        b"(K\x03NNN}X\x01\x00\x00\x00ah\x00\x85stbub."
    )
    file.write_bytes(circle)
    (hit,) = make.findings(UNREADABLE, file)
    assert "type of a joblib array" in hit.message


def test_the_message_names_the_call_and_its_place(tmp_path: Path) -> None:
    file = tmp_path / "params.pkl"
    content = make.runs_command()
    file.write_bytes(content)
    (hit,) = make.findings(DANGEROUS, file)
    place = content.index(b"\x93")
    assert hit.message == f"Loading it calls {os.system.__module__}.system (byte {place})"
    assert hit.where == (1, 1, 1, 1)


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    "value",
    [
        {"w": [0.1, 2, None, True, "text", b"bytes"]},
        collections.OrderedDict(a=1),
        collections.defaultdict(list, a=[1]),
        dt.datetime(2024, 1, 1),
        {1, 2},
        functools.partial(dict, a=1),
        Path("params"),
        complex(1, 2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_plain_values_are_only_pickles(value: object, protocol: int, tmp_path: Path) -> None:
    file = tmp_path / "params.pkl"
    file.write_bytes(pickle.dumps(value, protocol))
    assert not make.findings(DANGEROUS, file)
    (hit,) = make.findings(PICKLE, file)
    assert hit.severity == "medium"
    assert "usual libraries" in hit.message


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("value", [Colour.RED, Outer.Inner(), Outer()])
def test_own_classes_are_told_by_name(value: object, protocol: int, tmp_path: Path) -> None:
    file = tmp_path / "params.pkl"
    file.write_bytes(pickle.dumps(value, protocol))
    assert not make.findings(DANGEROUS, file)
    (hit,) = make.findings(PICKLE, file)
    assert type(value).__name__ in hit.message


def test_a_circuit_of_qiskit_is_ordinary(tmp_path: Path) -> None:
    qiskit = pytest.importorskip("qiskit")
    circuit = qiskit.QuantumCircuit(2)
    circuit.rx(qiskit.circuit.Parameter("t") + 1, 0)
    circuit.measure_all()
    file = tmp_path / "circuit.pkl"
    file.write_bytes(pickle.dumps(circuit, 4))
    assert not make.findings(DANGEROUS, file)
    assert "usual libraries" in make.findings(PICKLE, file)[0].message


def test_arrays_of_pennylane_are_ordinary(tmp_path: Path) -> None:
    numpy = pytest.importorskip("pennylane.numpy")
    file = tmp_path / "weights.pkl"
    file.write_bytes(pickle.dumps(numpy.array([0.1, 0.2], requires_grad=True)))
    assert not make.findings(DANGEROUS, file)
    assert "usual libraries" in make.findings(PICKLE, file)[0].message


@pytest.mark.parametrize("writer", ["cloudpickle", "dill"])
def test_files_that_bring_code_are_high(writer: str, tmp_path: Path) -> None:
    pytest.importorskip(writer)
    file = tmp_path / "cost.pkl"
    # In a process of its own: dill changes the picklers of the one that imports it.
    program = (
        f"import sys, {writer}\n"
        "def cost(x):\n    return x * 2\n"
        f"open(sys.argv[1], 'wb').write({writer}.dumps(cost))\n"
    )
    subprocess.run([sys.executable, "-c", program, str(file)], check=True)
    (hit,) = make.findings(DANGEROUS, file)
    assert hit.severity == "high"
    assert writer in hit.message


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
@pytest.mark.parametrize("hostile", [False, True])
def test_joblib_streams_are_followed_behind_their_arrays(
    compress: object, hostile: bool, tmp_path: Path
) -> None:
    joblib = pytest.importorskip("joblib")
    numpy = pytest.importorskip("numpy")
    value = {
        "numbers": numpy.linspace(0, 1, 3000).reshape(30, 100),
        "names": numpy.array(["a", "bc"]),
        "objects": numpy.array([{"a": 1}, None], dtype=object),
        "records": numpy.zeros(2, dtype=[("a", "f4"), ("b", "U3")]),
        "empty": numpy.zeros((0, 4)),
        "last": make.Reaches(os.system, "true") if hostile else 1,
    }
    file = tmp_path / "model.joblib"
    joblib.dump(value, file, compress=compress)
    assert bool(make.findings(DANGEROUS, file)) is hostile
    assert bool(make.findings(PICKLE, file)) is not hostile
    assert not make.findings(UNREADABLE, file)


@pytest.mark.parametrize("old_format", [False, True])
def test_torch_files(old_format: bool, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(2, 3)
    contents = {
        "state": layer.state_dict(),
        "layer": {"layer": layer},
        "evil": {"x": make.Reaches(os.system, "true")},
    }
    for name, content in contents.items():
        torch.save(
            content,
            tmp_path / f"{name}.pt",
            _use_new_zipfile_serialization=not old_format,
        )
    (state,) = make.findings(PICKLE, tmp_path / "state.pt")
    assert (state.severity, "tensors only" in state.message) == ("low", True)
    (whole,) = make.findings(PICKLE, tmp_path / "layer.pt")
    assert whole.severity == "medium"
    (evil,) = make.findings(DANGEROUS, tmp_path / "evil.pt")
    assert evil.severity == "critical"
    for name in contents:
        assert not make.findings(UNREADABLE, tmp_path / f"{name}.pt")


@pytest.mark.parametrize("protocol", [2, 4])
def test_tensors_in_plain_pickles(protocol: int, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    file = tmp_path / "tensor.pkl"
    file.write_bytes(pickle.dumps(torch.zeros(3), protocol))
    assert not make.findings(DANGEROUS, file)
    inner = make.zip_of({"archive/data.pkl": make.runs_command()})
    call = b"\x80\x04ctorch.storage\n_load_from_bytes\nB" + struct.pack("<I", len(inner))
    file.write_bytes(call + inner + b"\x85R.")
    assert make.findings(DANGEROUS, file)


def test_torchscript_is_low(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    file = tmp_path / "traced.pt"
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 3), torch.zeros(1, 2)), str(file))
    (hit,) = make.findings(PICKLE, file)
    assert hit.severity == "low"
    assert not make.findings(DANGEROUS, file)


@pytest.mark.parametrize("damage", ["name at the member", "flag of encryption", "checksum"])
def test_what_a_strict_reader_refuses_is_read(damage: str, tmp_path: Path) -> None:
    content = bytearray(make.zip_of({"net/data.pkl": make.runs_command()}))
    table = content.index(b"PK\x01\x02")
    if damage == "name at the member":
        content[30:33] = b"xyz"
    elif damage == "flag of encryption":
        content[table + 8] |= 1
    else:
        content[table + 16] ^= 0xFF
    file = tmp_path / "net.pt"
    file.write_bytes(content)
    assert make.findings(DANGEROUS, file)


def test_object_arrays_of_numpy(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    hostile = numpy.array([make.Reaches(os.system, "true")], dtype=object)
    numpy.save(tmp_path / "evil.npy", hostile)
    numpy.savez(tmp_path / "evil.npz", a=numpy.zeros(3), b=hostile)
    numpy.savez(tmp_path / "objects.npz", labels=numpy.array(["a", None], dtype=object))
    numpy.savez(tmp_path / "plain.npz", a=numpy.zeros(3), b=numpy.array(["a"]))
    assert make.findings(DANGEROUS, tmp_path / "evil.npy")
    assert make.findings(DANGEROUS, tmp_path / "evil.npz")
    assert make.findings(PICKLE, tmp_path / "objects.npz")
    assert not make.findings(PICKLE, tmp_path / "plain.npz")


def test_models_of_scikit_learn_are_ordinary(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    pytest.importorskip("sklearn")
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler
    from sklearn.svm import SVC

    features = numpy.random.default_rng(0).random((30, 4))
    labels = (features[:, 0] > 0.5).astype(int)
    model = make_pipeline(MinMaxScaler(), PCA(2), SVC()).fit(features, labels)
    file = tmp_path / "model.sav"
    file.write_bytes(pickle.dumps(model))
    assert not make.findings(DANGEROUS, file)
    assert "usual libraries" in make.findings(PICKLE, file)[0].message


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("torch._utils._rebuild_tensor_v2", "ordinary"),
        ("numpy._core.multiarray._reconstruct", "ordinary"),
        ("sklearn.ensemble._forest.RandomForestClassifier", "ordinary"),
        ("builtins.set", "ordinary"),
        ("functools.reduce", "dangerous"),
        ("sklearn.svm.os.system", "dangerous"),
        ("collections.OrderedDict.__init__.__globals__", "dangerous"),
        ("sklearn.datasets.fetch_openml", "dangerous"),
        ("torch.nn.modules.module.torch.load", "dangerous"),
        ("project.nets.HybridNet", "unknown"),
        ("__main__.HybridNet", "unknown"),
        ("cloudpickle.cloudpickle._make_function", "brings code"),
        ("dill._dill.loads", "dangerous"),
    ],
)
def test_verdicts(name: str, wanted: str) -> None:
    assert verdict(name) == wanted
