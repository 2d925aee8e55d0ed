"""Training, validation and test samples are apart, and no defence is given test samples."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_backdoors import SMALL, TABLE, lesson_of, school_of

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName
from bezoar.evaluate.backdoors import defending
from bezoar.evaluate.backdoors.materials import Materials, Shelf, data_name
from bezoar.evaluate.backdoors.plan import BackdoorPlan


def parts(materials: Materials) -> tuple[Dataset, Dataset, Dataset]:
    return materials.train, materials.validation, materials.test


def contents(data: Dataset) -> set[bytes]:
    return {sample.tobytes() for sample in np.ascontiguousarray(data.features)}


@pytest.mark.parametrize("plan", [SMALL, TABLE], ids=["images", "table"])
@pytest.mark.parametrize("seed", [0, 1])
def test_parts_are_disjoint_and_as_large_as_asked(plan: BackdoorPlan, seed: int) -> None:
    materials = Shelf().materials(plan, seed)
    sizes = [len(part) for part in parts(materials)]
    assert sizes == [plan.samples, plan.validation, plan.test_samples]
    ids = np.concatenate([part.ids for part in parts(materials)])
    assert len(set(ids.tolist())) == sum(sizes)


def test_every_class_is_in_every_part_and_all_have_the_same_names() -> None:
    materials = Shelf().materials(SMALL, 0)
    for part in parts(materials):
        assert part.class_names == materials.train.class_names
        assert (part.counts() > 0).all()


def test_seeds_draw_other_samples_and_the_same_seed_the_same() -> None:
    first, again, other = (Shelf().materials(SMALL, seed) for seed in (0, 0, 1))
    assert first.fingerprint == again.fingerprint
    np.testing.assert_array_equal(first.train.ids, again.train.ids)
    assert first.fingerprint != other.fingerprint


def test_a_shelf_keeps_materials_by_what_they_depend_on() -> None:
    shelf = Shelf()
    kept = shelf.materials(SMALL, 0)
    assert shelf.materials(replace(SMALL, width=5, rates=(0.4,), epochs=2), 0) is kept
    assert shelf.materials(replace(SMALL, samples=50), 0) is not kept
    assert shelf.materials(replace(SMALL, target="3"), 0).target == 3


def test_a_table_is_in_units_of_its_training_samples() -> None:
    train = Shelf().materials(TABLE, 0).train
    np.testing.assert_allclose(train.features.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(train.features.std(axis=0), 1, rtol=1e-9)


def test_all_samples_are_taken_where_no_number_is_given() -> None:
    plan = replace(TABLE, samples=None, test_samples=None, validation=10)
    train, validation, test = parts(Shelf().materials(plan, 0))
    # Wine has 178 samples; three tenths are for the test.
    assert (len(train), len(validation), len(test)) == (178 - 53 - 10, 10, 53)


BAD: list[tuple[BackdoorPlan, type[Exception], str]] = [
    (replace(SMALL, target="ten"), UnknownName, "ten"),
    (replace(SMALL, mapping="source-specific", sources=("12",)), UnknownName, "12"),
    (replace(SMALL, samples=5000), InvalidArgument, "samples"),
    (replace(SMALL, classes=("1",)), InvalidArgument, "classes"),
    (replace(SMALL, classes=("1", "none")), UnknownName, "none"),
    (replace(SMALL, data="letters-of-mars"), UnknownName, "letters-of-mars"),
    (replace(TABLE, data="digits-rgb"), InvalidData, "trunk"),
    (replace(TABLE, validation=170), InvalidArgument, "validation"),
]


@pytest.mark.parametrize(("plan", "kind", "names"), BAD, ids=[names for _, _, names in BAD])
def test_data_that_do_not_do_are_refused(
    plan: BackdoorPlan, kind: type[Exception], names: str
) -> None:
    with pytest.raises(kind, match=names):
        Shelf().materials(plan, 0)


@pytest.mark.shared_data
def test_the_test_part_of_a_source_is_never_trained_on() -> None:
    if not os.environ.get("BEZOAR_DATA"):
        pytest.skip("BEZOAR_DATA names no folder of data sets")
    plan = replace(SMALL, data="mnist", image_size=8)
    train, validation, test = (contents(part) for part in parts(Shelf().materials(plan, 0)))
    assert not test & (train | validation)
    assert not train & validation


def test_a_folder_is_called_by_its_last_name(tmp_path: Path) -> None:
    assert data_name(replace(SMALL, data=str(tmp_path / "birds"))) == "birds"
    assert data_name(SMALL) == "digits-rgb"


#: Each defence with the methods by which it is given data.
GIVEN: dict[str, tuple[str, tuple[str, ...]]] = {
    "fine-pruning": ("FinePruning", ("models", "repair")),
    "neural-cleanse": ("NeuralCleanse", ("inspect",)),
    "activation-clustering": ("ActivationClustering", ("examine",)),
    "spectral-signatures": ("SpectralSignatures", ("inspect",)),
    "strip": ("Strip", ("examine", "entropies")),
}


class Seen(Exception):
    """Stops a defence when it has been given something."""


@pytest.mark.parametrize("name", GIVEN)
def test_a_defence_is_given_its_own_or_training_samples_and_no_truth(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    school = school_of(SMALL, tmp_path)
    materials = school.materials(0)
    school.teach(lesson_of())
    kind, methods = GIVEN[name]
    told: list[tuple[str, Any]] = []

    def spy(method: str) -> Callable[..., Any]:
        def given(self: object, model: object, *data: Any, **more: Any) -> Any:
            told.append((method, data))
            raise Seen

        return given

    for method in methods:
        monkeypatch.setattr(getattr(defending, kind), method, spy(method))
        with pytest.raises(Seen):
            defending.defend(name, school, lesson_of(), "backdoored", materials, retrain=False)
    # The parts of one source: an id names one sample.
    allowed = {*materials.validation.ids.tolist(), *materials.train.ids.tolist()}
    for method, data in told:
        held = next(part for part in data if isinstance(part, Dataset))
        fields = {field.name for field in dataclasses.fields(held)}
        assert fields == {"features", "labels", "ids", "class_names"}, method
        assert set(held.ids.tolist()) <= allowed
        assert not set(held.ids.tolist()) & set(materials.test.ids.tolist())
