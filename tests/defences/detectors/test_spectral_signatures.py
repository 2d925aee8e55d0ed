"""Spectral signatures rank poison high within the label that hides it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from planted_networks import Planted
from torch import nn

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument
from bezoar.defences.detectors.spectral_signatures import SpectralSignatures, _outlier_scores
from bezoar.defences.filters import remove_most_suspicious
from bezoar.evaluate.metrics.detection import auroc


def test_ranks_the_poison_high(planted: Planted) -> None:
    suspicion = SpectralSignatures().inspect(planted.network, planted.train)
    own = planted.train.labels == 0
    # .93 here.
    assert (auroc(planted.poisoned[own], suspicion.scores[own]) or 0) > 0.85


def test_the_published_removal_takes_most_of_the_poison(planted: Planted) -> None:
    share = planted.poisoned.sum() / (planted.train.labels == 0).sum()
    detector = SpectralSignatures(expected_ratio=float(share))
    suspicion = detector.inspect(planted.network, planted.train)
    left = remove_most_suspicious(planted.train, suspicion, detector.removal_share, per_class=True)
    bad = set(planted.train.ids[planted.poisoned])
    assert len(bad & set(left.ids)) < 0.5 * len(bad)


def test_on_clean_data_the_scores_are_finite(planted: Planted) -> None:
    suspicion = SpectralSignatures().inspect(planted.twin, planted.clean)
    assert np.isfinite(suspicion.scores).all()
    assert (suspicion.scores >= 0).all()


@given(st.integers(2, 9), st.integers(1, 9), st.integers(0, 1000))
def test_is_the_squared_projection(n: int, units: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(n, units))
    centred = rows - rows.mean(axis=0)
    values = np.linalg.svd(centred, compute_uv=False)
    scores = _outlier_scores(rows)
    # Squared projections on the top direction sum to the square of its singular value.
    np.testing.assert_allclose(scores.sum(), values[0] ** 2, rtol=1e-9)
    assert (scores <= (centred**2).sum(axis=1) * (1 + 1e-9) + 1e-12).all()


@given(arrays(np.float64, (5, 3), elements=st.floats(-1e3, 1e3)))
def test_scores_are_finite(rows: np.ndarray) -> None:
    assert np.isfinite(_outlier_scores(rows)).all()


def test_degenerate_labels_score_zero() -> None:
    data = Dataset(
        features=np.array([[0.1, 0.3]] * 5 + [[0.7, 0.2]]),
        labels=np.array([0] * 5 + [1]),
        ids=np.arange(6),
        class_names=("cat", "dog"),
    )
    model = nn.Sequential(nn.Identity(), nn.Linear(2, 2))
    assert SpectralSignatures().inspect(model, data).scores.tolist() == [0.0] * 6


def test_removes_one_and_a_half_times_what_is_expected() -> None:
    assert SpectralSignatures(expected_ratio=0.1).removal_share == pytest.approx(0.15)


@pytest.mark.parametrize("ratio", [-0.1, 0.7, math.nan, "0.1", True])
def test_refuses_the_ratio(ratio: float) -> None:
    with pytest.raises(InvalidArgument, match="expected_ratio"):
        SpectralSignatures(expected_ratio=ratio)
