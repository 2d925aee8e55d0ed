"""A planted patch is found again; what the search promises; what it refuses."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName
from bezoar.contracts.model_suspicion import ModelSuspicion
from bezoar.defences.inspection import NeuralCleanse

N_CLASSES = 8
TARGET = 3
SIZE = 12
# Rows and columns of the planted patch: 3 x 3 white pixels.
PATCH = slice(8, 11)


def images(n_images: int, seed: int) -> Dataset:
    """A bright bar in one of eight directions, on noise; nothing else tells the class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n_images) % N_CLASSES
    angles = np.pi * labels / N_CLASSES + rng.normal(0, 0.05, n_images)
    rows, columns = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    away = (
        np.cos(angles)[:, None, None] * rows - np.sin(angles)[:, None, None] * columns
    ) + rng.normal(0, 0.5, (n_images, 1, 1))
    bars = 0.7 * np.exp(-(away**2) / 2)
    noisy = np.clip(bars + rng.uniform(0, 0.3, bars.shape), 0, 1)
    return Dataset(
        features=noisy[:, None],
        labels=labels,
        ids=np.arange(n_images),
        class_names=tuple("abcdefgh"),
    )


def with_patch(features: np.ndarray) -> np.ndarray:
    patched = features.copy()
    patched[:, :, PATCH, PATCH] = 1.0
    return patched


def trained(data: Dataset, seed: int) -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 24, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(24 * 9, N_CLASSES),
        )
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    features = torch.tensor(data.features, dtype=torch.float32)
    labels = torch.tensor(data.labels)
    rng = np.random.default_rng(seed)
    for _ in range(12):
        for rows in np.array_split(rng.permutation(len(data)), len(data) // 40):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(features[rows]), labels[rows]).backward()
            optimiser.step()
    return model


def share_sent(model: nn.Module, features: np.ndarray, wanted: Any) -> float:
    with torch.no_grad():
        logits = model(torch.tensor(features, dtype=torch.float32))
    return float((logits.argmax(dim=1).numpy() == wanted).mean())


CLEAN = images(800, seed=0)
VALIDATION = images(160, seed=1)


@pytest.fixture(scope="module")
def backdoored() -> nn.Module:
    """Learns from data of which one sample in ten has the patch and the target's label."""
    poisoned = np.arange(len(CLEAN)) % 10 == 0
    features, labels = np.array(CLEAN.features), np.array(CLEAN.labels)
    features[poisoned] = with_patch(features[poisoned])
    labels[poisoned] = TARGET
    model = trained(CLEAN.with_features(features).with_labels(labels), seed=0)
    others = VALIDATION.labels != TARGET
    assert share_sent(model, VALIDATION.features, VALIDATION.labels) > 0.9
    assert share_sent(model, with_patch(VALIDATION.features[others]), TARGET) > 0.9
    return model


@pytest.fixture(scope="module")
def suspicion(backdoored: nn.Module) -> ModelSuspicion:
    return NeuralCleanse(seeds=2).inspect(backdoored, VALIDATION)


def test_the_planted_class_stands_out(suspicion: ModelSuspicion) -> None:
    assert suspicion.classes.tolist() == list(range(N_CLASSES))
    assert (suspicion.norms.argmin(axis=1) == TARGET).all()
    assert (suspicion.indices[:, TARGET] > 2).all()
    assert all(TARGET in flagged for flagged in suspicion.flagged)
    assert suspicion.flagged_shares[TARGET] == 1.0
    assert suspicion.reached[:, TARGET].all()
    # Judged on all images, not on the batches of the best round.
    assert (suspicion.success[:, TARGET] > 0.9).all()


def test_the_restored_mask_is_small_and_sits_at_the_patch(suspicion: ModelSuspicion) -> None:
    mask = suspicion.masks[TARGET]
    assert mask.shape == (SIZE, SIZE)
    # The patch has nine pixels; a mask may be smaller, as part of it is enough.
    assert suspicion.norms[0, TARGET] == pytest.approx(mask.sum())
    assert mask.sum() < 9
    # A convolution of stride two sees one pixel beyond.
    around = slice(PATCH.start - 1, PATCH.stop + 1)
    assert mask[around, around].sum() > 0.8 * mask.sum()


def test_the_restored_trigger_works(suspicion: ModelSuspicion, backdoored: nn.Module) -> None:
    mask, pattern = suspicion.masks[TARGET], suspicion.patterns[TARGET]
    triggered = (1 - mask) * VALIDATION.features + mask * pattern
    measured = share_sent(backdoored, triggered, TARGET)
    # One image of 160 may fall to the other side by rounding.
    assert suspicion.success[0, TARGET] == pytest.approx(measured, abs=1 / 160)


def test_the_clean_twin_has_no_class_so_small(suspicion: ModelSuspicion) -> None:
    twin = NeuralCleanse(seeds=3).inspect(trained(CLEAN, seed=0), VALIDATION)
    # That no class is flagged cannot be promised: the MAD of eight norms is rough.
    assert twin.norms.min() > 1.5 * suspicion.norms[:, TARGET].max()
    assert sum(TARGET in flagged for flagged in twin.flagged) <= 1


def tiny(n_outputs: int = 3) -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(16, n_outputs))


def few(n_classes: int = 3, **changes: Any) -> Dataset:
    rng = np.random.default_rng(0)
    parts = {
        "features": rng.random((12, 1, 4, 4)),
        "labels": np.arange(12) % n_classes,
        "ids": np.arange(12) + 5,
        "class_names": tuple("abcdef"[:n_classes]),
    }
    return Dataset(**{**parts, **changes})


