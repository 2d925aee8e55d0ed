"""A search from the attacker's images to its record: what it saw, what it says, how it goes on."""

from __future__ import annotations

import base64
import dataclasses
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from bezoar.attacks.backdoors.search import SearchSettings
from bezoar.contracts.errors import BezoarError, InvalidArgument
from bezoar.contracts.records import RunRecord
from bezoar.evaluate.backdoors import search_random, search_surrogates
from bezoar.evaluate.backdoors.materials import Shelf
from bezoar.evaluate.backdoors.plan import BackdoorPlan
from bezoar.evaluate.backdoors.run import run_backdoors
from bezoar.evaluate.backdoors.search import run_search
from bezoar.evaluate.backdoors.search_images import attacker_images
from bezoar.report.data import schema

PLAN = BackdoorPlan(
    classes=("0", "1"),
    image_size=8,
    samples=80,
    test_samples=40,
    validation=10,
    heads=("linear",),
    seeds=2,
    warm_up=0,
    epochs=2,
)
SETTINGS = SearchSettings(population=4, generations=2, low=0.5, high=1.5)
FEW = 60


def searched(out: Path, plan: BackdoorPlan = PLAN, **more: object) -> RunRecord:
    settings = SETTINGS
    if "settings" in more:
        settings = more.pop("settings")
        assert isinstance(settings, SearchSettings)
    return run_search(plan, settings, out, **{"attacker_images": FEW, **more})  # type: ignore[arg-type]


def candidates(record: RunRecord) -> list[tuple[object, ...]]:
    """All that the surrogate says."""
    return [
        (m.metric, m.value, *sorted(m.tags.items()))
        for m in record.measurements
        if "candidate" in m.metric or "hypervolume" in m.metric
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("search")


@pytest.fixture(scope="module")
def record(folder: Path) -> RunRecord:
    return searched(folder)


def test_the_record_tells_every_candidate(record: RunRecord, folder: Path) -> None:
    assert (record.kind, record.outcome, record.failures) == ("backdoor-search", "complete", ())
    written = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema()).validate(written)
    assert RunRecord.from_json(json.dumps(written)).measurements == record.measurements
    for metric in (
        "candidate_attack_loss",
        "candidate_one_minus_ssim",
        "candidate_clean_loss",
        "candidate_attack_success_rate",
        "candidate_ssim",
    ):
        found = record.select(metric)
        assert [m.tags["trial"] for m in found] == list(range(8))
        assert all(0.5 <= float(m.tags[c]) <= 1.5 for m in found for c in ("red", "green", "blue"))
    assert [m.value for m in record.select("evaluations")] == [8]
    assert len(record.select("candidate_control_attack_success_rate")) == 1
    for metric in ("hypervolume", "random_hypervolume"):
        assert [0 <= (m.value or 0) <= 1 for m in record.select(metric)] == [True]
    stages = {m.tags["stage"] for m in record.select("wall_seconds")}
    assert {"surrogate", "search", "random search", "train", "total"} <= stages


def test_the_front_is_what_nothing_dominates(record: RunRecord) -> None:
    names = ("candidate_attack_loss", "candidate_one_minus_ssim", "candidate_clean_loss")
    points = np.array([[m.value for m in record.select(name)] for name in names], float).T
    found = [m.tags["on_front"] for m in record.select(names[0])]
    for i, on_front in enumerate(found):
        dominates = (points <= points[i]).all(axis=1) & (points < points[i]).any(axis=1)
        repeats = (points[:i] == points[i]).all(axis=1)
        assert on_front == (not dominates.any() and not repeats.any())


def test_one_member_of_the_front_is_chosen(record: RunRecord) -> None:
    (chosen,) = record.select("candidate_ssim", chosen=True)
    assert chosen.tags["on_front"] is True


def test_the_choice_is_verified_as_a_backdoor_run_does_it(
    record: RunRecord, tmp_path: Path
) -> None:
    (chosen,) = record.select("candidate_ssim", chosen=True)
    (found,) = record.select("attack_success_rate", verified=True)
    assert found.seeds == record.seeds == (0, 1)
    for name in ("trial", "red", "green", "blue"):
        assert found.tags[name] == chosen.tags[name]
    plan = dataclasses.replace(PLAN, triggers=(str(found.tags["trigger"]),))
    judged = run_backdoors(plan, tmp_path)
    for metric in (
        "clean_accuracy",
        "backdoor_accuracy",
        "attack_success_rate",
        "leak",
        "control_attack_success_rate",
        "ssim",
    ):
        (one,), (other,) = record.select(metric, verified=True), judged.select(metric)
        assert (one.value, one.low, one.high) == (other.value, other.low, other.high)


def test_exhibits_show_the_front(record: RunRecord) -> None:
    front = {m.tags["trial"] for m in record.select("candidate_ssim", on_front=True)}
    (chosen,) = record.select("candidate_ssim", chosen=True)
    shown = [exhibit.tags["trial"] for exhibit in record.exhibits_named("candidate")]
    assert len(shown) == len(set(shown)) == min(12, len(front))
    assert chosen.tags["trial"] in shown
    assert set(shown) <= front
    for exhibit in record.exhibits:
        assert base64.b64decode(exhibit.png, validate=True)[:4] == b"\x89PNG"


