"""Circuit backdoors judged: what they do to a network, and whether comparing circuits shows it."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidData, UnknownName
from bezoar.contracts.files import write_text
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.records import Better, Finding, Measurement, RunRecord, ThreatModel
from bezoar.contracts.revision import commit
from bezoar.evaluate import provenance, victim
from bezoar.evaluate.cells import CellStore, check_replaceable, check_writable
from bezoar.evaluate.circuit_backdoor_cells import Row, materials, measure_qdoor, measure_qtrojan
from bezoar.evaluate.circuit_backdoor_plan import CircuitBackdoorPlan
from bezoar.evaluate.measuring import reason_of
from bezoar.evaluate.noting import noted_warnings
from bezoar.evaluate.statistics import student_interval

# Unit and good direction, for the victim, of each metric.
_METRICS: Mapping[str, tuple[str, Better]] = {
    "accuracy": ("fraction", "higher"),
    "triggered_accuracy": ("fraction", "higher"),
    "attack_success_rate": ("fraction", "lower"),
    "leak": ("fraction", "lower"),
    "inserted_gates": ("gates", "neither"),
    "dormant_gates": ("gates", "neither"),
    "dropped_gates": ("gates", "neither"),
    "error_bound": ("operator norm", "neither"),
    "disagreement": ("fraction", "lower"),
    "drift": ("fraction", "lower"),
    "circuit_distance": ("", "lower"),
    "detection": ("fraction", "higher"),
}
_BOUNDS = {
    "fraction": (0.0, 1.0),
    "": (0.0, 1.0),
    "gates": (0.0, np.inf),
    "operator norm": (0.0, np.inf),
}
_MEASURE = {"qtrojan": measure_qtrojan, "qdoor": measure_qdoor}
_VERSION = 1


def run_circuit_backdoor(
    plan: CircuitBackdoorPlan, out: Path | str, *, progress: Progress = silent
) -> RunRecord:
    """Mounts each attack with each seed, measures it, and writes ``record.json`` into `out`.

    Finished repetitions are kept under ``out/cells``: the same call after an interruption
    continues, and one with more seeds computes only what is new.

    Args:
        plan: what to do.
        out: folder of the results.
        progress: told after each repetition.

    Returns:
        The record, of kind ``circuit-backdoor``; its outcome is ``partial`` when a repetition
        failed, ``failed`` when all did.

    Raises:
        InvalidArgument, InvalidData, FileProblem: before the work begins, where it can be known.

    Example:
        >>> import tempfile
        >>> plan = CircuitBackdoorPlan(data="iris", attacks=("qtrojan",), seeds=1, epochs=5)
        >>> record = run_circuit_backdoor(plan, tempfile.mkdtemp())
        >>> [m.value for m in record.select("attack_success_rate", state="armed")]
        [1.0]
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    folder = Path(out)
    with noted_warnings() as warned:
        check_replaceable(folder / "record.json")
        check_writable(folder / "cells")
        data = victim.load_data(plan.victim(), progress=progress)
        target = _target(plan, data)
        fingerprint = victim.fingerprint(data)
        cells, failures = _measured(plan, data, target, CellStore(folder / "cells"), progress)
    model = victim.model_name(plan.victim(), data)
    measurements = _summarised(plan, model, cells)
    values = dataclasses.asdict(plan) | {
        "dataset": plan.data,
        "target_class": data.class_names[target],
        "circuit": victim.model_circuit(plan.victim(), data).draw(),
        "data_fingerprint": fingerprint,
    }
    record = RunRecord(
        kind="circuit-backdoor",
        plan={k: list(v) if isinstance(v, tuple) else v for k, v in values.items()},
        plan_hash=plan.hash(fingerprint),
        versions=provenance.versions(),
        seeds=tuple(range(plan.seeds)),
        outcome="complete" if not failures else "partial" if cells else "failed",
        command=plan.command(),
        commit=commit(),
        started=started.isoformat(timespec="seconds"),
        wall_seconds=time.perf_counter() - clock,
        measurements=measurements,
        findings=_findings(plan, measurements),
        threat_models=_threat_models(plan, target),
        notes=(*warned, *_notes(plan, data)),
        failures=failures,
    )
    write_text(folder / "record.json", record.to_json())
    return record


def _target(plan: CircuitBackdoorPlan, data: Dataset) -> int:
    if plan.target is not None and plan.target not in data.class_names:
        raise UnknownName("target", plan.target, data.class_names)
    code = 0 if plan.target is None else data.class_names.index(plan.target)
    if not data.counts()[code]:
        raise InvalidData("target", wanted="a class with samples", got=data.class_names[code])
    return code


