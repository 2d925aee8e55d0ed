"""The main job: what does poisoning do to this model on this data, and would it show?

A run is a set of cells, one for each noise, attack, ratio and seed. Cells train side by side as one
tensor, and each is stored when it is done: an interrupted run continues, a larger plan reuses what
a smaller one left.
"""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bezoar._version import __version__
from bezoar.attacks.named import attack_named
from bezoar.contracts import plugins
from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.errors import BezoarError, BezoarWarning, InvalidData
from bezoar.contracts.files import write_text
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.records import RunRecord
from bezoar.contracts.seeds import generator
from bezoar.contracts.truth import Poisoned
from bezoar.evaluate import provenance, victim
from bezoar.evaluate.cells import Cell, CellStore, check_replaceable, check_writable
from bezoar.evaluate.metrics.classification import confusion_counts
from bezoar.evaluate.metrics.detection import auroc
from bezoar.evaluate.plan import AuditPlan
from bezoar.evaluate.summary import Results, summarise
from bezoar.models.training import Job, predict_scores, train_many
from bezoar.quantum.engines.plan import Program, compile_circuit
from bezoar.quantum.similarity import state_similarity

# Cells of another version are another result.
_CELL_VERSION = f"1-{__version__}"
_CHUNK = 64
# General mixed states have no product form for trace distances; this many per class stand for it.
_MAX_REFERENCES = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Repetition:
    """The data of one seed as the model sees it; features in the range of the encoding."""

    train: Dataset
    test: Dataset


@dataclass(slots=True, eq=False)
class _Run:
    """What all cells share."""

    plan: AuditPlan
    data: Dataset
    fingerprint: str
    store: CellStore
    progress: Progress
    repetitions: dict[int, _Repetition] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def key(self, kind: str, **what: Any) -> dict[str, Any]:
        """What a stored result is found by."""
        return {
            "version": _CELL_VERSION,
            "kind": kind,
            "data": self.fingerprint,
            "settings": self.plan.cell_settings(),
            **what,
        }

    def repetition(self, seed: int) -> _Repetition:
        """The split, reduced and scaled data of one seed; fitted on its training part."""
        if seed not in self.repetitions:
            parts = victim.split_data(self.plan, self.data, seed)
            pipeline = victim.fit_pipeline(
                self.plan, parts.train, seed=seed, progress=self.progress
            )
            self.repetitions[seed] = _Repetition(
                train=parts.train.with_features(pipeline.transform(parts.train.features)),
                test=parts.test.with_features(pipeline.transform(parts.test.features)),
            )
        return self.repetitions[seed]

    def fail(self, cell: Cell, reason: str) -> None:
        """Notes that a cell, or a part of it, gave no result."""
        where = f"{cell.attack} {cell.ratio:g}, {cell.noise}, seed {cell.seed}"
        self.failures.append(f"{where}: {' '.join(reason.split())}")

    def spend(self, stage: str, since: float) -> None:
        """Adds the time since `since` to a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - since


def run_audit(plan: AuditPlan, out: Path | str, *, progress: Progress = silent) -> RunRecord:
    """Carries out the plan and writes ``record.json`` into `out`.

    Finished cells are kept under ``out/cells``, so that the same call after an interruption
    continues, and one with more seeds, ratios or attacks computes only what is new.

    Args:
        plan: what to do.
        out: folder of the results.
        progress: told as encoding, training and comparing go on.

    Returns:
        The record; its outcome is ``partial`` when a cell failed.

    Raises:
        InvalidArgument, InvalidData, FileProblem: before the work begins, where it can be known.

    Example:
        >>> import tempfile
        >>> plan = AuditPlan(data="iris", noise=("none",), attacks=("random",), ratios=(0.3,),
        ...                  seeds=2, epochs=2)
        >>> record = run_audit(plan, tempfile.mkdtemp())
        >>> record.outcome, [m.n for m in record.select("accuracy", attack="none")]
        ('complete', [2])
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", BezoarWarning)
        check_replaceable(Path(out) / "record.json")
        check_writable(Path(out) / "cells")
        data = victim.load_data(plan)
        store = CellStore(Path(out) / "cells")
        run = _Run(plan, data, victim.fingerprint(data), store, progress)
        circuit = victim.model_circuit(plan, data)
        threat_models = _threat_models(plan, data)
        programs = {
            name: compile_circuit(
                circuit,
                victim.noise_model(plan, name),
                dtype=plan.dtype,  # type: ignore[arg-type]
                device=plan.device,
            )
            for name in plan.noise
        }
        trained = _train_cells(run, programs)
        for cell, result in trained.items():
            for part, reason in result.get("failures", {}).items():
                run.fail(cell, f"{part}: {reason}")
        similar = _compare_states(run)
    notes = list(dict.fromkeys(str(w.message) for w in caught if w.category is BezoarWarning))
    run.seconds["total"] = time.perf_counter() - clock
    summary = summarise(
        Results(
            plan=plan,
            data=data,
            model=_model_name(plan, circuit.n_qubits),
            cells=trained,
            similarities=similar,
            seconds=run.seconds,
            threat_models=threat_models,
        )
    )
    record = RunRecord(
        kind="audit",
        plan=_plan_values(plan, data),
        plan_hash=plan.hash(run.fingerprint),
        versions=provenance.versions(),
        seeds=tuple(range(plan.seeds)),
        outcome="partial" if run.failures else "complete",
        command=plan.command(),
        commit=provenance.commit(),
        started=started.isoformat(timespec="seconds"),
        wall_seconds=run.seconds["total"],
        measurements=summary.measurements,
        tables=summary.tables,
        findings=summary.findings,
        threat_models=threat_models,
        notes=(*notes, *summary.notes),
        failures=tuple(run.failures),
    )
    write_text(Path(out) / "record.json", record.to_json())
    return record


