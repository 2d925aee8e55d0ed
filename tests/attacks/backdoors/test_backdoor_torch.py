"""Triggers in torch pipelines do what they do on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Subset, TensorDataset
from torch.utils.data import Dataset as TorchDataset

from bezoar.attacks.backdoors import (
    Backdoor,
    FeatureTrigger,
    Patch,
    PoisonedDataset,
    TriggerTransform,
    WaNet,
    trigger_named,
)
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.contracts.seeds import generator

N_SAMPLES = 60
IMAGES = np.random.default_rng(0).random((N_SAMPLES, 3, 8, 8), dtype=np.float32)
LABELS = np.random.default_rng(1).integers(0, 4, N_SAMPLES)
DATA = Dataset(
    features=IMAGES, labels=LABELS, ids=np.arange(N_SAMPLES), class_names=("a", "b", "c", "d")
)
PATCH = Patch(size=2)


def tensors() -> TensorDataset:
    return TensorDataset(torch.from_numpy(IMAGES), torch.from_numpy(LABELS))


def all_of(dataset: PoisonedDataset) -> tuple[np.ndarray, np.ndarray]:
    pairs = [dataset[i] for i in range(len(dataset))]
    return torch.stack([p[0] for p in pairs]).numpy(), np.array([p[1] for p in pairs])


class TestTransform:
    @pytest.mark.parametrize("text", ["none", "patch:2", "blend", "wanet", "qcolor:1.2,1,0.8"])
    def test_equals_the_trigger_on_arrays(self, text: str) -> None:
        trigger = trigger_named(text)
        transform = TriggerTransform(trigger)
        batch = torch.from_numpy(IMAGES)
        wanted = trigger.apply(IMAGES)
        assert np.array_equal(transform(batch).numpy(), wanted)
        assert np.allclose(transform(batch[3]).numpy(), wanted[3], atol=1e-6)
        assert np.array_equal(batch.numpy(), IMAGES)

    def test_composes_with_other_steps(self) -> None:
        pipeline = torch.nn.Sequential(TriggerTransform(PATCH), torch.nn.Flatten())
        assert pipeline(torch.from_numpy(IMAGES)).shape == (N_SAMPLES, 192)
        assert "patch:2, p=1" in repr(pipeline)

    def test_triggers_each_image_with_probability_p(self) -> None:
        black = torch.zeros(2000, 1, 2, 2)
        state = torch.get_rng_state()
        triggered = TriggerTransform(PATCH, p=0.3)(black)
        share = triggered[:, 0, 0, 0].mean().item()
        # 4 standard deviations of sqrt(0.3 * 0.7 / 2000) = 0.0102.
        assert abs(share - 0.3) < 0.041
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.equal(triggered, TriggerTransform(PATCH, p=0.3)(black))
        assert not torch.equal(triggered, TriggerTransform(PATCH, p=0.3, seed=1)(black))
        assert not TriggerTransform(PATCH, p=0)(black).any()

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
    def test_keeps_the_type(self, dtype: torch.dtype) -> None:
        assert TriggerTransform(PATCH)(torch.zeros(1, 4, 4, dtype=dtype)).dtype == dtype

    def test_takes_tables_and_gradients(self) -> None:
        trigger = FeatureTrigger(features=(0,), values=(9,), unit="absolute")
        row = torch.zeros(3, requires_grad=True)
        assert TriggerTransform(trigger)(row).tolist() == [9, 0, 0]
        assert TriggerTransform(trigger)(torch.zeros(2, 3)).shape == (2, 3)

    @pytest.mark.parametrize(
        ("images", "problem"),
        [
            (torch.zeros(1, 4, 4, dtype=torch.uint8), "ToDtype"),
            (torch.full((1, 4, 4), 255.0), "divide by 255"),
            (torch.full((1, 4, 4), torch.nan), r"in \[0, 1\]"),
            (torch.zeros(1, 1, 1, 4, 4), "wanted a tensor"),
            (torch.tensor(0.0), "wanted a tensor"),
            (np.zeros((1, 4, 4)), "ndarray; convert the image to a tensor"),
        ],
    )
    def test_refuses(self, images: Any, problem: str) -> None:
        with pytest.raises(InvalidData, match=problem):
            TriggerTransform(PATCH)(images)

    @pytest.mark.parametrize("p", [-0.1, 1.1, float("nan"), "1"])
    def test_refuses_what_is_no_probability(self, p: Any) -> None:
        with pytest.raises(InvalidArgument, match="p: wanted"):
            TriggerTransform(PATCH, p)


class TestPoisonedDataset:
    @pytest.mark.parametrize(
        "backdoor",
        [
            Backdoor(trigger=PATCH, target=1, ratio=0.2),
            Backdoor(trigger=PATCH, ratio=0.5, mapping="all-to-all"),
            Backdoor(trigger=PATCH, target=1, ratio=0.1, clean_label=True),
            Backdoor(trigger=WaNet(), ratio=0.1, cover=2),
            Backdoor(trigger=PATCH, ratio=0.1, mapping="source-specific", sources=(1,), cover=1),
            Backdoor(trigger=WaNet(), ratio=0.1, cover=2).relabel_only(),
            Backdoor(trigger=PATCH, ratio=0),
        ],
    )
    def test_equals_poisoning_the_whole(self, backdoor: Backdoor) -> None:
        poisoned = backdoor.poison(DATA, rng=generator(5, "attack"))
        lazy = PoisonedDataset(tensors(), backdoor, seed=5)
        images, labels = all_of(lazy)
        assert np.array_equal(labels, poisoned.data.labels)
        assert np.array_equal(lazy.targets, labels)
        assert np.allclose(images, poisoned.data.features, atol=1e-6)
        assert len(lazy.poisoned) == poisoned.truth.settings["poisoned"]
        assert len(lazy.covers) == poisoned.truth.settings["covers"]

    def test_is_read_by_a_loader_with_workers(self) -> None:
        lazy = PoisonedDataset(tensors(), Backdoor(trigger=PATCH, ratio=0.3))
        read = [label for _, label in DataLoader(lazy, batch_size=7, num_workers=1)]
        assert torch.cat(read).tolist() == lazy.targets.tolist()

    def test_reads_images_only_when_asked_where_labels_are_at_hand(self) -> None:
        class Counting(TorchDataset[Any]):
            targets = tuple(LABELS.tolist())
            classes = tuple("abcdef")
            reads = 0

            def __len__(self) -> int:
                return N_SAMPLES

            def __getitem__(self, i: int) -> tuple[np.ndarray, int]:
                self.reads += 1
                return IMAGES[i], int(LABELS[i])

        counting = Counting()
        lazy = PoisonedDataset(counting, Backdoor(trigger=PATCH, mapping="all-to-all", target=0))
        assert counting.reads == 0
        assert isinstance(lazy[0][0], torch.Tensor)
        assert counting.reads == 1
        last = np.flatnonzero(LABELS == 3)
        # With six classes, the one after 3 is 4.
        assert set(lazy.targets[np.intersect1d(last, lazy.poisoned)].tolist()) <= {4}

    def test_takes_parts_of_data_sets(self) -> None:
        part = Subset(tensors(), list(range(20, 40)))
        lazy = PoisonedDataset(part, Backdoor(trigger=PATCH, ratio=0.25), n_classes=4)
        assert len(lazy) == 20
        assert len(lazy.poisoned) == 5
        assert np.array_equal(lazy[-1][0], lazy[19][0])
        with pytest.raises(IndexError):
            lazy[20]

    def test_notices_labels_that_change(self) -> None:
        class Shifty(TorchDataset[Any]):
            targets = LABELS

            def __len__(self) -> int:
                return N_SAMPLES

            def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
                return torch.zeros(3, 8, 8), int(LABELS[i] + 1) % 4

        with pytest.raises(InvalidData, match="labels that stay the same"):
            PoisonedDataset(Shifty(), Backdoor(trigger=PATCH))[0]

    @pytest.mark.parametrize(
        ("sample", "problem"),
        [
            (torch.zeros(3, 8, 8), "an image and its label"),
            (("picture", 1), "wanted a tensor .* got str"),
            ((torch.zeros(8, 8), 1), r"got \(8, 8\)"),
            ((torch.zeros(3, 8, 8), "cat"), "a whole number"),
            ((torch.zeros(3, 8, 8), 0.5), "a whole number"),
            ((torch.zeros(3, 8, 8), -1), "a whole number"),
            ((torch.zeros(3, 8, 8), torch.zeros(4)), "a whole number"),
        ],
    )
    def test_refuses_samples(self, sample: Any, problem: str) -> None:
        class One(TorchDataset[Any]):
            def __len__(self) -> int:
                return 1

            def __getitem__(self, i: int) -> Any:
                return sample

        with pytest.raises(InvalidData, match=problem):
            PoisonedDataset(One(), Backdoor(trigger=PATCH), n_classes=2)

    def test_refuses_data_sets(self) -> None:
        endless: Any = iter([])
        with pytest.raises(InvalidArgument, match="a data set with a length"):
            PoisonedDataset(endless, Backdoor(trigger=PATCH))
        with pytest.raises(InvalidArgument, match="more than the largest label 3"):
            PoisonedDataset(tensors(), Backdoor(trigger=PATCH), n_classes=2)
        alone = TensorDataset(torch.zeros(4, 3, 8, 8), torch.ones(4, dtype=torch.long))
        with pytest.raises(InvalidData, match="one class"):
            PoisonedDataset(alone, Backdoor(trigger=PATCH, ratio=0.5))
