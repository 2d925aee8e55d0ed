"""From a plan to measured cells: poison, train side by side, predict, count.

A run is a set of cells, one for each noise, attack, ratio and seed. Cells train side by side as one
tensor, and each is stored when it is done: an interrupted run continues, a larger plan reuses what
a smaller one left.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bezoar._version import __version__
from bezoar.attacks.poisoning.protected_release import ProtectedRelease
from bezoar.contracts import plugins
from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.errors import InvalidData
from bezoar.contracts.progress import Progress
from bezoar.contracts.protocols import Attack
from bezoar.contracts.records import ThreatModel
from bezoar.contracts.seeds import generator
from bezoar.contracts.truth import Poisoned
from bezoar.data.reduce import Reducer
from bezoar.defences.training import BaseSet, PartitionAggregation, ensemble_named, vote
from bezoar.evaluate import victim
from bezoar.evaluate.cells import Cell, CellStore
from bezoar.evaluate.measuring import Answers, Curve, measure, reason_of
from bezoar.evaluate.plan import AuditPlan
from bezoar.evaluate.victim import Repetition
from bezoar.models.kernel import QuantumKernelClassifier
from bezoar.models.training import Job, Trained, predict_scores, train_many
from bezoar.quantum.engines.plan import Program
from bezoar.quantum.similarity import state_similarity

# Cells of another version are another result.
_CELL_VERSION = f"2-{__version__}"
_CHUNK = 64
# General mixed states have no product form for trace distances; this many per class stand for it.
_MAX_REFERENCES = 20


@dataclass(slots=True, eq=False)
class Experiment:
    """A plan being carried out, and what its cells share.

    Attributes:
        plan, data: what to do, on what.
        store: where finished cells are.
        progress: told as encoding, training and comparing go on.
        pools: reductions that do not depend on the seed, by data set and size; experiments may
            share them.
        failures: one line for each cell, or part of one, that gave no result.
        seconds: wall time by stage.
    """

    plan: AuditPlan
    data: Dataset
    store: CellStore
    progress: Progress
    pools: dict[tuple[str, int], Reducer | None] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    fingerprint: str = field(init=False)
    _repetitions: dict[int, Repetition] = field(default_factory=dict)
    _targets: dict[str, victim.Target] = field(default_factory=dict)
    _poisoned: dict[tuple[str, float, int, str], tuple[Poisoned, float]] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        self.fingerprint = victim.fingerprint(self.data)

    def target(self, noise: str) -> victim.Target:
        """The victim under this noise, its circuit compiled once."""
        if noise not in self._targets:
            self._targets[noise] = victim.target(self.plan, self.data, noise)
        return self._targets[noise]

    def repetition(self, seed: int) -> Repetition:
        """The split, reduced and scaled data of one seed."""
        if seed not in self._repetitions:
            self._repetitions[seed] = victim.repeat(
                self.plan, self.data, seed, fitted=self._pool(), progress=self.progress
            )
        return self._repetitions[seed]

    def _pool(self) -> Reducer | None:
        if self.plan.reduce != "pool-autoencoder":
            return None
        key = self.plan.data, victim.n_features(self.plan, self.data)
        if key not in self.pools:
            self.pools[key] = victim.pool(self.plan, self.data, progress=self.progress)
        return self.pools[key]

    def notes(self) -> tuple[str, ...]:
        """What a record must say of the victims."""
        return tuple(t.note for t in self._targets.values() if t.note)

    def threat_models(self) -> dict[str, ThreatModel]:
        """What each attack of the plan declares."""
        return {
            name: self._attack(Cell(self.plan.noise[0], name, 0.0, 0)).threat_model
            for name in self.plan.attacks
        }

    def train(self) -> dict[Cell, dict[str, Any]]:
        """The result of every cell; those of failed cells are missing, and told in `failures`."""
        done: dict[Cell, dict[str, Any]] = {}
        waiting: list[Cell] = []
        cells = list(cells_of(self.plan))
        for cell in cells:
            stored = self.store.get(self._cell_key(cell))
            if stored is None:
                waiting.append(cell)
            else:
                done[cell] = stored
        for chunk in self._chunks(waiting):
            for cell, result in self._run_chunk(chunk, len(done), len(cells)):
                done[cell] = result
                # What failed in part is tried again by the next run.
                if not result.get("failures"):
                    self.store.put(self._cell_key(cell), result)
        for cell, result in done.items():
            for part, reason in result.get("failures", {}).items():
                self._fail(cell, f"{part}: {reason}")
        return done

    def compare_states(self) -> dict[tuple[str, int], dict[str, Any]]:
        """Encoder state similarity of the clean training data, by noise and seed."""
        found: dict[tuple[str, int], dict[str, Any]] = {}
        clock = time.perf_counter()
        total = len(self.plan.noise) * self.plan.seeds
        for noise in self.plan.noise:
            for seed in range(self.plan.seeds):
                key = self._key("similarity", noise=noise, seed=seed)
                stored = self.store.get(key)
                if stored is None:
                    stored = self._similarity(noise, seed)
                    self.store.put(key, stored)
                found[noise, seed] = stored
                self.progress("compare states", len(found), total)
        self._spend("compare", clock)
        return found

    def _chunks(self, cells: Sequence[Cell]) -> Iterator[list[Cell]]:
        """Cells that train as one tensor; those whose poison takes long are stored one by one."""
        slow = {n for n, model in self.threat_models().items() if model.needs_training}
        for noise in self.plan.noise:
            quick = [c for c in cells if c.noise == noise and c.attack not in slow]
            for start in range(0, len(quick), _CHUNK):
                yield quick[start : start + _CHUNK]
        yield from ([cell] for cell in cells if cell.attack in slow)

    def _run_chunk(
        self, cells: Sequence[Cell], n_done: int, n_cells: int
    ) -> Iterator[tuple[Cell, dict[str, Any]]]:
        """Poisons, trains and measures cells of one noise."""
        clock = time.perf_counter()
        for cell in cells:
            self.repetition(cell.seed)
        self._spend("prepare", clock)
        clock = time.perf_counter()
        poisoned: dict[Cell, tuple[Poisoned | None, float]] = {}
        for cell in cells:
            try:
                poisoned[cell] = self._poison(cell)
            except Exception as error:  # noqa: BLE001 - a plug-in's bug costs its cells, not the run
                self._fail(cell, reason_of(error))
        self._spend("poison", clock)
        if not poisoned:
            return

        def report(task: str, done: int, total: int) -> None:  # noqa: ARG001
            self.progress("train", round(n_done + len(cells) * done / total), n_cells)

        seen = {cell: self._seen(cell, result) for cell, (result, _) in poisoned.items()}
        answered = (
            self._fit_kernels(seen) if self.plan.model == "quantum-kernel"
            else self._train_networks(seen, report)
        )  # fmt: skip
        clock = time.perf_counter()
        for cell, answers in answered:
            result, seconds = poisoned[cell]
            if answers is None:
                self._fail(cell, "the training diverged; choose a lower learning rate")
                continue
            yield (
                cell,
                measure(
                    answers,
                    self.repetition(cell.seed),
                    result,
                    poison_seconds=seconds,
                    detectors={n: partial(self._detector, n, cell) for n in self.plan.detectors},
                    exact=self._labels_from_exact_states(cell, result),
                ),
            )
        self._spend("measure", clock)

    def _train_networks(
        self, seen: Mapping[Cell, Dataset], report: Progress
    ) -> list[tuple[Cell, Answers | None]]:
        """What networks trained on `seen` answer; None where a training diverged."""
        program = self.target(next(iter(seen)).noise).program
        clock = time.perf_counter()
        pool = _Pool()
        ensemble = ensemble_named(self.plan.ensemble)
        jobs: list[Job] = []
        owners: list[Cell] = []
        tests: dict[Cell, IntArray] = {}
        for cell, data in seen.items():
            repetition = self.repetition(cell.seed)
            base = pool.add(cell.seed, repetition)
            train = pool.with_changes(base, repetition.train, data)
            tests[cell] = base + len(repetition.train) + np.arange(len(repetition.test))
            new = self._jobs(cell, data, train, ensemble)
            jobs += new
            owners += [cell] * len(new)
        features = pool.features()
        inputs = program.encode(features)
        self._spend("encode", clock)
        clock = time.perf_counter()
        curves = _Curves(program, inputs, [tests[c] for c in owners]) if self.plan.curves else None
        models = train_many(
            program,
            features,
            jobs,
            self.plan.training(),
            inputs=inputs,
            after_epoch=None if curves is None else curves.look,
            progress=report,
        )
        self._spend("train", clock)
        clock = time.perf_counter()
        scores = predict_scores(program, inputs, models, np.stack([tests[c] for c in owners]))
        answered: list[tuple[Cell, Answers | None]] = []
        for cell in seen:
            rows = [i for i, owner in enumerate(owners) if owner == cell]
            answered.append((cell, self._answers(cell, scores[rows], curves, rows)))
        self._spend("measure", clock)
        return answered

    def _jobs(
        self, cell: Cell, data: Dataset, places: IntArray, ensemble: PartitionAggregation | None
    ) -> list[Job]:
        """The trainings of a cell; `places` are the samples' positions in the pool."""
        n_classes = data.n_classes
        if ensemble is None:
            return [Job(train=places, labels=data.labels, n_classes=n_classes, seed=cell.seed)]
        sets = [
            BaseSet(places[base.positions], base.labels)
            for base in ensemble.base_sets(data, self.target(cell.noise).encoder)
        ]
        return ensemble.jobs(sets, n_classes=n_classes, seed=cell.seed)

    def _answers(
        self, cell: Cell, scores: FloatArray, curves: _Curves | None, rows: list[int]
    ) -> Answers | None:
        """From the scores of a cell's models, ``(model, sample, class)``."""
        if not np.isfinite(scores).all():
            return None
        if ensemble_named(self.plan.ensemble) is not None:
            votes = vote(scores.argmax(axis=2), self.data.n_classes)
            return Answers(predicted=votes.labels, radius=votes.radius)
        true = self.repetition(cell.seed).test.labels
        curve = None if curves is None else curves.of(rows[0], true)
        return Answers(predicted=scores[0].argmax(axis=1), curve=curve)

    def _fit_kernels(self, seen: Mapping[Cell, Dataset]) -> list[tuple[Cell, Answers | None]]:
        clock = time.perf_counter()
        answered: list[tuple[Cell, Answers | None]] = []
        for cell, data in seen.items():
            model = QuantumKernelClassifier(
                encoding=victim.encoding(self.plan),
                n_qubits=self.plan.qubits,
                noise=victim.noise_model(self.plan, cell.noise),
                calibration_folds=0,
                scale=False,
                random_state=cell.seed,
            ).fit(data.features, data.labels)
            predicted = model.predict(self.repetition(cell.seed).test.features)
            answered.append((cell, Answers(predicted=np.asarray(predicted, dtype=np.int64))))
            self.progress("fit kernels", len(answered), len(seen))
        self._spend("train", clock)
        return answered

    def _attack(self, cell: Cell, *, exact: bool = False) -> Attack:
        return victim.attack(self.plan, cell, self.repetition(cell.seed), self.target, exact=exact)

    def _poison(self, cell: Cell) -> tuple[Poisoned | None, float]:
        """What the victim of this cell trains on, None for the clean data; and the seconds."""
        if cell.attack == "none":
            return None, 0.0
        key = (cell.attack, cell.ratio, cell.seed, self.plan.attacker_noise or cell.noise)
        if key not in self._poisoned:
            clock = time.perf_counter()
            attack = self._attack(cell)
            train = self.repetition(cell.seed).train
            # One stream for all: noises and attacks poison the same samples, larger ratios some
            # more, so that what differs between them is not the draw.
            poisoned = attack.poison(train, rng=generator(cell.seed, "attack"))
            _check_poisoned(train, poisoned)
            self._poisoned[key] = poisoned, time.perf_counter() - clock
        return self._poisoned[key]

    def _seen(self, cell: Cell, poisoned: Poisoned | None) -> Dataset:
        """What the victim learns from."""
        if poisoned is None:
            return self.repetition(cell.seed).train
        attack = self._attack(cell) if self.plan.with_key else None
        if not isinstance(attack, ProtectedRelease):
            return poisoned.data
        release, key = attack.release(
            self.repetition(cell.seed).train, rng=generator(cell.seed, "attack")
        )
        return key.restore(release.data)

    def _labels_from_exact_states(self, cell: Cell, poisoned: Poisoned | None) -> IntArray | None:
        """What an attacker who knows the states exactly would have done; None if this one does."""
        if poisoned is None or self.plan.attacker_states == "exact":
            return None
        exact = self._attack(cell, exact=True)
        train = self.repetition(cell.seed).train
        return exact.poison(train, rng=generator(cell.seed, "attack")).data.labels

    def _detector(self, name: str, cell: Cell) -> Any:
        return plugins.load("detectors", name)(encoder=self.target(cell.noise).encoder)

    def _similarity(self, noise: str, seed: int) -> dict[str, Any]:
        train = self.repetition(seed).train
        similarity = state_similarity(
            self.target(noise).encoder.encode(train.features),
            train.labels,
            self.data.class_names,
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

    def _key(self, kind: str, **what: Any) -> dict[str, Any]:
        """What a stored result is found by."""
        return {
            "version": _CELL_VERSION,
            "kind": kind,
            "data": self.fingerprint,
            "settings": self.plan.cell_settings(),
            **what,
        }

    def _cell_key(self, cell: Cell) -> dict[str, Any]:
        settings: dict[str, Any] = {"noise": cell.noise, "attack": cell.attack, "ratio": cell.ratio}
        if cell.attack != "none":
            settings["from"] = plugins.provider("attacks", cell.attack)
            settings["detectors"] = {
                name: plugins.provider("detectors", name) for name in self.plan.detectors
            }
        return self._key("train", seed=cell.seed, **settings)

    def _fail(self, cell: Cell, reason: str) -> None:
        where = f"{cell.attack} {cell.ratio:g}, {cell.noise}, seed {cell.seed}"
        self.failures.append(f"{where}: {' '.join(reason.split())}")

    def _spend(self, stage: str, since: float) -> None:
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - since


def cells_of(plan: AuditPlan) -> Iterator[Cell]:
    """All trainings of a plan, the clean ones first."""
    for noise in plan.noise:
        for seed in range(plan.seeds):
            yield Cell(noise, "none", 0.0, seed)
            for attack in plan.attacks:
                for ratio in plan.ratios:
                    if ratio > 0:
                        yield Cell(noise, attack, ratio, seed)


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


class _Pool:
    """The features of several repetitions and of changed samples, one below the other."""

    def __init__(self) -> None:
        self._parts: list[FloatArray] = []
        self._starts: dict[int, int] = {}
        self._size = 0

    def add(self, seed: int, repetition: Repetition) -> int:
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


class _Curves:
    """Scores of the test samples after each epoch."""

    def __init__(self, program: Program, inputs: Any, tests: Sequence[IntArray]) -> None:
        self._program, self._inputs, self._tests = program, inputs, tests
        self._scores: dict[int, list[FloatArray]] = {}

    def look(self, members: Sequence[int], models: Sequence[Trained]) -> None:
        """Notes what the models of these jobs answer now."""
        index = np.stack([self._tests[m] for m in members])
        scores = predict_scores(self._program, self._inputs, models, index)
        for member, score in zip(members, scores, strict=True):
            self._scores.setdefault(member, []).append(score)

    def of(self, job: int, true: IntArray) -> Curve:
        """Loss and accuracy of a job's model by epoch, against labels ``(sample,)``."""
        return Curve.of(np.stack(self._scores[job]), true)


def store_in(out: Path | str) -> CellStore:
    """The cells of the results folder `out`."""
    return CellStore(Path(out) / "cells")