def cells_of(plan: AuditPlan) -> Iterator[Cell]:
    """All trainings of a plan, the clean ones first."""
    for noise in plan.noise:
        for seed in range(plan.seeds):
            yield Cell(noise, "none", 0.0, seed)
            for attack in plan.attacks:
                for ratio in plan.ratios:
                    if ratio > 0:
                        yield Cell(noise, attack, ratio, seed)


def _train_cells(run: _Run, programs: Mapping[str, Program]) -> dict[Cell, dict[str, Any]]:
    done: dict[Cell, dict[str, Any]] = {}
    waiting: dict[str, list[Cell]] = {}
    cells = list(cells_of(run.plan))
    for cell in cells:
        stored = run.store.get(_cell_key(run, cell))
        if stored is None:
            waiting.setdefault(cell.noise, []).append(cell)
        else:
            done[cell] = stored
    for noise, pending in waiting.items():
        for start in range(0, len(pending), _CHUNK):
            chunk = pending[start : start + _CHUNK]
            for cell, result in _train_chunk(run, programs[noise], chunk, len(done), len(cells)):
                done[cell] = result
                # What failed in part is tried again by the next run.
                if not result.get("failures"):
                    run.store.put(_cell_key(run, cell), result)
    return done


def _train_chunk(
    run: _Run, program: Program, cells: Sequence[Cell], n_done: int, n_cells: int
) -> Iterator[tuple[Cell, dict[str, Any]]]:
    """Trains some cells as one tensor and measures each."""
    clock = time.perf_counter()
    for cell in cells:
        run.repetition(cell.seed)
    run.spend("prepare", clock)
    clock = time.perf_counter()
    poisoned: dict[Cell, Poisoned | None] = {}
    for cell in cells:
        try:
            poisoned[cell] = _poisoned(run, cell)
        except Exception as error:  # noqa: BLE001 - a plug-in's bug costs its cells, not the audit
            run.fail(cell, _reason(error))
    run.spend("poison", clock)
    if not poisoned:
        return
    clock = time.perf_counter()
    pool = _Pool()
    jobs, tests = [], []
    for cell, result in poisoned.items():
        repetition = run.repetition(cell.seed)
        base = pool.add(cell.seed, repetition)
        seen = repetition.train if result is None else result.data
        train = pool.with_changes(base, repetition.train, seen)
        jobs.append(
            Job(train=train, labels=seen.labels, n_classes=run.data.n_classes, seed=cell.seed)
        )
        tests.append(base + len(repetition.train) + np.arange(len(repetition.test)))
    features = pool.features()
    inputs = program.encode(features)
    run.spend("encode", clock)
    clock = time.perf_counter()

    def report(task: str, done: int, total: int) -> None:  # noqa: ARG001
        run.progress("train", round(n_done + len(cells) * done / total), n_cells)

    models = train_many(
        program, features, jobs, run.plan.training(), inputs=inputs, progress=report
    )
    run.spend("train", clock)
    clock = time.perf_counter()
    scores = predict_scores(program, inputs, models, np.stack(tests))
    for (cell, result), score in zip(poisoned.items(), scores, strict=True):
        if np.isfinite(score).all():
            yield cell, _measure(run, cell, result, score.argmax(axis=1))
        else:
            run.fail(cell, "the training diverged; choose a lower learning rate")
    run.spend("measure", clock)


