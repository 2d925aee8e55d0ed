from __future__ import annotations

import dataclasses

from record_factory import make_failed, make_hostile, make_partial, make_record

from bezoar.contracts.records import Measurement, RunRecord
from bezoar.report.results import arrange
from bezoar.report.story import destinations, gaps, is_harmful, kernel_warning, tell


def said(record: RunRecord) -> dict[str, str]:
    return {statement.topic: statement.text for statement in tell(record).statements}


def with_values(record: RunRecord, metric: str, attack: str, **values: object) -> RunRecord:
    """The record with fields of these measurements replaced."""
    return dataclasses.replace(
        record,
        measurements=tuple(
            dataclasses.replace(m, **values)
            if (m.metric, m.tags.get("attack")) == (metric, attack)
            else m
            for m in record.measurements
        ),
    )


def test_the_verdict_is_the_smallest_ratio_that_hurts_beside_the_control() -> None:
    story = tell(make_record())
    assert story.headline == (
        "With 30 % of the training set poisoned by QUID, accuracy falls from 94 % to 72 %."
    )
    harm = said(make_record())["Harm"]
    assert "from 94 % to 72 % (95 % interval 67 to 78 %, 5 seeds), without noise." in harm
    assert "Random flipping of as many takes it to 90 % (95 % interval 88 to 92 %" in harm
    assert harm.endswith("At 70 % poisoned it is 2 %.")


def test_a_drop_whose_interval_holds_zero_is_no_harm() -> None:
    record = make_record(noises=("none",))
    doubtful = with_values(record, "accuracy_drop", "quid", low=-0.01)
    cell = tell(doubtful).headline_cell
    assert cell is not None
    assert (cell.attack, cell.ratio) == ("bilevel", 0.3)
    results = arrange(doubtful)
    assert not is_harmful(results, results.cells[results.conditions[0], "quid", 0.7])


def test_without_harm_the_headline_says_so_and_still_tells_the_worst() -> None:
    record = make_record(noises=("none",), attacks=("random",), ratios=(0.1, 0.3))
    story = tell(record)
    assert story.headline == "No tested attack surely costs more than 5 points of accuracy."
    assert "random flipping takes the accuracy from 94 % to 90 %" in said(record)["Harm"]


def test_the_control_takes_the_verdict_where_it_hurts_first() -> None:
    record = make_record(noises=("none",), attacks=("random", "bilevel"), ratios=(0.3, 0.7))
    record = with_values(record, "accuracy_drop", "bilevel", value=0.01, low=0.0, high=0.02)
    cell = tell(record).headline_cell
    assert cell is not None
    assert cell.attack == "random"


def test_a_renaming_is_told_from_a_real_loss() -> None:
    text = said(make_record())["Real loss or a renaming?"]
    assert "At 30 % the best renaming of the outputs brings the accuracy back to 75 %" in text
    assert "of 22 points lost, 19 points are really lost" in text
    assert "At 70 % the loss is mostly a renaming" in text
    half = said(make_record(ratios=(0.5,)))["Real loss or a renaming?"]
    assert half == "At 50 % the loss is real: the best renaming of the outputs leaves 38 %."


def test_noise_is_compared_by_the_intervals_of_the_drops() -> None:
    assert "the intervals overlap" in said(make_record())["Does noise matter?"]
    one_seed = said(make_record(seeds=1))["Does noise matter?"]
    assert "One seed cannot tell" in one_seed
    record = make_record()
    weaker = dataclasses.replace(
        record,
        measurements=tuple(
            dataclasses.replace(m, value=0.02, low=0.01, high=0.03)
            if m.metric == "accuracy_drop" and m.tags["noise"] != "none"
            else m
            for m in record.measurements
        ),
    )
    assert "The attack is weaker here: it costs 2 points" in said(weaker)["Does noise matter?"]


def test_one_seed_is_said() -> None:
    record = make_record(seeds=1)
    assert "(one seed)" in said(record)["Harm"]
    assert said(record)["How sure is this?"].startswith("Everything here is from one seed.")


def test_whether_you_would_see_it() -> None:
    assert said(make_record())["Would you see it?"].startswith("In part. To the detector state-")
    record = make_record()
    clear = with_values(record, "detection_auroc", "quid", value=0.97, low=0.95, high=0.99)
    assert said(clear)["Would you see it?"].startswith("Yes.")
    blind = with_values(record, "detection_auroc", "quid", value=0.62, low=0.48, high=0.76)
    assert said(blind)["Would you see it?"].startswith("Hardly.")
    assert "AUROC 0.62, 0.48 to 0.76, 5 seeds" in said(blind)["Would you see it?"]
    assert "Would you see it?" not in said(make_record(detectors=False))


