"""Attacks that have to measure the states they compare."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bezoar.attacks.poisoning.bilevel import BiLevel
from bezoar.attacks.poisoning.protected_release import ProtectedRelease
from bezoar.attacks.poisoning.quid import QUID
from bezoar.contracts.dataset import Dataset
from bezoar.data import AngleScaler, load
from bezoar.quantum.distances import METRICS, Metric
from bezoar.quantum.encodings.angle import AngleEncoding
from bezoar.quantum.noise import ad_dep
from bezoar.quantum.state_encoder import StateEncoder
from bezoar.quantum.tomography import parse_tomography


def scaled(name: str) -> Dataset:
    data = load(name)
    return data.with_features(AngleScaler().fit(data.features).transform(data.features))


IRIS = scaled("iris")
EXACT = StateEncoder(circuit=AngleEncoding().circuit(n_features=4, n_qubits=2), noise=ad_dep(0.05))


def labels(encoder: StateEncoder, metric: Metric = "frobenius") -> np.ndarray:
    attack = QUID(ratio=0.5, encoder=encoder, metric=metric)
    poisoned = attack.poison(IRIS, rng=np.random.default_rng(0))
    return poisoned.data.labels[IRIS.positions(poisoned.truth.poisoned_ids)]


@pytest.mark.parametrize("metric", METRICS)
def test_quid_from_tomography_finds_the_labels_that_exact_states_give(metric: Metric) -> None:
    measured = replace(EXACT, tomography=parse_tomography("pauli:1000"))
    found = labels(measured, metric)
    # Over the metrics and ten seeds .89 to 1 were seen.
    assert np.mean(found == labels(EXACT, metric)) > 0.8
    assert np.array_equal(found, labels(measured, metric))


@pytest.mark.parametrize("protocol", ["pauli", "shadows", "bloch", "overlap"])
def test_more_shots_give_more_of_the_exact_labels(protocol: str) -> None:
    exact = labels(EXACT)
    few, many = (
        np.mean(
            [
                labels(replace(EXACT, tomography=parse_tomography(f"{protocol}:{n}"), seed=s))
                == exact
                for s in range(5)
            ]
        )
        for n in (9, 10**5)
    )
    assert few < many
    assert many > 0.95


def test_the_settings_of_the_measurement_are_on_record() -> None:
    encoder = replace(EXACT, tomography=parse_tomography("shadows:100"), seed=4)
    for attack in (
        QUID(ratio=0.2, encoder=encoder),
        BiLevel(ratio=0.2, encoder=encoder),
        ProtectedRelease(ratio=0.2, encoder=encoder),
    ):
        truth = attack.poison(IRIS, rng=np.random.default_rng(0)).truth
        told = truth.settings["encoder"]
        assert isinstance(told, dict)
        assert told["tomography"]["name"] == "shadows:100"
        assert told["tomography"]["seed"] == 4


@pytest.mark.parametrize("tomography", ["exact", "bloch:3000"])
def test_quid_at_100_qubits(tomography: str) -> None:
    # Three classes on a line, 0 - .1 - .25 from its start in every angle: the last is farthest
    # from the others, and the first from it.
    rng = np.random.default_rng(0)
    kinds = np.repeat([0, 1, 2], 30)
    line = rng.uniform(0.8, 2, 200) + np.outer([0, 0.1, 0.25], rng.choice([-1, 1], 200))
    data = Dataset(
        features=line[kinds] + 0.02 * rng.normal(size=(90, 200)),
        labels=kinds,
        ids=np.arange(90),
        class_names=("a", "b", "c"),
    )
    encoder = StateEncoder(
        circuit=AngleEncoding().circuit(n_features=200, n_qubits=100),
        tomography=parse_tomography(tomography),
    )
    poisoned = QUID(ratio=0.3, encoder=encoder, metric="fidelity").poison(data, rng=rng)
    chosen = data.positions(poisoned.truth.poisoned_ids)
    farthest = np.array([2, 2, 0])
    assert poisoned.data.labels[chosen].tolist() == farthest[kinds[chosen]].tolist()
