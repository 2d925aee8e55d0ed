"""A part of somebody else that fails costs its own cells, and is told; it is never a zero."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from small_audits import comparable, only, small_plan

from bezoar.attacks.poisoning.random_flip import RandomFlip
from bezoar.contracts import plugins
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidData
from bezoar.contracts.records import ThreatModel
from bezoar.contracts.suspicion import Suspicion
from bezoar.contracts.truth import Poisoned
from bezoar.defences.detectors.state_similarity import StateSimilarityGap
from bezoar.evaluate import answering
from bezoar.evaluate.audit import run_audit
from bezoar.report import render
from bezoar.report.data import schema

Poison = Callable[[Dataset, np.random.Generator, float], Poisoned]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fake:
    """An attack that somebody else registered."""

    ratio: float

    @property
    def name(self) -> str:
        return "fake"

    @property
    def threat_model(self) -> ThreatModel:
        return RandomFlip(ratio=self.ratio).threat_model

    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        raise NotImplementedError


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, Any], None]:
    """Registers an object for the time of a test."""
    found: dict[tuple[str, str], Any] = {}
    names, load = plugins.names, plugins.load
    monkeypatch.setattr(
        plugins,
        "names",
        lambda kind: (*names(kind), *(name for where, name in found if where == kind)),
    )
    monkeypatch.setattr(
        plugins, "load", lambda kind, name: found.get((kind, name)) or load(kind, name)
    )

    def add(kind: str, name: str, part: Any) -> None:
        found[kind, name] = part

    return add


def fake_attack(behaviour: Poison) -> type[Fake]:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Behaving(Fake):
        def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
            return behaviour(data, rng, self.ratio)

    return Behaving


def _flipped(data: Dataset, rng: np.random.Generator, ratio: float) -> Poisoned:
    return RandomFlip(ratio=ratio).poison(data, rng=rng)


def refuses(data: Dataset, rng: np.random.Generator, ratio: float) -> Poisoned:
    raise InvalidData("labels", wanted="another day", got="today")


def breaks(data: Dataset, rng: np.random.Generator, ratio: float) -> Poisoned:
    raise IndexError("list index\nout of range")


def returns_nothing(data: Dataset, rng: np.random.Generator, ratio: float) -> Any:
    return None


def reorders(data: Dataset, rng: np.random.Generator, ratio: float) -> Poisoned:
    found = _flipped(data, rng, ratio)
    return Poisoned(data=found.data.take(data.ids[::-1]), truth=found.truth)


def drops_samples(data: Dataset, rng: np.random.Generator, ratio: float) -> Poisoned:
    found = _flipped(data, rng, ratio)
    return Poisoned(data=found.data.take(data.ids[:50]), truth=found.truth)


def drops_features(data: Dataset, rng: np.random.Generator, ratio: float) -> Poisoned:
    found = _flipped(data, rng, ratio)
    return Poisoned(data=found.data.with_features(data.features[:, :2]), truth=found.truth)


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        (refuses, "labels: wanted another day, got today"),
        (breaks, "IndexError: list index out of range"),
        (returns_nothing, "AttributeError"),
        (reorders, "poisoned data: wanted ids"),
        (drops_samples, "poisoned data: wanted ids"),
        (drops_features, "poisoned data: wanted ids"),
    ],
)
def test_a_failing_attack_is_told_and_the_others_go_on(
    tmp_path: Path, register: Callable[..., None], behaviour: Poison, told: str
) -> None:
    register("attacks", "fake", fake_attack(behaviour))
    record = run_audit(small_plan(attacks=("random", "fake"), epochs=1), tmp_path)
    assert record.outcome == "partial"
    assert len(record.failures) == 2
    for seed, line in enumerate(record.failures):
        assert line.startswith(f"fake 0.3, none, seed {seed}: {told}")
        assert "\n" not in line
    assert not any(m.tags.get("attack") == "fake" for m in record.measurements)
    assert not any(t.tags.get("attack") == "fake" for t in record.tables)
    assert only(record.select("accuracy", attack="random")).n == 2
    jsonschema.Draft202012Validator(schema()).validate(json.loads(record.to_json()))
    for form in ("html", "md", "junit"):
        assert "fake 0.3" in render(record, form)
    # Failures are not finished cells: they are tried again.
    assert comparable(
        run_audit(small_plan(attacks=("random", "fake"), epochs=1), tmp_path)
    ) == comparable(record)


def test_one_failing_seed_leaves_the_mean_of_the_others(
    tmp_path: Path, register: Callable[..., None]
) -> None:
    calls: list[int] = []

    def sometimes(data: Dataset, rng: np.random.Generator, ratio: float) -> Poisoned:
        calls.append(1)
        if len(calls) == 1:
            raise ZeroDivisionError
        return _flipped(data, rng, ratio)

    register("attacks", "fake", fake_attack(sometimes))
    record = run_audit(small_plan(attacks=("fake",), seeds=3, epochs=1), tmp_path)
    assert record.outcome == "partial"
    assert len(record.failures) == 1
    for metric in ("accuracy", "accuracy_drop", "changed_share"):
        found = only(record.select(metric, attack="fake"))
        assert (found.n, found.seeds) == (2, (1, 2))
    assert only(record.select("accuracy", attack="none")).seeds == (0, 1, 2)
    # The second call gives the missing seed and nothing else.
    calls.append(1)
    whole = run_audit(small_plan(attacks=("fake",), seeds=3, epochs=1), tmp_path)
    assert whole.outcome == "complete"
    assert only(whole.select("accuracy", attack="fake")).seeds == (0, 1, 2)


def test_an_audit_of_which_every_attack_fails_still_has_its_baseline(
    tmp_path: Path, register: Callable[..., None]
) -> None:
    register("attacks", "fake", fake_attack(breaks))
    record = run_audit(small_plan(attacks=("fake",), epochs=1), tmp_path)
    assert record.outcome == "partial"
    assert only(record.select("accuracy")).tags["attack"] == "none"
    assert record.findings == ()
    assert render(record, "html")


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeDetector:
    """A detector that somebody else registered."""

    encoder: Any
    answer: Callable[[Dataset], Suspicion]

    @property
    def name(self) -> str:
        return "fake"

    def inspect(self, data: Dataset) -> Suspicion:
        return self.answer(data)


def _detector(answer: Callable[[Dataset], Suspicion]) -> Callable[..., FakeDetector]:
    return lambda encoder: FakeDetector(encoder=encoder, answer=answer)


def _fails(data: Dataset) -> Suspicion:
    raise ZeroDivisionError("division by zero")


def _says(ids: Any, scores: Any) -> Suspicion:
    return Suspicion(detector="fake", ids=np.asarray(ids), scores=np.asarray(scores))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (_fails, "ZeroDivisionError: division by zero"),
        (lambda data: _says(data.ids, np.full(len(data), np.nan)), "scores: wanted a finite"),
        (lambda data: _says(data.ids[:9], np.zeros(9)), "scores: wanted a finite number for each"),
        (lambda data: _says(data.ids + 10**6, np.zeros(len(data))), "ids: wanted ids of this"),
    ],
)
def test_a_failing_detector_is_told_and_the_accuracy_stays(
    tmp_path: Path, register: Callable[..., None], answer: Any, told: str
) -> None:
    register("detectors", "fake", _detector(answer))
    plan = small_plan(
        attacks=("random",), epochs=1, seeds=1, detectors=("fake", "state-similarity")
    )
    record = run_audit(plan, tmp_path)
    assert record.outcome == "partial"
    (line,) = record.failures
    assert line.startswith(f"random 0.3, none, seed 0: detector fake: {told}")
    assert only(record.select("accuracy", attack="random")).n == 1
    assert only(record.select("detection_auroc")).tags["detector"] == "state-similarity"
    # The failure is stored with the cell: a second look, which computes nothing, tells it too.
    assert comparable(run_audit(plan, tmp_path)) == comparable(record)


def test_scores_are_joined_by_id(tmp_path: Path, register: Callable[..., None]) -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Backwards:
        encoder: Any

        @property
        def name(self) -> str:
            return "backwards"

        def inspect(self, data: Dataset) -> Suspicion:
            found = StateSimilarityGap(encoder=self.encoder).inspect(data)
            return _says(found.ids[::-1], found.scores[::-1])

    register("detectors", "backwards", Backwards)
    plan = small_plan(attacks=("random",), epochs=1, detectors=("backwards", "state-similarity"))
    record = run_audit(plan, tmp_path)
    values = {m.tags["detector"]: m.value for m in record.select("detection_auroc")}
    assert values["backwards"] == values["state-similarity"]
    assert values["backwards"] > 0.9  # type: ignore[operator]


def test_an_attack_whose_class_cannot_be_made_is_refused_before_anything_is_trained(
    tmp_path: Path, register: Callable[..., None]
) -> None:
    def cannot(*, ratio: float) -> Any:
        raise InvalidData("attack", wanted="a licence", got="none")

    register("attacks", "fake", cannot)
    with pytest.raises(InvalidData, match="a licence"):
        run_audit(small_plan(attacks=("fake",)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("lost", [slice(0, 1), slice(1, 2), slice(None)], ids=str)
def test_trainings_that_diverge_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: slice
) -> None:
    predict = answering.predict_scores

    def diverged(*arguments: Any, **named: Any) -> Any:
        scores = predict(*arguments, **named)
        scores[lost] = np.nan
        return scores

    monkeypatch.setattr(answering, "predict_scores", diverged)
    plan = small_plan(attacks=("random",), epochs=1, seeds=1)
    record = run_audit(plan, tmp_path)
    assert record.outcome == "partial"
    assert len(record.failures) == (2 if lost == slice(None) else 1)
    assert all("the training diverged" in line for line in record.failures)
    assert len(record.select("accuracy")) == 2 - len(record.failures)
    # Without its baseline a loss is unknown.
    assert record.select("accuracy_drop") == ()
    jsonschema.Draft202012Validator(schema()).validate(json.loads(record.to_json()))
    for form in ("html", "md", "junit"):
        assert render(record, form)
    monkeypatch.undo()
    assert run_audit(plan, tmp_path).outcome == "complete"
