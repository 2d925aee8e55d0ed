"""Each defence mounted on a network, and what the judge makes of its answer.

A defence is given the network and clean images of its own, or the training data as they came; what
it says is held against the truth and the test set here, after it has spoken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidData
from bezoar.contracts.suspicion import Suspicion
from bezoar.defences.detectors.activation_clustering import ActivationClustering
from bezoar.defences.detectors.spectral_signatures import SpectralSignatures
from bezoar.defences.detectors.strip import Strip
from bezoar.defences.filters.removal import remove_most_suspicious
from bezoar.defences.inspection.neural_cleanse import NeuralCleanse
from bezoar.defences.repair.fine_pruning import SHARES, FinePruning
from bezoar.evaluate.backdoors import measuring
from bezoar.evaluate.backdoors.lessons import Lesson, School
from bezoar.evaluate.backdoors.materials import Materials, spread
from bezoar.evaluate.backdoors.showing import restored_exhibit
from bezoar.evaluate.metrics.backdoor import wanted_rate
from bezoar.evaluate.metrics.detection import auroc
from bezoar.models.hybrid.network import HybridNetwork
from bezoar.models.hybrid.precision import computing_dtype
from bezoar.models.hybrid.scoring import logits_of

# The layers whose units are pruned: channels of the trunk, and inputs of the head's circuit.
PRUNED_LAYERS = ("trunk", "head.reduce")
STRIP_ALARM_RATE = 0.05
# Each input costs 50 predictions; a share of 60 has a standard error of at most 7 points.
_STRIP_INPUTS = 60
_HISTOGRAM_BINS = 10
# Images of a step of Neural Cleanse; ten classes go through the network at once.
_CLEANSE_BATCH = 8
# Where norms agree to the last digit the index of another is infinite, which has no mean.
_MOST_INDEX = 100.0
# Spectral Signatures removes one and a half times the share that it expects to be poisoned.
_REMOVED = 1.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """A network under a defence.

    Attributes:
        school, lesson: whose network.
        twin: ``backdoored`` or ``clean``.
        network: of that twin.
        materials: the samples of the seed.
        retrain: whether a model is trained anew on what a sample detector leaves.
    """

    school: School
    lesson: Lesson
    twin: str
    network: HybridNetwork
    materials: Materials
    retrain: bool

    @property
    def rate(self) -> float:
        """The poisoning rate, which the published detectors are told to expect."""
        return self.lesson.rate

    def seen(self) -> Dataset:
        """The training data as this twin got them."""
        lesson = self.lesson if self.twin == "backdoored" else self.lesson.clean_twin()
        return self.school.seen(lesson)[0]

    def poisoned(self) -> np.ndarray:
        """Which training samples the attack changed; on a clean twin, those it would change."""
        truth = self.school.seen(self.lesson)[1]
        train = self.materials.train
        marks = np.zeros(len(train), dtype=bool)
        if truth is not None:
            marks[train.positions(truth.poisoned_ids)] = True
        return marks

    def success(self, network: nn.Module) -> dict[str, float]:
        """Accuracy and attack success of a network on the test set."""
        test = self.materials.test
        backdoor = self.school.backdoor(self.lesson)
        found = measuring.success(network, backdoor, test)
        return {**found, "accuracy": measuring.accuracy(network, test)}


def settings_of(name: str, rate: float) -> dict[str, Any]:
    """What a defence's answer depends on beside the network, JSON values."""
    return {
        "name": name,
        "rate": rate,
        "alarm_rate": STRIP_ALARM_RATE,
        "inputs": _STRIP_INPUTS,
        "layers": list(PRUNED_LAYERS),
        "cleanse_batch": _CLEANSE_BATCH,
        "version": 2,
    }


def defend(
    name: str, school: School, lesson: Lesson, twin: str, materials: Materials, *, retrain: bool
) -> dict[str, Any]:
    """The numbers, images and histograms of a defence on one network, JSON values.

    Args:
        name: of `bezoar.evaluate.backdoors.plan.DEFENCES`.
        school, lesson: the backdoored network.
        twin: ``backdoored`` for that network, ``clean`` for its clean twin.
        materials: the samples of its seed.
        retrain: see `Case`.

    Raises:
        InvalidData: a defence for images on a table.
    """
    if school.plan.trunk == "none" and name in ("neural-cleanse", "strip"):
        raise InvalidData(name, wanted="images", got="a table", mend="leave this defence out")
    network = school.network(lesson if twin == "backdoored" else lesson.clean_twin())
    case = Case(
        school=school,
        lesson=lesson,
        twin=twin,
        network=network,
        materials=materials,
        retrain=retrain and twin == "backdoored",
    )
    return _MOUNTED[name](case)


