"""What the theorems on backdoors speak of, measured on one backdoored network. JSON values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import log_softmax

from bezoar.attacks.backdoors.backdoor import Backdoor
from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.errors import InvalidData
from bezoar.contracts.seeds import generator
from bezoar.evaluate.backdoor_theory import Assumption
from bezoar.evaluate.backdoor_theory_constants import (
    bounded_loss,
    clipped_cross_entropy,
    concentrated_features,
    linear_trigger,
    lipschitz_along,
)
from bezoar.evaluate.backdoors.lessons import Lesson, School
from bezoar.evaluate.backdoors.materials import Materials
from bezoar.evaluate.metrics.backdoor import wanted_rate
from bezoar.models.hybrid.network import HybridNetwork
from bezoar.models.hybrid.scoring import logits_of

# Cross entropy is clipped at -ln of this, 4.6 nats: a wider range says less with few samples.
FLOOR = 0.01
LOSS_BOUND = float(-np.log(FLOOR))
# Slopes are taken on so many images at eight places each; means need more.
_SLOPE_IMAGES = 32
_IMAGES = 256
# float32 images round a pattern that is added.
_ROUNDING = 1e-5

#: What a cell depends on beside its network.
SETTINGS: Mapping[str, Any] = {
    "floor": FLOOR,
    "slope_images": _SLOPE_IMAGES,
    "images": _IMAGES,
    "version": 1,
}


def measure(school: School, lesson: Lesson, materials: Materials) -> dict[str, Any]:
    """What Theorems 1 and 2 of arXiv 2407.16273 need of a backdoored network.

    Errors are of a loss of 0 or 1, one where a triggered sample is not answered as the attacker
    wants: on test samples 1 - ASR. Losses are cross entropies towards the wanted class, clipped at
    `LOSS_BOUND` nats.

    Args:
        school, lesson: the backdoored network.
        materials: the samples of its seed.

    Returns:
        ``n_triggered``, ``training_error``, ``test_error``, ``training_loss`` and ``test_loss``
        (mean, min and max each), ``slope`` (the steepest change of the loss on the way to the
        trigger, in nats per unit of Euclidean distance), ``trigger_norm`` and ``feature_change``
        (mean Euclidean changes of samples, and in the clean twin of what `features_between` gives)
        and ``conditions`` (name, holds, detail).

    Raises:
        InvalidData: so small a rate that no training sample is triggered.
    """
    network = school.network(lesson)
    backdoor = school.backdoor(lesson)
    trained, trained_wanted = _triggered_in_training(school, lesson, backdoor, materials.train)
    challenge = backdoor.challenge(materials.test)
    errors, losses, unclipped = [], [], 0.0
    for samples, wanted in (
        (trained.features, trained_wanted),
        (challenge.data.features, challenge.wanted),
    ):
        logits = logits_of(network, samples)
        errors.append(1 - wanted_rate(logits.argmax(axis=1), wanted))
        logs = _log_probabilities(logits)
        losses.append(clipped_cross_entropy(np.exp(logs), wanted, floor=FLOOR))
        unclipped = max(unclipped, float(-logs[np.arange(len(wanted)), wanted].min()))
    few = _evenly(len(challenge.wanted), _IMAGES)
    untouched = materials.test.take(challenge.data.ids[few]).features
    triggered = challenge.data.features[few]
    twin = school.network(lesson.clean_twin())
    conditions = [
        _clipped(np.concatenate(losses), unclipped),
        linear_trigger(untouched, triggered, tolerance=_ROUNDING),
    ]
    if lesson.head == "quantum":
        features = features_between(twin, untouched)
        conditions.append(concentrated_features(features, n_qubits=school.plan.width))
    if school.plan.clean_label:
        conditions.append(_other_samples())
    return {
        "n_triggered": len(trained),
        "training_error": errors[0],
        "test_error": errors[1],
        "training_loss": _spread(losses[0]),
        "test_loss": _spread(losses[1]),
        "slope": _slope(network, untouched, triggered, challenge.wanted[few]),
        "trigger_norm": _mean_norm(triggered - untouched),
        "feature_change": _mean_norm(
            features_between(twin, triggered) - features_between(twin, untouched)
        ),
        "conditions": [dataclasses.asdict(condition) for condition in conditions],
    }


def features_between(network: HybridNetwork, samples: FloatArray) -> FloatArray:
    """What the head makes of samples before its last layer, ``(sample, width)``.

    For the quantum head the expectations of Z, for the tanh head the tanh, both in [-1, 1]; for the
    linear head its bottleneck's output, which has no bounds.

    Args:
        network: one of ours.
        samples: images or features as the network takes them.
    """
    quantum = hasattr(network.head, "circuit")
    module = network.get_submodule("head.circuit" if quantum else "head.reduce")
    seen: list[torch.Tensor] = []
    hook = module.register_forward_hook(lambda *passed: seen.append(passed[-1].detach().cpu()))
    try:
        logits_of(network, samples)
    finally:
        hook.remove()
    found = torch.cat(seen).double().numpy()
    bounded = network.settings is not None and network.settings.head == "tanh"
    return np.tanh(found) if bounded else found


def _triggered_in_training(
    school: School, lesson: Lesson, backdoor: Backdoor, train: Dataset
) -> tuple[Dataset, IntArray]:
    """The samples that the victim saw with the trigger, covers apart, and what was wanted."""
    choice = backdoor.choose(
        train.labels, train.ids, n_classes=train.n_classes, rng=generator(lesson.seed, "attack")
    )
    if not len(choice.poisoned):
        raise InvalidData(
            "rates",
            wanted="a triggered training sample or more",
            got=f"none at {lesson.rate:g} of {len(train)} samples",
            mend="give a larger rate or more samples",
        )
    ids = train.ids[choice.poisoned]
    wanted = backdoor.wanted(train.labels[choice.poisoned], train.n_classes)
    return school.seen(lesson)[0].take(ids), wanted


def _slope(
    network: HybridNetwork, untouched: FloatArray, triggered: FloatArray, wanted: IntArray
) -> float:
    """An estimate from below of the loss's Lipschitz constant along the way to the trigger."""
    changed = (triggered != untouched).any(axis=tuple(range(1, untouched.ndim)))
    if not changed.any():
        return 0.0
    few = np.flatnonzero(changed)
    few = few[_evenly(len(few), _SLOPE_IMAGES)]

    def loss(samples: FloatArray) -> FloatArray:
        logs = _log_probabilities(logits_of(network, samples))
        return clipped_cross_entropy(np.exp(logs), wanted[few], floor=FLOOR)

    return lipschitz_along(loss, untouched[few], triggered[few])


