"""From a plan to measured cells: poison, train side by side, predict, count.

A run is a set of cells, one for each noise, attack, ratio and seed. Cells train side by side as one
tensor, and each is stored when it is done: an interrupted run continues, a larger plan reuses what
a smaller one left.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bezoar.attacks.named import check_targeted
from bezoar.attacks.poisoning.protected_release import ProtectedRelease
from bezoar.contracts import plugins
from bezoar.contracts.dataset import Dataset, IntArray
from bezoar.contracts.errors import InvalidData
from bezoar.contracts.progress import Progress
from bezoar.contracts.protocols import Attack
from bezoar.contracts.records import ThreatModel
from bezoar.contracts.seeds import generator
from bezoar.contracts.truth import Poisoned
from bezoar.data.autoencoder import FittedAutoencoder
from bezoar.defences.training import PartitionAggregation, ensemble_named
from bezoar.evaluate import victim
from bezoar.evaluate.answering import Lesson
from bezoar.evaluate.cells import Cell, CellStore
from bezoar.evaluate.keys import CellKeys, transpiled, weights_of
from bezoar.evaluate.measuring import measure, reason_of
from bezoar.evaluate.plan import AuditPlan
from bezoar.evaluate.timing import timed
from bezoar.evaluate.victim import Repetition
from bezoar.quantum.devices.tables import is_device
from bezoar.quantum.similarity import state_similarity

# As many trainings as are measured and stored together; more of them train no faster.
_CHUNK = 64
_UNEQUAL_CHUNK = 16
# General mixed states have no product form for trace distances; this many per class stand for it.
_MAX_REFERENCES = 20


@dataclass(slots=True, eq=False)
class Experiment:
    """A plan being carried out, and what its cells share.

    Attributes:
        plan, data: what to do, on what.
        store: where finished cells are.
        progress: told as encoding, training and comparing go on.
        fingerprint: of the data, see `bezoar.evaluate.victim.fingerprint`.
        pool: the reduction that is fitted once for all seeds, where it is known already.
        failures: one line for each cell, or part of one, that gave no result.
        seconds: wall time by stage.
    """

    plan: AuditPlan
    data: Dataset
    store: CellStore
    progress: Progress
    pool: FittedAutoencoder | None = None
    failures: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    fingerprint: str = ""
    _keys: CellKeys | None = None
    _repetitions: dict[int, Repetition] = field(default_factory=dict)
    _targets: dict[str, victim.Target] = field(default_factory=dict)
    _poisoned: dict[tuple[str, float, int, str], tuple[Poisoned, float]] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        for name in self.plan.attacks:
            check_targeted(name, self.plan.source_classes)
        self.fingerprint = self.fingerprint or victim.fingerprint(self.data)

    def target(self, noise: str) -> victim.Target:
        """The victim under this noise, its circuit compiled once."""
        if noise not in self._targets:
            self._targets[noise] = victim.target(self.plan, self.data, noise)
        return self._targets[noise]

    def repetition(self, seed: int) -> Repetition:
        """The split, reduced and scaled data of one seed."""
        if seed not in self._repetitions:
            self._repetitions[seed] = victim.repeat(
                self.plan, self.data, seed, fitted=self._fitted(), progress=self.progress
            )
        return self._repetitions[seed]

    def notes(self) -> tuple[str, ...]:
        """What a record must say of the victims."""
        notes = (self.target(noise).note for noise in self.plan.noise)
        return tuple(note for note in notes if note)

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
            stored = self.store.get(self._stored_by().training(cell))
            if stored is None:
                waiting.append(cell)
            else:
                done[cell] = stored
        if waiting:
            self._check_measurable()
        for chunk in self._chunks(waiting):
            for cell, result in self._run_chunk(chunk, len(done), len(cells)):
                done[cell] = result
                # What failed in part is tried again by the next run.
                if not result.get("failures"):
                    self.store.put(self._stored_by().training(cell), result)
        for cell, result in done.items():
            for part, reason in result.get("failures", {}).items():
                self._fail(cell, f"{part}: {reason}")
        return done

    def compare_states(self) -> dict[tuple[str, int], dict[str, Any]]:
        """Encoder state similarity of the clean training data, by noise and seed."""
        found: dict[tuple[str, int], dict[str, Any]] = {}
        total = len(self.plan.noise) * self.plan.seeds
        with timed(self.seconds, "compare"):
            for noise in self.plan.noise:
                for seed in range(self.plan.seeds):
                    key = self._stored_by().states(noise, seed)
                    stored = self.store.get(key)
                    if stored is None:
                        stored = self._similarity(noise, seed)
                        self.store.put(key, stored)
                    found[noise, seed] = stored
                    self.progress("compare states", len(found), total)
        return found

    def _stored_by(self) -> CellKeys:
        if self._keys is None:
            noises = (*self.plan.noise, self.plan.attacker_noise or "none")
            self._keys = CellKeys(
                plan=self.plan,
                fingerprint=self.fingerprint,
                pool=weights_of(self._fitted()),
                devices={n: transpiled(self.target(n)) for n in noises if is_device(n)},
            )
        return self._keys

    def _fitted(self) -> FittedAutoencoder | None:
        if self.pool is None:
            self.pool = victim.pool(self.plan, self.data, progress=self.progress)
        return self.pool

    def _check_measurable(self) -> None:
        """Measures one state as attackers would: what does not fit is refused before the work."""
        if self.plan.attacker_states == "exact" or not self.plan.attacks:
            return
        noises = (self.plan.attacker_noise,) if self.plan.attacker_noise else self.plan.noise
        for noise in noises:
            encoder = victim.measured_encoder(self.plan, self.target(noise).encoder, seed=0)
            encoder.encode(self.repetition(0).train.features[:1])

    def _chunks(self, cells: Sequence[Cell]) -> Iterator[list[Cell]]:
        """Cells that train as one tensor; those whose poison takes long are stored one by one."""
        slow = {n for n, model in self.threat_models().items() if model.needs_training}
        size = _cells_at_once(ensemble_named(self.plan.ensemble))
        for noise in self.plan.noise:
            quick = [c for c in cells if c.noise == noise and c.attack not in slow]
            for start in range(0, len(quick), size):
                yield quick[start : start + size]
        yield from ([cell] for cell in cells if cell.attack in slow)

    def _run_chunk(
        self, cells: Sequence[Cell], n_done: int, n_cells: int
    ) -> Iterator[tuple[Cell, dict[str, Any]]]:
        """Poisons, trains and measures cells of one noise."""
        with timed(self.seconds, "prepare"):
            repetitions = {cell.seed: self.repetition(cell.seed) for cell in cells}
        poisoned: dict[Cell, tuple[Poisoned | None, float]] = {}
        with timed(self.seconds, "poison"):
            for cell in cells:
                try:
                    poisoned[cell] = self._poison(cell)
                except Exception as error:  # noqa: BLE001 - a plug-in's bug costs its cells alone
                    self._fail(cell, reason_of(error))
        if not poisoned:
            return

        def report(task: str, done: int, total: int) -> None:  # noqa: ARG001
            self.progress("train", round(n_done + len(cells) * done / total), n_cells)

        lesson = Lesson(
            plan=self.plan,
            target=self.target(cells[0].noise),
            seen={cell: self._seen(cell, result) for cell, (result, _) in poisoned.items()},
            repetitions=repetitions,
            progress=report,
            seconds=self.seconds,
        )
        for cell, answers in lesson.answers():
            if isinstance(answers, str):
                self._fail(cell, answers)
                continue
            result, seconds = poisoned[cell]
            with timed(self.seconds, "measure"):
                found = measure(
                    answers,
                    repetitions[cell.seed],
                    result,
                    poison_seconds=seconds,
                    detectors={n: partial(self._detector, n, cell) for n in self.plan.detectors},
                    exact=self._labels_from_exact_states(cell, result),
                )
            yield cell, found

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
            metrics=self.plan.distances or None,
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

    def _fail(self, cell: Cell, reason: str) -> None:
        where = f"{cell.attack} {cell.ratio:g}, {cell.noise}, seed {cell.seed}"
        self.failures.append(f"{where}: {' '.join(reason.split())}")


def _cells_at_once(ensemble: PartitionAggregation | None) -> int:
    if ensemble is None:
        return _CHUNK
    # The parts of plain DPA differ in size, and only trainings of one size share a tensor.
    return max(1, _CHUNK // ensemble.n_partitions) if ensemble.semi_supervised else _UNEQUAL_CHUNK


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


def store_in(out: Path | str) -> CellStore:
    """The cells of the results folder `out`."""
    return CellStore(Path(out) / "cells")
