"""STRIP finds triggered inputs and keeps its false-alarm rate."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planted_networks import Planted
from torch import nn

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName
from bezoar.defences.detectors.strip import Strip
from bezoar.evaluate.metrics.detection import auroc


def images(n: int, *, start: int = 0, seed: int = 0, value: float | None = None) -> Dataset:
    pixels = np.random.default_rng(seed).random((n, 1, 4, 4), dtype=np.float32)
    if value is not None:
        pixels = np.full_like(pixels, value)
    return Dataset(
        features=pixels,
        labels=np.arange(n) % 2,
        ids=np.arange(start, start + n),
        class_names=("cat", "dog"),
    )


def flat(classes: int = 3) -> nn.Sequential:
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, classes))
    for parameter in model.parameters():
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
    return model


class Triggered(nn.Module):
    """Sure of class 0 when the first pixel is white, else undecided."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = (x[:, 0, 0, 0] >= 1).float() * 50
        return torch.stack([seen, torch.zeros_like(seen)], dim=1)


def test_finds_the_patch(planted: Planted) -> None:
    strip = Strip(false_alarm_rate=0.05)
    seen = strip.examine(planted.network, planted.clean, planted.test)
    triggered = strip.inspect(planted.network, planted.clean, planted.triggered).scores
    scores = np.concatenate([seen.suspicion.scores, triggered])
    truth = np.arange(len(scores)) >= len(planted.test)
    # .83 here; a score without a signal has .5 +- .02.
    assert (auroc(truth, scores) or 0) > 0.75


def test_keeps_the_false_alarm_rate_on_clean_inputs(planted: Planted) -> None:
    rate = 0.1
    for model in (planted.network, planted.twin):
        seen = Strip(false_alarm_rate=rate, overlays=20).examine(model, planted.clean, planted.test)
        # The threshold itself rests on 300 images: its own error adds to the binomial one of the
        # test, and 4 standard errors of both together are allowed.
        spread = math.sqrt(rate * (1 - rate) * (1 / len(planted.test) + 1 / len(planted.clean)))
        assert abs(len(seen.flagged) / len(planted.test) - rate) < 4 * spread


def test_a_trigger_that_no_overlay_moves_has_no_entropy() -> None:
    clean = images(30, value=0.2)
    marked = images(5, start=100, value=0.2)
    changed = marked.features.copy()
    changed[:2, 0, 0, 0] = 1
    entropies = Strip(overlays=7).entropies(Triggered(), clean, marked.with_features(changed))
    # The softmax of (50, 0) holds 50 exp(-50) nats; that of (0, 0) is uniform: 1.
    np.testing.assert_allclose(entropies, [0, 0, 1, 1, 1], atol=1e-12)


def test_entropy_is_the_mean_over_superpositions() -> None:
    model = flat()
    clean, one = images(1, seed=1), images(1, start=50, seed=2)
    strip = Strip(overlays=1, weights=(0.5, 0.25))
    mixed = 0.5 * one.features + 0.25 * clean.features
    p = torch.softmax(model(torch.from_numpy(mixed.copy())).double(), dim=1).detach().numpy()
    wanted = -(p * np.log(p)).sum() / np.log(3)
    np.testing.assert_allclose(strip.entropies(model, clean, one), [wanted], rtol=1e-6)