def test_a_second_call_computes_nothing(
    record: RunRecord, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it was there")

    monkeypatch.setattr(search_random, "random_search", refuse)
    monkeypatch.setattr(search_surrogates, "small_surrogate", refuse)
    again = searched(folder)
    assert candidates(again) == candidates(record)
    assert again.select("attack_success_rate") == record.select("attack_success_rate")
    assert "train" not in {m.tags["stage"] for m in again.select("wall_seconds")}
    assert again.plan_hash == record.plan_hash


@pytest.mark.parametrize("at", [1, 5])
def test_an_interrupted_search_continues_as_it_would_have(
    record: RunRecord, tmp_path: Path, at: int
) -> None:
    told = []

    def interrupt(task: str, done: int, total: int) -> None:
        told.append((task, done, total))
        if (task, done) == ("Qcolor search", at):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path, verify=False, progress=interrupt)
    assert not (tmp_path / "record.json").exists()
    assert told[-1][2] == 8
    again = searched(tmp_path, verify=False)
    assert candidates(again) == candidates(record)


def test_more_generations_continue_and_neither_comparison_nor_verification_must_be(
    record: RunRecord, tmp_path: Path
) -> None:
    settings = dataclasses.replace(SETTINGS, generations=1)
    first = searched(tmp_path, settings=settings, random=False, verify=False)
    assert first.select("random_hypervolume") == first.select("attack_success_rate") == ()
    assert first.seeds == (0,)
    longer = searched(tmp_path, random=False, verify=False)
    values = [[m.value for m in r.select("candidate_ssim")] for r in (first, longer, record)]
    assert values[0] == values[1][:4]
    assert values[1] == values[2]


def test_where_nothing_works_nothing_is_chosen(tmp_path: Path) -> None:
    # One part in ten thousand is less than a step of 8 bits: no answer changes.
    settings = SearchSettings(population=4, generations=1, low=0.9999, high=1.0001)
    record = searched(tmp_path, settings=settings)
    assert record.outcome == "complete"
    assert record.select("candidate_ssim", chosen=True) == ()
    assert record.select("attack_success_rate") == ()
    assert any("none was chosen" in note for note in record.notes)


def test_a_training_that_fails_makes_the_record_partial(
    record: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise BezoarError("no memory")

    monkeypatch.setattr("bezoar.evaluate.backdoors.lessons.fit_network", fail)
    found = searched(tmp_path, random=False)
    assert found.outcome == "partial"
    assert any("no memory" in line for line in found.failures)
    assert [c for c in candidates(found) if c[0] != "random_hypervolume"] == [
        c for c in candidates(record) if c[0] != "random_hypervolume"
    ]


def test_the_attackers_images_are_in_no_test_set() -> None:
    shelf = Shelf()
    tests = [shelf.materials(PLAN, seed).test for seed in range(3)]
    own = attacker_images(PLAN, tests, seed=0, most=1000)
    judged_on = {image.tobytes() for test in tests for image in test.features}
    assert judged_on.isdisjoint(image.tobytes() for image in own.features)
    few = attacker_images(PLAN, tests, seed=0, most=30)
    assert few.counts().sum() == 30
    assert few.counts().min() >= 14  # the classes have 178 and 182 images
    assert set(few.ids) <= set(own.ids)
    other = attacker_images(PLAN, tests, seed=1, most=30)
    assert set(few.ids) != set(other.ids)


def test_too_few_images_for_an_attacker() -> None:
    tests = [Shelf().materials(PLAN, 0).train, Shelf().materials(PLAN, 0).test]
    everything = dataclasses.replace(PLAN, samples=None, test_samples=None)
    tests += [Shelf().materials(everything, s).train for s in range(4)]
    with pytest.raises(InvalidArgument, match="in no test set"):
        attacker_images(PLAN, tests, seed=0, most=1000)
    for most in (19, -1, True, 3.5):
        with pytest.raises(InvalidArgument, match="attacker_images"):
            attacker_images(PLAN, tests, seed=0, most=most)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"heads": ("quantum", "linear")}, "heads"),
        ({"rates": (0.1, 0.2)}, "rates"),
        ({"mapping": "all-to-all"}, "all-to-all"),
        ({"clean_label": True}, "clean labels"),
        ({"trunk": "none", "data": "wine", "triggers": ("feature:0,1",)}, "trunk"),
        ({"trunk": "resnet-18"}, "weights"),
        ({"target": "7"}, "target"),
        ({"data": "no-such-set"}, "no-such-set"),
    ],
)
def test_plans_that_cannot_be_searched_are_refused(
    tmp_path: Path, change: dict[str, object], told: str
) -> None:
    plan = dataclasses.replace(PLAN, **change)  # type: ignore[arg-type]
    with pytest.raises(BezoarError, match=told):
        searched(tmp_path / "out", plan)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(BezoarError, match="file"):
        searched(tmp_path / "file")
    (tmp_path / "run" / "search.db").mkdir(parents=True)
    with pytest.raises(BezoarError, match=r"search\.db"):
        searched(tmp_path / "run")


def test_a_damaged_surrogate_is_trained_again(record: RunRecord, tmp_path: Path) -> None:
    searched(tmp_path, random=False, verify=False)
    (kept,) = (tmp_path / "networks").glob("surrogate-*.safetensors")
    kept.write_bytes(kept.read_bytes()[:100])
    again = searched(tmp_path, random=False, verify=False)
    assert [m.value for m in again.select("candidate_ssim")] == [
        m.value for m in record.select("candidate_ssim")
    ]