def _fine_pruning(case: Case) -> dict[str, Any]:
    validation, numbers = case.materials.validation, []
    layers = [name for name in PRUNED_LAYERS if case.school.plan.trunk != "none" or name != "trunk"]
    after_trunk = _AfterTrunk(case)
    for layer in layers:
        for share, pruned in FinePruning(layers=(layer,)).models(
            after_trunk.network, after_trunk.validation, SHARES
        ):
            found = after_trunk.success(pruned)
            tags = {"layer": layer, "share": round(share, 3)}
            numbers += [
                _number("pruned_accuracy", found["accuracy"], **tags),
                _number("pruned_attack_success_rate", found["attack_success_rate"], **tags),
            ]
    # Trained further at the rate that it was trained at: more forgets what it knew.
    rate = case.school.plan.learning_rate
    repaired = FinePruning(layers=(layers[0],), learning_rate=rate).repair(
        case.network, validation, seed=case.lesson.seed
    )
    found = case.success(repaired.model)
    numbers += [
        _number("fine_pruning_accuracy", found["accuracy"]),
        _number("fine_pruning_attack_success_rate", found["attack_success_rate"]),
        _number("fine_pruning_share", repaired.share),
    ]
    return {"numbers": numbers}


class _AfterTrunk:
    """A network from its features on, so that the trunk runs once for all pruned copies."""

    def __init__(self, case: Case) -> None:
        test, validation = case.materials.test, case.materials.validation
        challenge = case.school.backdoor(case.lesson).challenge(test)
        self._trunk = case.network
        self.network = HybridNetwork(trunk=nn.Identity(), head=case.network.head)
        self.validation = self._features(validation)
        self._test = self._features(test)
        self._triggered = self._features(challenge.data)
        self._wanted = challenge.wanted

    def success(self, pruned: nn.Module) -> dict[str, float]:
        """Accuracy and attack success on the test set."""
        return {
            "accuracy": measuring.accuracy(pruned, self._test),
            "attack_success_rate": wanted_rate(
                measuring.predicted(pruned, self._triggered), self._wanted
            ),
        }

    def _features(self, data: Dataset) -> Dataset:
        trunk = HybridNetwork(trunk=self._trunk.trunk, head=nn.Identity())
        return data.with_features(logits_of(trunk, data.features))


def _neural_cleanse(case: Case) -> dict[str, Any]:
    cleanse = NeuralCleanse(seeds=1, batch_size=_CLEANSE_BATCH, precision=_precision(case))
    suspicion = cleanse.inspect(case.network, case.materials.validation, seed=case.lesson.seed)
    norms, indices = suspicion.norms[0], suspicion.indices[0]
    small = norms < np.median(norms)
    index = min(float(indices[small].max(initial=0.0)), _MOST_INDEX)
    flagged = suspicion.flagged[0]
    names = case.materials.train.class_names
    told = ", ".join(names[code] for code in flagged)
    target = suspicion.classes == case.materials.target
    return {
        "numbers": [
            _number("neural_cleanse_index", index),
            _number("neural_cleanse_flags", float(bool(flagged))),
            _number("neural_cleanse_finds_target", float(case.materials.target in flagged)),
            _number("neural_cleanse_norm", float(norms[target][0])),
        ],
        "exhibits": [
            restored_exhibit(
                suspicion,
                tuple(names[code] for code in suspicion.classes),
                f"Flagged: {told or 'none'}.",
            )
        ],
    }


