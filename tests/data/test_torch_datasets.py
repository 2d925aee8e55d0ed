from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import IterableDataset, TensorDataset

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.data.torch_datasets import from_torch, to_torch


class Items(TorchDataset):
    """Items from a list, and which of them were read."""

    def __init__(self, items, **attributes):
        self.items = items
        self.read = []
        vars(self).update(attributes)

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        self.read.append(i)
        return self.items[i]


def images(n=8, shape=(3, 5, 6)):
    return torch.rand((n, *shape), generator=torch.Generator().manual_seed(0))


def test_there_and_back():
    data = from_torch(TensorDataset(images(), torch.arange(8) % 2), class_names=("cat", "dog"))
    assert data.features.dtype == np.float32
    assert np.array_equal(data.features, images().numpy())
    assert data.labels.tolist() == [0, 1] * 4
    assert data.class_names == ("cat", "dog")
    features, labels = to_torch(data).tensors
    assert torch.equal(features, images())
    assert features.dtype == torch.float32
    assert labels.dtype == torch.int64
    features[0] = 5  # a copy, which may be written to
    assert data.features.max() <= 1


def test_tables_become_tensors_too():
    data = Dataset(
        features=np.eye(3),
        labels=np.array([0, 1, 0]),
        ids=np.array([5, 6, 7]),
        class_names=("a", "b"),
    )
    features, labels = to_torch(data).tensors
    assert features.tolist() == np.eye(3).tolist()
    assert labels.tolist() == [0, 1, 0]


def test_only_drawn_items_are_read_where_labels_are_listed():
    items = [(image, k % 2) for k, image in enumerate(images(20))]
    theirs = Items(items, targets=[k % 2 for k in range(20)], classes=["cat", "dog"])
    data = from_torch(theirs, n_samples=4, seed=1)
    assert set(theirs.read) == set(data.ids.tolist())
    assert data.counts().tolist() == [2, 2]
    assert data.class_names == ("cat", "dog")
    plain = from_torch(Items(items), n_samples=4, seed=1)
    assert plain.ids.tolist() == data.ids.tolist()
    assert plain.class_names == ("0", "1")
    assert np.array_equal(plain.features, data.features)


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        (Image.new("RGB", (6, 5), (255, 0, 51)), (1.0, 0.0, 0.2)),
        (Image.new("L", (6, 5), 51), (0.2, 0.2, 0.2)),
        (torch.full((5, 6), 0.25), (0.25,)),
        (torch.full((3, 5, 6), 51, dtype=torch.uint8), (0.2, 0.2, 0.2)),
        (torch.full((1, 5, 6), 0.5, dtype=torch.float64), (0.5,)),
        (torch.full((3, 5, 6), 0.5, requires_grad=True), (0.5, 0.5, 0.5)),
    ],
)
def test_every_kind_of_image(image, wanted):
    data = from_torch(Items([(image, 0), (image, torch.tensor(1))]))
    assert data.features.shape == (2, len(wanted), 5, 6)
    assert np.allclose(data.features[0, :, 2, 2], wanted, atol=1e-7)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([images()[0]], r"item 0: wanted a pair \(image, label\), got Tensor"),
        ([(images()[0], "cat")], "item 0: wanted a label that is a whole number"),
        ([(images()[0], -1)], "item 0: wanted a label"),
        ([(images()[0], 0.5)], "item 0: wanted a label"),
        ([(images()[0], torch.tensor([0, 1]))], "item 0: wanted a label"),
        ([("a.png", 0)], "item 0: wanted an image"),
        ([(images()[0] * 2 - 1, 0)], r"item 0: .* got values from -0\.\d+ to .*normalisation"),
        ([(images()[0] * torch.nan, 0)], "item 0: .* got NaN"),
        ([(torch.zeros(3, 5, 6, dtype=torch.int64), 0)], "item 0: .* got int64"),
        ([(torch.zeros(7), 0)], "item 0: .* got float32 of shape"),
        ([(torch.zeros(3, 5, 6), 0), (torch.zeros(3, 5, 7), 1)], "item 1: wanted shape .*resizing"),
    ],
)
def test_items_that_are_no_labelled_images_are_named(items, message):
    with pytest.raises(InvalidData, match=message):
        from_torch(Items(items))


def test_labels_that_change_are_told():
    theirs = Items([(images()[0], 1), (images()[1], 0)], targets=[0, 0])
    with pytest.raises(InvalidData, match=r"item 0: wanted label 0, .* got 1"):
        from_torch(theirs)


def test_lists_of_labels_that_are_none_are_passed_over():
    items = [(images()[k], k) for k in range(2)]
    for targets in ([0], ["a", "b"], [[0, 1], [1, 0]], [-1, 1]):
        assert from_torch(Items(items, targets=targets)).labels.tolist() == [0, 1]


def test_class_names_must_reach():
    theirs = TensorDataset(images(), torch.arange(8))
    with pytest.raises(InvalidArgument, match="class_names: wanted 8 names or more"):
        from_torch(theirs, class_names=("a", "b"))


class Endless(IterableDataset):
    def __iter__(self):
        return iter([(images()[0], 0)])


@pytest.mark.parametrize("theirs", [Endless(), Items([]), 7, None])
def test_what_has_no_items_is_refused(theirs):
    with pytest.raises(InvalidArgument, match="dataset: wanted a torch Dataset with a length"):
        from_torch(theirs)


def test_draws_that_cannot_be_are_refused():
    theirs = TensorDataset(images(), torch.arange(8) % 2)
    unfit: list[Any] = [0, 1, 9, 2.0]
    for n_samples in unfit:
        with pytest.raises(InvalidArgument, match="n_samples"):
            from_torch(theirs, n_samples=n_samples)
    with pytest.raises(InvalidArgument, match="seed"):
        from_torch(theirs, seed=-1)
