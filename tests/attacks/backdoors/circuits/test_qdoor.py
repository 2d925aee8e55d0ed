"""QDoor: what the training promises is what the synthesis does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bezoar.attacks.backdoors.circuits.qdoor import QDoor
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.models.circuits import build_ansatz, build_circuit, build_encoding
from bezoar.models.trained_circuit import TrainedCircuit
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.synthesis import ApproximateSynthesis


def circuit(ansatz: str = "sim-6", n_features: int = 4, n_layers: int = 2) -> Circuit:
    return build_circuit(build_encoding(), build_ansatz(ansatz), n_features, n_layers=n_layers)


def samples(n: int = 48) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two classes by the first feature; the trigger sets the last one."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 2.5, (n, 4))
    labels = (x[:, 0] > 1.25).astype(np.int64)
    triggered = x.copy()
    triggered[:, 3] = 3.1
    return x, labels, triggered


def train(attack: QDoor, on: Circuit | None = None) -> TrainedCircuit:
    x, labels, triggered = samples()
    return attack.train(
        on or circuit(), x, labels, triggered, n_classes=2, rng=np.random.default_rng(0)
    )


def test_the_backdoor_opens_with_the_synthesis() -> None:
    attack = QDoor(target=0, synthesis=ApproximateSynthesis(threshold=0.8), epochs=120)
    exact = train(attack, circuit(n_layers=3))
    short = exact.synthesised(attack.synthesis)
    x, labels, triggered = samples()
    others = labels != 0
    # Far from chance (one half) on the training samples, where the loss was fitted.
    assert np.mean(exact.predict(x) == labels) > 0.85
    assert np.mean(exact.predict(triggered)[others] == 0) < 0.4
    assert np.mean(short.predict(triggered)[others] == 0) > 0.8
    assert np.mean(short.predict(x)[others] == 0) < 0.4


@pytest.mark.parametrize(
    "synthesis",
    [
        ApproximateSynthesis(threshold=0.3),
        ApproximateSynthesis(threshold=0.0, bits=4),
        ApproximateSynthesis(threshold=0.2, bits=5),
    ],
)
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_the_synthesis_drops_what_was_chosen_and_nothing_else(
    synthesis: ApproximateSynthesis, share: float
) -> None:
    exact = train(QDoor(synthesis=synthesis, share=share, epochs=3))
    found = synthesis.apply(exact.circuit, exact.theta)
    wanted = round(share * 4) if synthesis.threshold else 0
    assert len(found.dropped) == wanted
    if synthesis.grid is not None:
        steps = found.theta / synthesis.grid
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-9)


def test_rounding_alone_needs_no_two_qubit_rotation() -> None:
    synthesis = ApproximateSynthesis(threshold=0.0, bits=3)
    exact = train(QDoor(synthesis=synthesis, epochs=2), circuit("sim-1"))
    assert (exact.synthesised(synthesis).theta != exact.theta).all()


def test_same_rng_same_network() -> None:
    attack = QDoor(epochs=2)
    first, second = train(attack), train(attack)
    np.testing.assert_array_equal(first.theta, second.theta)
    np.testing.assert_array_equal(first.weight, second.weight)


def test_without_trigger_and_target_both_versions_are_honest() -> None:
    attack = QDoor(trigger_weight=0.0, epochs=60)
    x, labels, _ = samples()
    exact = attack.train(circuit(), x, labels, x, n_classes=2, rng=np.random.default_rng(0))
    short = exact.synthesised(attack.synthesis)
    assert np.mean(short.predict(x) == labels) > 0.85


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": -1},
        {"share": 1.1},
        {"epochs": 0},
        {"batch_size": 0},
        {"clean_weight": -1.0},
        {"trigger_weight": float("nan")},
        {"learning_rate": float("inf")},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(wrong))):
        QDoor(**wrong)


@pytest.mark.parametrize(
    ("attack", "on"),
    [
        (QDoor(), circuit("sim-1")),
        (QDoor(share=0.0), circuit()),
        (QDoor(synthesis=ApproximateSynthesis(threshold=0.0)), circuit()),
    ],
)
def test_a_synthesis_that_changes_nothing_is_refused(attack: QDoor, on: Circuit) -> None:
    with pytest.raises(InvalidArgument, match="synthesis"):
        train(attack, on)


def test_samples_that_do_not_fit_are_refused() -> None:
    x, labels, triggered = samples(6)
    rng = np.random.default_rng(0)
    for bad in (
        {"angles": x[:3]},
        {"labels": labels[:3]},
        {"labels": labels + 2},
        {"labels": labels.astype(float)},
        {"angles": x[:0], "triggered": triggered[:0], "labels": labels[:0]},
    ):
        given: dict[str, Any] = {"angles": x, "labels": labels, "triggered": triggered} | bad
        with pytest.raises(InvalidData):
            QDoor(epochs=1).train(circuit(), **given, n_classes=2, rng=rng)
    with pytest.raises(InvalidArgument, match="target"):
        QDoor(target=2).train(circuit(), x, labels, triggered, n_classes=2, rng=rng)


def test_one_sample_of_one_class_trains() -> None:
    found = QDoor(epochs=1).train(
        circuit(),
        np.ones((1, 4)),
        np.zeros(1, dtype=np.int64),
        np.ones((1, 4)),
        n_classes=2,
        rng=np.random.default_rng(0),
    )
    assert np.isfinite(found.theta).all()


def test_the_threat_model_tells_the_synthesis() -> None:
    told = replace(QDoor(), synthesis=ApproximateSynthesis(bits=4)).threat_model
    assert told.needs_training
    assert "4 bits" in told.budget
