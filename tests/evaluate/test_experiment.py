"""The rarer settings: ensembles, kernel machines, curves, devices, what attackers know."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_audits import clouds, only, saved, small_plan

from bezoar.contracts.errors import InvalidArgument, UnknownName
from bezoar.contracts.progress import silent
from bezoar.contracts.records import RunRecord
from bezoar.evaluate import victim
from bezoar.evaluate.audit import run_audit
from bezoar.evaluate.cells import Cell
from bezoar.evaluate.experiment import Experiment, store_in
from bezoar.evaluate.keys import weights_of
from bezoar.evaluate.plan import AuditPlan
from bezoar.quantum.devices.tables import device_named, write_device


def experiment(folder: Path, **settings: Any) -> Experiment:
    """An experiment that has not begun."""
    plan = small_plan(**{"detectors": (), "epochs": 5, "attacks": ("quid",)} | settings)
    return Experiment(plan, victim.load_data(plan), store_in(folder), silent)


def value_of(record: RunRecord, metric: str, **tags: Any) -> float:
    """The only value of a metric with these tags."""
    value = only(record.select(metric, **tags)).value
    assert value is not None
    return value


@pytest.mark.parametrize("ensemble", ["dpa:4", "ss-dpa:5"])
def test_certified_counts_are_right_answers_by_radius(tmp_path: Path, ensemble: str) -> None:
    run = experiment(tmp_path, ensemble=ensemble)
    most = int(ensemble.partition(":")[2]) // 2
    for result in run.train().values():
        right = int(np.trace(np.array(result["confusion"])))
        assert sum(result["certified"]) == right
        assert len(result["certified"]) <= most + 1
    assert run.failures == []


def test_the_certified_accuracy_falls_from_the_accuracy_to_0_at_the_latest(tmp_path: Path) -> None:
    plan = small_plan(ensemble="dpa:9", detectors=(), epochs=5)
    record = run_audit(plan, tmp_path)
    for attack in ("none", "quid"):
        curve = [
            value_of(record, "certified_accuracy", attack=attack, changes=changes)
            for changes in range(9 // 2 + 1)
        ]
        assert curve[0] == value_of(record, "accuracy", attack=attack)
        assert curve == sorted(curve, reverse=True)
        assert not record.select("certified_accuracy", attack=attack, changes=5)


def test_an_ensemble_of_one_is_the_plain_model(tmp_path: Path) -> None:
    alone = experiment(tmp_path).train()
    voted = experiment(tmp_path, ensemble="dpa:1").train()
    clean = Cell("none", "none", 0.0, 0)
    # One base learner sees the samples in another order, so single answers may differ.
    difference = np.array(alone[clean]["confusion"]) - voted[clean]["confusion"]
    assert np.abs(difference).sum() <= 4


def test_ensembles_are_stored_in_smaller_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bezoar.evaluate.experiment._CHUNK", 6)
    run = experiment(tmp_path, ensemble="ss-dpa:3", seeds=3)
    cells = [Cell("none", "none", 0.0, seed) for seed in range(3)]
    assert [len(chunk) for chunk in run._chunks(cells)] == [2, 1]
    run = experiment(tmp_path, ensemble="ss-dpa:50", seeds=3)
    assert [len(chunk) for chunk in run._chunks(cells)] == [1, 1, 1]


def test_parts_of_unequal_size_need_many_cells_to_fill_a_tensor(tmp_path: Path) -> None:
    run = experiment(tmp_path, ensemble="dpa:50", seeds=20)
    cells = [Cell("none", "none", 0.0, seed) for seed in range(20)]
    assert [len(chunk) for chunk in run._chunks(cells)] == [16, 4]


def test_a_kernel_machine_has_no_ansatz_and_learns_iris(tmp_path: Path) -> None:
    plan = small_plan(model="quantum-kernel", noise=("none", "ad-dep:0.05"))
    record = run_audit(plan, tmp_path)
    assert record.outcome == "complete"
    for noise in plan.noise:
        # Iris is easy: 97 % is what support vector machines have on it, 45 samples resolve 2 %.
        assert value_of(record, "accuracy", attack="none", noise=noise) > 0.9
    assert record.measurements[0].tags["model"] == "quantum kernel, 2 qubits"


def test_a_kernel_machine_without_a_second_class_costs_its_cell_alone(tmp_path: Path) -> None:
    # One sample stays clean; of two classes QUID then gives all others one label.
    plan = small_plan(
        data=saved(tmp_path, clouds(40, ("a", "b"))),
        model="quantum-kernel",
        attacks=("quid",),
        detectors=(),
        ratios=(0.96,),
        seeds=4,
    )
    record = run_audit(plan, tmp_path / "out")
    assert only(record.select("accuracy", attack="none")).n == 4
    assert record.outcome == "partial"
    assert all("class" in line for line in record.failures), record.failures


def test_a_curve_ends_at_the_accuracy(tmp_path: Path) -> None:
    plan = small_plan(curves=True, epochs=4)
    record = run_audit(plan, tmp_path)
    for attack in ("none", "random", "quid"):
        assert value_of(record, "accuracy_by_epoch", attack=attack, epoch=4) == pytest.approx(
            value_of(record, "accuracy", attack=attack)
        )
        first, last = (only(record.select("loss_by_epoch", attack=attack, epoch=e)) for e in (1, 4))
        assert first.unit == last.unit == "nats"
        assert first.better == "lower"
    falls = value_of(record, "loss_by_epoch", attack="none", epoch=1)
    assert value_of(record, "loss_by_epoch", attack="none", epoch=4) < falls


def test_curves_change_no_result(tmp_path: Path) -> None:
    plain = experiment(tmp_path).train()
    with_curves = experiment(tmp_path, curves=True).train()
    for cell, result in with_curves.items():
        assert result["confusion"] == plain[cell]["confusion"]


def test_the_key_gives_exactly_the_clean_model(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"attacks": ("protected-release",), "ratios": (0.5,)}
    thief = experiment(tmp_path, **settings).train()
    owner = experiment(tmp_path, **settings, with_key=True).train()
    for seed in range(2):
        clean = Cell("none", "none", 0.0, seed)
        released = Cell("none", "protected-release", 0.5, seed)
        assert owner[released]["confusion"] == owner[clean]["confusion"]
        # What was released is the same for both, whoever trains on it.
        assert owner[released]["destinations"] == thief[released]["destinations"]
        assert owner[released]["n_changed"] == thief[released]["n_changed"] > 0
    assert thief != owner


def test_an_attacker_may_reckon_with_another_noise(tmp_path: Path) -> None:
    noisy = experiment(tmp_path, noise=("ad-dep:0.3",), metric="trace")
    blind = experiment(tmp_path, noise=("ad-dep:0.3",), metric="trace", attacker_noise="none")
    cell = Cell("ad-dep:0.3", "quid", 0.3, 0)
    knows, guesses = (
        victim.attack(run.plan, cell, run.repetition(0), run.target) for run in (noisy, blind)
    )
    assert knows.encoder.noise is not None  # type: ignore[attr-defined]
    assert guesses.encoder.noise is None  # type: ignore[attr-defined]
    # The victim is the same: only the attacker's knowledge differs.
    assert noisy.target(cell.noise).noise == blind.target(cell.noise).noise


def test_many_shots_give_the_labels_of_exact_states(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"seeds": 1, "epochs": 1, "detectors": (), "attacks": ("quid",)}
    few, many = (
        value_of(
            run_audit(small_plan(**settings, attacker_states=f"bloch:{shots}"), tmp_path),
            "label_agreement",
        )
        for shots in (3, 1_000_000)
    )
    assert few < many == 1
    exact = run_audit(small_plan(**settings), tmp_path)
    assert not exact.select("label_agreement")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"attacker_states": "pauli:8"}, "9 or more, one for each Pauli setting"),
        ({"attacker_states": "bloch:2"}, "shots"),
        ({"attacks": ("bilevel",), "source_classes": ("setosa",)}, "cannot be targeted"),
        ({"samples": 1000, "fresh_samples": True}, "at most 150"),
        ({"noise": ("ibm-kyiv",), "device_qubits": (500, 1)}, "0 to 126"),
    ],
    ids=str,
)
def test_what_attackers_cannot_do_is_refused_before_the_work(
    tmp_path: Path, settings: dict[str, Any], told: str
) -> None:
    pytest.importorskip("qiskit")
    with pytest.raises(InvalidArgument, match=told):
        run_audit(small_plan(**settings), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_classes_that_are_not_there_cannot_be_poisoned(tmp_path: Path) -> None:
    plan = small_plan(attacks=("quid",), source_classes=("setose",))
    with pytest.raises(UnknownName, match="did you mean 'setosa'"):
        run_audit(plan, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_fresh_samples_are_drawn_for_each_seed(tmp_path: Path) -> None:
    fresh = experiment(tmp_path, fresh_samples=True, samples=60)
    fixed = experiment(tmp_path, samples=60)

    def ids(run: Experiment, seed: int) -> set[int]:
        repetition = run.repetition(seed)
        return {*repetition.train.ids.tolist(), *repetition.test.ids.tolist()}

    assert ids(fixed, 0) == ids(fixed, 1)
    assert ids(fresh, 0) != ids(fresh, 1)
    assert len(ids(fresh, 0)) == len(ids(fresh, 1)) == 60
    assert np.bincount(fresh.repetition(0).train.labels).tolist() == [14, 14, 14]
    # A seed's draw is its own: the number of seeds does not move it.
    more = experiment(tmp_path, fresh_samples=True, samples=60, seeds=5)
    assert ids(more, 1) == ids(fresh, 1)


class TestDevices:
    """On a device the circuit is transpiled, and its cells know by what."""

    @pytest.fixture(autouse=True)
    def qiskit(self) -> None:
        pytest.importorskip("qiskit")

    def test_a_device_is_a_noise_like_another(self, tmp_path: Path) -> None:
        plan = small_plan(noise=("ibm-kyiv",), device_qubits=(3, 4), detectors=())
        record = run_audit(plan, tmp_path)
        assert record.outcome == "complete"
        (note,) = [n for n in record.notes if n.startswith("ibm-kyiv")]
        assert "qubits 3, 4 (given)" in note
        # From the store, the record says the same.
        assert note in run_audit(plan, tmp_path).notes

    def test_another_table_in_the_same_file_is_another_cell(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.json"
        kyiv = device_named("ibm-kyiv")
        write_device(path, kyiv)
        cell = Cell(f"device:{path}", "none", 0.0, 0)
        settings: dict[str, Any] = {"noise": (cell.noise,), "device_qubits": (0, 1)}

        def keys() -> tuple[Any, Any]:
            stored = experiment(tmp_path, **settings)._stored_by()
            return stored.training(cell), stored.states(cell.noise, 0)

        before = keys()
        assert keys() == before
        qubits = [replace(q, t1=(q.t1 or 1e-4) / 2, t2=(q.t2 or 1e-4) / 2) for q in kyiv.qubits]
        write_device(path, replace(kyiv, qubits=tuple(qubits)))
        assert all(new != old for new, old in zip(keys(), before, strict=True))


def test_the_pool_is_part_of_what_a_cell_depends_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path / "cache"))
    cell = Cell("none", "none", 0.0, 0)
    settings: dict[str, Any] = {"reduce": "pool-autoencoder", "features": 2, "samples": 60}
    run = experiment(tmp_path, **settings)
    key = run._stored_by().training(cell)
    assert key["pool"] == weights_of(run.pool) != ""
    # Read from the cache, it is the same.
    assert experiment(tmp_path, **settings)._stored_by().training(cell) == key
    # The same 60 samples as a file are another pool: that file's samples, not all of iris.
    same = AuditPlan(data=saved(tmp_path, run.data), **settings)
    other = Experiment(same, victim.load_data(same), store_in(tmp_path), silent)
    assert other.fingerprint == run.fingerprint
    assert other._stored_by().training(cell)["pool"] != key["pool"]


def test_an_experiment_lets_go_of_its_data(tmp_path: Path) -> None:
    # A study makes hundreds of them, some on all of MNIST; a cycle would wait for the collector.
    gc.collect()
    gc.disable()
    try:
        run = experiment(tmp_path)
        run.train()
        run.compare_states()
        gone = weakref.ref(run.data.features)
        del run
        assert gone() is None
    finally:
        gc.enable()