def test_saturates_as_published() -> None:
    class Largest(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert x.max() <= 1
            return x.flatten(1)[:, :2]

    Strip(overlays=3).entropies(Largest(), images(4), images(4, start=9))


def test_a_score_does_not_depend_on_the_other_inputs() -> None:
    model, clean, inputs = flat(), images(20), images(600, start=100, seed=3)
    strip = Strip(overlays=5)
    whole = strip.entropies(model, clean, inputs)
    few = inputs.take(inputs.ids[::-37])
    # Only the size of the batches differs, and with it rounding in 32 bits.
    np.testing.assert_allclose(strip.entropies(model, clean, few), whole[::-37], atol=1e-6)
    again = dataclasses.replace(strip, seed=1).entropies(model, clean, inputs)
    assert np.abs(again - whole).max() > 1e-3


def test_an_image_is_not_laid_over_itself() -> None:
    clean = images(3)
    chosen = Strip(overlays=40)._draw(clean, clean)
    assert not (chosen == np.arange(3)[:, None]).any()
    assert sorted(set(chosen[0])) == [1, 2]
    without = Strip(overlays=2)._draw(clean, clean)
    assert [sorted(row) for row in without] == [[1, 2], [0, 2], [0, 1]]


@given(st.integers(100, 400), st.floats(0.01, 0.5))
def test_the_empirical_threshold_leaves_its_share_below(n: int, rate: float) -> None:
    entropies = np.random.default_rng(n).permutation(n) / n
    threshold = Strip(false_alarm_rate=rate).threshold(entropies)
    below = int((entropies < threshold).sum())
    # k - 1 of n values are below the k-th smallest, k = floor(rate (n + 1)).
    assert below == math.floor(rate * (n + 1) + 1e-9) - 1


def test_the_normal_threshold_is_the_published_quantile() -> None:
    entropies = np.random.default_rng(0).normal(0.5, 0.1, 100_000)
    threshold = Strip(threshold_rule="normal").threshold(entropies)
    # 0.5 - 2.3263 * 0.1, within 5 standard errors of some 0.0006.
    assert threshold == pytest.approx(0.26737, abs=0.003)


def test_too_few_clean_images_for_the_rate() -> None:
    strip = Strip(false_alarm_rate=0.01)
    assert strip.threshold(np.linspace(0, 1, 99)) == 0
    with pytest.raises(InvalidData, match="at least 99 images"):
        strip.threshold(np.linspace(0, 1, 98))
    with pytest.raises(InvalidData, match="two images"):
        Strip(threshold_rule="normal").threshold(np.ones(1))
    with pytest.raises(InvalidData, match="NaN"):
        strip.threshold(np.array([np.nan] * 200))


def test_flags_are_ids() -> None:
    clean, inputs = images(30), images(4, start=70, seed=1)
    seen = Strip(overlays=3, false_alarm_rate=0.5).examine(flat(), clean, inputs)
    assert seen.flagged.tolist() == inputs.ids[seen.entropies < seen.threshold].tolist()
    np.testing.assert_array_equal(seen.suspicion.scores, -seen.entropies)


def test_half_precision_comes_close(planted: Planted) -> None:
    few = planted.test.take(planted.test.ids[:40])
    exact = Strip(overlays=10).entropies(planted.network, planted.clean, few)
    half = Strip(overlays=10, precision="bfloat16").entropies(planted.network, planted.clean, few)
    # 8 bits of mantissa in logits of about 10: a mean entropy moves by a few per cent at most.
    np.testing.assert_allclose(half, exact, atol=0.05)


def test_leaves_the_mode_of_the_model() -> None:
    model = flat().train()
    Strip(overlays=2).inspect(model, images(3), images(2, start=9))
    assert model.training


@pytest.mark.parametrize(
    "settings",
    [
        {"overlays": 0},
        {"overlays": 2.5},
        {"weights": (1.0,)},
        {"weights": (1.0, -1.0)},
        {"weights": (math.nan, 1.0)},
        {"weights": "11"},
        {"false_alarm_rate": 0},
        {"false_alarm_rate": 1},
        {"false_alarm_rate": math.nan},
        {"threshold_rule": "median"},
        {"precision": "half"},
        {"seed": -1},
    ],
)
def test_refuses_settings(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(settings))):
        Strip(**settings)


def test_refuses_data() -> None:
    clean = images(5)
    strip = Strip(overlays=2)
    with pytest.raises(InvalidData, match="other than the input"):
        strip.inspect(flat(), clean.take([0]), clean.take([0]))
    with pytest.raises(InvalidData, match="other than the input"):
        strip.inspect(flat(), clean.take([]), clean)
    with pytest.raises(InvalidData, match="shape"):
        strip.inspect(flat(), clean, clean.with_features(np.zeros((5, 1, 3, 3))))
    with pytest.raises(InvalidData, match="images"):
        strip.inspect(flat(), clean.with_features(np.zeros((5, 16))), clean)
    with pytest.raises(InvalidData, match=r"\[0, 1\]"):
        strip.inspect(flat(), clean, clean.with_features(np.full((5, 1, 4, 4), 255.0)))
    assert len(strip.inspect(flat(), clean, clean.take([])).scores) == 0


def test_refuses_models() -> None:
    clean = images(5)
    with pytest.raises(InvalidArgument, match="torch"):
        Strip().inspect("model", clean, clean)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="two logits"):
        Strip().inspect(flat(1), clean, clean)
    with pytest.raises(InvalidArgument, match="logits of shape"):
        Strip().inspect(nn.Identity(), clean, clean)
    with pytest.raises(InvalidArgument, match="takes a batch"):
        Strip().inspect(nn.Linear(3, 2), clean, clean)
    with pytest.raises(UnknownName):
        Strip(precision="float16")
    broken = flat()
    with torch.no_grad():
        broken[1].bias.fill_(math.inf)  # type: ignore[union-attr]
    with pytest.raises(InvalidData, match="NaN or infinity"):
        Strip().inspect(broken, clean, clean)
