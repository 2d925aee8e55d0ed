"""Activation clustering parts poison from the label that hides it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from planted_networks import Planted
from sklearn.cluster import KMeans
from sklearn.decomposition import FastICA
from torch import nn

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument
from bezoar.defences.detectors.activation_clustering import ActivationClustering, _reduced
from bezoar.evaluate.metrics.detection import auroc


def identity(n: int) -> nn.Sequential:
    """A model whose penultimate representation is its input."""
    return nn.Sequential(nn.Identity(), nn.Linear(n, 2))


def rows(features: np.ndarray, labels: Any = None) -> Dataset:
    labels = [0] * len(features) if labels is None else labels
    return Dataset(
        features=features,
        labels=labels,
        ids=np.arange(len(features)) + 50,
        class_names=("cat", "dog", "eel"),
    )


@pytest.mark.parametrize("whiten", [True, False])
def test_finds_the_poison(planted: Planted, whiten: bool) -> None:
    seen = ActivationClustering(whiten=whiten).examine(planted.network, planted.train)
    assert 0 in seen.suspicious_labels
    # .97 and more here.
    assert (auroc(planted.poisoned, seen.suspicion.scores) or 0) > 0.9
    assert set(seen.suspicion.ids) == set(planted.train.ids)


def test_on_clean_data_the_scores_are_finite(planted: Planted) -> None:
    suspicion = ActivationClustering().inspect(planted.twin, planted.clean)
    assert np.isfinite(suspicion.scores).all()
    assert suspicion.detector == "activation-clustering"


def test_is_the_same_twice(planted: Planted) -> None:
    first = ActivationClustering().inspect(planted.network, planted.train).scores
    again = ActivationClustering().inspect(planted.network, planted.train).scores
    np.testing.assert_array_equal(first, again)


def test_a_label_does_not_depend_on_the_others(planted: Planted) -> None:
    whole = ActivationClustering().inspect(planted.network, planted.train).scores
    zeros = planted.train.take(planted.train.ids[planted.train.labels == 0])
    alone = ActivationClustering().inspect(planted.network, zeros).scores
    # Batches differ, and with them the rounding of 32 bits.
    np.testing.assert_allclose(alone, whole[planted.train.labels == 0], atol=1e-4)


def test_whitening_is_the_published_ica() -> None:
    rng = np.random.default_rng(3)
    data = rng.laplace(size=(200, 4)) @ rng.normal(size=(4, 4))
    data[:30] += 5 * rng.normal(size=4)
    white = _reduced(data, 4, whiten=True)
    independent = FastICA(random_state=0, max_iter=1000, tol=1e-3).fit_transform(data)
    # A rotation (or reflection): all distances agree.
    gram = np.asarray(independent) @ np.asarray(independent).T
    np.testing.assert_allclose(white @ white.T, gram, atol=1e-6)
    settings: dict[str, Any] = {"n_clusters": 2, "n_init": 10, "random_state": 0}
    one, two = (np.asarray(KMeans(**settings).fit(r).labels_) for r in (white, independent))
    assert np.array_equal(one, two) or np.array_equal(one, 1 - two)


def test_halves_score_zero() -> None:
    features = np.concatenate([np.zeros((10, 2)), np.ones((10, 2))])
    seen = ActivationClustering().examine(identity(2), rows(features))
    (label,) = seen.labels
    assert label.sizes == (10, 10)
    assert label.silhouette == pytest.approx(1, abs=1e-6)
    assert not label.suspicious
    np.testing.assert_allclose(seen.suspicion.scores, 0, atol=1e-12)


@pytest.mark.parametrize("whiten", [True, False])
def test_degenerate_labels_score_zero(whiten: bool) -> None:
    same = np.full((6, 3), 0.1)
    one = np.array([[0.5, 0.2, 0.9]])
    data = rows(np.concatenate([same, one]), [0] * 6 + [2])
    seen = ActivationClustering(whiten=whiten).examine(identity(3), data)
    assert seen.suspicion.scores.tolist() == [0.0] * 7
    assert [each.sizes for each in seen.labels] == [(6, 0), (1, 0)]
    assert seen.suspicious_labels == ()
    assert seen.labels[1].smaller_share == 0


@pytest.mark.parametrize("n", [2, 3, 4, 12])
def test_small_labels_are_finite(n: int) -> None:
    data = rows(np.random.default_rng(n).random((n, 5)))
    seen = ActivationClustering().examine(identity(5), data)
    assert np.isfinite(seen.suspicion.scores).all()
    assert sum(seen.labels[0].sizes) == n


def test_large_numbers_are_finite() -> None:
    data = rows(np.random.default_rng(0).random((20, 5)) * 1e30)
    assert np.isfinite(ActivationClustering().inspect(identity(5), data).scores).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"n_components": 0},
        {"size_threshold": 0.7},
        {"size_threshold": math.nan},
        {"silhouette_threshold": 2},
        {"whiten": 1},
        {"seed": 0.5},
    ],
)
def test_refuses_settings(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(settings))):
        ActivationClustering(**settings)
