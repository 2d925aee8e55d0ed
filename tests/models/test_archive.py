"""Models in files: all comes back, nothing is executed, damage is told."""

from __future__ import annotations

import io
import json
import pickle
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import separable

from bezoar.contracts.errors import FileProblem, InvalidArgument
from bezoar.models.kernel import QuantumKernelClassifier
from bezoar.models.qnn import QNNClassifier
from bezoar.quantum.ansatze.sim import SIM_6
from bezoar.quantum.encodings import AmplitudeEncoding, AngleEncoding, IQPEncoding
from bezoar.quantum.engines.gradients import SPSA, Exact
from bezoar.quantum.noise import (
    BitFlip,
    CoherentRotation,
    Depolarizing,
    NoiseModel,
    ReadoutError,
    ThermalRelaxation,
)

FEATURES, CODES = separable(20)
NOISE = NoiseModel(
    after_gate=(ThermalRelaxation(50.0, 70.0, 0.1), Depolarizing(0.01, "qiskit")),
    by_gate={"RZ": (), "CX": (BitFlip(0.02), CoherentRotation(0.1, "Y"))},
    over_rotation=0.01,
    on_encoding=False,
    readout=ReadoutError(0.01, 0.02),
)

both = pytest.mark.parametrize("kind", [QNNClassifier, QuantumKernelClassifier])


def fitted(kind: Any = QNNClassifier, **changes: Any) -> Any:
    how: dict[str, Any] = {"epochs": 2} if kind is QNNClassifier else {}
    return kind(**{"random_state": 3, **how, **changes}).fit(FEATURES, CODES)


def assert_same(loaded: Any, saved: Any) -> None:
    assert type(loaded) is type(saved)
    assert loaded.get_params() == saved.get_params()
    assert loaded.circuit_ == saved.circuit_
    assert loaded.noise_ == saved.noise_
    assert set(vars(loaded)) == set(vars(saved))
    np.testing.assert_array_equal(loaded.predict_proba(FEATURES), saved.predict_proba(FEATURES))
    labels, wanted = loaded.predict(FEATURES), saved.predict(FEATURES)
    assert labels.dtype == wanted.dtype
    assert labels.tolist() == wanted.tolist()


@both
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"noise": "ad-dep:0.05", "axes": "HZX"},
        {"noise": NOISE},
        {"noise": None, "scale": False},
        {"encoding": "amplitude"},
        {"encoding": IQPEncoding(n_repeats=1, entanglement="linear")},
        {"encoding": AmplitudeEncoding(), "n_qubits": np.int64(3)},
        {"encoding": AngleEncoding(low=0.5, high=1.5, hadamard_first=True, axes="ZY")},
    ],
)
def test_what_is_saved_comes_back(kind: Any, changes: dict[str, Any], tmp_path: Path) -> None:
    model = fitted(kind, **changes)
    path = model.save(tmp_path / "model.npz")
    assert_same(kind.load(path), model)


@pytest.mark.parametrize(
    "changes",
    [
        {"ansatz": SIM_6, "gradient": SPSA(step=0.1, directions=2), "shots": 10},
        {"gradient": Exact(), "learning_rate": np.float32(0.25), "dtype": "float64"},
        {"ansatz": "efficient-su2", "early_stopping": True, "validation_fraction": 0.3},
    ],
)
def test_settings_of_training_come_back(changes: dict[str, Any], tmp_path: Path) -> None:
    model = fitted(**changes)
    loaded = QNNClassifier.load(model.save(tmp_path / "model.npz"))
    assert_same(loaded, model)
    assert (loaded.n_iter_, loaded.best_epoch_) == (model.n_iter_, model.best_epoch_)
    assert loaded.loss_curve_ == model.loss_curve_


@both
@pytest.mark.parametrize(
    "names",
    [
        ["Äpfel", "日本"],
        np.array(["a", "b"], dtype=object),
        np.array([False, True]),
        np.array([-1, 5], dtype=np.int8),
        np.array([0.0, 1.0], dtype=np.float32),
    ],
)
def test_labels_of_any_type_come_back(kind: Any, names: Any, tmp_path: Path) -> None:
    how: dict[str, Any] = {"epochs": 1} if kind is QNNClassifier else {}
    model = kind(random_state=0, **how).fit(FEATURES, np.asarray(names)[CODES])
    loaded = kind.load(model.save(tmp_path / "m"))
    assert_same(loaded, model)
    assert loaded.classes_.dtype == model.classes_.dtype


