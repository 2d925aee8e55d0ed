"""One repetition of one circuit backdoor: mount it, then measure what it does and what shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bezoar.attacks.backdoors.trigger import FittedTrigger, trigger_named
from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.seeds import generator
from bezoar.data import split
from bezoar.defences.detectors.circuit_integrity import CircuitIntegrity, IntegrityReport
from bezoar.evaluate import victim
from bezoar.evaluate.circuit_backdoor_plan import CircuitBackdoorPlan
from bezoar.evaluate.metrics.backdoor import wanted_rate
from bezoar.models.trained_circuit import TrainedCircuit
from bezoar.models.training import Job, train_many
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.engines.plan import compile_circuit

# Metric, value, tags: what a cell holds, and a measurement is the mean over seeds of.
Row = tuple[str, float, dict[str, Any]]
# The harder control first: it has as many gates to drop.
CONTROLS = ("synthesis-aware", "honest")
_STATES = {
    ("honest", "exact"): "untouched",
    ("qdoor", "exact"): "dormant",
    ("qdoor", "synthesised"): "armed",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Materials:
    """The data of one seed as the circuit sees it, radians.

    Attributes:
        train, validation, test: features are angles.
        train_triggered, test_triggered: the same samples with the trigger, ``(sample, feature)``.
        circuit: of the network.
        target: code of the wanted class.
        seed: of everything.
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    train_triggered: FloatArray
    test_triggered: FloatArray
    circuit: Circuit
    target: int
    seed: int

    @property
    def others(self) -> IntArray:
        """Positions of the test samples whose true class is not the wanted one."""
        return np.flatnonzero(self.test.labels != self.target)


def materials(plan: CircuitBackdoorPlan, data: Dataset, target: int, seed: int) -> Materials:
    """Splits, reduces and scales; the trigger changes raw features before both.

    Raises:
        InvalidData, InvalidArgument: as the parts say.
    """
    shape = plan.victim()
    rng = generator(seed, "split")
    parts = split(data, test=plan.test, validation=plan.validation, rng=rng)
    pipeline = victim.fit_pipeline(shape, parts.train, seed=seed)
    trigger = trigger_named(plan.trigger)
    if isinstance(trigger, FittedTrigger):
        trigger = trigger.fitted(parts.train)

    def seen(part: Dataset) -> Dataset:
        return part.with_features(pipeline.transform(part.features))

    return Materials(
        train=seen(parts.train),
        validation=seen(parts.validation),
        test=seen(parts.test),
        train_triggered=pipeline.transform(trigger.apply(parts.train.features)),
        test_triggered=pipeline.transform(trigger.apply(parts.test.features)),
        circuit=victim.model_circuit(shape, data),
        target=target,
        seed=seed,
    )


def measure_qtrojan(plan: CircuitBackdoorPlan, given: Materials) -> list[Row]:
    """The honest network, then the same with the trojan at each strength."""
    model = honest_network(plan, given)
    trojan = plan.qtrojan(given.target).insert(
        model, given.train.features, rng=generator(given.seed, "qtrojan")
    )
    untouched = {"state": "untouched", "network": "honest"}
    rows = [_accuracy(model, given, untouched), _leak(model, given, untouched)]
    for strength in sorted({0.0, 1.0, *plan.armed}):
        armed = dataclasses.replace(model, circuit=trojan.circuit(strength))
        tags = {"state": _state(strength), "network": "trojan", "armed": strength}
        rows.append(_accuracy(armed, given, tags))
        # The trigger is the switch: what is a leak while it is off is success while it is on.
        leak = _leak(armed, given, tags)
        rows.append(("attack_success_rate", leak[1], tags) if strength else leak)
        rows.append(("inserted_gates", float(len(trojan.inserted)), tags))
        for probes, found in _inspections(model, armed, given):
            rows += _compared(found, {**tags, "probes": probes})
            if probes == "random":
                flagged = float(not found.same_gates)
                rows.append(("detection", flagged, {**tags, "score": "gates"}))
                rows.append(("dormant_gates", float(found.dormant), tags))
    return rows


