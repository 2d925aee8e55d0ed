"""What scikit-learn and its users ask of both classifiers."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from problems import separable
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_classifiers_train, parametrize_with_checks

from bezoar.contracts.errors import BezoarWarning, InvalidArgument, InvalidData
from bezoar.contracts.plugins import load
from bezoar.contracts.protocols import Predictor
from bezoar.models import estimator
from bezoar.models.kernel import QuantumKernelClassifier
from bezoar.models.qnn import QNNClassifier
from bezoar.quantum.encodings import AngleEncoding

FEATURES, CODES = separable()


def quick(kind: Any, **settings: Any) -> Any:
    """A model that learns `FEATURES` in a moment."""
    how = {"epochs": 10, "learning_rate": 0.2} if kind is QNNClassifier else {}
    return kind(**{"random_state": 0, **how, **settings})


both = pytest.mark.parametrize("kind", [QNNClassifier, QuantumKernelClassifier])


@parametrize_with_checks(
    [
        QNNClassifier(),
        QNNClassifier(axes="X", ansatz="sim-2", epochs=20, learning_rate=0.1, early_stopping=True),
        QuantumKernelClassifier(),
    ]
)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_the_score_that_scikit_learn_asks_for_is_reached_with_one_feature_per_qubit() -> None:
    # The default, two features on one qubit, has one number to tell three classes by.
    check_classifiers_train("QNNClassifier", QNNClassifier(axes="X"))


def test_both_are_registered_and_are_predictors() -> None:
    assert load("models", "qnn") is QNNClassifier
    assert load("models", "quantum-kernel") is QuantumKernelClassifier
    assert isinstance(QNNClassifier(), Predictor)
    assert isinstance(QuantumKernelClassifier(), Predictor)


@both
@pytest.mark.parametrize(
    "names",
    [
        np.array(["cat", "dog"]),
        np.array(["Äpfel", "日本"], dtype=object),
        np.array([False, True]),
        np.array([-7, 300], dtype=np.int16),
        np.array([2.0, 5.0]),
    ],
)
def test_labels_of_any_type_come_back_as_they_were(kind: Any, names: np.ndarray) -> None:
    model = quick(kind).fit(FEATURES, names[CODES])
    predicted = model.predict(FEATURES)
    assert predicted.dtype == names.dtype
    assert (predicted == names[CODES]).mean() > 0.95
    assert model.classes_.tolist() == names.tolist()
    plain = quick(kind).fit(FEATURES, names[CODES].tolist()).predict(FEATURES)
    assert plain.tolist() == predicted.tolist()


@both
def test_probabilities_agree_with_predictions(kind: Any) -> None:
    y = np.digitize(FEATURES[:, 0], [0.7, 2.0])
    model = quick(kind).fit(FEATURES, y)
    probabilities = model.predict_proba(FEATURES)
    assert probabilities.shape == (60, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(model.classes_[probabilities.argmax(1)], model.predict(FEATURES))


@both
def test_the_same_random_state_gives_the_same_model(kind: Any) -> None:
    state = np.random.RandomState(5)
    same = quick(kind, random_state=np.random.RandomState(5)).fit(FEATURES, CODES)
    drawn = quick(kind, random_state=state).fit(FEATURES, CODES)
    seeded = quick(kind, random_state=drawn.settings_["random_state"]).fit(FEATURES, CODES)
    for other in (same, seeded):
        np.testing.assert_array_equal(drawn.predict_proba(FEATURES), other.predict_proba(FEATURES))


def test_no_random_state_draws_another_seed_each_time() -> None:
    first, second = (quick(QNNClassifier, random_state=None).fit(FEATURES, CODES) for _ in "ab")
    assert first.settings_["random_state"] != second.settings_["random_state"]
    assert not np.array_equal(first.theta_, second.theta_)


@both
def test_it_works_in_pipelines_grids_and_cross_validation(kind: Any) -> None:
    pipeline = make_pipeline(StandardScaler(), quick(kind))
    assert cross_val_score(pipeline, FEATURES, CODES, cv=3).mean() > 0.9
    name = kind.__name__.lower()
    grid = {f"{name}__axes": ["XZ", "Y"], f"{name}__noise": ["none", "ad-dep:0.05"]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(FEATURES, CODES)
    assert search.best_score_ > 0.9
    assert search.best_estimator_[-1].circuit_.n_qubits in (2, 4)


@both
def test_clone_and_pickle_keep_settings_and_fit(kind: Any) -> None:
    model = quick(kind, encoding=AngleEncoding(axes="YX"), noise="ad-dep:0.1")
    copy: Any = clone(model)
    assert copy.get_params() == model.get_params()
    fitted = model.fit(FEATURES, CODES)
    with pytest.raises(NotFittedError):
        copy.predict(FEATURES)
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301 - the user's own object
    np.testing.assert_array_equal(again.predict_proba(FEATURES), fitted.predict_proba(FEATURES))


@both
def test_settings_changed_after_the_fit_wait_for_the_next_one(kind: Any) -> None:
    model = quick(kind).fit(FEATURES, CODES)
    before = model.predict_proba(FEATURES)
    model.set_params(axes="Y", noise="ad-dep:0.3", scale=False)
    np.testing.assert_array_equal(model.predict_proba(FEATURES), before)
    assert model.fit(FEATURES, CODES).circuit_.n_qubits == 4


@both
def test_prediction_in_pieces_is_prediction(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = quick(kind, noise="ad-dep:0.05").fit(FEATURES, CODES)
    whole = model.predict_proba(FEATURES)
    monkeypatch.setattr(estimator, "_BATCH_NUMBERS", 100)
    np.testing.assert_allclose(model.predict_proba(FEATURES), whole, rtol=0, atol=1e-12)


@both
@pytest.mark.parametrize(
    ("X", "y", "text"),
    [
        ([[0.0], [np.nan], [1.0]], [0, 1, 1], "NaN"),
        ([[0.0], [np.inf], [1.0]], [0, 1, 1], "infinity"),
        ([[0.0], [1e200], [1.0]], [0, 1, 1], "1e\\+150"),
        ([0.0, 1.0], [0, 1], "Reshape"),
        (np.zeros((2, 1, 2, 2)), [0, 1], "dim"),
        (np.zeros((0, 2)), [], "0 sample"),
        (np.zeros((3, 0)), [0, 1, 1], "0 feature"),
        ([[1.0]], [0], "1 sample"),
        ([[1.0], [2.0]], [0, 0], "two classes or more, got 1 class"),
        ([[1.0], [2.0]], [0, 1, 0], "inconsistent"),
        ([[1.0], [2.0]], [0.5, 1.2], "continuous"),
        ([[1.0], [2.0]], [np.nan, 1.0], "NaN"),
        ([[1.0], [2.0]], None, "y"),
        ([["a"], ["b"]], [0, 1], "could not convert"),
        (np.array([[1j], [2]]), [0, 1], "Complex"),
    ],
)
def test_data_that_cannot_be_learnt_is_refused(kind: Any, X: Any, y: Any, text: str) -> None:
    model = quick(kind)
    with pytest.raises(InvalidData, match=text):
        model.fit(X, y)
    assert vars(model) == vars(quick(kind))


@both
@pytest.mark.parametrize("column", [0.0, -3.5])
def test_a_feature_that_never_changes_does_no_harm(kind: Any, column: float) -> None:
    X = np.column_stack([FEATURES, np.full(60, column)])
    assert quick(kind).fit(X, CODES).score(X, CODES) > 0.95


@both
def test_samples_beyond_the_training_range_are_at_its_end(kind: Any) -> None:
    model = quick(kind).fit(FEATURES, CODES)
    ends = np.stack([FEATURES.min(axis=0), FEATURES.max(axis=0)])
    far = ends + np.array([[-1e6], [1e6]])
    np.testing.assert_array_equal(model.predict_proba(far), model.predict_proba(ends))


@both
def test_features_that_are_radians_already_are_left_alone(kind: Any) -> None:
    model = quick(kind, scale=False).fit(FEATURES, CODES)
    assert model.scaler_ is None
    assert model.score(FEATURES, CODES) > 0.95


@both
def test_radians_that_alias_are_told(kind: Any) -> None:
    with pytest.warns(BezoarWarning, match="spans"):
        quick(kind, scale=False).fit(3 * FEATURES, CODES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(kind).fit(3 * FEATURES, CODES)


@both
@pytest.mark.parametrize("encoding", ["amplitude", "iqp"])
def test_other_encodings(kind: Any, encoding: str) -> None:
    model = quick(kind, encoding=encoding)
    assert model.fit(FEATURES, CODES).score(FEATURES, CODES) > 0.6
    assert model.circuit_.n_qubits == {"amplitude": 2, "iqp": 4}[encoding]


@both
def test_encodings_refuse_what_they_cannot_hold(kind: Any) -> None:
    with pytest.raises(InvalidData, match="norm above zero"):
        quick(kind, encoding="amplitude").fit(np.vstack([FEATURES, np.zeros(4)]), [*CODES, 1])
    bits = (FEATURES > 1.5).astype(float)
    model = quick(kind, encoding="basis").fit(bits, CODES)
    assert model.score(bits, CODES) > 0.95
    with pytest.raises(InvalidData, match="bits"):
        model.predict(FEATURES)


@both
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"encoding": "angel"}, "encoding"),
        ({"encoding": None}, "encoding"),
        ({"axes": "ZX"}, "axes"),
        ({"n_qubits": 0}, "n_qubits"),
        ({"n_qubits": 1.5}, "n_qubits"),
        ({"n_qubits": 1}, "n_features.* use 2 qubits"),
        ({"noise": "loud"}, "noise"),
        ({"noise": "ad-dep:2"}, "gamma"),
        ({"noise": 0.05}, "noise"),
        ({"random_state": -1}, "random_state"),
        ({"random_state": "0"}, "random_state"),
        ({"random_state": True}, "random_state"),
        ({"random_state": 2**64}, "random_state"),
        ({"random_state": np.random.default_rng(0)}, "random_state"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    kind: Any, change: dict[str, Any], told: str
) -> None:
    refused(quick(kind, **change), told)


@pytest.mark.parametrize(
    "change",
    [
        {"ansatz": "sim-20"},
        {"n_layers": 0},
        {"gradient": "backprop"},
        {"gradient": 3},
        {"shots": 100},
        {"shots": 0, "gradient": "spsa"},
        {"shots": 1.5, "gradient": "spsa"},
        {"sampler": "fair"},
        {"epochs": 0},
        {"epochs": "30"},
        {"batch_size": 2.5},
        {"learning_rate": 0},
        {"learning_rate": "fast"},
        {"learning_rate": float("inf")},
        {"optimizer": "rmsprop"},
        {"tol": -1},
        {"n_iter_no_change": 0},
        {"validation_fraction": 0.0, "early_stopping": True},
        {"validation_fraction": 1.0, "early_stopping": True},
        {"dtype": "float16"},
        {"device": "abacus"},
    ],
)
def test_settings_of_training_are_refused_by_name(change: dict[str, Any]) -> None:
    refused(quick(QNNClassifier, **change), next(iter(change)))


@pytest.mark.parametrize(
    "change",
    [
        {"C": 0},
        {"C": "1"},
        {"C": float("nan")},
        {"calibration_folds": 1},
        {"calibration_folds": -1},
    ],
)
def test_settings_of_the_kernel_are_refused_by_name(change: dict[str, Any]) -> None:
    refused(quick(QuantumKernelClassifier, **change), next(iter(change)))


def refused(model: Any, told: str) -> None:
    before = dict(vars(model))
    with pytest.raises(InvalidArgument, match=f"^{told}"):
        model.fit(FEATURES, CODES)
    assert vars(model) == before


@both
def test_an_interrupted_fit_leaves_an_estimator_that_was_never_fitted(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = quick(kind).fit(FEATURES, CODES)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kind, "_learn", interrupt)
        with pytest.raises(KeyboardInterrupt):
            model.fit(FEATURES, CODES)
    assert vars(model) == vars(quick(kind))
    with pytest.raises(NotFittedError):
        model.predict(FEATURES)
    assert model.fit(FEATURES, CODES).score(FEATURES, CODES) > 0.95
