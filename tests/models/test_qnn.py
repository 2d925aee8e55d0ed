"""The variational classifier: what is its own."""

from __future__ import annotations

import numpy as np
import pytest
from problems import separable
from sklearn.base import BaseEstimator

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.data.scale import AngleScaler
from bezoar.models.qnn import QNNClassifier
from bezoar.models.training import Job, TrainingSettings, predict_scores, train_many
from bezoar.quantum.engines.gradients import SPSA
from bezoar.quantum.engines.plan import compile_circuit
from bezoar.quantum.noise import ad_dep

FEATURES, CODES = separable()


def test_a_fit_is_one_training_of_train_many_with_the_same_seed() -> None:
    model = QNNClassifier(
        ansatz="sim-8", n_layers=2, noise="ad-dep:0.05", epochs=4, batch_size=16, random_state=7
    ).fit(FEATURES, CODES)
    angles = AngleScaler().fit(FEATURES).transform(FEATURES)
    program = compile_circuit(model.circuit_, ad_dep(0.05))
    job = Job(train=np.arange(60), labels=CODES, n_classes=2, seed=7)
    settings = TrainingSettings(epochs=4, batch_size=16)
    (trained,) = train_many(program, angles, [job], settings)
    np.testing.assert_array_equal(model.theta_, trained.theta)
    np.testing.assert_array_equal(model.weight_, trained.weight)
    np.testing.assert_array_equal(model.bias_, trained.bias)
    assert model.loss_curve_ == trained.losses.tolist()
    assert model.n_iter_ == model.best_epoch_ == 4
    # The model predicts in double precision, the program here in single.
    scores = predict_scores(program, program.encode(angles), [trained])[0]
    np.testing.assert_allclose(model.predict_proba(FEATURES), scores, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"gradient": "parameter-shift", "shots": 100},
        {"gradient": SPSA(step=0.2, directions=2), "shots": 500},
        {"gradient": "spsa", "learning_rate": 0.1},
        {"ansatz": "strongly-entangling", "noise": "ad-dep:0.05"},
        {"ansatz": "real-amplitudes", "noise": "readout:0.1", "n_layers": 2},
        {"optimizer": "sgd", "learning_rate": 0.5},
        {"dtype": "float64", "sampler": "gaussian", "gradient": "spsa", "shots": 500},
        {"noise": ad_dep(0.1, on_encoding=False)},
    ],
)
def test_every_way_to_train_learns(settings: dict[str, object]) -> None:
    how = {"epochs": 30, "batch_size": 16, "learning_rate": 0.15, "random_state": 1} | settings
    model = QNNClassifier(**how).fit(FEATURES, CODES)  # type: ignore[arg-type]
    assert model.score(FEATURES, CODES) > 0.9
    assert model.theta_.dtype == np.dtype(model.dtype)


def test_noise_that_destroys_everything_leaves_chance() -> None:
    model = QNNClassifier(noise="dep-qiskit:1", epochs=3, random_state=0).fit(FEATURES, CODES)
    probabilities = model.predict_proba(FEATURES)
    np.testing.assert_allclose(probabilities, probabilities[:1].repeat(60, 0), atol=1e-12)


def test_early_stopping_holds_samples_out_and_stops() -> None:
    model = QNNClassifier(
        epochs=300,
        learning_rate=0.3,
        early_stopping=True,
        validation_fraction=0.2,
        n_iter_no_change=3,
        tol=1e-3,
        random_state=0,
    ).fit(FEATURES, CODES)
    assert model.n_iter_ == model.best_epoch_ + 3 < 300
    assert model.score(FEATURES, CODES) > 0.95


def test_early_stopping_needs_two_samples_of_each_class() -> None:
    model = QNNClassifier(early_stopping=True, epochs=2, random_state=0)
    with pytest.raises(InvalidData, match=r"rare.*none left to train on.*early_stopping=False"):
        model.fit(FEATURES, ["rare", *["a", "b"] * 29, "a"])
    two_each = np.repeat(["a", "b"], 2)
    assert model.fit(FEATURES[:4], two_each).classes_.tolist() == ["a", "b"]


def test_training_that_diverges_is_refused() -> None:
    model = QNNClassifier(learning_rate=1e30, random_state=0)
    with pytest.raises(InvalidArgument, match="learning_rate"):
        model.fit(FEATURES, CODES)
    assert not hasattr(model, "theta_")


def test_the_circuit_can_be_drawn() -> None:
    model = QNNClassifier(n_qubits=3, ansatz="sim-2", epochs=1).fit(FEATURES, CODES)
    assert model.circuit_.n_qubits == 3
    assert model.circuit_.draw().startswith("0: -RX(x0)-RZ(x1)-")


def test_a_watched_fit_shows_a_bar_on_stderr_and_changes_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    quiet = QNNClassifier(epochs=3, random_state=0).fit(FEATURES, CODES)
    assert capsys.readouterr() == ("", "")
    watched = QNNClassifier(epochs=3, random_state=0, verbose=True).fit(FEATURES, CODES)
    out, err = capsys.readouterr()
    assert out == ""
    assert "train" in err
    assert "3/3" in err
    np.testing.assert_array_equal(quiet.theta_, watched.theta_)


def test_many_qubits_without_entanglers_are_no_burden() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 100))
    y = X[:, 0] > 0
    model = QNNClassifier(epochs=40, learning_rate=0.1, random_state=0).fit(X, y)
    assert model.circuit_.n_qubits == 50
    assert model.score(X, y) > 0.9


def test_it_is_shown_with_what_differs_from_the_defaults() -> None:
    assert repr(QNNClassifier(epochs=3)) == "QNNClassifier(epochs=3)"
    assert isinstance(QNNClassifier(), BaseEstimator)
