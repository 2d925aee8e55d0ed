"""The quantum-kernel classifier: what is its own."""

from __future__ import annotations

import numpy as np
import pytest
from problems import angles, separable
from sklearn.svm import SVC

from bezoar.models.kernel import QuantumKernelClassifier
from bezoar.quantum.distances import gram
from bezoar.quantum.engines.encoder import encode
from bezoar.quantum.noise import NoiseModel, ad_dep

FEATURES, CODES = separable()
TEST = angles(40, seed=5)


def reference(
    model: QuantumKernelClassifier, X: np.ndarray, y: np.ndarray
) -> tuple[SVC, np.ndarray]:
    """The SVC that scikit-learn fits to the same kernel, and the kernel of `TEST`."""
    train, test = (encode(model.circuit_, part, model.noise_) for part in (X, TEST))
    machine = SVC(kernel="precomputed", C=model.C, break_ties=True)
    return machine.fit(gram(train, train), y), gram(test, train)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("noise", [None, ad_dep(0.05)])
@pytest.mark.parametrize("encoding", ["angle", "iqp"])
def test_prediction_from_stored_arrays_is_that_of_svc(
    encoding: str, noise: NoiseModel | None, n_classes: int
) -> None:
    X = angles(50, seed=2)
    y = np.random.default_rng(3).integers(0, n_classes, 50)
    model = QuantumKernelClassifier(
        encoding=encoding,
        noise=noise,
        C=3.0,
        scale=False,
        random_state=0,
    ).fit(X, y)
    machine, kernel = reference(model, X, y)
    np.testing.assert_array_equal(model.predict(TEST), machine.predict(kernel))
    # Sums of 50 products of numbers up to C.
    np.testing.assert_allclose(
        model.decision_function(TEST), machine.decision_function(kernel), rtol=0, atol=1e-10
    )


def test_the_kernel_is_the_fidelity_of_the_encoded_states() -> None:
    # RX alone, one qubit: |<psi(a)|psi(b)>|^2 = cos((a - b) / 2)^2.
    model = QuantumKernelClassifier(axes="X", scale=False, C=1e6, random_state=0)
    X = np.array([[0.3], [1.1], [2.0], [2.9]])
    model.fit(X, [0, 0, 1, 1])
    kernel = np.cos((X - X.T) / 2) ** 2
    machine = SVC(kernel="precomputed", C=1e6).fit(kernel, [0, 0, 1, 1])
    np.testing.assert_allclose(
        model.decision_function(X), machine.decision_function(kernel), rtol=0, atol=1e-6
    )


def test_probabilities_are_calibrated_on_samples_that_were_left_out() -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(0, np.pi, (400, 2))
    y = (X[:, 0] > np.pi / 2) ^ (rng.random(400) < 0.2)
    model = QuantumKernelClassifier(C=10.0, random_state=0).fit(X[:200], y[:200])
    probabilities = model.predict_proba(X[200:]).max(axis=1)
    accuracy = model.score(X[200:], y[200:])
    # 200 samples: the standard error of the accuracy is 0.03.
    assert abs(probabilities.mean() - accuracy) < 0.09
    assert probabilities.std() > 0


def test_calibration_does_not_move_a_prediction() -> None:
    y = np.digitize(FEATURES[:, 1], [1.4, 1.6])
    plain = QuantumKernelClassifier(calibration_folds=0).fit(FEATURES, y)
    calibrated = QuantumKernelClassifier(random_state=0).fit(FEATURES, y)
    assert plain.temperature_ == 1
    assert calibrated.temperature_ not in (0, 1)
    np.testing.assert_array_equal(plain.predict(TEST), calibrated.predict(TEST))


def test_a_class_of_one_sample_leaves_probabilities_uncalibrated() -> None:
    model = QuantumKernelClassifier(random_state=0).fit(FEATURES[:5], [0, 0, 0, 0, 1])
    assert model.temperature_ == 1


def test_certain_training_data_leave_finite_probabilities() -> None:
    far = np.repeat([[0.0], [np.pi]], 20, axis=0)
    model = QuantumKernelClassifier(axes="X", random_state=0).fit(far, far[:, 0] > 1)
    probabilities = model.predict_proba(far)
    assert probabilities.min() > 1e-6
    assert model.score(far, far[:, 0] > 1) == 1


def test_noise_on_the_encoding_shrinks_the_kernel() -> None:
    loud = QuantumKernelClassifier(noise="dep-qiskit:1", random_state=0).fit(FEATURES, CODES)
    assert len(np.unique(loud.predict_proba(TEST).round(9), axis=0)) == 1
    quiet = QuantumKernelClassifier(random_state=0).fit(FEATURES, CODES)
    assert quiet.score(FEATURES, CODES) == 1


def test_product_states_of_many_qubits_are_compared_exactly() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 64))
    y = X[:, :4].sum(axis=1) > 0
    model = QuantumKernelClassifier(axes="Y", C=100.0, random_state=0).fit(X, y)
    assert model.circuit_.n_qubits == 64
    assert model.score(X, y) > 0.95
