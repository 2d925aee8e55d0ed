"""The ensemble as an estimator: scikit-learn's checks, the certificate, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from bezoar.contracts.errors import FileProblem, InvalidArgument, InvalidData
from bezoar.contracts.protocols import Predictor
from bezoar.defences.training import PartitionAggregationClassifier
from bezoar.models.qnn import QNNClassifier


def separable(n_samples: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds that a plane parts, and codes."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n_samples) % 2
    centres = np.array([[0.6, 1.5, 0.6, 1.5], [2.5, 1.5, 2.5, 1.5]])
    return centres[codes] + rng.normal(0, 0.2, (n_samples, 4)), codes


FEATURES, CODES = separable()
SORTED = np.lexsort(FEATURES.T[::-1])


def quick(**settings: Any) -> PartitionAggregationClassifier:
    how = {"n_partitions": 5, "epochs": 8, "learning_rate": 0.2, "random_state": 0}
    return PartitionAggregationClassifier(**{**how, **settings})


both = pytest.mark.parametrize("semi_supervised", [False, True])


@parametrize_with_checks(
    [
        PartitionAggregationClassifier(epochs=10),
        PartitionAggregationClassifier(n_partitions=5, semi_supervised=False, epochs=3),
    ]
)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@both
def test_one_partition_is_the_plain_model_on_sorted_rows(semi_supervised: bool) -> None:
    ensemble = quick(n_partitions=1, semi_supervised=semi_supervised).fit(FEATURES, CODES)
    plain = QNNClassifier(epochs=8, learning_rate=0.2, random_state=0)
    plain.fit(FEATURES[SORTED], CODES[SORTED])
    # All labels of these clouds spread to themselves.
    np.testing.assert_array_equal(ensemble.theta_[0], plain.theta_)
    np.testing.assert_array_equal(ensemble.predict(FEATURES), plain.predict(FEATURES))
    assert ensemble.certify(FEATURES).tolist() == [0] * 60
    assert ensemble.loss_curve_ == plain.loss_curve_


@both
def test_it_learns_votes_and_certifies(semi_supervised: bool) -> None:
    names = np.array(["cat", "dog"])
    model = quick(semi_supervised=semi_supervised).fit(FEATURES, names[CODES])
    assert isinstance(model, Predictor)
    assert model.theta_.shape == (5, model.circuit_.n_parameters)
    assert model.score(FEATURES, names[CODES]) > 0.95
    shares = model.predict_proba(FEATURES)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=0, atol=1e-12)
    assert set((shares * 5).round(9).ravel()) <= {0, 1, 2, 3, 4, 5}
    np.testing.assert_array_equal(model.classes_[shares.argmax(1)], model.predict(FEATURES))
    radius = model.certify(FEATURES)
    assert radius.dtype.kind == "i"
    unanimous = shares.max(axis=1) == 1
    assert unanimous.mean() > 0.9
    assert (radius[unanimous] == 2).all()


@both
def test_flips_within_the_radius_change_no_prediction(semi_supervised: bool) -> None:
    clean = quick(semi_supervised=semi_supervised).fit(FEATURES, CODES)
    flipped = CODES.copy()
    flipped[[3, 40]] = 1 - flipped[[3, 40]]
    poisoned = quick(semi_supervised=semi_supervised).fit(FEATURES, flipped)
    certain = clean.certify(FEATURES) >= 2
    assert certain.any()
    np.testing.assert_array_equal(
        poisoned.predict(FEATURES)[certain], clean.predict(FEATURES)[certain]
    )


@both
def test_the_order_of_rows_does_not_matter(semi_supervised: bool) -> None:
    order = np.random.default_rng(1).permutation(60)
    model = quick(semi_supervised=semi_supervised).fit(FEATURES, CODES)
    shuffled = quick(semi_supervised=semi_supervised).fit(FEATURES[order], CODES[order])
    np.testing.assert_array_equal(model.theta_, shuffled.theta_)


@both
def test_more_partitions_than_samples_leave_fewer_voters(semi_supervised: bool) -> None:
    model = quick(n_partitions=30, semi_supervised=semi_supervised, epochs=2)
    model.fit(FEATURES[:6], CODES[:6])
    assert 1 <= len(model.theta_) <= 6
    assert (model.certify(FEATURES) <= 3).all()


def test_noise_shots_and_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    model = quick(
        n_partitions=2, noise="ad-dep:0.05", gradient="spsa", shots=50, epochs=2, verbose=True
    )
    assert model.fit(FEATURES, CODES).predict(FEATURES).shape == (60,)
    assert capsys.readouterr().out == ""


def test_a_saved_ensemble_is_the_ensemble(tmp_path: Path) -> None:
    model = quick(noise="ad-dep:0.05").fit(FEATURES, CODES)
    path = model.save(tmp_path / "ensemble.npz")
    again = PartitionAggregationClassifier.load(path)
    assert again.get_params() == model.get_params()
    for method in ("predict", "predict_proba", "certify"):
        np.testing.assert_array_equal(
            getattr(again, method)(FEATURES), getattr(model, method)(FEATURES)
        )
    with pytest.raises(FileProblem):
        QNNClassifier.load(path)


@pytest.mark.parametrize("array", ["theta", "weight", "bias"])
def test_a_damaged_ensemble_is_refused(tmp_path: Path, array: str) -> None:
    path = quick().fit(FEATURES, CODES).save(tmp_path / "ensemble.npz")
    with np.load(path, allow_pickle=False) as saved:
        arrays = dict(saved)
    arrays[array] = arrays[array][:0] if array == "theta" else arrays[array][:-1]
    np.savez(path, **arrays)
    with pytest.raises(FileProblem, match="damaged"):
        PartitionAggregationClassifier.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"n_partitions": 0},
        {"n_partitions": 2.5},
        {"semi_supervised": None},
        {"n_neighbors": 0},
        {"alpha": 1.5},
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 1e30},
        {"encoding": "angel"},
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, Any]) -> None:
    model = quick(**change)
    before = dict(vars(model))
    with pytest.raises(InvalidArgument, match=f"^{next(iter(change))}"):
        model.fit(FEATURES, CODES)
    assert vars(model) == before


def test_what_is_not_fitted_certifies_nothing() -> None:
    with pytest.raises(NotFittedError):
        quick().certify(FEATURES)
    with pytest.raises(InvalidData):
        quick().fit(FEATURES, CODES).certify(FEATURES[:, :3])
