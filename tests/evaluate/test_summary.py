"""What is made of stored cells, with cells that were made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from small_audits import clouds, only

from bezoar.contracts.records import Finding, Measurement, ThreatModel
from bezoar.evaluate.cells import Cell
from bezoar.evaluate.observations import Results
from bezoar.evaluate.plan import AuditPlan
from bezoar.evaluate.summary import Summary, summarise

THREAT = ThreatModel(
    goal="harm",
    knows=(),
    changes=("labels",),
    budget="a share",
    needs_training=False,
    answered_by="looking twice",
    source="a paper",
)
CLEAN = (0.90, 0.92, 0.88)


def confusion(share: float, n: int = 100) -> list[list[int]]:
    """Counts of two classes of `n` each, of which `share` are right."""
    right = round(share * n)
    return [[right, n - right], [n - right, right]]


def summary(
    attacked: Mapping[float, Sequence[float | None]],
    *,
    clean: Sequence[float] = CLEAN,
    concentrated: bool = False,
    references: int | None = None,
    **settings: Any,
) -> Summary:
    """Of accuracies by ratio and seed; None for a cell that failed."""
    plan = AuditPlan(
        data="made-up",
        noise=("none",),
        attacks=("quid",),
        ratios=tuple(attacked),
        seeds=len(clean),
        **settings,
    )
    cells: dict[Cell, dict[str, Any]] = {
        Cell("none", "none", 0.0, seed): {"confusion": confusion(share)}
        for seed, share in enumerate(clean)
    }
    for ratio, shares in attacked.items():
        for seed, share in enumerate(shares):
            if share is not None:
                cells[Cell("none", "quid", ratio, seed)] = {
                    "confusion": confusion(share),
                    "destinations": [[0, 5], [4, 1]],
                    "n_train": 100,
                    "n_changed": round(100 * ratio),
                    "trainings": 0,
                    "poison_seconds": 0.1,
                    "auroc": {"state-similarity": None if ratio == 0.7 else 0.9},
                }
    similarity = {
        "nearest_class_accuracy": {"frobenius": 0.8},
        "class_distance": {"frobenius": [[0.1, 0.7], [0.7, None]]},
        "references": {"frobenius": references},
        "kernel_variance": 1e-9 if concentrated else 0.05,
        "concentrated": concentrated,
        "seconds": {"frobenius": 0.01},
    }
    return summarise(
        Results(
            plan=plan,
            data=clouds(40, ("a", "b")),
            model="sim-1",
            cells=cells,
            similarities={("none", seed): similarity for seed in range(len(clean))},
            seconds={"total": 1.0},
            threat_models={"quid": THREAT},
        )
    )


def select(found: Summary, metric: str, **tags: Any) -> tuple[Measurement, ...]:
    return tuple(
        m
        for m in found.measurements
        if m.metric == metric and all(m.tags.get(k) == v for k, v in tags.items())
    )


def drops(found: Summary) -> list[Finding]:
    return [f for f in found.findings if f.rule == "accuracy-drop"]


def test_a_loss_that_is_certain_is_a_finding_at_its_smallest_ratio() -> None:
    found = summary({0.1: (0.89, 0.91, 0.87), 0.3: (0.60, 0.62, 0.58), 0.7: (0.05, 0.06, 0.04)})
    (finding,) = drops(found)
    assert finding.subject == "quid poisoning of sim-1 on made-up"
    assert finding.message == (
        "quid: without noise, 30 % of the training samples cost 30.0 points of accuracy "
        "(95 % interval 30.0 to 30.0, 3 seeds)"
    )
    assert finding.severity == "medium"
    assert finding.confidence == "medium"
    assert "looking twice" in finding.remedy
    assert finding.references == ("a paper",)


def test_the_drop_is_paired_by_seed() -> None:
    # The baselines differ by 40 points, the losses by none: the interval has no width.
    found = summary({0.1: (0.4, 0.8, 0.6)}, clean=(0.5, 0.9, 0.7))
    drop = only(select(found, "accuracy_drop"))
    assert (drop.low, drop.value, drop.high) == pytest.approx((0.1, 0.1, 0.1), abs=1e-12)
    assert drop.better == "lower"
    (finding,) = drops(found)
    assert finding.severity == "high"


def test_a_large_mean_loss_that_may_be_chance_is_no_finding() -> None:
    found = summary({0.3: (0.20, 0.92, 0.88)})
    drop = only(select(found, "accuracy_drop"))
    assert drop.value is not None
    assert drop.value > 0.2
    assert drops(found) == []


def test_a_gain_is_no_finding_and_a_negative_drop() -> None:
    found = summary({0.3: (0.95, 0.97, 0.93)})
    assert only(select(found, "accuracy_drop")).value == pytest.approx(-0.05, abs=1e-12)
    assert drops(found) == []


@pytest.mark.parametrize(("tolerance", "findings"), [(0.05, 1), (0.31, 0), (1.0, 0)])
def test_the_tolerance_decides(tolerance: float, findings: int) -> None:
    found = summary({0.3: (0.60, 0.62, 0.58)}, tolerance=tolerance)
    assert len(drops(found)) == findings


def test_one_seed_finds_with_low_confidence_and_a_note() -> None:
    found = summary({0.3: (0.5,)}, clean=(0.9,))
    (finding,) = drops(found)
    assert finding.confidence == "low"
    assert "(one seed)" in finding.message
    assert any("One seed" in note for note in found.notes)


def test_five_seeds_find_with_high_confidence() -> None:
    (finding,) = drops(summary({0.3: (0.5,) * 5}, clean=(0.9,) * 5))
    assert finding.confidence == "high"


def test_failed_cells_are_left_out_and_never_counted_as_zero() -> None:
    found = summary({0.3: (0.60, None, 0.58), 0.7: (None, None, None)})
    accuracy = only(select(found, "accuracy", ratio=0.3))
    assert (accuracy.n, accuracy.seeds) == (2, (0, 2))
    assert accuracy.value == pytest.approx(0.59, abs=1e-12)
    assert select(found, "accuracy", ratio=0.7) == ()
    assert not any(t.tags.get("ratio") == 0.7 for t in found.tables)


def test_a_detection_that_could_not_be_measured_is_no_number() -> None:
    found = summary({0.3: (0.6,) * 3, 0.7: (0.1,) * 3})
    assert only(select(found, "detection_auroc")).tags["ratio"] == 0.3


def test_a_class_without_test_samples_has_no_recall() -> None:
    plan = AuditPlan(data="made-up", noise=("none",), attacks=(), seeds=1)
    found = summarise(
        Results(
            plan=plan,
            data=clouds(40, ("a", "b")),
            model="sim-1",
            cells={Cell("none", "none", 0.0, 0): {"confusion": [[3, 1], [0, 0]]}},
            similarities={
                ("none", 0): {
                    "nearest_class_accuracy": {},
                    "class_distance": {},
                    "references": {},
                    "kernel_variance": 0.1,
                    "concentrated": False,
                    "seconds": {},
                }
            },
            seconds={},
            threat_models={},
        )
    )
    assert only(select(found, "recall")).tags["class"] == "a"
    assert found.tables[0].values == ((0.75, 0.25), (None, None))


def test_a_baseline_no_better_than_the_largest_class_is_told() -> None:
    poor = summary({0.3: (0.4,) * 3}, clean=(0.45, 0.55, 0.5))
    assert any("always answering the largest class (50 %)" in note for note in poor.notes)
    good = summary({0.3: (0.4,) * 3})
    assert not any("largest class" in note for note in good.notes)


def test_concentration_is_a_finding_and_capped_references_a_note() -> None:
    found = summary({0.3: (0.88, 0.9, 0.86)}, concentrated=True, references=20)
    (finding,) = [f for f in found.findings if f.rule == "kernel-concentration"]
    assert finding.remedy
    assert any("at most 20 samples of each class" in note for note in found.notes)
    quiet = summary({0.3: (0.88, 0.9, 0.86)})
    assert quiet.findings == ()
    assert not any("at most" in note for note in quiet.notes)


def test_nothing_to_tell_in_a_table_stays_nothing() -> None:
    found = summary({0.3: (0.6,) * 3})
    (table,) = [t for t in found.tables if t.name == "class_distance"]
    assert table.values == ((0.1, 0.7), (0.7, None))
    assert table.n == 3


def test_the_order_of_cells_does_not_matter() -> None:
    found = summary({0.7: (0.1,) * 3, 0.1: (0.8,) * 3, 0.3: (0.6,) * 3})
    ratios = [m.tags["ratio"] for m in select(found, "accuracy")]
    assert ratios == [0.0, 0.1, 0.3, 0.7]
    values = [m.value for m in select(found, "accuracy")]
    assert values == pytest.approx([0.9, 0.8, 0.6, 0.1], abs=1e-12)