def _evenly(n: int, most: int) -> IntArray:
    """Positions spread over all samples: a source may give them class by class."""
    return np.linspace(0, n - 1, min(n, most)).round().astype(np.int64)


def _log_probabilities(logits: FloatArray) -> FloatArray:
    return log_softmax(np.asarray(logits, dtype=np.float64), axis=1)


def _spread(losses: FloatArray) -> dict[str, float]:
    return {
        "mean": float(losses.mean()),
        "min": float(losses.min()),
        "max": float(losses.max()),
    }


def _mean_norm(change: FloatArray) -> float:
    flat = np.asarray(change, dtype=np.float64).reshape(len(change), -1)
    return float(np.linalg.norm(flat, axis=1).mean())


def _clipped(losses: FloatArray, unclipped: float) -> Assumption:
    """Condition 1 of the clipped loss, and what cross entropy itself did."""
    found = bounded_loss(losses, low=0.0, high=LOSS_BOUND)
    return dataclasses.replace(
        found,
        detail=f"{found.detail} Met by clipping alone: unclipped it reached {unclipped:.3g}.",
    )


def _other_samples() -> Assumption:
    return Assumption(
        name="one distribution",
        holds=False,
        detail="With clean labels the triggered training samples are of the wanted class, and the "
        "triggered test samples of the others.",
    )


def worst(conditions: Sequence[Sequence[Mapping[str, Any]]]) -> tuple[Assumption, ...]:
    """The conditions of several networks as one: each at the network that meets it least.

    Args:
        conditions: of each network, as `measure` gives them.
    """
    found: dict[str, Assumption] = {}
    order = {False: 0, None: 1, True: 2}
    for values in (one for each in conditions for one in each):
        now = Assumption(**values)
        before = found.get(now.name)
        if before is None or order[now.holds] < order[before.holds]:
            found[now.name] = now
    return tuple(found.values())