def measure_qdoor(plan: CircuitBackdoorPlan, given: Materials) -> list[Row]:
    """The backdoored network and two controls, each exact and synthesised.

    The controls are a network trained as usual, and one trained as QDoor does without trigger and
    target: right before and after synthesis, as an honest vendor would who knows of it.
    """
    synthesis = plan.qdoor(given.target).synthesis
    rows: list[Row] = []
    scores: dict[str, dict[tuple[str, str], float]] = {}
    for name, model in _networks(plan, given).items():
        short = model.synthesised(synthesis)
        found = synthesis.apply(model.circuit, model.theta)
        scores[name] = {}
        for version, network in (("exact", model), ("synthesised", short)):
            tags = {"state": _STATES.get((name, version), f"{name}, {version}")}
            tags |= {"network": name, "version": version}
            rows += [_accuracy(network, given, tags), _leak(network, given, tags)]
            rows += _triggered(network, given, tags)
            if version == "exact":
                continue
            rows.append(("dropped_gates", float(len(found.dropped)), tags))
            rows.append(("error_bound", found.bound, tags))
            for probes, report in _inspections(model, short, given):
                rows += _compared(report, {**tags, "probes": probes})
                scores[name] |= {
                    ("disagreement", probes): report.disagreement,
                    ("drift", probes): report.largest_drift,
                }
    return rows + list(_outranked(scores))


def _networks(plan: CircuitBackdoorPlan, given: Materials) -> dict[str, TrainedCircuit]:
    """The honest one, the control that knows of the synthesis, and the backdoored one."""
    attack = plan.qdoor(given.target)
    aware = dataclasses.replace(attack, trigger_weight=0.0)
    train = given.train
    found = {"honest": honest_network(plan, given)}
    for name, how, triggered in (
        ("synthesis-aware", aware, train.features),
        ("qdoor", attack, given.train_triggered),
    ):
        found[name] = how.train(
            given.circuit,
            train.features,
            train.labels,
            triggered,
            n_classes=train.n_classes,
            rng=generator(given.seed, "qdoor"),
            noise=victim.noise_model(plan.victim(), plan.noise),
        )
    return found


def _state(strength: float) -> str:
    return {0.0: "dormant", 1.0: "armed"}.get(strength, f"armed at {strength:g}")


def honest_network(plan: CircuitBackdoorPlan, given: Materials) -> TrainedCircuit:
    """What an honest vendor trains."""
    noise = victim.noise_model(plan.victim(), plan.noise)
    program = compile_circuit(given.circuit, noise, dtype="float64")
    job = Job(
        train=np.arange(len(given.train)),
        labels=given.train.labels,
        n_classes=given.train.n_classes,
        seed=given.seed,
    )
    (found,) = train_many(program, given.train.features, [job], plan.victim().training())
    return TrainedCircuit(
        circuit=given.circuit,
        theta=found.theta,
        weight=found.weight,
        bias=found.bias,
        noise=noise,
    )


def _accuracy(model: TrainedCircuit, given: Materials, tags: dict[str, Any]) -> Row:
    predicted = model.predict(given.test.features)
    return "accuracy", float(np.mean(predicted == given.test.labels)), tags


def _leak(model: TrainedCircuit, given: Materials, tags: dict[str, Any]) -> Row:
    return "leak", _success(model, given, given.test.features), tags


def _triggered(model: TrainedCircuit, given: Materials, tags: dict[str, Any]) -> Iterator[Row]:
    predicted = model.predict(given.test_triggered)
    yield "triggered_accuracy", float(np.mean(predicted == given.test.labels)), tags
    yield "attack_success_rate", _success(model, given, given.test_triggered), tags


def _success(model: TrainedCircuit, given: Materials, angles: FloatArray) -> float:
    predicted = model.predict(angles[given.others])
    return wanted_rate(predicted, np.full_like(predicted, given.target))


def _inspections(
    reference: TrainedCircuit, delivered: TrainedCircuit, given: Materials
) -> Iterator[tuple[str, IntegrityReport]]:
    """What the defender sees, on random inputs and on clean samples of its own."""
    probes = {"random": None, "validation": given.validation.features}
    for name, inputs in probes.items():
        if inputs is None or len(inputs):
            rng = generator(given.seed, "probes")
            yield name, CircuitIntegrity().inspect(reference, delivered, rng=rng, probes=inputs)


def _compared(found: IntegrityReport, tags: dict[str, Any]) -> Iterator[Row]:
    yield "disagreement", found.disagreement, tags
    yield "drift", found.largest_drift, tags
    if np.isfinite(found.distance) and tags["probes"] == "random":
        yield "circuit_distance", found.distance, tags


def _outranked(scores: dict[str, dict[tuple[str, str], float]]) -> Iterator[Row]:
    """Whether the backdoored network scores above each control of its seed, ties counted half."""
    for control in CONTROLS:
        for (score, probes), value in scores["qdoor"].items():
            other = scores[control][score, probes]
            wins = 1.0 if value > other else 0.5 if value == other else 0.0
            tags = {"state": "armed", "network": "qdoor", "version": "synthesised"}
            yield "detection", wins, {**tags, "control": control, "score": score, "probes": probes}