def _poisoned(run: _Run, cell: Cell) -> Poisoned | None:
    """What the victim of this cell trains on; None for the clean data."""
    if cell.attack == "none":
        return None
    attack = attack_named(
        cell.attack,
        ratio=cell.ratio,
        encoder=victim.state_encoder(run.plan, run.data, cell.noise),
        metric=run.plan.metric,
    )
    # One stream for all: noises and attacks poison the same samples, larger ratios some more, so
    # that what differs between them is not the draw.
    rng = generator(cell.seed, "attack")
    train = run.repetition(cell.seed).train
    poisoned = attack.poison(train, rng=rng)
    _check_poisoned(train, poisoned)
    return poisoned


def _check_poisoned(train: Dataset, poisoned: Poisoned) -> None:
    """Refuses what could not be compared with the clean data, sample by sample."""
    seen, truth = poisoned.data, poisoned.truth
    if (
        not np.array_equal(seen.ids, train.ids)
        or seen.features.shape != train.features.shape
        or seen.class_names != train.class_names
        or len(seen.positions(truth.poisoned_ids)) != len(truth.original_labels)
    ):
        raise InvalidData(
            "poisoned data",
            wanted="ids, shape and class names of the training set, and a label for each id",
            got="others",
            mend="run bezoar.contracts.checks.check_attack on the attack",
        )


def _measure(
    run: _Run, cell: Cell, poisoned: Poisoned | None, predicted: IntArray
) -> dict[str, Any]:
    """What is kept of a cell: counts, from which every rate follows."""
    repetition = run.repetition(cell.seed)
    n = run.data.n_classes
    result: dict[str, Any] = {
        "confusion": confusion_counts(repetition.test.labels, predicted, n).tolist()
    }
    if poisoned is None:
        return result
    truth = poisoned.truth
    where = poisoned.data.positions(truth.poisoned_ids)
    result["destinations"] = confusion_counts(
        truth.original_labels, poisoned.data.labels[where], n
    ).tolist()
    changed = (poisoned.data.labels != repetition.train.labels) | (
        poisoned.data.features != repetition.train.features
    ).any(axis=1)
    result["n_train"], result["n_changed"] = len(changed), int(changed.sum())
    result["auroc"], result["failures"] = {}, {}
    for name in run.plan.detectors:
        try:
            scores = _suspicion(run, name, cell, poisoned.data)
            result["auroc"][name] = auroc(changed, scores)
        except Exception as error:  # noqa: BLE001 - as for attacks
            result["auroc"][name] = None
            result["failures"][f"detector {name}"] = _reason(error)
    return result


def _suspicion(run: _Run, detector: str, cell: Cell, data: Dataset) -> FloatArray:
    """The detector's scores in the order of the data, ``(sample,)``."""
    inspector = plugins.load("detectors", detector)(
        encoder=victim.state_encoder(run.plan, run.data, cell.noise)
    )
    suspicion = inspector.inspect(data)
    scores = np.full(len(data), np.nan)
    scores[data.positions(suspicion.ids)] = suspicion.scores
    if not np.isfinite(scores).all():
        raise InvalidData(
            "scores",
            wanted="a finite number for each sample",
            got=f"{int(np.isfinite(scores).sum())} of {len(data)}",
            mend="run bezoar.contracts.checks.check_detector on the detector",
        )
    return scores


def _reason(error: Exception) -> str:
    """What to say of it; the errors of others do not say themselves what they are."""
    return str(error) if isinstance(error, BezoarError) else f"{type(error).__name__}: {error}"


