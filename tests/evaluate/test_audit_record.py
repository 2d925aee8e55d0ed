"""What an audit writes down, and that the numbers are right."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from scipy import stats
from small_audits import only, small_plan

from bezoar.attacks.named import attack_named
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.records import RunRecord, read_record
from bezoar.contracts.seeds import generator
from bezoar.data import split
from bezoar.evaluate import victim
from bezoar.evaluate.audit import run_audit
from bezoar.evaluate.experiment import cells_of
from bezoar.evaluate.metrics.classification import (
    accuracy,
    confusion_counts,
    relabel_invariant_accuracy,
)
from bezoar.evaluate.plan import AuditPlan
from bezoar.models.training import Job, predict_scores, train_many
from bezoar.quantum.engines.plan import compile_circuit
from bezoar.report.data import schema

PLAN = small_plan(
    noise=("none", "ad-dep:0.05"), attacks=("random", "quid", "bilevel"), ratios=(0.3, 0.5)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit")


@pytest.fixture(scope="module")
def record(folder: Path) -> RunRecord:
    return run_audit(PLAN, folder)


@pytest.fixture(scope="module")
def confusions(record: RunRecord, folder: Path) -> dict[tuple[Any, ...], np.ndarray]:
    """The stored counts by noise, attack, ratio and seed."""
    found = {}
    for path in (folder / "cells").iterdir():
        stored = json.loads(path.read_text(encoding="utf-8"))
        key = stored["key"]
        if key["kind"] == "train":
            name = (key["noise"], key["attack"], key["ratio"], key["seed"])
            found[name] = np.array(stored["result"]["confusion"])
    return found


def test_the_file_is_the_record_and_fits_the_published_schema(
    record: RunRecord, folder: Path
) -> None:
    text = (folder / "record.json").read_text(encoding="utf-8")
    jsonschema.Draft202012Validator(schema()).validate(json.loads(text))
    assert read_record(folder).to_json() == text == record.to_json()


def test_it_says_what_was_done_and_with_what(record: RunRecord) -> None:
    assert record.kind == "audit"
    assert record.outcome == "complete"
    assert record.failures == ()
    assert record.seeds == (0, 1)
    assert record.command == PLAN.command()
    assert {"bezoar", "python", "numpy", "torch"} <= set(record.versions)
    assert "unknown" not in record.versions.values()
    # Every option with its value, and what the defaults came to.
    assert set(record.plan) >= {field.name for field in dataclasses.fields(AuditPlan)}
    assert record.plan["features"] == 4
    assert record.plan["qubits"] == 2
    assert record.plan["classes"] == ["setosa", "versicolor", "virginica"]
    assert set(record.threat_models) == set(PLAN.attacks)


def test_every_setting_has_the_metrics_that_the_issue_names(record: RunRecord) -> None:
    for noise in PLAN.noise:
        tags = {"dataset": "iris", "noise": noise}
        clean = only(record.select("accuracy", **tags, attack="none"))
        assert clean.tags["ratio"] == 0
        assert record.select("relabel_invariant_accuracy", **tags, attack="none")
        assert not record.select("accuracy_drop", **tags, attack="none")
        distances = {m.tags["distance"] for m in record.select("nearest_class_accuracy", **tags)}
        assert distances >= {"frobenius", "hilbert-schmidt", "trace"}
        for attack in PLAN.attacks:
            for ratio in PLAN.ratios:
                setting = {**tags, "attack": attack, "ratio": ratio}
                for metric in (
                    "accuracy",
                    "relabel_invariant_accuracy",
                    "accuracy_drop",
                    "changed_share",
                    "detection_auroc",
                ):
                    found = only(record.select(metric, **setting))
                    assert found.n == 2
                    assert found.seeds == (0, 1)
                    assert found.tags["model"] == "sim-1, 1 layer, 2 qubits"
    stages = {m.tags["stage"] for m in record.select("wall_seconds")}
    assert stages >= {"train", "compare", "total"}


def test_means_and_intervals_are_those_of_the_cells(
    record: RunRecord, confusions: dict[tuple[Any, ...], np.ndarray]
) -> None:
    assert len(confusions) == len(list(cells_of(PLAN))) == 2 * 2 * (1 + 3 * 2)
    for metric, of in (
        ("accuracy", accuracy),
        ("relabel_invariant_accuracy", relabel_invariant_accuracy),
    ):
        for found in record.select(metric):
            setting = (found.tags["noise"], found.tags["attack"], found.tags["ratio"])
            values = [of(confusions[*setting, seed]) for seed in PLAN_SEEDS]
            _assert_interval(found, values, (0, 1))
    for found in record.select("accuracy_drop"):
        noise, attack, ratio = (found.tags[name] for name in ("noise", "attack", "ratio"))
        # Paired: each seed's baseline is that of its own split and weights.
        values = [
            accuracy(confusions[noise, "none", 0.0, seed])
            - accuracy(confusions[noise, attack, ratio, seed])
            for seed in PLAN_SEEDS
        ]
        _assert_interval(found, values, (-1, 1))


PLAN_SEEDS = range(PLAN.seeds)


def _assert_interval(found: Any, values: list[float], bounds: tuple[float, float]) -> None:
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    mean = np.mean(values)
    assert found.value == pytest.approx(mean, abs=1e-12)
    assert found.low == pytest.approx(max(mean - half, bounds[0]), abs=1e-12)
    assert found.high == pytest.approx(min(mean + half, bounds[1]), abs=1e-12)


def test_fractions_are_fractions_and_relabelling_never_costs(record: RunRecord) -> None:
    for m in record.measurements:
        if m.unit == "fraction" and m.metric != "accuracy_drop":
            assert m.value is not None
            assert 0 <= m.value <= 1
    for m in record.select("accuracy"):
        tags = {name: m.tags[name] for name in ("noise", "attack", "ratio")}
        renamed = only(record.select("relabel_invariant_accuracy", **tags))
        assert renamed.value >= m.value  # type: ignore[operator]


def test_the_share_changed_is_what_the_attack_was_allowed(record: RunRecord) -> None:
    n_train = 105
    for m in record.select("changed_share"):
        allowed = round(float(m.tags["ratio"]) * n_train) / n_train
        assert m.value == pytest.approx(allowed, abs=1e-12), m.tags
        assert m.better == "neither"


def test_recall_weighted_by_class_is_accuracy(record: RunRecord) -> None:
    # The split keeps the classes of iris in equal shares: 15 test samples of each.
    for m in record.select("accuracy"):
        tags = {name: m.tags[name] for name in ("noise", "attack", "ratio")}
        shares = [r.value for r in record.select("recall", **tags)]
        assert len(shares) == 3
        assert np.mean(shares) == pytest.approx(m.value, abs=1e-12)  # type: ignore[arg-type]


def test_tables_are_the_means_of_the_cells(
    record: RunRecord, confusions: dict[tuple[Any, ...], np.ndarray]
) -> None:
    for table in record.tables_named("confusion"):
        setting = (table.tags["noise"], table.tags["attack"], table.tags["ratio"])
        counts = [confusions[*setting, seed] for seed in PLAN_SEEDS]
        expected = np.mean([c / c.sum(axis=1, keepdims=True) for c in counts], axis=0)
        # Tables are rounded to six digits.
        np.testing.assert_allclose(np.array(table.values), expected, atol=1e-6)
        assert table.rows == table.columns == ("setosa", "versicolor", "virginica")
        assert table.n == 2
    moved = only_table(record, "label_destination", noise="none", attack="quid", ratio=0.3)
    values = np.array(moved)
    np.testing.assert_allclose(values.sum(axis=1), 1, atol=1e-5)
    # QUID sends nobody home on iris, and setosa and virginica to each other.
    np.testing.assert_array_equal(np.diag(values), 0)
    assert values[0, 2] == 1
    distances = only_table(record, "class_distance", noise="none", distance="frobenius")
    assert np.argmax(np.array(distances)[0]) == 2


def only_table(record: RunRecord, name: str, **tags: Any) -> tuple[tuple[Any, ...], ...]:
    found = record.tables_named(name, **tags)
    assert len(found) == 1
    return found[0].values


@pytest.mark.parametrize(
    ("noise", "attack", "ratio", "seed"),
    [("none", "none", 0.0, 1), ("ad-dep:0.05", "quid", 0.5, 1), ("none", "bilevel", 0.5, 0)],
)
def test_a_cell_is_what_the_parts_give_when_put_together_by_hand(
    confusions: dict[tuple[Any, ...], np.ndarray], noise: str, attack: str, ratio: float, seed: int
) -> None:
    data = victim.load_data(PLAN)
    parts = split(data, test=PLAN.test, rng=generator(seed, "split"))
    pipeline = victim.fit_pipeline(PLAN, parts.train, seed=seed)
    train = parts.train.with_features(pipeline.transform(parts.train.features))
    seen: Dataset = train
    if attack != "none":
        encoder = victim.state_encoder(PLAN, data, noise)
        made = attack_named(attack, ratio=ratio, encoder=encoder, metric=PLAN.metric)
        seen = made.poison(train, rng=generator(seed, "attack")).data
    test = pipeline.transform(parts.test.features)
    pool = np.concatenate([seen.features, test])
    program = compile_circuit(victim.model_circuit(PLAN, data), victim.noise_model(PLAN, noise))
    job = Job(train=np.arange(len(seen)), labels=seen.labels, n_classes=3, seed=seed)
    model = train_many(program, pool, [job], PLAN.training())
    where = np.arange(len(seen), len(pool))[None]
    predicted = predict_scores(program, program.encode(pool), model, where)[0].argmax(axis=1)
    by_hand = confusion_counts(parts.test.labels, predicted, 3)
    # float32 sums in another order may tip a sample that lies on the boundary.
    assert np.abs(by_hand - confusions[noise, attack, ratio, seed]).sum() <= 2


def test_the_test_part_is_never_poisoned_and_never_trained_on() -> None:
    data = victim.load_data(PLAN)
    for seed in PLAN_SEEDS:
        parts = split(data, test=PLAN.test, rng=generator(seed, "split"))
        assert not set(parts.train.ids) & set(parts.test.ids)
        again = data.take(parts.test.ids)
        np.testing.assert_array_equal(again.labels, parts.test.labels)
        np.testing.assert_array_equal(again.features, parts.test.features)


def test_the_pipeline_sees_the_training_part_alone() -> None:
    data = victim.load_data(PLAN)
    parts = split(data, test=PLAN.test, rng=generator(0, "split"))
    before = victim.fit_pipeline(PLAN, parts.train, seed=0).transform(parts.train.features)
    spoilt = data.features.copy()
    spoilt[data.positions(parts.test.ids)] = 1e6
    other = split(data.with_features(spoilt), test=PLAN.test, rng=generator(0, "split"))
    after = victim.fit_pipeline(PLAN, other.train, seed=0).transform(other.train.features)
    np.testing.assert_array_equal(before, after)
    # Unseen features far outside are clipped to the range of the encoding, not wrapped.
    moved = victim.fit_pipeline(PLAN, other.train, seed=0).transform(other.test.features)
    assert moved.min() >= 0
    assert moved.max() <= np.pi + 1e-12
