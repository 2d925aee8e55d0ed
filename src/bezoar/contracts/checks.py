"""Executable checks of what a plug-in promises; anyone can run them on a part of their own.

A check returns nothing when the promise holds, and raises `BrokenContract` with one line that says
what does not. No test framework is needed.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bezoar.contracts.dataset import Dataset, FloatArray
from bezoar.contracts.errors import BezoarError, InvalidArgument
from bezoar.contracts.protocols import Attack, Detector
from bezoar.contracts.records import ThreatModel
from bezoar.contracts.suspicion import Suspicion
from bezoar.contracts.truth import Poisoned, PoisonTruth

_TRIGGER_PARTS = ("answered_by", "apply", "name", "source", "spec")
_DEFAULT_RATIO = 0.3
_BAD_RATIOS = (-0.1, 1.0, 1.5, math.nan)
# Sums of float64 in another order differ by far less; so do float32 sums.
_ORDER_TOLERANCE = 1e-5


class BrokenContract(BezoarError, AssertionError):
    """A part does not do what its protocol promises; the message says what."""


def check_attack(attack_class: Callable[..., Any], data: Dataset, **settings: Any) -> None:
    """Checks that an attack keeps the contract of `bezoar.contracts.protocols.Attack`.

    It satisfies the protocol, is frozen, and declares its whole threat model. Ratio 0 changes
    nothing, ratios outside [0, 1) are refused. What it returns holds the same ids, order, shape
    and class names; at most ``round(ratio * n)`` samples are poisoned; every sample that changed
    is in the truth, with the label it had; the same random stream gives the same result, and the
    input stays as it was. All of it also holds when ids are not positions.

    Args:
        attack_class: what makes the attack from keyword settings.
        data: a training set that suits it, two classes or more; a few dozen samples will do.
        settings: passed on; ``ratio`` is 0.3 unless given.

    Raises:
        InvalidArgument: `data` is so small that the ratio poisons nothing.
        BrokenContract: something does not hold; the first that is found.

    Example:
        >>> class Bad:
        ...     def __init__(self, ratio): self.ratio = ratio
        >>> data = Dataset(features=[[0.0], [1.0]], labels=[0, 1], ids=[0, 1],
        ...                class_names=("cat", "dog"))
        >>> try: check_attack(Bad, data)
        ... except BrokenContract as error: print(error)
        Bad: lacks name, poison, threat_model, which the protocol Attack asks for
    """
    settings = {"ratio": _DEFAULT_RATIO, **settings}
    if round(settings["ratio"] * len(data)) < 1:
        raise InvalidArgument(
            "data",
            wanted=f"enough samples that ratio {settings['ratio']} poisons one",
            got=len(data),
        )
    who = _name_of(attack_class)
    attack = _call(who, f"making it with {_listed(settings)}", lambda: attack_class(**settings))
    _check_protocol(who, attack, Attack)
    _check_frozen(who, attack, "ratio")
    _check_name(who, attack)
    _check_threat_model(who, attack.threat_model)
    _require(attack.ratio == settings["ratio"], who, f"ratio is {attack.ratio}, not what was set")
    for ratio in _BAD_RATIOS:
        _check_refused(who, attack_class, {**settings, "ratio": ratio})
    zero = _call(who, "making it with ratio 0", lambda: attack_class(**{**settings, "ratio": 0.0}))
    for samples in (data, _with_scattered_ids(data)):
        _check_identity(who, zero, samples)
        _check_poisoning(who, attack, samples)


def check_detector(detector: Detector, data: Dataset) -> None:
    """Checks that a detector keeps the contract of `bezoar.contracts.protocols.Detector`.

    One finite score for each sample under its id, in the order of the data; the same data gives
    the same scores; rows in another order or under other ids get the scores that they had (to
    1e-5 of the largest); the input stays as it was.

    Args:
        detector: ready to inspect.
        data: samples that suit it; a few dozen will do.

    Raises:
        InvalidArgument: `data` is empty.
        BrokenContract: something does not hold; the first that is found.
    """
    if not len(data):
        raise InvalidArgument("data", wanted="samples", got="none")
    who = _name_of(type(detector))
    _check_protocol(who, detector, Detector)
    _check_name(who, detector)
    scores = _check_inspection(who, detector, data)
    again = _check_inspection(who, detector, data)
    _require(np.array_equal(scores, again), who, "the same data gets other scores the second time")
    scattered = _with_scattered_ids(data)
    _check_close(who, scores, _check_inspection(who, detector, scattered), "scores depend on ids")
    order = np.random.default_rng(0).permutation(len(data))
    shuffled = _check_inspection(who, detector, data.take(data.ids[order]))
    _check_close(who, scores[order], shuffled, "scores depend on the order of the samples")


def check_trigger(trigger_class: Callable[..., Any], inputs: FloatArray, **settings: Any) -> None:
    """Checks that a backdoor trigger keeps the contract of `bezoar.attacks.backdoors.Trigger`.

    It has all parts of the protocol and is frozen; its spec begins with its name and depends on the
    settings alone. `apply` returns a new array of the same shape, float32 for float32 and float64
    for float64, finite, and for images in [0, 1]; it changes each sample without regard to the
    others, the same way each time; it takes no sample at all, leaves its input as it was, and
    refuses what is neither images nor a table in its own words.

    Args:
        trigger_class: what makes the trigger from keyword settings.
        inputs: samples that suit it: images ``(sample, channel, height, width)`` in [0, 1], or a
            table ``(sample, feature)``; two or more.
        settings: passed on.

    Raises:
        InvalidArgument: `inputs` are fewer than two, or neither images nor a table.
        BrokenContract: something does not hold; the first that is found.
    """
    inputs = np.asarray(inputs)
    if inputs.ndim not in (2, 4) or len(inputs) < 2 or inputs.dtype.kind != "f":
        raise InvalidArgument(
            "inputs", wanted="two images or more, or two rows of a table", got=inputs.shape
        )
    who = _name_of(trigger_class)
    doing = f"making it with {_listed(settings)}" if settings else "making it"
    trigger = _call(who, doing, lambda: trigger_class(**settings))
    lacking = [name for name in _TRIGGER_PARTS if not hasattr(trigger, name)]
    _require(not lacking, who, f"lacks {', '.join(lacking)}, which the protocol Trigger asks for")
    _check_frozen(who, trigger, "name", "spec")
    for part in ("name", "spec", "source", "answered_by"):
        value = getattr(trigger, part)
        _require(_is_text(value), who, f"{part} is {value!r}, a text was wanted")
    _require(
        trigger.spec.partition(":")[0] == trigger.name,
        who,
        f"spec {trigger.spec!r} does not begin with its name {trigger.name!r}",
    )
    again = _call(who, doing, lambda: trigger_class(**settings))
    _require(again.spec == trigger.spec, who, "the same settings give another spec")
    for dtype in (np.float32, np.float64):
        _check_triggering(who, trigger, inputs.astype(dtype))
    try:
        trigger.apply(np.zeros(3))
    except BezoarError:
        return
    except Exception as error:
        raise BrokenContract(
            f"{who}: apply to an array of shape (3,) raises {type(error).__name__}, "
            "InvalidData was wanted"
        ) from error
    raise BrokenContract(f"{who}: apply takes an array of shape (3,); raise InvalidData")


def _check_triggering(who: str, trigger: Any, inputs: FloatArray) -> None:
    inputs.setflags(write=False)
    before = inputs.tobytes()
    triggered = np.asarray(_call(who, "apply", lambda: trigger.apply(inputs)))
    _require(inputs.tobytes() == before, who, "apply changes its input")
    _require(not np.shares_memory(triggered, inputs), who, "apply returns its input or a view")
    _require(
        triggered.shape == inputs.shape and triggered.dtype == inputs.dtype,
        who,
        f"apply returns {triggered.dtype} of shape {triggered.shape} "
        f"for {inputs.dtype} of shape {inputs.shape}",
    )
    _require(bool(np.isfinite(triggered).all()), who, "apply returns NaN or infinity")
    if inputs.ndim == 4:
        inside = triggered.min() >= 0 and triggered.max() <= 1
        _require(bool(inside), who, "apply returns images outside [0, 1]; clip them")
    again = _call(who, "apply", lambda: trigger.apply(inputs))
    _require(np.array_equal(triggered, again), who, "apply gives another result the second time")
    alone = _call(who, "apply to one sample", lambda: trigger.apply(inputs[:1]))
    _check_close(who, triggered[:1], alone, "apply depends on the other samples")
    none = _call(who, "apply to no sample", lambda: trigger.apply(inputs[:0]))
    _require(np.shape(none) == inputs[:0].shape, who, "apply to no sample returns another shape")


def _check_identity(who: str, attack: Attack, data: Dataset) -> None:
    poisoned = _poison(who, attack, data)
    _require(_contents(poisoned.data) == _contents(data), who, "ratio 0 changes the data")
    _require(not len(poisoned.truth.poisoned_ids), who, "ratio 0 has poisoned ids in its truth")


def _check_poisoning(who: str, attack: Attack, data: Dataset) -> None:
    before = _contents(data)
    poisoned = _poison(who, attack, data)
    _require(_contents(data) == before, who, "poison changes its input")
    _check_same_samples(who, data, poisoned.data)
    _check_truth(who, attack, data, poisoned.truth)
    chosen = np.isin(data.ids, poisoned.truth.poisoned_ids)
    relabelled = poisoned.data.labels != data.labels
    moved = (poisoned.data.features != data.features).reshape(len(data), -1).any(axis=1)
    secret = (relabelled | moved) & ~chosen
    _require(
        not secret.any(),
        who,
        f"changes sample ids {_first(data.ids[secret])} that are not in truth.poisoned_ids",
    )
    again = _poison(who, attack, data)
    _require(
        _contents(again.data) == _contents(poisoned.data)
        and np.array_equal(again.truth.poisoned_ids, poisoned.truth.poisoned_ids),
        who,
        "the same random stream gives another result; draw from rng alone",
    )
    # Another stream may or may not give another result; it must work.
    _check_same_samples(who, data, _poison(who, attack, data, seed=1).data)


def _check_same_samples(who: str, data: Dataset, poisoned: Dataset) -> None:
    _require(
        np.array_equal(poisoned.ids, data.ids), who, "the ids or their order are not those it got"
    )
    _require(
        poisoned.class_names == data.class_names,
        who,
        f"class names {poisoned.class_names} are not those it got, {data.class_names}",
    )
    _require(
        poisoned.features.shape == data.features.shape,
        who,
        f"features have shape {poisoned.features.shape}, they had {data.features.shape}",
    )


def _check_truth(who: str, attack: Attack, data: Dataset, truth: PoisonTruth) -> None:
    ids = np.asarray(truth.poisoned_ids)
    original = np.asarray(truth.original_labels)
    _require(truth.attack == attack.name, who, f"truth.attack is {truth.attack!r}, not its name")
    _require(
        ids.ndim == 1 and bool((np.diff(ids) > 0).all()),
        who,
        "truth.poisoned_ids are not one ascending row without repetition",
    )
    _require(
        bool(np.isin(ids, data.ids).all()), who, "truth.poisoned_ids has ids that no sample has"
    )
    allowed = round(attack.ratio * len(data))
    _require(
        len(ids) <= allowed,
        who,
        f"poisons {len(ids)} of {len(data)} samples, ratio {attack.ratio} allows {allowed}",
    )
    _require(
        np.array_equal(original, data.labels[data.positions(ids)]),
        who,
        "truth.original_labels are not the labels that poisoned_ids had",
    )
    _check_settings(who, attack, truth)


def _check_settings(who: str, attack: Attack, truth: PoisonTruth) -> None:
    try:
        json.dumps(dict(truth.settings), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BrokenContract(f"{who}: truth.settings are not JSON values ({error})") from error
    _require(
        truth.settings.get("ratio") == attack.ratio,
        who,
        "truth.settings does not hold its ratio under 'ratio'",
    )


def _check_refused(who: str, attack_class: Callable[..., Any], settings: dict[str, Any]) -> None:
    try:
        attack_class(**settings)
    except InvalidArgument:
        return
    except Exception as error:
        raise BrokenContract(
            f"{who}: ratio {settings['ratio']} raises {type(error).__name__}, "
            "InvalidArgument was wanted"
        ) from error
    raise BrokenContract(
        f"{who}: ratio {settings['ratio']} is taken; ratios outside [0, 1) must raise "
        "InvalidArgument when the attack is made"
    )


def _check_threat_model(who: str, model: object) -> None:
    if not isinstance(model, ThreatModel):
        raise BrokenContract(f"{who}: threat_model is a {type(model).__name__}, not a ThreatModel")
    for field in dataclasses.fields(model):
        value = getattr(model, field.name)
        if field.name == "needs_training":
            good = isinstance(value, bool)
        elif field.name in ("knows", "changes"):
            good = isinstance(value, tuple) and bool(value) and all(map(_is_text, value))
        else:
            good = _is_text(value)
        _require(good, who, f"threat_model.{field.name} is {value!r}; say it, in words")


def _check_protocol(who: str, part: object, protocol: type) -> None:
    if isinstance(part, protocol):
        return
    wanted = sorted(name for name in vars(protocol) if not name.startswith("_"))
    lacking = [name for name in wanted if not hasattr(part, name)]
    raise BrokenContract(
        f"{who}: lacks {', '.join(lacking)}, which the protocol {protocol.__name__} asks for"
    )


def _check_frozen(who: str, part: Any, *known: str) -> None:
    settings = dataclasses.fields(part) if dataclasses.is_dataclass(part) else ()
    for name in {**dict.fromkeys(known), **{field.name: None for field in settings}}:
        try:
            setattr(part, name, getattr(part, name))
        except (AttributeError, TypeError):
            continue
        raise BrokenContract(f"{who}: {name} can be set; make it a frozen dataclass")


def _check_name(who: str, part: Attack | Detector) -> None:
    _require(_is_text(part.name), who, f"name is {part.name!r}, a text was wanted")


def _check_inspection(who: str, detector: Detector, data: Dataset) -> FloatArray:
    before = _contents(data)
    suspicion = _call(who, "inspect", lambda: detector.inspect(data))
    _require(_contents(data) == before, who, "inspect changes its input")
    if not isinstance(suspicion, Suspicion):
        raise BrokenContract(
            f"{who}: inspect returns a {type(suspicion).__name__}, not a Suspicion"
        )
    scores = np.asarray(suspicion.scores)
    _require(
        suspicion.detector == detector.name,
        who,
        f"suspicion.detector is {suspicion.detector!r}, not its name",
    )
    _require(
        np.array_equal(suspicion.ids, data.ids),
        who,
        "suspicion.ids are not the ids of the data in their order",
    )
    _require(
        scores.shape == (len(data),) and scores.dtype.kind in "iuf",
        who,
        f"scores are {scores.dtype} of shape {scores.shape}, not one number for each sample",
    )
    _require(
        bool(np.isfinite(scores).all()),
        who,
        f"scores of ids {_first(data.ids[~np.isfinite(scores)])} are not finite",
    )
    return scores


def _check_close(who: str, wanted: FloatArray, got: FloatArray, problem: str) -> None:
    scale = float(np.abs(wanted).max(initial=0.0))
    worst = float(np.abs(wanted - got).max(initial=0.0))
    _require(worst <= _ORDER_TOLERANCE * scale, who, f"{problem} (they move by {worst:.2g})")


def _poison(who: str, attack: Attack, data: Dataset, seed: int = 0) -> Poisoned:
    poisoned = _call(who, "poison", lambda: attack.poison(data, rng=np.random.default_rng(seed)))
    if not isinstance(poisoned, Poisoned):
        raise BrokenContract(f"{who}: poison returns a {type(poisoned).__name__}, not a Poisoned")
    return poisoned


def _call(who: str, what: str, action: Callable[[], Any]) -> Any:
    try:
        return action()
    except Exception as error:
        reason = (str(error).splitlines() or ["no message"])[0]
        raise BrokenContract(f"{who}: {what} raises {type(error).__name__}: {reason}") from error


def _with_scattered_ids(data: Dataset) -> Dataset:
    """The same samples under ids that are neither sorted nor positions."""
    ids = 1000 + 7 * np.random.default_rng(0).permutation(len(data))
    return Dataset(
        features=data.features, labels=data.labels, ids=ids, class_names=data.class_names
    )


def _contents(data: Dataset) -> tuple[object, ...]:
    arrays = (data.features, data.labels, data.ids)
    return (*((a.shape, a.tobytes()) for a in arrays), data.class_names)


def _require(holds: bool, who: str, problem: str) -> None:
    if not holds:
        raise BrokenContract(f"{who}: {problem}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _name_of(made_by: object) -> str:
    return getattr(made_by, "__name__", repr(made_by))


def _listed(settings: dict[str, Any]) -> str:
    return ", ".join(settings)


def _first(values: np.ndarray) -> str:
    shown = ", ".join(str(value) for value in values[:5])
    return shown if len(values) <= 5 else f"{shown}, ..."