def _strip(case: Case) -> dict[str, Any]:
    validation, test = case.materials.validation, case.materials.test
    backdoor = case.school.backdoor(case.lesson)
    challenge = backdoor.challenge(test).data
    clean, triggered = spread(test, _STRIP_INPUTS), spread(challenge, _STRIP_INPUTS)
    strip = Strip(
        false_alarm_rate=STRIP_ALARM_RATE, precision=_precision(case), seed=case.lesson.seed
    )
    held = spread(validation, _STRIP_INPUTS)
    usual = strip.examine(case.network, held, clean)
    odd = strip.entropies(case.network, held, triggered)
    marks = np.repeat([False, True], [len(clean), len(triggered)])
    scores = -np.concatenate([usual.entropies, odd])
    area = auroc(marks, scores)
    edges = np.linspace(0, 1, _HISTOGRAM_BINS + 1)
    shares = {"clean": _shares(usual.entropies, edges), "triggered": _shares(odd, edges)}
    lower = [round(float(edge), 3) for edge in edges[:-1]]
    return {
        "numbers": [
            _number("strip_auroc", 0.5 if area is None else area),
            _number("strip_frr", float(np.mean(usual.entropies < usual.threshold))),
            _number("strip_far", float(np.mean(odd >= usual.threshold))),
            *(
                _number("strip_entropy_share", share, inputs=inputs, entropy=edge)
                for inputs, row in shares.items()
                for edge, share in zip(lower, row, strict=True)
            ),
        ],
        "entropy": {"edges": [f"{edge:g}" for edge in lower], **shares},
    }


def _activation_clustering(case: Case) -> dict[str, Any]:
    detector = ActivationClustering(precision=_precision(case), seed=case.lesson.seed)
    seen = case.seen()
    found = detector.examine(case.network, seen)
    target = case.materials.target
    numbers = _detection(case, found.suspicion, "activation_clustering", per_class=False)
    numbers += [
        _number("activation_clustering_flags", float(bool(found.suspicious_labels))),
        _number("activation_clustering_finds_target", float(target in found.suspicious_labels)),
    ]
    return {"numbers": numbers}


def _spectral_signatures(case: Case) -> dict[str, Any]:
    detector = SpectralSignatures(expected_ratio=case.rate, precision=_precision(case))
    suspicion = detector.inspect(case.network, case.seen())
    return {"numbers": _detection(case, suspicion, "spectral_signatures", per_class=True)}


def _detection(
    case: Case, suspicion: Suspicion, name: str, *, per_class: bool
) -> list[dict[str, Any]]:
    """How well scores tell poisoned samples, and what a model learns from the rest."""
    seen = case.seen()
    area = auroc(case.poisoned(), suspicion.scores[_order(seen, suspicion)])
    numbers = [_number(f"{name}_auroc", 0.5 if area is None else area)]
    if not case.retrain:
        return numbers
    share = min(_REMOVED * case.rate, 0.5)
    left = remove_most_suspicious(seen, suspicion, share, per_class=per_class)
    removed = ~np.isin(seen.ids, left.ids)
    lesson = Lesson(
        head=case.lesson.head,
        role="backdoored",
        trigger=case.lesson.trigger,
        rate=case.lesson.rate,
        seed=case.lesson.seed,
        without=name,
    )
    found = case.success(case.school.teach(lesson, data=left).network)
    detector = {"detector": name.replace("_", "-")}
    return [
        *numbers,
        _number("removed_poison", float(removed[case.poisoned()].mean()), **detector),
        _number("retrained_accuracy", found["accuracy"], **detector),
        _number("retrained_attack_success_rate", found["attack_success_rate"], **detector),
    ]


def _order(data: Dataset, suspicion: Suspicion) -> np.ndarray:
    """Where each sample of `data` stands in the suspicion."""
    place = {int(sample): i for i, sample in enumerate(suspicion.ids)}
    return np.array([place[int(sample)] for sample in data.ids])


def _precision(case: Case) -> Any:
    device = torch.device(case.school.plan.device)
    half = computing_dtype(case.school.plan.precision, device) == torch.bfloat16
    return "bfloat16" if half else "float32"


def _shares(values: np.ndarray, edges: np.ndarray) -> list[float]:
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return (counts / max(1, len(values))).tolist()


def _number(metric: str, value: float, **tags: str | float) -> dict[str, Any]:
    return {"metric": metric, "value": value, "tags": tags}


_MOUNTED: dict[str, Callable[[Case], dict[str, Any]]] = {
    "fine-pruning": _fine_pruning,
    "neural-cleanse": _neural_cleanse,
    "strip": _strip,
    "activation-clustering": _activation_clustering,
    "spectral-signatures": _spectral_signatures,
}