def test_names_of_features_come_back(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(FEATURES, columns=list("abcd"))
    model = QNNClassifier(epochs=1, random_state=0).fit(table, CODES)
    loaded = QNNClassifier.load(model.save(tmp_path / "model.npz"))
    np.testing.assert_array_equal(loaded.predict_proba(table), model.predict_proba(table))
    assert loaded.feature_names_in_.tolist() == list("abcd")


def test_the_seed_that_was_drawn_is_saved(tmp_path: Path) -> None:
    model = QNNClassifier(epochs=2, random_state=np.random.RandomState(1)).fit(FEATURES, CODES)
    loaded = QNNClassifier.load(model.save(tmp_path / "model.npz"))
    assert isinstance(loaded.random_state, int)
    again = loaded.fit(FEATURES, CODES)
    np.testing.assert_array_equal(again.theta_, model.theta_)


def test_the_settings_of_the_fit_are_saved(tmp_path: Path) -> None:
    model = fitted()
    before = model.predict_proba(FEATURES)
    model.set_params(ansatz="sim-2", n_layers=3)
    loaded = QNNClassifier.load(model.save(tmp_path / "model.npz"))
    assert loaded.ansatz == "sim-1"
    np.testing.assert_array_equal(loaded.predict_proba(FEATURES), before)


def test_the_same_model_makes_the_same_bytes(tmp_path: Path) -> None:
    model = fitted()
    first, second = model.save(tmp_path / "a"), model.save(tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()


def test_a_gradient_of_the_users_own_cannot_be_saved(tmp_path: Path) -> None:
    class Own(Exact):
        """A gradient that no file could bring back."""

    model = fitted(gradient=Own())
    with pytest.raises(InvalidArgument, match=r"gradient.*plug-in"):
        model.save(tmp_path / "model.npz")
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    model = fitted()
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "model.npz"):
        with pytest.raises(FileProblem):
            model.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


# --- files that are no models ---------------------------------------------------------------


@both
def test_a_file_that_is_not_there_is_told(kind: Any, tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="does not exist"):
        kind.load(tmp_path / "nothing.npz")
    with pytest.raises(FileProblem):
        kind.load(tmp_path)


def test_a_model_of_the_other_kind_is_told(tmp_path: Path) -> None:
    path = fitted(QuantumKernelClassifier).save(tmp_path / "model.npz")
    with pytest.raises(FileProblem, match=r"use QuantumKernelClassifier\.load"):
        QNNClassifier.load(path)


class Bomb:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("the file was unpickled",))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a model",
        b"PK\x03\x04 nor this",
        pickle.dumps(Bomb()),
        pytest.param(lambda f: np.save(f, np.zeros(3)), id="npy"),
        pytest.param(lambda f: np.savez(f, a=np.zeros(3)), id="another npz"),
        pytest.param(lambda f: np.savez(f, header=np.zeros(3)), id="header of numbers"),
        pytest.param(lambda f: np.savez(f, header=np.array("{")), id="broken JSON"),
        pytest.param(lambda f: np.savez(f, header=np.array("[]")), id="a list"),
        pytest.param(lambda f: np.savez(f, header=np.array("[" * 10**5)), id="deep JSON"),
        pytest.param(
            lambda f: np.savez(f, header=np.array([Bomb()], dtype=object)), id="pickled header"
        ),
    ],
)
def test_files_that_are_no_models_are_told(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    if callable(content):
        with path.open("wb") as handle:
            content(handle)
    else:
        path.write_bytes(content)
    with pytest.raises(FileProblem, match="damaged or no model"):
        QNNClassifier.load(path)


def rewritten(path: Path, header: dict[str, Any] | None = None, **arrays: Any) -> Path:
    """The model file with other arrays, None for none, and other entries of the header."""
    with np.load(path, allow_pickle=False) as file:
        held: dict[str, Any] = {name: file[name] for name in file.files}
    entries = json.loads(str(held["header"][()])) | (header or {})
    held |= {"header": np.array(json.dumps(entries))} | arrays
    with path.open("wb") as handle:
        kept: dict[str, Any] = {name: a for name, a in held.items() if a is not None}
        np.savez(handle, **kept)
    return path


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"theta": None}, "theta"),
        ({"theta": np.zeros(3)}, "theta.*shape"),
        ({"theta": np.full(4, np.nan)}, "theta.*NaN"),
        ({"theta": np.array(["a"] * 4)}, "theta"),
        ({"weight": np.zeros((2, 3))}, "weight"),
        ({"bias": np.zeros(2, dtype=complex)}, "bias"),
        ({"classes": np.array([1, 0])}, "classes"),
        ({"classes": np.array([1])}, "classes"),
        ({"classes": np.array([[0, 1]])}, "classes"),
        ({"n_features": np.array(40)}, "damaged"),
        ({"n_features": np.array(0)}, "damaged"),
        ({"scaler": np.array([[1.0] * 4, [0.0] * 4])}, "scaler"),
        ({"scaler": np.zeros((2, 3))}, "scaler"),
        ({"header": {"format": "other"}}, "format"),
        ({"header": {"format_version": 99}}, "has model format 99"),
        ({"header": {"settings": []}}, "damaged"),
        ({"header": {"settings": {"colour": "red"}}}, "colour"),
        ({"header": {"settings": {"ansatz": "sim-99"}}}, "sim-99"),
        ({"header": {"settings": {"noise": {"part": "Popen", "fields": {}}}}}, "Popen"),
        ({"header": {"settings": {"noise": {"part": "os/system", "fields": {}}}}}, "part"),
        ({"header": {"settings": {"noise": {"part": "attacks/quid", "fields": {}}}}}, "part"),
        ({"header": {"settings": {"noise": {"part": ["x"], "fields": {}}}}}, "damaged"),
        ({"header": {"settings": {"noise": {"part": "SPSA", "fields": {"step": -1}}}}}, "step"),
        ({"header": {"text": ["nothing"]}}, "nothing"),
        ({"header": {"text": 3}}, "damaged"),
    ],
)
def test_damaged_models_are_told(changes: dict[str, Any], text: str, tmp_path: Path) -> None:
    path = fitted().save(tmp_path / "model.npz")
    rewritten(path, **changes)
    with pytest.raises(FileProblem, match=text):
        QNNClassifier.load(path)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("support_features", np.zeros((1, 4))),
        ("n_support", np.array([100, 1])),
        ("dual_coef", np.zeros((2, 3))),
        ("intercept", np.zeros(3)),
        ("temperature", np.array(0.0)),
        ("temperature", np.array(np.inf)),
    ],
)
def test_damaged_kernel_models_are_told(name: str, array: np.ndarray, tmp_path: Path) -> None:
    path = fitted(QuantumKernelClassifier).save(tmp_path / "model.npz")
    changed: dict[str, Any] = {name: array}
    rewritten(path, **changed)
    with pytest.raises(FileProblem, match=name):
        QuantumKernelClassifier.load(path)


CONTENT = io.BytesIO()
with tempfile.TemporaryDirectory() as folder:
    CONTENT.write(fitted().save(Path(folder) / "model.npz").read_bytes())


@settings(max_examples=150)
@given(data=st.data())
def test_no_damage_goes_unnoticed_or_raises_anything_else(data: st.DataObject) -> None:
    content = bytearray(CONTENT.getvalue())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.npz"
        path.write_bytes(content)
        try:
            loaded = QNNClassifier.load(path)
        except FileProblem:
            return
        # What is not covered by a checksum, such as dates, does not matter.
        np.testing.assert_array_equal(loaded.theta_, fitted().theta_)


def test_the_file_is_an_npz_of_plain_arrays(tmp_path: Path) -> None:
    path = fitted().save(tmp_path / "model.npz")
    assert zipfile.is_zipfile(path)
    with np.load(path, allow_pickle=False) as file:
        assert {"header", "classes", "theta", "weight", "bias", "scaler"} <= set(file.files)
        header = json.loads(str(file["header"][()]))
    assert header["format_version"] == 1
    assert header["settings"]["epochs"] == 2