def test_a_model_that_has_learnt_nothing_is_named() -> None:
    record = make_record(noises=("none",))
    poor = with_values(record, "accuracy", "none", value=0.12, low=0.1, high=0.14)
    assert "it has little to lose" in said(poor)["How sure is this?"]


def test_partial_and_failed_runs_say_so_first() -> None:
    partial = tell(make_partial())
    assert "none of them counts as zero" in partial.warning
    assert "First failure: none, quid, 0.7, seed 3" in partial.warning
    assert "(2 failures in all)" in partial.warning
    assert gaps(partial.results) == (
        "Random flipping at 50 % without noise was not measured: the loss became NaN.",
    )
    failed = tell(make_failed())
    assert failed.headline == "The run failed before it could measure an attack."
    assert "class 'b' has one sample" in failed.warning
    assert tell(make_record()).warning == ""


def test_findings_come_worst_first() -> None:
    assert [f.severity for f in tell(make_record()).findings] == ["high", "low"]


def test_twins_are_counted_not_drawn() -> None:
    record = make_record(noises=("none",), ratios=(0.3,))
    twin = dataclasses.replace(record.select("accuracy", attack="quid")[0], value=0.1)
    results = arrange(dataclasses.replace(record, measurements=(*record.measurements, twin)))
    assert results.undrawn == 1
    assert "record.json only: 1." in gaps(results)[-1]


def test_conditions_are_named_by_what_differs() -> None:
    record = make_record()
    other = dataclasses.replace(
        record,
        measurements=record.measurements
        + tuple(
            dataclasses.replace(m, tags={**m.tags, "dataset": "iris"}) for m in record.measurements
        ),
    )
    assert [c.label for c in arrange(record).conditions] == ["no noise", "noise ad-dep:0.05"]
    assert [c.label for c in arrange(other).conditions][2] == "iris, no noise"
    assert arrange(other).conditions[2].phrase == "on iris without noise"


def test_kernel_variance_warns_below_shot_noise() -> None:
    def variance(value: float) -> Measurement:
        return dataclasses.replace(make_record().select("kernel_variance")[0], value=value)

    assert kernel_warning(variance(0.0003)) == ""
    assert "0.0002, below 0.00025" in kernel_warning(variance(0.0002))


def test_destinations_need_a_majority() -> None:
    record = make_record(noises=("none",), ratios=(0.3,))
    (quid,) = record.tables_named("label_destination", attack="quid")
    (control,) = record.tables_named("label_destination", attack="random")
    assert sum(len(rows) for _, rows in destinations(quid)) == 10
    assert destinations(control) == ()


def test_without_a_measured_drop_the_means_are_compared() -> None:
    record = make_record(noises=("none",))
    kept = tuple(m for m in record.measurements if m.metric != "accuracy_drop")
    story = tell(dataclasses.replace(record, measurements=kept))
    assert story.headline == tell(record).headline


def test_without_relabel_invariant_accuracy_nothing_is_said_of_renaming() -> None:
    record = make_record()
    kept = tuple(m for m in record.measurements if m.metric != "relabel_invariant_accuracy")
    assert "Real loss or a renaming?" not in said(dataclasses.replace(record, measurements=kept))


def test_a_record_with_findings_alone_has_a_headline() -> None:
    bare = dataclasses.replace(make_record(), measurements=(), tables=())
    assert tell(bare).headline == "2 findings to act on."
    one = dataclasses.replace(bare, findings=bare.findings[:1])
    assert tell(one).headline == "One finding to act on."
    none = dataclasses.replace(bare, findings=())
    assert tell(none).headline == "No attack was measured, so there is no verdict."


def test_without_a_baseline_the_accuracy_is_told_and_nothing_made_up() -> None:
    record = make_record(noises=("none",))
    kept = tuple(m for m in record.measurements if m.tags.get("attack") != "none")
    harm = said(dataclasses.replace(record, measurements=kept))["Harm"]
    assert harm.startswith("Poisoning 30 % of the training set with QUID takes the accuracy to 72")


def test_hostile_text_is_made_printable() -> None:
    story = tell(make_hostile())
    assert story.record.failures == ("\ufffd lone surrogate \ufffd reversed",)
    assert "\x1b" not in repr(story.record.tables[0].rows)
