"""The main job: what does poisoning do to this model on this data, and would it show?"""

from __future__ import annotations

import dataclasses
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bezoar.contracts.files import write_text
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.records import RunRecord
from bezoar.contracts.revision import commit
from bezoar.evaluate import provenance, victim
from bezoar.evaluate.cells import check_replaceable, check_writable
from bezoar.evaluate.experiment import Experiment, store_in
from bezoar.evaluate.noting import noted_warnings
from bezoar.evaluate.observations import Results
from bezoar.evaluate.plan import AuditPlan
from bezoar.evaluate.summary import summarise


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
    with noted_warnings() as warned:
        check_replaceable(Path(out) / "record.json")
        check_writable(Path(out) / "cells")
        run = Experiment(plan, victim.load_data(plan), store_in(out), progress)
        for noise in plan.noise:
            run.target(noise)
        results = measured(run)
    seconds = time.perf_counter() - clock
    results = dataclasses.replace(results, seconds={**results.seconds, "total": seconds})
    summary = summarise(results)
    record = RunRecord(
        kind="audit",
        plan=_plan_values(run),
        plan_hash=plan.hash(run.fingerprint),
        versions=provenance.versions(),
        seeds=tuple(range(plan.seeds)),
        outcome="partial" if run.failures else "complete",
        command=plan.command(),
        commit=commit(),
        started=started.isoformat(timespec="seconds"),
        wall_seconds=seconds,
        measurements=summary.measurements,
        tables=summary.tables,
        findings=summary.findings,
        threat_models=results.threat_models,
        notes=(*warned, *run.notes(), *summary.notes),
        failures=tuple(run.failures),
    )
    write_text(Path(out) / "record.json", record.to_json())
    return record


def measured(run: Experiment) -> Results:
    """Everything that the experiment's plan asks for, computed or found in its store."""
    return Results(
        plan=run.plan,
        data=run.data,
        model=victim.model_name(run.plan, run.data),
        cells=run.train(),
        similarities=run.compare_states(),
        seconds=run.seconds,
        threat_models=run.threat_models(),
    )


def _plan_values(run: Experiment) -> dict[str, Any]:
    """The plan as JSON values, with what its defaults came to."""
    plan, data = run.plan, run.data
    values = dataclasses.asdict(plan)
    circuit = victim.model_circuit(plan, data)
    values |= {
        "dataset": plan.data,
        "classes": list(data.class_names),
        "features": victim.n_features(plan, data),
        "qubits": circuit.n_qubits,
        "samples": plan.samples if plan.fresh_samples else len(data),
        "data_fingerprint": run.fingerprint,
        "circuit": circuit.draw(),
    }
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}
