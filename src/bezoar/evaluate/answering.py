"""Trains the victims of some cells, and asks them of the test part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.progress import Progress
from bezoar.defences.training import BaseSet, ensemble_named, vote
from bezoar.evaluate import victim
from bezoar.evaluate.cells import Cell
from bezoar.evaluate.measuring import Answers, Curve, reason_of
from bezoar.evaluate.plan import AuditPlan
from bezoar.evaluate.timing import timed
from bezoar.evaluate.victim import Repetition, Target
from bezoar.models.kernel import QuantumKernelClassifier
from bezoar.models.training import Job, Trained, predict_scores, train_many
from bezoar.quantum.engines.plan import Program

# What a cell's victim answers, or why there is no answer.
Answered = Iterator[tuple[Cell, Answers | str]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """Cells of one noise, and what their victims learn from.

    Attributes:
        plan: how they learn.
        target: the victim under the noise of these cells.
        seen: the training set of each cell, features in the range of the encoding.
        repetitions: the clean data of each seed.
        progress: told as trainings go on.
        seconds: wall time by stage, which is added to.
    """

    plan: AuditPlan
    target: Target
    seen: Mapping[Cell, Dataset]
    repetitions: Mapping[int, Repetition]
    progress: Progress
    seconds: dict[str, float]

    def answers(self) -> Answered:
        """What each victim says of the test part of its seed."""
        if self.plan.model == "quantum-kernel":
            return self._of_kernels()
        return self._of_networks()

    def _of_kernels(self) -> Answered:
        for n_done, (cell, data) in enumerate(self.seen.items(), start=1):
            try:
                with timed(self.seconds, "train"):
                    answers = self._of_kernel(cell, data)
            except Exception as error:  # noqa: BLE001 - what cannot be learnt from costs its cell
                yield cell, reason_of(error)
                continue
            self.progress("train", n_done, len(self.seen))
            yield cell, answers

    def _of_kernel(self, cell: Cell, data: Dataset) -> Answers:
        model = QuantumKernelClassifier(
            encoding=victim.encoding(self.plan),
            n_qubits=self.plan.qubits,
            noise=self.target.noise,
            calibration_folds=0,
            scale=False,
            random_state=cell.seed,
        ).fit(data.features, data.labels)
        predicted = model.predict(self.repetitions[cell.seed].test.features)
        return Answers(predicted=np.asarray(predicted, dtype=np.int64))

    def _of_networks(self) -> Answered:
        program = self.target.program
        pool = _Pool()
        jobs: dict[Cell, list[Job]] = {}
        tests: dict[Cell, IntArray] = {}
        with timed(self.seconds, "encode"):
            for cell, data in self.seen.items():
                repetition = self.repetitions[cell.seed]
                base = pool.add(cell.seed, repetition)
                tests[cell] = base + len(repetition.train) + np.arange(len(repetition.test))
                places = pool.with_changes(base, repetition.train, data)
                try:
                    jobs[cell] = self._jobs(cell, data, places)
                except Exception as error:  # noqa: BLE001 - as for kernels
                    yield cell, reason_of(error)
            if not jobs:
                return
            features = pool.features()
            inputs = program.encode(features)
        index = [tests[cell] for cell, own in jobs.items() for _ in own]
        curves = _Curves(program, inputs, index) if self.plan.curves else None
        with timed(self.seconds, "train"):
            models = train_many(
                program,
                features,
                [job for own in jobs.values() for job in own],
                self.plan.training(),
                inputs=inputs,
                after_epoch=None if curves is None else curves.look,
                progress=self.progress,
            )
        with timed(self.seconds, "measure"):
            scores = predict_scores(program, inputs, models, np.stack(index))
        first = 0
        for cell, own in jobs.items():
            yield cell, self._of_scores(cell, scores[first : first + len(own)], curves, first)
            first += len(own)

    def _jobs(self, cell: Cell, data: Dataset, places: IntArray) -> list[Job]:
        """The trainings of a cell; `places` are the samples' positions in the pool."""
        n_classes = data.n_classes
        ensemble = ensemble_named(self.plan.ensemble)
        if ensemble is None:
            return [Job(train=places, labels=data.labels, n_classes=n_classes, seed=cell.seed)]
        sets = [
            BaseSet(places[base.positions], base.labels)
            for base in ensemble.base_sets(data, self.target.encoder)
        ]
        return ensemble.jobs(sets, n_classes=n_classes, seed=cell.seed)

    def _of_scores(
        self, cell: Cell, scores: FloatArray, curves: _Curves | None, first: int
    ) -> Answers | str:
        """From the scores of a cell's models, ``(model, sample, class)``, the jobs from `first`."""
        if not np.isfinite(scores).all():
            return "the training diverged; choose a lower learning rate"
        test = self.repetitions[cell.seed].test
        if self.plan.ensemble != "none":
            votes = vote(scores.argmax(axis=2), test.n_classes)
            return Answers(predicted=votes.labels, radius=votes.radius)
        curve = None if curves is None else curves.of(first, test.labels)
        return Answers(predicted=scores[0].argmax(axis=1), curve=curve)


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