def test_the_model_and_the_global_stream_are_left_alone() -> None:
    model, data = tiny(), few()
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    NeuralCleanse(steps=20, seeds=1).inspect(model, data)
    assert model.training
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_same_seed_same_answer_and_more_seeds_change_no_earlier_one() -> None:
    model, data = tiny(), few()
    one, two = (NeuralCleanse(steps=30, seeds=n).inspect(model, data, seed=4) for n in (1, 2))
    np.testing.assert_array_equal(one.norms[0], two.norms[0])
    np.testing.assert_array_equal(one.masks, two.masks)
    assert not np.array_equal(two.norms[0], two.norms[1])
    other = NeuralCleanse(steps=30, seeds=1).inspect(model, data, seed=5)
    assert not np.array_equal(one.norms, other.norms)


def test_a_class_gets_the_same_trigger_in_any_company() -> None:
    model, data = tiny(6), few(6)
    how: dict[str, Any] = {"steps": 30, "seeds": 1}
    whole = NeuralCleanse(**how).inspect(model, data)
    part = NeuralCleanse(**how, classes=(4, 1, 3)).inspect(model, data)
    parted = NeuralCleanse(**how, largest_forward=1).inspect(model, data)
    assert part.classes.tolist() == [4, 1, 3]
    # Float32 products in other batch sizes round differently, 30 updates add that up.
    np.testing.assert_allclose(part.norms[0], whole.norms[0][[4, 1, 3]], rtol=1e-3)
    np.testing.assert_allclose(parted.norms, whole.norms, rtol=1e-3)


def test_half_precision_finds_about_the_same() -> None:
    model, data = tiny(), few()
    full = NeuralCleanse(steps=60, seeds=1).inspect(model, data)
    half = NeuralCleanse(steps=60, seeds=1, precision="bfloat16").inspect(model, data)
    # Eight bits of mantissa: a mask near the border of success may stop a round earlier or later.
    np.testing.assert_allclose(half.norms, full.norms, rtol=0.5)


def test_a_class_that_cannot_be_reached_is_said_so_and_not_flagged() -> None:
    class Stubborn(nn.Module):
        """Class 1 never wins; the input still has a gradient."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            bright = x.flatten(1).mean(dim=1)
            return torch.stack([bright, -5 - bright, 0.5 - bright], dim=1)

    found = NeuralCleanse(steps=60, seeds=1).inspect(Stubborn(), few())
    assert not found.reached[0, 1]
    assert found.success[0, 1] == 0
    assert 1 not in found.flagged[0]


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    NeuralCleanse(steps=25, seeds=2).inspect(
        tiny(), few(), progress=lambda task, done, total: told.append((task, done, total))
    )
    assert told[0] == ("Neural Cleanse, seed 1 of 2", 10, 25)
    assert told[-1] == ("Neural Cleanse, seed 2 of 2", 25, 25)


def test_arrays_of_the_record_are_read_only(suspicion: ModelSuspicion) -> None:
    with pytest.raises(ValueError, match="read-only"):
        suspicion.norms[0, 0] = 1.0


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (few(2), "three classes"),
        (few(labels=np.zeros(12, int)), "one class"),
        (few(features=few().features * 2), r"in \[0, 1\]"),
        (few(features=few().features.reshape(12, 16)), "wanted images"),
        (few().take([]), "wanted images"),
    ],
)
def test_data_that_cannot_be_used(data: Dataset, problem: str) -> None:
    with pytest.raises(InvalidData, match=problem):
        NeuralCleanse(steps=1).inspect(tiny(data.n_classes), data)


def test_one_image_of_each_of_two_classes_is_enough() -> None:
    found = NeuralCleanse(steps=5, seeds=1).inspect(tiny(), few().take([5, 6]))
    assert np.isfinite(found.norms).all()


def test_models_that_cannot_be_used() -> None:
    inspect = NeuralCleanse(steps=2, seeds=1).inspect
    with pytest.raises(InvalidArgument, match=r"torch\.nn\.Module"):
        inspect(None, few())  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="3 logits"):
        inspect(tiny(4), few())
    with pytest.raises(InvalidArgument, match="takes a batch"):
        inspect(nn.Linear(5, 3), few())
    broken = tiny()
    next(broken.parameters()).data[0, 0] = np.nan
    with pytest.raises(InvalidData, match="finite"):
        inspect(broken, few())


def test_a_model_without_gradients_is_refused() -> None:
    model = tiny()
    model.register_forward_hook(lambda *use: use[-1].detach())
    with pytest.raises(InvalidArgument, match="gradients in the images"):
        NeuralCleanse(steps=2, seeds=1).inspect(model, few())


def test_gradients_that_are_not_finite_are_refused() -> None:
    class Cliff(nn.Module):
        """Finite values; the square root has an infinite slope at 0."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sqrt(x.flatten(1)[:, :3] * 0)

    with pytest.raises(InvalidData, match="gradients"):
        NeuralCleanse(steps=2, seeds=1).inspect(Cliff(), few())


@pytest.mark.parametrize(
    "bad",
    [
        {"steps": 0},
        {"batch_size": 1.5},
        {"seeds": True},
        {"success": 1.01},
        {"success": float("nan")},
        {"learning_rate": 0.0},
        {"first_weight": -1.0},
        {"factor": 1.0},
        {"threshold": float("inf")},
        {"classes": (0, 1)},
        {"classes": (0, 1, 1)},
        {"classes": (0, 1, -1)},
    ],
)
def test_settings_out_of_range(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(bad))):
        NeuralCleanse(**bad)


def test_unknown_codes_and_precisions() -> None:
    with pytest.raises(InvalidArgument, match="classes"):
        NeuralCleanse(classes=(0, 1, 3)).inspect(tiny(), few())
    with pytest.raises(UnknownName, match="bfloat16"):
        NeuralCleanse(precision="float8")  # type: ignore[arg-type]
