"""The checks pass what is right, and name each promise that is broken."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from bezoar.contracts.checks import BrokenContract, check_attack, check_detector
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import BezoarError, InvalidArgument
from bezoar.contracts.records import ThreatModel
from bezoar.contracts.suspicion import Suspicion
from bezoar.contracts.truth import Poisoned, PoisonTruth

DATA = Dataset(
    features=np.random.default_rng(0).random((20, 2)),
    labels=np.arange(20) % 2,
    ids=np.arange(20),
    class_names=("cat", "dog"),
)
THREAT = ThreatModel(
    goal="harm",
    knows=("labels",),
    changes=("labels",),
    budget="a share",
    needs_training=False,
    answered_by="nothing known",
    source="none",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """An attack that keeps the contract; the tests break one promise at a time."""

    ratio: float = 0.1
    name: str = "flip"
    threat_model: ThreatModel = THREAT

    def __post_init__(self) -> None:
        if not 0 <= self.ratio < 1:
            raise InvalidArgument("ratio", wanted="a share in [0, 1)", got=self.ratio)

    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        order = np.argsort(data.ids)
        chosen = order[np.sort(rng.permutation(len(data))[: round(self.ratio * len(data))])]
        labels = data.labels.copy()
        labels[chosen] = 1 - labels[chosen]
        truth = PoisonTruth(
            attack=self.name,
            settings={"ratio": self.ratio},
            poisoned_ids=data.ids[chosen],
            original_labels=data.labels[chosen],
        )
        return Poisoned(data=data.with_labels(labels), truth=truth)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken(Flip):
    """`Flip` with parts of what it returns replaced."""

    new_truth: dict[str, Any] = field(default_factory=dict)
    new_data: dict[str, Any] = field(default_factory=dict)

    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        poisoned = Flip.poison(self, data, rng=rng)
        if not self.ratio:
            return poisoned
        return Poisoned(
            data=dataclasses.replace(
                poisoned.data, **{k: v(poisoned.data) for k, v in self.new_data.items()}
            ),
            truth=dataclasses.replace(
                poisoned.truth, **{k: v(poisoned.truth) for k, v in self.new_truth.items()}
            ),
        )


def test_passes_an_attack_that_keeps_it() -> None:
    check_attack(Flip, DATA)
    check_attack(Flip, DATA, ratio=0.5)


def test_passes_an_attack_that_poisons_fewer_or_keeps_a_label() -> None:
    class Fewer(Flip):
        def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
            poisoned = Flip.poison(Flip(ratio=self.ratio / 2), data, rng=rng)
            truth = dataclasses.replace(poisoned.truth, settings={"ratio": self.ratio})
            return Poisoned(data=poisoned.data, truth=truth)

    class Lazy(Flip):
        def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
            return Poisoned(data=data, truth=Flip.poison(self, data, rng=rng).truth)

    check_attack(Fewer, DATA)
    check_attack(Lazy, DATA)


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("truth", {"attack": lambda _: "other"}, "truth.attack is 'other', not its name"),
        (
            "truth",
            {"poisoned_ids": lambda t: t.poisoned_ids[::-1]},
            "not one ascending row",
        ),
        (
            "truth",
            {"poisoned_ids": lambda t: np.append(t.poisoned_ids, 10**6)},
            "ids that no sample has",
        ),
        (
            "truth",
            {"original_labels": lambda t: 1 - t.original_labels},
            "original_labels are not the labels",
        ),
        (
            "truth",
            {"original_labels": lambda t: t.original_labels[1:]},
            "original_labels are not the labels",
        ),
        (
            "truth",
            {
                "poisoned_ids": lambda t: t.poisoned_ids[1:],
                "original_labels": lambda t: t.original_labels[1:],
            },
            r"changes sample ids \d+ that are not in truth.poisoned_ids",
        ),
        ("truth", {"settings": lambda _: {}}, "does not hold its ratio under 'ratio'"),
        (
            "truth",
            {"settings": lambda t: {**t.settings, "x": np.zeros(2)}},
            "truth.settings are not JSON values",
        ),
        ("data", {"ids": lambda d: d.ids[::-1]}, "the ids or their order are not those"),
        ("data", {"class_names": lambda _: ("a", "b")}, r"class names \('a', 'b'\) are not"),
        (
            "data",
            {"features": lambda d: d.features[:, :1]},
            r"features have shape \(20, 1\), they had \(20, 2\)",
        ),
        (
            "data",
            {"features": lambda d: d.features + 1},
            r"changes sample ids (\d+, ){5}\.\.\. that are not in truth.poisoned_ids",
        ),
    ],
)
def test_names_what_is_wrong_with_the_result(
    part: str, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(BrokenContract, match=f"^Broken: .*{message}") as caught:
        check_attack(Broken, DATA, **{f"new_{part}": change})
    assert "\n" not in str(caught.value)


class TakesAnyRatio(Flip):
    def __post_init__(self) -> None:
        """Refuses nothing."""


class RaisesSomethingElse(Flip):
    def __post_init__(self) -> None:
        assert 0 <= self.ratio < 1


class ForgetsItsRatio(Flip):
    def __post_init__(self) -> None:
        Flip.__post_init__(self)
        object.__setattr__(self, "ratio", self.ratio / 2)


class OverBudget(Flip):
    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        poisoned = Flip.poison(Flip(ratio=2 * self.ratio), data, rng=rng)
        truth = dataclasses.replace(poisoned.truth, settings={"ratio": self.ratio})
        return Poisoned(data=poisoned.data, truth=truth)


class NeverIdle(Flip):
    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        poisoned = Flip.poison(self, data, rng=rng)
        return poisoned if self.ratio else Flip.poison(Flip(ratio=0.1), data, rng=rng)


class GhostsAtZero(Flip):
    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        if self.ratio:
            return Flip.poison(self, data, rng=rng)
        return Poisoned(data=data, truth=Flip.poison(Flip(ratio=0.1), data, rng=rng).truth)


class OwnRandomness(Flip):
    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:  # noqa: ARG002
        return Flip.poison(self, data, rng=np.random.default_rng())


class WritesIntoItsInput(Flip):
    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        poisoned = Flip.poison(self, data, rng=rng)
        data.features.setflags(write=True)
        data.features[0] += 1 if self.ratio else 0
        return poisoned


class TakesIdsForPositions(Flip):
    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        poisoned = Flip.poison(self, data, rng=rng)
        where = np.sort(data.positions(poisoned.truth.poisoned_ids))
        truth = dataclasses.replace(
            poisoned.truth, poisoned_ids=where, original_labels=data.labels[where]
        )
        return Poisoned(data=poisoned.data, truth=truth)


class Raises(Flip):
    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:  # noqa: ARG002
        raise KeyError("lost\nin two lines")


class ReturnsData(Flip):
    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Any:  # noqa: ARG002
        return data


class Nameless(Flip):
    def __post_init__(self) -> None:
        Flip.__post_init__(self)
        object.__setattr__(self, "name", " ")


class NeedsMore(Flip):
    def __init__(self, *, ratio: float, depth: int) -> None:
        """Wants a setting that nobody gives."""


@pytest.mark.parametrize(
    ("attack_class", "message"),
    [
        (TakesAnyRatio, r"ratio -0\.1 is taken; ratios outside \[0, 1\) must raise"),
        (RaisesSomethingElse, r"ratio -0\.1 raises AssertionError, InvalidArgument was wanted"),
        (ForgetsItsRatio, r"ratio is 0\.15, not what was set"),
        (OverBudget, r"poisons 12 of 20 samples, ratio 0\.3 allows 6"),
        (NeverIdle, "ratio 0 changes the data"),
        (GhostsAtZero, "ratio 0 has poisoned ids in its truth"),
        (OwnRandomness, "the same random stream gives another result"),
        (WritesIntoItsInput, "poison changes its input"),
        (TakesIdsForPositions, r"truth\.poisoned_ids has ids that no sample has"),
        (Raises, "poison raises KeyError: "),
        (ReturnsData, "poison returns a Dataset, not a Poisoned"),
        (Nameless, "name is ' ', a text was wanted"),
        (NeedsMore, r"making it with ratio raises TypeError: .*depth"),
    ],
)
def test_names_the_broken_promise(attack_class: type, message: str) -> None:
    fresh = DATA.take(DATA.ids)
    with pytest.raises(BrokenContract, match=f"^{attack_class.__name__}: {message}") as caught:
        check_attack(attack_class, fresh)
    assert "\n" not in str(caught.value)


def test_refuses_what_is_no_attack_at_all() -> None:
    class Nothing:
        def __init__(self, ratio: float) -> None:
            """Has no part of the protocol."""

    with pytest.raises(BrokenContract, match="Nothing: lacks name, poison, ratio, threat_model"):
        check_attack(Nothing, DATA)


def test_refuses_an_attack_that_can_be_changed() -> None:
    class Loose:
        name, threat_model, poison = "loose", THREAT, Flip.poison

        def __init__(self, ratio: float) -> None:
            self.ratio = ratio

    with pytest.raises(BrokenContract, match="Loose: ratio can be set; make it a frozen dataclass"):
        check_attack(Loose, DATA)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"goal": ""}, "threat_model.goal is ''; say it, in words"),
        ({"answered_by": " "}, "threat_model.answered_by"),
        ({"knows": ()}, r"threat_model.knows is \(\)"),
        ({"changes": ["labels"]}, r"threat_model.changes is \['labels'\]"),
        ({"knows": ("",)}, "threat_model.knows"),
        ({"needs_training": None}, "threat_model.needs_training is None"),
    ],
)
def test_refuses_a_threat_model_with_gaps(change: dict[str, Any], message: str) -> None:
    threat = dataclasses.replace(THREAT, **change)
    with pytest.raises(BrokenContract, match=message):
        check_attack(Flip, DATA, threat_model=threat)
    with pytest.raises(BrokenContract, match="threat_model is a dict, not a ThreatModel"):
        check_attack(Flip, DATA, threat_model={"goal": "harm"})


def test_says_when_the_data_is_too_small_to_check_anything() -> None:
    with pytest.raises(InvalidArgument, match=r"data: wanted enough samples that ratio 0\.3"):
        check_attack(Flip, DATA.take([0]))


def test_is_an_assertion_and_a_bezoar_error() -> None:
    assert issubclass(BrokenContract, AssertionError)
    assert issubclass(BrokenContract, BezoarError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Norm:
    """A detector that keeps the contract."""

    name: str = "norm"

    def inspect(self, data: Dataset) -> Suspicion:
        return Suspicion(
            detector=self.name, ids=data.ids, scores=np.linalg.norm(data.features, axis=1)
        )


class NormWith(Norm):
    """`Norm` with its answer changed."""

    change: Any = None

    def inspect(self, data: Dataset) -> Any:
        return type(self).change(Norm.inspect(self, data), data)


def detector(name: str, change: Any) -> Any:
    return type(name, (NormWith,), {"change": staticmethod(change), "__slots__": ()})()


def scored(scores: Any) -> Any:
    return lambda s, d: dataclasses.replace(s, scores=scores(s.scores, d))


def write(suspicion: Suspicion, data: Dataset) -> Suspicion:
    data.labels.setflags(write=True)
    data.labels[0] = 1 - data.labels[0]
    return suspicion


def test_passes_a_detector_that_keeps_it() -> None:
    check_detector(Norm(), DATA)
    check_detector(detector("Flat", scored(lambda s, _: 0 * s)), DATA)
    check_detector(detector("Single", scored(lambda s, _: s.astype(np.float32))), DATA)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s, _: s.scores, "inspect returns a ndarray, not a Suspicion"),
        (lambda s, _: dataclasses.replace(s, detector="x"), "suspicion.detector is 'x'"),
        (lambda s, _: dataclasses.replace(s, ids=s.ids[::-1]), "not the ids of the data in their"),
        (lambda s, _: dataclasses.replace(s, ids=s.ids[1:]), "not the ids of the data in their"),
        (scored(lambda s, _: s[:, None]), r"scores are float64 of shape \(20, 1\)"),
        (scored(lambda s, _: s.astype(str)), "scores are <U"),
        (scored(lambda s, d: np.where(d.ids % 1000 < 2, np.nan, s)), "scores of ids 0, 1 are not"),
        (scored(lambda s, _: s + np.random.default_rng().random(len(s))), "the second time"),
        (scored(lambda s, _: s + np.arange(len(s))), "depend on the order of the samples"),
        (scored(lambda s, d: s + d.ids), "scores depend on ids"),
        (write, "inspect changes its input"),
        (lambda _, __: 1 / 0, "inspect raises ZeroDivisionError: division by zero"),
    ],
)
def test_names_what_is_wrong_with_a_detector(change: Any, message: str) -> None:
    fresh = DATA.take(DATA.ids)
    with pytest.raises(BrokenContract, match=f"^Odd: .*{message}") as caught:
        check_detector(detector("Odd", change), fresh)
    assert "\n" not in str(caught.value)


def test_refuses_what_is_no_detector_and_no_data() -> None:
    with pytest.raises(BrokenContract, match="object: lacks inspect, name"):
        check_detector(object(), DATA)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="data: wanted samples, got none"):
        check_detector(Norm(), DATA.take([]))
