"""The theorems in a run: their cells are right, their tables say what holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_backdoors import SMALL, TABLE, carried_out, counted, lesson_of, school_of

from bezoar.contracts.records import RunRecord, Table
from bezoar.evaluate.backdoor_theory import hoeffding, theorem_2_sentence, theorem_2_threshold
from bezoar.evaluate.backdoors import theory
from bezoar.evaluate.backdoors.run import run_backdoors
from bezoar.models.hybrid.scoring import logits_of

PLAN = replace(
    SMALL,
    heads=("quantum", "linear"),
    triggers=("patch:2", "patch:4"),
    rates=(0.1, 0.2, 0.4),
    control=False,
    theory=True,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunRecord]:
    """A run with two heads, two patches and three rates, and its folder."""
    out = tmp_path_factory.mktemp("theory")
    return out, carried_out(PLAN, out)


def over(record: RunRecord, row_title: str, unit: str, **tags: str | float) -> Table:
    (found,) = [
        table
        for table in record.tables_named("theorem_1", **tags)
        if table.row_title == row_title and table.unit == unit
    ]
    return found


@pytest.mark.parametrize("head", PLAN.heads)
@pytest.mark.parametrize("trigger", PLAN.triggers)
def test_theorem_1_is_told_over_the_triggered_samples(
    head: str, trigger: str, run: tuple[Path, RunRecord]
) -> None:
    table = over(run[1], "triggered samples", "fraction", head=head, trigger=trigger)
    assert table.rows == ("6", "12", "24")
    assert table.n == 2
    values = np.array(table.values, dtype=float)
    measured, trained, low, high = values.T
    np.testing.assert_allclose((high - low) / 2, hoeffding([6, 12, 24], delta=0.05))
    np.testing.assert_allclose((high + low) / 2, trained)
    for rate, asr in zip(PLAN.rates, measured, strict=True):
        (found,) = run[1].select("attack_success_rate", head=head, trigger=trigger, rate=rate)
        assert found.value == pytest.approx(asr)
    loss = over(run[1], "triggered samples", "nats", head=head, trigger=trigger)
    sizes = np.array(loss.values, dtype=float)
    assert (sizes[:, :2] >= 0).all()
    assert (sizes[:, :2] <= theory.LOSS_BOUND).all()
    # The printed bound adds K e to the lower end of the other.
    assert (sizes[:, 4] > sizes[:, 2]).all()


def test_theorem_1_is_told_over_the_strength_of_a_kind_of_trigger(
    run: tuple[Path, RunRecord],
) -> None:
    table = over(run[1], "trigger strength", "fraction", head="quantum", trigger="patch")
    assert table.tags["rate"] == 0.4
    assert len(table.rows) == 2
    assert float(table.rows[0]) < float(table.rows[1])


def test_theorem_2_is_told_of_the_quantum_head_alone(run: tuple[Path, RunRecord]) -> None:
    strengths, qubits = run[1].tables_named("theorem_2")
    assert {strengths.tags["head"], qubits.tags["head"]} == {"quantum"}
    assert len(strengths.rows) == 2
    assert qubits.rows == ("3",)
    assert qubits.values[0][1] == theorem_2_threshold(0.05, dimension=8.0)
    assert qubits.values[0][2] == theorem_2_sentence(0.05, dimension=8.0)
    # Three qubits have no expectations that far apart: nothing should have succeeded.
    assert all(row[1:] == (0.5, 0.5) for row in strengths.values)


def test_tables_say_which_conditions_hold(run: tuple[Path, RunRecord]) -> None:
    shares = over(run[1], "triggered samples", "fraction", head="quantum", trigger="patch:2").tags
    losses = over(run[1], "triggered samples", "nats", head="quantum", trigger="patch:2").tags
    assert str(shares["condition Lipschitz loss"]).startswith("does not hold. ")
    # A patch sets pixels: what it adds differs from image to image.
    assert str(shares["condition additive trigger"]).startswith("does not hold. ")
    assert str(shares["condition independent samples"]).startswith("cannot be told. ")
    assert str(losses["condition bounded loss"]).startswith("holds. ")
    assert str(losses["condition Lipschitz loss"]).startswith("cannot be told. ")
    assert {"reading two-sided", "reading printed", "delta"} <= set(shares)
    assert losses["loss at most"] == theory.LOSS_BOUND
    for table in run[1].tables_named("theorem_2"):
        assert "condition concentration" in table.tags
    assert str(shares["runs outside the two-sided bound"]).endswith(" of 6")


def test_observations_stand_by_seed(run: tuple[Path, RunRecord]) -> None:
    at = {"head": "quantum", "trigger": "patch:4", "rate": 0.4}
    record = run[1]
    (n,) = record.select("triggered_samples", **at)
    assert (n.value, n.low, n.high, n.seeds) == (24, 24, 24, (0, 1))
    (error,) = record.select("triggered_training_error", **at)
    (gap,) = record.select("generalisation_gap", **at)
    for found in (error, gap):
        assert found.value is not None
        assert 0 <= found.value <= 1
    (change,) = record.select("feature_change", **at)
    # Three expectations in [-1, 1] cannot differ by more.
    assert change.value is not None
    assert 0 < change.value <= np.sqrt(3) * 2


def test_a_cell_holds_what_the_network_does(tmp_path: Path) -> None:
    plan = replace(SMALL, heads=("quantum",), theory=True)
    school, lesson = school_of(plan, tmp_path), lesson_of(head="quantum")
    materials = school.materials(0)
    cell = theory.measure(school, lesson, materials)
    seen, truth = school.seen(lesson)
    assert truth is not None
    network = school.network(lesson)
    trained = seen.take(truth.poisoned_ids)
    assert cell["n_triggered"] == len(trained) == 12
    wrong = np.mean(logits_of(network, trained.features).argmax(axis=1) != 0)
    assert cell["training_error"] == pytest.approx(wrong)
    triggered = school.backdoor(lesson).challenge(materials.test)
    wrong = np.mean(logits_of(network, triggered.data.features).argmax(axis=1) != 0)
    assert cell["test_error"] == pytest.approx(wrong)
    for name in ("training_loss", "test_loss"):
        assert 0 <= cell[name]["min"] <= cell[name]["mean"] <= cell[name]["max"]
        assert cell[name]["max"] <= theory.LOSS_BOUND
    before = materials.test.take(triggered.data.ids).features
    norms = np.linalg.norm((triggered.data.features - before).reshape(len(before), -1), axis=1)
    # float32 images, taken apart in float32 here and in float64 there.
    assert cell["trigger_norm"] == pytest.approx(norms.mean(), rel=1e-5)
    assert cell["slope"] > 0


def test_features_of_bounded_heads_are_bounded(tmp_path: Path) -> None:
    school = school_of(SMALL, tmp_path)
    images = school.materials(0).test.features
    for head in ("quantum", "tanh", "linear"):
        found = theory.features_between(school.start(lesson_of("clean", head=head)), images)
        assert found.shape == (len(images), 3)
        if head != "linear":
            assert (np.abs(found) <= 1 + 1e-6).all()


def test_covers_are_no_triggered_samples(tmp_path: Path) -> None:
    plan = replace(SMALL, triggers=("wanet:k=4,s=0.5",), rates=(0.1,), cover=2.0)
    school = school_of(plan, tmp_path)
    lesson = lesson_of(trigger="wanet:k=4,s=0.5", rate=0.1)
    truth = school.seen(lesson)[1]
    assert truth is not None
    assert len(truth.poisoned_ids) == 6 * 3
    assert theory.measure(school, lesson, school.materials(0))["n_triggered"] == 6


def test_a_trigger_that_changes_nothing_has_no_slope(tmp_path: Path) -> None:
    plan = replace(SMALL, triggers=("qcolor:1,1,1",))
    school, lesson = school_of(plan, tmp_path), lesson_of(trigger="qcolor:1,1,1")
    cell = theory.measure(school, lesson, school.materials(0))
    assert (cell["slope"], cell["trigger_norm"], cell["feature_change"]) == (0, 0, 0)


def test_with_one_rate_the_triggers_share_a_table(tmp_path: Path) -> None:
    plan = replace(TABLE, triggers=("feature:0,3", "feature:1,2"), theory=True, seeds=1)
    record = carried_out(replace(plan, control=False), tmp_path)
    tables = record.tables_named("theorem_1")
    assert [table.row_title for table in tables[:2]] == ["trigger", "trigger"]
    assert tables[0].rows == ("feature:0,3", "feature:1,2")
    assert record.tables_named("theorem_2") == ()


def test_a_rate_without_a_sample_is_told_and_the_rest_measured(tmp_path: Path) -> None:
    plan = replace(TABLE, rates=(0.001, 0.2), theory=True, seeds=1, control=False)
    record = run_backdoors(plan, tmp_path)
    assert record.outcome == "partial"
    assert [line for line in record.failures if "theory" in line and "larger rate" in line]
    assert [m.tags["rate"] for m in record.select("triggered_samples")] == [0.2]


def test_clean_labels_break_a_condition(tmp_path: Path) -> None:
    plan = replace(TABLE, clean_label=True, theory=True, seeds=1)
    record = carried_out(plan, tmp_path)
    tags = record.tables_named("theorem_1")[0].tags
    assert str(tags["condition one distribution"]).startswith("does not hold. ")


def test_theory_asks_for_no_further_training_and_says_nothing_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = replace(TABLE, theory=True, control=False, rates=(0.1, 0.2))
    with counted(monkeypatch) as begun:
        carried_out(plan, tmp_path)
    assert len(begun) == len(set(begun)) == 2 * 3
    with counted(monkeypatch) as begun:
        without = carried_out(replace(plan, theory=False), tmp_path)
    assert begun == []
    assert without.tables_named("theorem_1") == ()
    assert without.select("triggered_samples") == ()


def test_the_worst_of_several_networks_is_told() -> None:
    def condition(holds: bool | None) -> list[dict[str, object]]:
        return [{"name": "bounded loss", "holds": holds, "detail": str(holds)}]

    for told, given in ((False, (True, False, None)), (None, (True, None)), (True, (True, True))):
        (found,) = theory.worst([condition(one) for one in given])
        assert found.holds is told
    assert theory.worst([]) == ()
