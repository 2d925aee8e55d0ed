"""White-box access: derivatives against differences of the losses, and the account of trainings."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.models.circuits import build_ansatz, build_circuit, build_encoding
from bezoar.models.derivatives import CircuitDerivatives
from bezoar.models.training import Trained, TrainingSettings
from bezoar.models.white_box import WhiteBox, WhiteBoxVictim, model_at, weights_of
from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter
from bezoar.quantum.engines import reference
from bezoar.quantum.noise import NoiseModel, ReadoutError, ad_dep

SHORT = TrainingSettings(epochs=2)
STEP = 1e-5


def shared() -> Circuit:
    """Two gates turned by one parameter, one by a sum of scales, a feature in three gates."""
    operations = (
        Operation("RX", (0,), (Feature((0,)),)),
        Operation("RY", (1,), (Feature((0,), scale=0.5),)),
        Operation("RZ", (0,), (Feature((0, 1), scale=2.0, offset=1.0),)),
        Operation("RX", (0,), (Parameter(0),)),
        Operation("CRX", (0, 1), (Parameter(0, scale=0.5),)),
        Operation("RY", (1,), (Parameter(1),)),
        Operation("CX", (1, 0)),
        Operation("RY", (0,), (Parameter(2),)),
    )
    return Circuit(2, operations)


def reuploading() -> Circuit:
    """Data, training, data again."""
    data = Circuit(1, (Operation("RX", (0,), (Feature((0,)),)),))
    turn = Circuit(1, (Operation("RY", (0,), (Parameter(0),)),))
    again = Circuit(1, (Operation("RX", (0,), (Feature((1,)),)),))
    return data.then(turn).then(again).then(turn.shifted(1))


def built(encoding: str, ansatz: str) -> Circuit:
    return build_circuit(build_encoding(encoding), build_ansatz(ansatz), n_features=3, n_qubits=3)


CASES = {
    "product": (built("angle", "sim-1"), None),
    "noisy": (built("angle", "sim-6"), ad_dep(0.05)),
    "noise after encoding": (
        built("iqp", "sim-8"),
        NoiseModel(after_gate=ad_dep(0.03).after_gate, over_rotation=0.1, on_encoding=False),
    ),
    "over-rotation and readout": (
        built("angle", "sim-8"),
        NoiseModel(over_rotation=0.1, readout=ReadoutError(0.02, 0.05)),
    ),
    "shared parameters": (shared(), ad_dep(0.02)),
    "re-uploading": (reuploading(), ad_dep(0.02)),
}


def samples(n_samples: int = 5, n_features: int = 3) -> Dataset:
    rng = np.random.default_rng(3)
    return Dataset(
        features=rng.uniform(0, 3, (n_samples, n_features)),
        labels=rng.integers(0, 3, n_samples),
        ids=np.arange(n_samples),
        class_names=("ant", "bee", "cow"),
    )


@pytest.fixture(params=CASES, scope="module")
def opened(request: pytest.FixtureRequest) -> tuple[WhiteBox, Trained, Dataset]:
    """Access to a victim with a trained model in float64."""
    circuit, noise = CASES[request.param]
    victim = WhiteBoxVictim(circuit=circuit, noise=noise, training=SHORT, dtype="float64")
    access = victim.access()
    data = samples()
    return access, access.fit(data, [0])[0], data


def slopes(function, point: np.ndarray) -> np.ndarray:
    """Central differences of `function` by each entry of `point`, a new last axis."""
    moves = STEP * np.eye(len(point))
    return np.stack([function(point + m) - function(point - m) for m in moves], -1) / (2 * STEP)


def assert_near(got: np.ndarray, wanted: np.ndarray) -> None:
    """To 1e-6: differences over 1e-5 are exact to about 1e-10 times the third derivative, which
    products of two features (slopes of up to 2 pi) raise by a factor of some hundreds."""
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6)


def test_gradients_are_those_of_the_losses(opened) -> None:
    access, model, data = opened
    wanted = slopes(
        lambda w: access.losses([model_at(model, w)], data.features, data.labels)[0],
        weights_of(model),
    )
    assert_near(access.gradients(model, data.features, data.labels), wanted)


def test_hessian_is_symmetric_and_that_of_the_mean_loss(opened) -> None:
    access, model, data = opened
    hessian = access.hessian(model, data.features, data.labels)
    wanted = slopes(
        lambda w: access.gradients(model_at(model, w), data.features, data.labels).mean(axis=0),
        weights_of(model),
    )
    np.testing.assert_array_equal(hessian, hessian.T)
    assert_near(hessian, wanted)


def test_feature_gradients_are_those_of_the_losses(opened) -> None:
    access, model, data = opened
    got = access.feature_gradients(model, data.features, data.labels)
    for feature in range(data.n_features):
        move = STEP * np.eye(data.n_features)[feature]
        above = access.losses([model], data.features + move, data.labels)[0]
        below = access.losses([model], data.features - move, data.labels)[0]
        assert_near(got[:, feature], (above - below) / (2 * STEP))


def test_mixed_gradients_are_those_of_the_gradients(opened) -> None:
    access, model, data = opened
    direction = np.random.default_rng(1).normal(size=len(weights_of(model)))
    got = access.mixed_gradients(model, data.features, data.labels, direction)
    for feature in range(data.n_features):
        move = STEP * np.eye(data.n_features)[feature]
        above = access.gradients(model, data.features + move, data.labels)
        below = access.gradients(model, data.features - move, data.labels)
        wanted = (above - below) @ direction / (2 * STEP)
        assert_near(got[:, feature], wanted)


@pytest.mark.parametrize("case", CASES)
def test_expectations_are_those_of_the_reference_engine(case: str) -> None:
    circuit, noise = CASES[case]
    theta = np.random.default_rng(0).uniform(0, 6, circuit.n_parameters)
    x = samples().features
    wanted = [reference.expectations(circuit, row, theta, noise) for row in x]
    got = CircuitDerivatives(circuit, noise).expectations(theta, x)
    np.testing.assert_allclose(got, wanted, atol=1e-10)


def test_batches_do_not_change_the_derivatives(monkeypatch: pytest.MonkeyPatch) -> None:
    circuit, noise = CASES["noisy"]
    theta, data = np.linspace(0, 2, circuit.n_parameters), samples(4)
    weights = np.ones((4, circuit.n_qubits))
    derivatives = CircuitDerivatives(circuit, noise)
    whole = (
        derivatives.by_parameters(theta, data.features)[1],
        derivatives.by_features(theta, data.features)[1],
        derivatives.parameter_curvature(theta, data.features, weights),
    )
    monkeypatch.setattr("bezoar.models.derivatives._BATCH_NUMBERS", 1)
    parts = (
        derivatives.by_parameters(theta, data.features)[1],
        derivatives.by_features(theta, data.features)[1],
        derivatives.parameter_curvature(theta, data.features, weights),
    )
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_no_samples_have_no_derivatives() -> None:
    access, model, _ = access_and_model()
    nothing, none = np.zeros((0, 3)), np.zeros(0, dtype=int)
    assert access.gradients(model, nothing, none).shape == (0, len(weights_of(model)))
    assert access.feature_gradients(model, nothing, none).shape == (0, 3)
    assert access.losses([], nothing, none).shape == (0, 0)
    with pytest.raises(InvalidData, match="features"):
        access.hessian(model, nothing, none)


def test_errors_are_those_of_the_most_probable_class() -> None:
    access, model, data = access_and_model()
    by_class = [access.losses([model], data.features, np.full(5, c))[0] for c in range(3)]
    wanted = (np.argmin(by_class, axis=0) != data.labels).mean()
    assert access.errors([model], data.features, data.labels).tolist() == [wanted]
    assert access.errors([], data.features, data.labels).shape == (0,)
    with pytest.raises(InvalidData, match="features"):
        access.errors([model], np.zeros((0, 3)), np.zeros(0, dtype=int))


def test_counts_every_training() -> None:
    access, _, data = access_and_model()
    assert access.trainings == 1
    access.fit(data, [1, 2, 3])
    assert access.trainings == 4
    assert access.victim.access().trainings == 0


def test_a_training_does_not_depend_on_its_company() -> None:
    access, model, data = access_and_model()
    alone, beside = access.fit(data, [0])[0], access.fit(data, [0, 1, 2])[0]
    np.testing.assert_array_equal(weights_of(model), weights_of(alone))
    # Sums in another order; see train_many.
    np.testing.assert_allclose(weights_of(beside), weights_of(alone), atol=1e-4)


def test_describes_itself_in_json() -> None:
    victim = WhiteBoxVictim(circuit=CASES["noisy"][0], noise=ad_dep(0.05))
    text = json.dumps(victim.describe(), allow_nan=False)
    assert "RX" in text
    assert '"epochs": 30' in text


def test_amplitude_encoding_has_weights_gradients_but_none_by_features() -> None:
    circuit = build_circuit(build_encoding("amplitude"), build_ansatz("sim-1"), 4)
    access = WhiteBoxVictim(circuit=circuit, training=SHORT, dtype="float64").access()
    data = samples(5, 4)
    (model,) = access.fit(data, [0])
    wanted = slopes(
        lambda w: access.losses([model_at(model, w)], data.features, data.labels)[0],
        weights_of(model),
    )
    assert_near(access.gradients(model, data.features, data.labels), wanted)
    with pytest.raises(InvalidArgument, match="angle encoding"):
        access.feature_gradients(model, data.features, data.labels)


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 1, 2, 1, 3], [0, 1, 2, 1, -1], [0.0] * 5])
def test_refuses_labels_that_do_not_fit(labels: list[float]) -> None:
    access, model, data = access_and_model()
    with pytest.raises(InvalidData, match="labels"):
        access.losses([model], data.features, np.array(labels))
    with pytest.raises(InvalidData, match="labels"):
        access.gradients(model, data.features, np.array(labels))


def test_refuses_features_that_are_not_finite_or_too_few() -> None:
    access, model, data = access_and_model()
    with pytest.raises(InvalidData, match="NaN"):
        access.gradients(model, np.full((5, 3), np.nan), data.labels)
    with pytest.raises(InvalidArgument, match="features"):
        access.feature_gradients(model, data.features[:, :2], data.labels)


def test_refuses_a_direction_of_another_length() -> None:
    access, model, data = access_and_model()
    with pytest.raises(InvalidArgument, match="direction"):
        access.mixed_gradients(model, data.features, data.labels, np.ones(2))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("circuit", "sim-1"),
        ("circuit", Circuit(1, (Operation("RX", (0,), (Parameter(0),)),))),
        ("noise", "ad-dep:0.05"),
        ("training", {"epochs": 3}),
        ("training", TrainingSettings(patience=3)),
    ],
)
def test_refuses_settings_that_are_no_victim(name: str, value: object) -> None:
    settings: dict[str, Any] = {"circuit": CASES["product"][0], name: value}
    with pytest.raises(InvalidArgument, match=name):
        WhiteBoxVictim(**settings)


def test_weights_that_run_away_are_refused() -> None:
    wild = TrainingSettings(epochs=3, learning_rate=1e3, optimizer="sgd")
    access = WhiteBoxVictim(circuit=CASES["product"][0], training=wild).access()
    data = samples()
    try:
        models = access.fit(data, [0])
    except InvalidArgument as error:
        assert "learning_rate" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert np.isfinite(weights_of(models[0])).all()


def access_and_model() -> tuple[WhiteBox, Trained, Dataset]:
    access = WhiteBoxVictim(circuit=CASES["product"][0], training=SHORT).access()
    data = samples()
    return access, access.fit(data, [0])[0], data