def _measured(
    plan: CircuitBackdoorPlan, data: Dataset, target: int, store: CellStore, progress: Progress
) -> tuple[dict[tuple[str, int], list[Row]], tuple[str, ...]]:
    """The rows of every repetition, and one line for each that failed."""
    found: dict[tuple[str, int], list[Row]] = {}
    failures: list[str] = []
    wanted = [(attack, seed) for attack in plan.attacks for seed in range(plan.seeds)]
    fingerprint = victim.fingerprint(data)
    for done, (attack, seed) in enumerate(wanted):
        key = {
            "kind": "circuit-backdoor",
            "version": _VERSION,
            "attack": attack,
            "seed": seed,
            "data": fingerprint,
            # As JSON keeps it, so that a stored key is found again.
            "plan": json.loads(json.dumps(plan.cell_settings())),
        }
        stored: dict[str, Any] | None = store.get(key)
        if stored is None:
            try:
                rows = _MEASURE[attack](plan, materials(plan, data, target, seed))
            except Exception as error:  # noqa: BLE001 - a bug or a bad split costs its cell alone
                failures.append(f"{attack}, seed {seed}: {reason_of(error)}")
                continue
            stored = {"rows": rows}
            store.put(key, stored)
        found[attack, seed] = stored["rows"]
        progress("measure", done + 1, len(wanted))
    return found, tuple(failures)


def _summarised(
    plan: CircuitBackdoorPlan, model: str, cells: Mapping[tuple[str, int], Sequence[Row]]
) -> tuple[Measurement, ...]:
    """Means over seeds with their intervals, in the order of the first repetition."""
    groups: dict[tuple[str, str], list[tuple[int, float]]] = {}
    tags_of: dict[tuple[str, str], dict[str, Any]] = {}
    for (attack, seed), rows in cells.items():
        for metric, value, tags in rows:
            shared = {"dataset": plan.data, "model": model, "noise": plan.noise}
            full = {**shared, "attack": attack, **tags}
            key = (metric, json.dumps(full, sort_keys=True))
            groups.setdefault(key, []).append((seed, value))
            tags_of[key] = full
    found = []
    for (metric, text), pairs in groups.items():
        unit, better = _METRICS[metric]
        mean, low, high, n = student_interval([v for _, v in pairs], bounds=_BOUNDS[unit])
        found.append(
            Measurement(
                metric=metric,
                value=mean,
                low=low,
                high=high,
                n=n,
                seeds=tuple(seed for seed, _ in pairs),
                unit=unit,
                better=better,
                tags=tags_of[metric, text],
            )
        )
    return tuple(found)


def _findings(
    plan: CircuitBackdoorPlan, measurements: Sequence[Measurement]
) -> tuple[Finding, ...]:
    """Each attack whose success lies above the leak of the same network by the tolerance."""
    found = []
    for m in measurements:
        tags = m.tags
        if m.metric != "attack_success_rate" or tags["state"] != "armed":
            continue
        leak = _leak(measurements, m)
        certain = m.value if m.low is None else m.low
        if leak is None or certain is None or certain - leak <= plan.tolerance:
            continue
        model = _threat_models(plan, 0)[str(tags["attack"])]
        found.append(
            Finding(
                rule="circuit-backdoor",
                severity="high",
                confidence="low" if m.n == 1 else "medium" if m.n < 5 else "high",
                subject=f"{tags['attack']} on {plan.ansatz}, {plan.data}",
                message=f"{100 * (m.value or 0):.0f} % of the samples of other classes are "
                f"predicted as the wanted class when the backdoor is on, {100 * leak:.0f} % when "
                f"it is off ({m.n} {'seed' if m.n == 1 else 'seeds'})",
                remedy=model.answered_by,
                references=(model.source,),
            )
        )
    return tuple(found)


def _leak(measurements: Sequence[Measurement], success: Measurement) -> float | None:
    """Of the network with the trojan off, or of the synthesised one without the trigger."""
    attack = success.tags["attack"]
    state = "dormant" if attack == "qtrojan" else "armed"
    same = (
        m.value
        for m in measurements
        if (m.metric, m.tags["attack"], m.tags["state"]) == ("leak", attack, state)
    )
    return next(same, None)


def _threat_models(plan: CircuitBackdoorPlan, target: int) -> dict[str, ThreatModel]:
    made = {"qtrojan": plan.qtrojan(target), "qdoor": plan.qdoor(target)}
    return {name: made[name].threat_model for name in plan.attacks}


def _notes(plan: CircuitBackdoorPlan, data: Dataset) -> tuple[str, ...]:
    largest = float(data.counts().max() / len(data))
    notes = [
        f"Always answering the largest class would be right in {100 * largest:.0f} % of the data.",
        (
            "Attack success counts test samples of other classes than the wanted one; the leak is "
            "the share of them that the same network predicts so without trigger or, for QTrojan, "
            "with the switch off."
        ),
        (
            "Detection of QDoor is the share of seeds in which the backdoored network scores above "
            "the control trained on the same data, ties counted half: 0.5 is chance. Of QTrojan it "
            "is the share of seeds in which a gate-by-gate comparison finds inserted gates."
        ),
    ]
    if plan.seeds == 1:
        notes.append("One seed: no interval can be given.")
    return tuple(notes)
