"""From a plan to measured cells: poison, train, predict, defend.

Each training and each defence is a cell, stored when it is done: an interrupted run continues, and
plans that share a training do it once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bezoar.contracts.progress import Progress
from bezoar.contracts.records import ThreatModel
from bezoar.evaluate.backdoors import defending, measuring, showing, theory
from bezoar.evaluate.backdoors.lessons import Lesson, School
from bezoar.evaluate.backdoors.materials import Materials, Shelf
from bezoar.evaluate.backdoors.plan import BackdoorPlan
from bezoar.evaluate.cells import CellStore
from bezoar.evaluate.measuring import reason_of
from bezoar.evaluate.timing import timed

Cell = dict[str, Any]
_Key = TypeVar("_Key")
# Fine steps for the bar, since one training takes many seconds.
_STEPS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BackdoorResults:
    """Everything that an experiment measured; all values are those of stored cells.

    Attributes:
        plan: what was done.
        lessons: by training.
        clean_answers: of clean networks to a trigger, by their lesson and the trigger.
        qualities: how much a trigger changes images, by trigger and seed.
        saliency: Grad-CAM, by lesson.
        defences: by backdoored lesson, twin (``clean`` or ``backdoored``) and defence.
        theory: what the theorems need, by backdoored lesson.
        seconds: wall time by stage.
        threat_models: by trigger.
        class_names: of the data.
        failures: one line for each cell that gave no result.
    """

    plan: BackdoorPlan
    lessons: Mapping[Lesson, Cell]
    clean_answers: Mapping[tuple[Lesson, str], Cell]
    qualities: Mapping[tuple[str, int], Cell]
    saliency: Mapping[Lesson, Cell]
    defences: Mapping[tuple[Lesson, str, str], Cell]
    theory: Mapping[Lesson, Cell]
    seconds: Mapping[str, float]
    threat_models: Mapping[str, ThreatModel]
    class_names: tuple[str, ...]
    failures: tuple[str, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class BackdoorExperiment:
    """A plan being carried out.

    Attributes:
        plan: what to do.
        out: folder of the results; networks and cells are kept in it.
        shelf: where samples come from.
        progress: told as trainings and defences go on.
        failures: one line for each cell that gave no result.
        seconds: wall time by stage.
    """

    plan: BackdoorPlan
    out: Path
    shelf: Shelf
    progress: Progress
    failures: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    _done: int = 0
    _total: int = 1

    def run(self) -> BackdoorResults:
        """Every cell of the plan, computed or found; those that fail are told in `failures`."""
        plan = self.plan
        materials = self._materials(0)
        school = self._school()
        wanted = list(lessons_of(plan))
        backdoored = [lesson for lesson in wanted if lesson.role == "backdoored"]
        questions = 1 + plan.saliency + plan.theory + 2 * len(plan.defences)
        self._total = len(wanted) + len(backdoored) * questions
        lessons, theories = self._learn(school, wanted)
        asked = [(twin.clean_twin(), twin.trigger) for twin in backdoored]
        answers = self._all(asked, lambda key: self._clean_answer(school, *key))
        shown = backdoored if plan.saliency and plan.trunk != "none" else []
        saliency = self._all(shown, lambda lesson: self._saliency(school, lesson))
        defended = [
            (lesson, twin, name)
            for lesson in backdoored
            for twin in ("clean", "backdoored")
            for name in plan.defences
        ]
        defences = self._all(defended, lambda key: self._defence(school, *key))
        pairs = [(t, seed) for t in plan.triggers for seed in range(plan.seeds)]
        qualities = self._all(pairs, lambda key: self._quality(school, *key))
        return BackdoorResults(
            plan=plan,
            lessons=lessons,
            clean_answers=answers,
            qualities=qualities,
            saliency=saliency,
            defences=defences,
            theory=theories,
            seconds=self.seconds,
            threat_models={
                text: plan.backdoor(text, plan.rates[0]).threat_model for text in plan.triggers
            },
            class_names=materials.train.class_names,
            failures=tuple(self.failures),
        )

    def _learn(
        self, school: School, wanted: list[Lesson]
    ) -> tuple[dict[Lesson, Cell], dict[Lesson, Cell]]:
        """All trainings, and what the theorems need of each while its network is in memory."""
        lessons: dict[Lesson, Cell] = {}
        theories: dict[Lesson, Cell] = {}
        for lesson in wanted:
            lessons |= self._all([lesson], lambda key: self._lesson(school, key))
            if self.plan.theory and lesson.role == "backdoored" and lesson in lessons:
                asked = [(lesson, "theory")]
                found = self._all(asked, lambda key: self._theory(school, key[0]))
                theories |= {of: cell for (of, _), cell in found.items()}
        return lessons, theories

    def _all(self, keys: list[_Key], work: Callable[[_Key], Cell]) -> dict[_Key, Cell]:
        """The results of all keys that can be worked on, each once, in order."""
        found: dict[_Key, Cell] = {}
        for key in dict.fromkeys(keys):
            try:
                found[key] = work(key)
            except Exception as error:  # noqa: BLE001 - one cell's trouble costs that cell alone
                subject = " ".join(str(k) for k in key) if isinstance(key, tuple) else str(key)
                self.failures.append(f"{subject}: {' '.join(reason_of(error).split())}")
            self._done += 1
            self._tell(0, 1)
        return found

    def _tell(self, done: int, total: int) -> None:
        at = round(_STEPS * min(self._done + done / total, self._total))
        self.progress("backdoors", at, _STEPS * self._total)

    def _stored(self, key: Mapping[str, Any], stage: str, work: Callable[[], Cell]) -> Cell:
        """The cell of this key, computed where nobody has."""
        store = CellStore(self.out / "cells")
        stored = store.get(key)
        if stored is None:
            with timed(self.seconds, stage):
                stored = work()
            store.put(key, stored)
        return stored

    def _lesson(self, school: School, lesson: Lesson) -> Cell:
        plan = self.plan
        with_gradients = plan.gradients and lesson.role == "clean"
        asked = {"curves": plan.curves, "gradients": with_gradients}
        key = {**school.key(lesson), "asked": asked}
        if lesson.role == "control":
            key["answered"] = plan.mapping

        def work() -> Cell:
            materials = self._materials(lesson.seed)
            backdoor = None if lesson.role == "clean" else school.backdoor(lesson)
            curve: list[dict[str, float]] = []
            hook = measuring.curve_hook(
                curve, backdoor, materials, precision=plan.precision, after=plan.warm_up
            )
            kept = lesson.role == "clean" or bool(plan.defences) or plan.saliency
            learnt = school.teach(lesson, keep=kept, after_epoch=hook if plan.curves else None)
            seen, truth = school.seen(lesson)
            assert learnt.history is not None  # noqa: S101 - it was trained here
            found: Cell = {
                "accuracy": measuring.accuracy(learnt.network, materials.test),
                "losses": measuring.losses(learnt.history, seen, truth),
                "n_warm_up": learnt.history.n_warm_up,
                "curve": curve,
            }
            if backdoor is not None:
                found |= measuring.success(learnt.network, backdoor, materials.test)
            if with_gradients:
                found["gradients"] = measuring.gradients(learnt.network, seen)
            return found

        return self._stored(key, "train", work)

    def _clean_answer(self, school: School, lesson: Lesson, trigger: str) -> Cell:
        key = {
            **school.key(lesson),
            "question": "success on a clean network",
            "trigger": trigger,
            "attack": self._attack_values(),
        }

        def work() -> Cell:
            test = self._materials(lesson.seed).test
            network = school.network(lesson)
            backdoor = school.backdoor(lesson, trigger)
            return {**measuring.success(network, backdoor, test)}

        return self._stored(key, "measure", work)

    def _saliency(self, school: School, lesson: Lesson) -> Cell:
        key = {**school.key(lesson), "question": "grad-cam", "version": showing.VERSION}

        def work() -> Cell:
            materials = self._materials(lesson.seed)
            return showing.saliency(
                school.network(lesson.clean_twin()),
                school.network(lesson),
                school.backdoor(lesson),
                materials.test,
            )

        return self._stored(key, "saliency", work)

    def _theory(self, school: School, lesson: Lesson) -> Cell:
        key = {**school.key(lesson), "question": "theory", "theory": dict(theory.SETTINGS)}

        def work() -> Cell:
            return theory.measure(school, lesson, self._materials(lesson.seed))

        return self._stored(key, "theory", work)

    def _defence(self, school: School, lesson: Lesson, twin: str, name: str) -> Cell:
        of = lesson.clean_twin() if twin == "clean" and name == "neural-cleanse" else lesson
        # What Neural Cleanse says of a clean network depends on no trigger.
        key = {
            **school.key(of),
            "question": "defence",
            "defence": defending.settings_of(name, of.rate),
            "twin": twin,
            "retrain": self.plan.retrain and twin == "backdoored",
        }

        def work() -> Cell:
            return defending.defend(
                name, school, lesson, twin, self._materials(lesson.seed), retrain=self.plan.retrain
            )

        return self._stored(key, f"defence {name}", work)

    def _quality(self, school: School, trigger: str, seed: int) -> Cell:
        key = {
            "question": "quality of a trigger",
            "version": measuring.QUALITY_VERSION,
            "trigger": trigger,
            "attack": self._attack_values(),
            "data": self._materials(seed).fingerprint,
        }
        lesson = Lesson(head=self.plan.heads[0], role="clean", trigger="none", rate=0.0, seed=seed)

        def work() -> Cell:
            backdoor, test = school.backdoor(lesson, trigger), self._materials(seed).test
            found: Cell = {**measuring.quality(backdoor, test)}
            if test.features.ndim == 4:
                found["exhibit"] = showing.trigger_exhibit(backdoor, test)
            return found

        return self._stored(key, "measure", work)

    def _attack_values(self) -> dict[str, Any]:
        plan = self.plan
        return {"mapping": plan.mapping, "target": plan.target, "sources": list(plan.sources)}

    def _materials(self, seed: int) -> Materials:
        return self.shelf.materials(self.plan, seed)

    def _school(self) -> School:
        def told(task: str, done: int, total: int) -> None:  # noqa: ARG001
            self._tell(done, max(total, 1))

        return School(
            plan=self.plan,
            materials=self._materials,
            folder=self.out / "networks",
            data_folder=self.shelf.folder,
            progress=told,
        )


def lessons_of(plan: BackdoorPlan) -> Iterator[Lesson]:
    """All trainings of a plan, seed by seed and head by head, the clean one first."""
    for seed in range(plan.seeds):
        for head in plan.heads:
            yield Lesson(head=head, role="clean", trigger="none", rate=0.0, seed=seed)
            for rate in plan.rates:
                if plan.control and not plan.clean_label:
                    yield Lesson(head=head, role="control", trigger="none", rate=rate, seed=seed)
                for trigger in plan.triggers:
                    yield Lesson(
                        head=head, role="backdoored", trigger=trigger, rate=rate, seed=seed
                    )
