"""What candidates are worth: the surrogate's head, SSIM, and the control."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from coloured_squares import Moments, squares
from sklearn.linear_model import LogisticRegression
from torch import nn

from bezoar.attacks.backdoors.search import SearchSettings, TrunkSurrogate, small_surrogate
from bezoar.attacks.backdoors.search_objective import QcolorObjective
from bezoar.attacks.backdoors.search_similarity import SimilarityTo
from bezoar.attacks.backdoors.search_surrogate import fit_head
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.evaluate.metrics.image_quality import ssim

SETTINGS = SearchSettings(population=6, generations=2)


@pytest.mark.parametrize("shape", [(3, 4, 4), (3, 11, 13), (1, 24, 24)])
def test_similarity_is_that_of_the_judge(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    before = rng.random((3, *shape), dtype=np.float32)
    after = np.clip(before * rng.uniform(0.5, 1.5, (1, shape[0], 1, 1)), 0, 1).astype(np.float32)
    # Both in double precision; the sums run in another order.
    assert SimilarityTo(before).mean_of(after) == pytest.approx(
        float(ssim(before, after).mean()), abs=1e-12
    )
    assert SimilarityTo(before).mean_of(before) == 1


def test_head_is_the_softmax_regression() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(3, 2, (150, 4))
    labels = (features @ rng.normal(size=(4, 3)) + rng.normal(size=(150, 3))).argmax(axis=1)
    head = fit_head(features, labels, 3, regularisation=1e-2)
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    # C is the inverse of the penalty on the sum, not the mean, of the losses.
    peer = LogisticRegression(C=1 / (1e-2 * 150), max_iter=1000, tol=1e-8).fit(scaled, labels)
    found = torch.softmax(head.logits(features), dim=1).numpy()
    # 40 steps of L-BFGS from zero leave that much.
    np.testing.assert_allclose(found, peer.predict_proba(scaled), atol=2e-3)
    again = fit_head(features, labels, 3, regularisation=1e-2, start=head)
    np.testing.assert_allclose(again.logits(features), head.logits(features), atol=2e-2)


def test_head_takes_features_that_never_change() -> None:
    features = np.concatenate([np.ones((20, 1)), np.arange(20.0)[:, None]], axis=1)
    head = fit_head(features, np.arange(20) // 10, 2, regularisation=1e-3)
    assert torch.isfinite(head.logits(features)).all()


def test_control_changes_no_image() -> None:
    objective = QcolorObjective(squares(), SETTINGS, Moments())
    assert objective.control.ssim == 1
    assert objective.control == objective.evaluate((1, 1, 1))
    assert objective.control.attack_success_rate == objective.control.leak
    assert objective.reference[0] == objective.control.attack_loss
    assert objective.reference[2] == pytest.approx(math.log(3))


def test_a_strong_trigger_attacks_and_a_weak_one_hides() -> None:
    objective = QcolorObjective(squares(), SETTINGS, Moments())
    strong, weak = objective.evaluate((1.2, 1, 0.8)), objective.evaluate((1.01, 1, 1))
    assert strong.attack_loss < weak.attack_loss < objective.control.attack_loss * 1.05
    assert strong.ssim < weak.ssim < 1
    assert strong.attack_success_rate > objective.control.attack_success_rate
    assert strong.objectives == (strong.attack_loss, 1 - strong.ssim, strong.clean_loss)
    assert strong.trigger.spec == "qcolor:1.2,1,0.8"


def test_a_candidate_does_not_depend_on_those_before() -> None:
    one, two = (QcolorObjective(squares(), SETTINGS, Moments()) for _ in range(2))
    one.evaluate((0.8, 1.2, 1.1))
    assert one.evaluate((1.1, 0.9, 1)) == two.evaluate((1.1, 0.9, 1))


def test_the_study_is_named_by_all_that_matters() -> None:
    def name(data=None, settings=SETTINGS, surrogate=None) -> str:
        return QcolorObjective(data or squares(), settings, surrogate or Moments()).name

    first = name()
    assert first == name()
    assert first == name(settings=dataclasses.replace(SETTINGS, generations=9, keep_share=0.5))
    assert first != name(settings=dataclasses.replace(SETTINGS, seed=1))
    assert first != name(settings=dataclasses.replace(SETTINGS, population=8))
    assert first != name(data=squares(seed=1))
    assert first != name(surrogate=Moments(power=3))


def test_key_of_a_trunk_is_that_of_its_weights() -> None:
    trunk = nn.Conv2d(3, 2, 3)
    before = TrunkSurrogate(trunk=trunk).key
    assert before == TrunkSurrogate(trunk=trunk).key
    assert before != TrunkSurrogate(trunk=trunk, precision="bfloat16").key
    with torch.no_grad():
        trunk.weight[0, 0, 0, 0] += 1
    assert before != TrunkSurrogate(trunk=trunk).key


def test_small_surrogate_learns() -> None:
    data = squares(n=90, side=12)
    surrogate = small_surrogate(data, epochs=2)
    features = surrogate.features(data.features)
    assert features.shape == (90, 64)
    head = fit_head(features, data.labels, 3, regularisation=1e-3)
    assert float((head.logits(features).argmax(dim=1).numpy() == data.labels).mean()) > 0.8
    assert surrogate.key == small_surrogate(data, epochs=2).key


def test_refuses_surrogates_that_do_not_work() -> None:
    trunk = nn.Conv2d(3, 2, 3)
    with torch.no_grad():
        trunk.weight.fill_(math.nan)
    with pytest.raises(InvalidData):
        TrunkSurrogate(trunk=trunk).features(squares().features)
    with pytest.raises(InvalidData, match="square"):
        small_surrogate(squares().with_features(np.zeros((120, 3, 8, 9))))


def test_refuses_data() -> None:
    data = squares()
    for features in (
        data.features[:, :1],
        data.features[:, :, :2],
        data.features.mean(axis=(2, 3)),
    ):
        with pytest.raises(InvalidData, match="images"):
            QcolorObjective(data.with_features(features), SETTINGS, Moments())
    with pytest.raises(InvalidArgument, match="target"):
        QcolorObjective(data, dataclasses.replace(SETTINGS, target=3), Moments())
    with pytest.raises(InvalidData, match="two images or more"):
        QcolorObjective(data.take(data.ids[:2]), SETTINGS, Moments())
    with pytest.raises(InvalidArgument, match="ratio"):
        QcolorObjective(data, dataclasses.replace(SETTINGS, ratio=0.001), Moments())
    with pytest.raises(InvalidArgument, match="ratio"):
        QcolorObjective(data, dataclasses.replace(SETTINGS, ratio=0.9), Moments())
    with pytest.raises(InvalidData, match="two classes"):
        QcolorObjective(data.with_labels(np.zeros(120, dtype=int)), SETTINGS, Moments())
