"""Who is poisoned, with which label, and what the judge is told."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from bezoar.attacks.backdoors import (
    Backdoor,
    Blend,
    FeatureTrigger,
    NoTrigger,
    Patch,
    Trigger,
    WaNet,
    trigger_named,
)
from bezoar.contracts import plugins
from bezoar.contracts.checks import check_attack
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName
from bezoar.contracts.protocols import Attack
from bezoar.contracts.truth import Poisoned
from bezoar.data import load

NAMES = ("ant", "bee", "cow", "dog")
PATCH = Patch(size=1)


def album(labels: Any, seed: int = 0, side: int = 6) -> Dataset:
    """Grey-level noise in three channels, under ids that are neither sorted nor positions."""
    labels = np.asarray(labels, dtype=np.int64)
    rng = np.random.default_rng(seed)
    return Dataset(
        # Below 1, so that a white patch shows.
        features=0.9 * rng.random((len(labels), 3, side, side), dtype=np.float32),
        labels=labels,
        ids=1000 + 7 * rng.permutation(len(labels)),
        class_names=NAMES,
    )


def table(labels: Any) -> Dataset:
    labels = np.asarray(labels, dtype=np.int64)
    features = np.random.default_rng(0).standard_normal((len(labels), 5))
    return Dataset(
        features=features, labels=labels, ids=np.arange(len(labels))[::-1], class_names=NAMES
    )


def poison(backdoor: Backdoor, data: Dataset, seed: int = 0) -> Poisoned:
    return backdoor.poison(data, rng=np.random.default_rng(seed))


def changed_ids(before: Dataset, after: Dataset) -> list[int]:
    moved = (before.features != after.features).reshape(len(before), -1).any(axis=1)
    return sorted(before.ids[moved | (before.labels != after.labels)].tolist())


BACKDOORS = st.one_of(
    st.builds(
        Backdoor,
        trigger=st.sampled_from([PATCH, Blend(ratio=0.2), NoTrigger()]),
        target=st.integers(0, 3),
        ratio=st.floats(0, 0.6),
        mapping=st.sampled_from(["all-to-one", "all-to-all"]),
    ),
    st.builds(
        Backdoor,
        trigger=st.sampled_from([PATCH, NoTrigger()]),
        target=st.integers(0, 3),
        ratio=st.floats(0, 0.2),
        clean_label=st.sampled_from([True]),
    ),
    st.builds(
        Backdoor,
        trigger=st.sampled_from([WaNet(s=2.0), NoTrigger()]),
        target=st.integers(0, 3),
        ratio=st.floats(0, 0.25),
        cover=st.floats(0, 2),
    ),
    st.builds(
        Backdoor,
        trigger=st.just(PATCH),
        target=st.just(0),
        sources=st.sampled_from([(1,), (1, 2)]),
        mapping=st.just("source-specific"),
        ratio=st.floats(0, 0.2),
        cover=st.floats(0, 1),
    ),
)
LABELS = st.integers(0, 2**32).map(
    lambda seed: np.random.default_rng(seed).permutation(np.arange(40) % 4)
)


@given(BACKDOORS, LABELS, st.integers(0, 2**32))
def test_poisoned_ids_are_exactly_the_changed_ids(
    backdoor: Backdoor, labels: np.ndarray, seed: int
) -> None:
    data = album(labels)
    poisoned = poison(backdoor, data, seed)
    truth = poisoned.truth
    assert truth.poisoned_ids.tolist() == changed_ids(data, poisoned.data)
    assert np.array_equal(poisoned.data.ids, data.ids)
    assert np.array_equal(truth.original_labels, data.take(truth.poisoned_ids).labels)
    assert truth.settings["poisoned"] == round(backdoor.ratio * len(data))
    assert json.loads(json.dumps(dict(truth.settings), allow_nan=False))["target"] == (
        backdoor.target
    )
    assert poisoned.data.features.dtype == np.float32


@given(BACKDOORS, LABELS, st.integers(0, 2**32))
def test_the_same_stream_gives_the_same_result_whatever_the_order(
    backdoor: Backdoor, labels: np.ndarray, seed: int
) -> None:
    data = album(labels)
    first, again = poison(backdoor, data, seed), poison(backdoor, data, seed)
    assert np.array_equal(first.data.features, again.data.features)
    assert np.array_equal(first.data.labels, again.data.labels)
    turned = poison(backdoor, data.take(data.ids[::-1]), seed).data.take(data.ids)
    assert np.array_equal(first.data.labels, turned.labels)
    # Batches of another order may be sampled in another order of sums.
    assert np.allclose(first.data.features, turned.features, atol=1e-6)


@given(BACKDOORS, LABELS, st.integers(0, 2**32), st.floats(0, 1))
def test_a_larger_ratio_poisons_the_same_samples_and_more(
    backdoor: Backdoor, labels: np.ndarray, seed: int, share: float
) -> None:
    data = album(labels)
    # Covers are a second draw, of which no such promise is made.
    large = dataclasses.replace(backdoor, cover=0.0)
    small = dataclasses.replace(large, ratio=large.ratio * share)
    few, many = (set(poison(b, data, seed).truth.poisoned_ids.tolist()) for b in (small, large))
    assert few <= many


@given(BACKDOORS, LABELS, st.integers(0, 2**32))
def test_the_control_changes_the_same_labels_and_nothing_else(
    backdoor: Backdoor, labels: np.ndarray, seed: int
) -> None:
    data = album(labels)
    control = poison(backdoor.relabel_only(), data, seed)
    assert np.array_equal(control.data.features, data.features)
    assert np.array_equal(control.data.labels, poison(backdoor, data, seed).data.labels)
    if backdoor.clean_label:
        assert not len(control.truth.poisoned_ids)


@given(BACKDOORS, LABELS)
def test_a_challenge_wants_another_class_of_every_sample(
    backdoor: Backdoor, labels: np.ndarray
) -> None:
    data = album(labels)
    challenge = backdoor.challenge(data)
    clean = data.take(challenge.data.ids)
    assert np.array_equal(challenge.data.labels, clean.labels)
    assert (challenge.wanted != clean.labels).all()
    assert np.allclose(challenge.data.features, backdoor.trigger.apply(clean.features), atol=1e-6)
    if backdoor.mapping == "all-to-all":
        assert len(challenge.data) == len(data)
        assert np.array_equal(challenge.wanted, (clean.labels + 1) % 4)
    else:
        assert (challenge.wanted == backdoor.target).all()
        left_out = np.setdiff1d(data.ids, challenge.data.ids)
        allowed = {backdoor.target} | (set(range(4)) - set(backdoor.sources or range(4)))
        assert set(data.take(left_out).labels.tolist()) <= allowed


@given(LABELS, st.integers(0, 3), st.integers(0, 2**32))
def test_all_to_one_leaves_the_target_class_alone(
    labels: np.ndarray, target: int, seed: int
) -> None:
    data = album(labels)
    poisoned = poison(Backdoor(trigger=PATCH, target=target, ratio=0.5), data, seed)
    assert (poisoned.truth.original_labels != target).all()
    assert (poisoned.data.take(poisoned.truth.poisoned_ids).labels == target).all()
    assert len(poisoned.truth.poisoned_ids) == 20


def test_all_to_all_moves_each_class_to_the_next() -> None:
    data = album(np.arange(40) % 4)
    poisoned = poison(Backdoor(trigger=PATCH, mapping="all-to-all", ratio=0.9), data)
    new = poisoned.data.take(poisoned.truth.poisoned_ids).labels
    assert np.array_equal(new, (poisoned.truth.original_labels + 1) % 4)
    assert set(new.tolist()) == {0, 1, 2, 3}


def test_clean_label_keeps_labels_and_takes_the_target_class() -> None:
    data = album(np.arange(40) % 4)
    poisoned = poison(Backdoor(trigger=PATCH, target=2, ratio=0.2, clean_label=True), data)
    assert np.array_equal(poisoned.data.labels, data.labels)
    assert poisoned.truth.original_labels.tolist() == [2] * 8


def test_source_specific_takes_its_sources_and_covers_the_rest() -> None:
    data = album(np.arange(80) % 4)
    backdoor = Backdoor(
        trigger=PATCH,
        target=0,
        ratio=0.1,
        mapping="source-specific",
        sources=(1,),
        cover=1.5,
    )
    poisoned = poison(backdoor, data)
    truth = poisoned.truth
    new = poisoned.data.take(truth.poisoned_ids)
    relabelled = new.labels != truth.original_labels
    assert set(truth.original_labels[relabelled].tolist()) == {1}
    assert set(new.labels[relabelled].tolist()) == {0}
    # Neither sources nor target, and with the very trigger.
    assert set(truth.original_labels[~relabelled].tolist()) == {2, 3}
    assert (relabelled.sum(), (~relabelled).sum()) == (8, 12)
    assert (new.features[:, :, -1, -1] == 1).all()


def test_covers_of_wanet_keep_their_labels_and_come_on_top() -> None:
    data = album(np.arange(80) % 4, side=16)
    backdoor = Backdoor(trigger=WaNet(), ratio=0.1, cover=2.0)
    poisoned = poison(backdoor, data)
    truth = poisoned.truth
    assert (truth.settings["poisoned"], truth.settings["covers"]) == (8, 16)
    new = poisoned.data.take(truth.poisoned_ids)
    covers = new.labels == truth.original_labels
    assert covers.sum() == 16
    before = data.take(truth.poisoned_ids)
    warped = backdoor.trigger.apply(before.features)
    assert np.allclose(new.features[~covers], warped[~covers], atol=1e-6)
    assert np.abs(new.features[covers] - warped[covers]).max() > 0.01


def test_what_the_trigger_leaves_as_it_was_is_not_in_the_truth() -> None:
    data = album([0] * 10 + [1] * 10)
    white = data.features.copy()
    white[:, :, -1, -1] = 1
    poisoned = poison(
        Backdoor(trigger=PATCH, ratio=0.2, clean_label=True), data.with_features(white)
    )
    assert not len(poisoned.truth.poisoned_ids)
    assert poisoned.truth.settings["poisoned"] == 4


@pytest.mark.parametrize(
    "settings",
    [
        {"trigger": PATCH},
        {"trigger": PATCH, "mapping": "all-to-all"},
        {"trigger": trigger_named("qcolor:1.2,1,0.8"), "target": 1},
        {"trigger": WaNet(s=2.0)},
        {"trigger": NoTrigger()},
    ],
)
def test_keeps_the_contract_of_attacks(settings: dict[str, Any]) -> None:
    check_attack(Backdoor, album(np.arange(24) % 4), ratio=0.3, **settings)


def test_is_an_attack_with_a_threat_model_in_words() -> None:
    backdoor = Backdoor(trigger=WaNet(), target=3, cover=2, ratio=0.1)
    assert isinstance(backdoor, Attack)
    model = backdoor.threat_model
    assert model.goal == "triggered inputs get class 3, others are answered as before"
    assert "2 cover samples for each" in model.budget
    assert not model.needs_training
    clean = Backdoor(trigger=PATCH, clean_label=True).threat_model
    assert "their labels" not in clean.changes
    sources = Backdoor(trigger=PATCH, mapping="source-specific", sources=(1, 2)).threat_model
    assert "class 1, 2" in sources.goal


class TestTables:
    feature = FeatureTrigger(features=(0, 3), values=(4, -4))

    def test_are_poisoned_in_units_of_the_training_data(self) -> None:
        data = table(np.arange(40) % 4)
        backdoor = Backdoor(trigger=self.feature, ratio=0.2).fitted(data)
        poisoned = poison(backdoor, data)
        new = poisoned.data.take(poisoned.truth.poisoned_ids).features
        wanted = data.features.mean(axis=0) + 4 * data.features.std(axis=0)
        assert np.allclose(new[:, 0], wanted[0])
        challenge = backdoor.challenge(table([0, 1, 2, 3]))
        assert np.allclose(challenge.data.features[:, 0], wanted[0])
        assert poisoned.truth.settings["trigger"] == backdoor.trigger.spec

    def test_must_be_measured_first(self) -> None:
        with pytest.raises(InvalidArgument, match=r"call fitted\(train\)"):
            poison(Backdoor(trigger=self.feature), table(np.arange(40) % 4))

    def test_keep_the_contract_of_attacks(self) -> None:
        data = table(np.arange(40) % 4)
        check_attack(Backdoor, data, trigger=self.feature.fitted(data))

    @pytest.mark.parametrize("name", ["patch", "blend", "wanet", "sig", "qcolor:1,1,2"])
    @pytest.mark.parametrize("ratio", [0.0, 0.2])
    def test_take_no_trigger_of_images(self, name: str, ratio: float) -> None:
        backdoor = Backdoor(trigger=trigger_named(name), ratio=ratio)
        data = table(np.arange(40) % 4)
        for refused in (lambda: poison(backdoor, data), lambda: backdoor.challenge(data)):
            with pytest.raises(InvalidData, match="use the trigger feature") as error:
                refused()
            assert "\n" not in str(error.value)

    def test_images_take_no_trigger_of_tables(self) -> None:
        trigger = FeatureTrigger(features=(0,), values=(1,), unit="absolute")
        with pytest.raises(InvalidData, match="for images use patch"):
            poison(Backdoor(trigger=trigger), album(np.arange(40) % 4))

    def test_fitting_leaves_other_triggers_alone(self) -> None:
        backdoor = Backdoor(trigger=PATCH)
        assert backdoor.fitted(table([0, 1])) is backdoor


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"ratio": 1.0}, "ratio"),
        ({"ratio": np.nan}, "ratio"),
        ({"ratio": -0.1}, "ratio"),
        ({"target": -1}, "target"),
        ({"target": 0.5}, "target"),
        ({"cover": -1}, "cover"),
        ({"cover": 1}, "covers need the trigger wanet"),
        ({"sources": (1,)}, "sources: wanted class codes with mapping source-specific"),
        ({"mapping": "source-specific"}, "sources: wanted class codes"),
        ({"mapping": "source-specific", "sources": (0,)}, "other classes than target"),
        ({"mapping": "source-specific", "sources": (1, 1)}, "no class twice"),
        ({"mapping": "source-specific", "sources": 1}, "a tuple of class codes"),
        ({"mapping": "one-to-one"}, "mapping"),
        ({"mapping": "all-to-all", "clean_label": True}, "clean_label"),
        ({"clean_label": "yes"}, "clean_label"),
        ({"trigger": "patch:3"}, "make one with trigger_named"),
    ],
)
def test_refuses_settings_in_one_line(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem) as refused:
        Backdoor(**{"trigger": PATCH, **settings})
    assert "\n" not in str(refused.value)


def test_suggests_a_mapping() -> None:
    mapping: Any = "all-to-on"
    with pytest.raises(UnknownName, match="did you mean 'all-to-one'"):
        Backdoor(trigger=PATCH, mapping=mapping)


@pytest.mark.parametrize(
    ("backdoor", "labels", "problem"),
    [
        (Backdoor(trigger=PATCH, ratio=0.9), [0] * 8 + [1] * 2, "at most the 2 samples .* got 9"),
        (Backdoor(trigger=PATCH, ratio=0.5, clean_label=True), [0, 1, 1, 1], "at most the 1"),
        (
            Backdoor(trigger=PATCH, ratio=0.4, mapping="source-specific", sources=(3,)),
            [0, 1, 2, 0, 1],
            "at most the 0",
        ),
        (Backdoor(trigger=WaNet(), ratio=0.4, cover=2), [0, 1] * 5, "cover: .* 6 samples"),
        (Backdoor(trigger=PATCH, target=4), [0, 1] * 5, "target: wanted a class code from 0 to 3"),
        (Backdoor(trigger=PATCH, target=4, ratio=0), [0, 1] * 5, "target"),
    ],
)
def test_refuses_data_that_do_not_suffice(
    backdoor: Backdoor, labels: list[int], problem: str
) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        poison(backdoor, album(labels))


def test_one_class_one_sample_and_none() -> None:
    backdoor = Backdoor(trigger=PATCH, ratio=0.5)
    with pytest.raises(InvalidData, match="one class"):
        poison(backdoor, album([1] * 8))
    with pytest.raises(InvalidData, match="got none among 8"):
        backdoor.challenge(album([0] * 8))
    with pytest.raises(InvalidData, match="got none among 0"):
        backdoor.challenge(album([]))
    assert not len(poison(backdoor, album([])).data)
    assert not len(poison(backdoor, album([1])).truth.poisoned_ids)
    assert len(backdoor.challenge(album([1])).data) == 1


def test_a_challenge_is_read_only_and_leaves_the_test_data_alone() -> None:
    data = album([0, 1, 2, 3])
    before = data.features.copy()
    challenge = Backdoor(trigger=PATCH).challenge(data)
    assert np.array_equal(data.features, before)
    assert not challenge.wanted.flags.writeable


def test_a_model_learns_the_trigger_and_the_control_does_not() -> None:
    digits = load("digits")
    data = digits.with_features(digits.features.reshape(-1, 1, 8, 8) / 16)
    ids = np.random.default_rng(0).permutation(data.ids)
    train, test = data.take(ids[:600]), data.take(ids[600:1000])
    backdoor = Backdoor(trigger=PATCH, ratio=0.1)
    challenge = backdoor.challenge(test)
    success = []
    for attack in (backdoor, backdoor.relabel_only()):
        seen = poison(attack, train).data
        victim = LogisticRegression(max_iter=2000).fit(seen.features.reshape(600, -1), seen.labels)
        answers = victim.predict(challenge.data.features.reshape(len(challenge.data), -1))
        success.append(np.mean(answers == challenge.wanted))
    # Measured 0.9 and below 0.1 over seeds; the corner pixel of a digit is black.
    assert success[0] > 0.7
    assert success[1] < 0.2


@given(st.sampled_from(plugins.names("triggers")), LABELS, st.integers(0, 2**32))
def test_nothing_is_drawn_where_nothing_is_poisoned(
    name: str, labels: np.ndarray, seed: int
) -> None:
    assume(name not in ("colour", "qcolor", "feature"))
    trigger: Trigger = trigger_named(name)
    rng, other = np.random.default_rng(seed), np.random.default_rng(seed)
    data = album(labels)
    poisoned = Backdoor(trigger=trigger, ratio=0.0).poison(data, rng=rng)
    assert not changed_ids(data, poisoned.data)
    assert rng.random() == other.random()