class _Pool:
    """The features of several repetitions and of changed samples, one below the other."""

    def __init__(self) -> None:
        self._parts: list[FloatArray] = []
        self._starts: dict[int, int] = {}
        self._size = 0

    def add(self, seed: int, repetition: _Repetition) -> int:
        """Where the train part of this seed starts; the test part follows it."""
        if seed not in self._starts:
            self._starts[seed] = self._size
            self._append(repetition.train.features)
            self._append(repetition.test.features)
        return self._starts[seed]

    def with_changes(self, base: int, clean: Dataset, seen: Dataset) -> IntArray:
        """Positions of the samples that the victim sees, ``(sample,)``."""
        places = base + np.arange(len(clean))
        moved = np.flatnonzero((clean.features != seen.features).any(axis=1))
        if len(moved):
            places[moved] = self._size + np.arange(len(moved))
            self._append(seen.features[moved])
        return places

    def features(self) -> FloatArray:
        """All of them, ``(sample, feature)``."""
        return np.concatenate(self._parts)

    def _append(self, features: FloatArray) -> None:
        self._parts.append(features)
        self._size += len(features)


def _compare_states(run: _Run) -> dict[tuple[str, int], dict[str, Any]]:
    """Encoder state similarity of the clean training data, by noise and seed."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    clock = time.perf_counter()
    total = len(run.plan.noise) * run.plan.seeds
    for noise in run.plan.noise:
        for seed in range(run.plan.seeds):
            key = run.key("similarity", noise=noise, seed=seed)
            stored = run.store.get(key)
            if stored is None:
                stored = _similarity(run, noise, seed)
                run.store.put(key, stored)
            found[noise, seed] = stored
            run.progress("compare states", len(found), total)
    run.spend("compare", clock)
    return found


def _similarity(run: _Run, noise: str, seed: int) -> dict[str, Any]:
    train = run.repetition(seed).train
    states = victim.state_encoder(run.plan, run.data, noise).encode(train.features)
    similarity = state_similarity(
        states,
        train.labels,
        run.data.class_names,
        max_references=_MAX_REFERENCES,
        rng=generator(seed, "similarity"),
    )
    return {
        "nearest_class_accuracy": dict(similarity.nearest_class_accuracy),
        "class_distance": {m: d.tolist() for m, d in similarity.class_distance.items()},
        "references": dict(similarity.references),
        "kernel_variance": similarity.kernel_variance,
        "concentrated": similarity.is_concentrated,
        "seconds": dict(similarity.seconds),
    }


def _cell_key(run: _Run, cell: Cell) -> dict[str, Any]:
    settings: dict[str, Any] = {"noise": cell.noise, "attack": cell.attack, "ratio": cell.ratio}
    if cell.attack != "none":
        settings["from"] = plugins.provider("attacks", cell.attack)
        settings["detectors"] = {
            name: plugins.provider("detectors", name) for name in run.plan.detectors
        }
    return run.key("train", seed=cell.seed, **settings)


def _threat_models(plan: AuditPlan, data: Dataset) -> dict[str, Any]:
    encoder = victim.state_encoder(plan, data, plan.noise[0])
    return {
        name: attack_named(name, ratio=0.0, encoder=encoder, metric=plan.metric).threat_model
        for name in plan.attacks
    }


def _model_name(plan: AuditPlan, n_qubits: int) -> str:
    layers = "1 layer" if plan.layers == 1 else f"{plan.layers} layers"
    qubits = "1 qubit" if n_qubits == 1 else f"{n_qubits} qubits"
    return f"{plan.ansatz}, {layers}, {qubits}"


def _plan_values(plan: AuditPlan, data: Dataset) -> dict[str, Any]:
    """The plan as JSON values, with what its defaults came to."""
    values = dataclasses.asdict(plan)
    circuit = victim.model_circuit(plan, data)
    values |= {
        "dataset": plan.data,
        "classes": list(data.class_names),
        "features": victim.n_features(plan, data),
        "qubits": circuit.n_qubits,
        "samples": len(data),
        "data_fingerprint": victim.fingerprint(data),
        "circuit": circuit.draw(),
    }
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}
