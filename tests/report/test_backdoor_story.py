"""What the account of a backdoor run says, sentence by sentence."""

from __future__ import annotations

import dataclasses

import pytest
from backdoor_factory import (
    TRIGGERS,
    make_backdoor,
    make_circuits,
    make_failed_backdoor,
    make_partial_backdoor,
    make_search,
)

from bezoar.contracts.records import Measurement, RunRecord
from bezoar.report.accounts import account_of
from bezoar.report.backdoor_results import arrange_backdoors
from bezoar.report.backdoor_story import BackdoorStory, tell_backdoors
from bezoar.report.backdoor_wording import trigger_labels
from bezoar.report.story import Account, Story


def said(account: Account, topic: str) -> str:
    return next((s.text for s in account.statements if s.topic.startswith(topic)), "")


def changed(record: RunRecord, metric: str, value: float | None, **tags: str) -> RunRecord:
    """The record with all such measurements at `value`, their intervals moved along."""

    def move(m: Measurement) -> Measurement:
        if m.metric != metric or any(m.tags.get(key) != wanted for key, wanted in tags.items()):
            return m
        if value is None or m.value is None or m.low is None or m.high is None:
            return dataclasses.replace(m, value=value, low=None, high=None)
        shift = value - m.value
        return dataclasses.replace(m, value=value, low=m.low + shift, high=m.high + shift)

    return dataclasses.replace(record, measurements=tuple(map(move, record.measurements)))


def test_the_verdict_is_about_the_quantum_head_with_interval_and_seeds() -> None:
    story = tell_backdoors(make_backdoor())
    assert story.headline == (
        "Blend 0.15 on 10 % of the training images makes the quantum head send 78 % of triggered "
        "images where the attacker wants (95 % interval 70 to 86 %, 3 seeds)."
    )
    assert story.subject == "imagenette; trunk resnet-18; heads quantum, linear and tanh"


def test_one_seed_is_said() -> None:
    story = tell_backdoors(make_backdoor(seeds=1))
    assert story.headline.endswith("(one seed).")
    assert "one seed" in said(story, "How sure")
    assert "One seed cannot tell" in said(story, "Is the quantum head safer?")


def test_a_success_that_is_not_above_leak_and_control_is_no_backdoor() -> None:
    record = changed(make_backdoor(), "attack_success_rate", 0.075, head="quantum")
    story = tell_backdoors(record)
    assert story.headline.startswith("No tested backdoor surely works on the quantum head")
    assert "7 % go there without it" in story.headline
    quantum = [c for c in story.results.cells if c.head == "quantum"]
    assert {story.results.reading(c) for c in quantum} == {"not above"}
    # What removes a backdoor that does not work is no question.
    assert said(story, "What removes it?") == ""


@pytest.mark.parametrize("metric", ["leak", "control_attack_success_rate"])
def test_a_high_leak_or_control_takes_the_meaning_from_a_high_success(metric: str) -> None:
    record = changed(make_backdoor(rates=(0.1,)), metric, 0.9)
    results = tell_backdoors(record).results
    assert {results.reading(c) for c in results.cells} == {"not above"}


def test_without_leak_and_control_nothing_is_judged() -> None:
    record = make_backdoor()
    floors = ("leak", "control_attack_success_rate", "clean_attack_success_rate")
    kept = tuple(m for m in record.measurements if m.metric not in floors)
    story = tell_backdoors(dataclasses.replace(record, measurements=kept))
    assert {story.results.reading(c) for c in story.results.cells} == {"unknown"}
    assert "no leak or control was measured" in story.headline


def test_a_gap_that_is_gone_at_equal_loss_is_called_slower_training() -> None:
    record = make_backdoor(triggers=TRIGGERS[:1], rates=(0.1,))
    kept = changed(record, "attack_success_rate", 0.45, head="quantum")
    kept = changed(kept, "attack_success_rate_at_matched_loss", 0.44, head="quantum")
    kept = changed(kept, "attack_success_rate_at_matched_loss", 0.46, head="linear")
    text = said(tell_backdoors(kept), "Robust, or slower")
    assert "38 points at the end and 2 points at equal loss: most of it is slower" in text
    kept = changed(kept, "attack_success_rate_at_matched_loss", 0.83, head="linear")
    text = said(tell_backdoors(kept), "Robust, or slower")
    assert "39 points at equal loss: slower training does not explain it" in text


def test_detectors_and_repairs_are_told_with_their_numbers() -> None:
    story = tell_backdoors(make_backdoor())
    seen = said(story, "Would you see it?")
    assert "Activation Clustering sees it (AUROC 0.93, 0.89 to 0.97, 3 seeds)" in seen
    assert "index of 3.4 and its clean twin 2.1" in seen
    removed = said(story, "What removes it?")
    assert "Fine-Pruning does not remove it: ASR 24 %" in removed
    assert "Training anew after Activation Clustering removes it: ASR 9 %" in removed


def test_a_missing_cell_is_missing_with_its_reason() -> None:
    results = arrange_backdoors(make_partial_backdoor())
    missing = [c for c in results.cells if c.success is None]
    assert [(c.head, c.reason) for c in missing] == [("tanh", "the loss became NaN")]
    assert "One cell failed and counts as nothing" in said(
        tell_backdoors(make_partial_backdoor()), "How sure"
    )


def test_a_failed_run_has_no_verdict() -> None:
    assert tell_backdoors(make_failed_backdoor()).headline.startswith("The run failed before")


def test_a_search_tells_its_choice_and_whether_random_was_better() -> None:
    account = account_of(make_search())
    assert account.headline.startswith("The chosen factors (1.12, 1, 0.878) reach")
    assert "the search found the better front" in said(account, "Was the search any good?")
    assert "The surrogate had said 33 %" in said(account, "Does it hold?")
    worse = changed(make_search(), "random_hypervolume", 0.9)
    assert "gained nothing" in said(account_of(worse), "Was the search any good?")


def test_a_choice_that_fails_its_verification_is_said_to_fail() -> None:
    record = changed(make_search(), "attack_success_rate", 0.09)
    assert "do not surely work" in account_of(record).headline


def test_a_search_that_was_not_verified_says_so() -> None:
    account = account_of(make_search(verified=False))
    assert account.headline.endswith("none was verified by full training.")


def test_circuits_are_told_at_rest_and_armed() -> None:
    account = account_of(make_circuits())
    assert account.headline == (
        "Armed, QTrojan sends 99 % of the samples where the attacker wants (95 % interval 96 to "
        "100 %, 3 seeds); without it 2 % go there."
    )
    told = said(account, "QTrojan")
    assert "at rest 94 % (95 % interval 91 to 97 %, 3 seeds), armed 10 %: 84 points less" in told
    assert "80 % of the seeds against the honest control and 50 % of the seeds against" in told


def test_the_kind_decides_who_tells() -> None:
    assert isinstance(account_of(make_backdoor()), BackdoorStory)
    other = dataclasses.replace(make_backdoor(), kind="audit")
    assert isinstance(account_of(other), Story)


def test_triggers_that_would_share_a_name_keep_their_settings() -> None:
    labels = trigger_labels(["patch:3", "patch:3,place=top-left", "blend:0.1"])
    assert labels["patch:3"] != labels["patch:3,place=top-left"]
    assert labels["blend:0.1"] == "blend 0.1"
