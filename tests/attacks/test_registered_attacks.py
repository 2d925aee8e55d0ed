"""Every attack that is installed, ours or not, keeps the contract."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from bezoar.contracts import plugins
from bezoar.contracts.checks import check_attack
from bezoar.contracts.dataset import Dataset
from bezoar.models.circuits import build_ansatz, build_circuit, build_encoding
from bezoar.models.training import TrainingSettings
from bezoar.models.white_box import WhiteBoxVictim
from bezoar.quantum.noise import ad_dep
from bezoar.quantum.state_encoder import StateEncoder

OURS = {
    "bilevel",
    "bilevel-random",
    "gradient-canceling",
    "influence",
    "kkt",
    "loss-flip",
    "min-max",
    "protected-release",
    "quid",
    "random",
    "random-uniform",
}


def clouds() -> Dataset:
    """30 samples around three places."""
    rng = np.random.default_rng(0)
    labels = np.arange(30) % 3
    return Dataset(
        features=np.clip(labels[:, None] + 0.3 * rng.standard_normal((30, 4)) + 0.5, 0, np.pi),
        labels=labels,
        ids=np.arange(30),
        class_names=("ant", "bee", "cow"),
    )


def settings_for(attack_class: Any) -> dict[str, Any]:
    """What an attack asks to know of the victim, as the judge tells it."""
    fields = dataclasses.fields(attack_class) if dataclasses.is_dataclass(attack_class) else ()
    circuit = build_circuit(build_encoding(), build_ansatz("sim-1"), n_features=4, n_qubits=2)
    known = {
        "encoder": StateEncoder(circuit=circuit.encoding(), noise=ad_dep(0.05)),
        "victim": WhiteBoxVictim(
            circuit=circuit, noise=ad_dep(0.05), training=TrainingSettings(epochs=1)
        ),
        "test_data": clouds(),
        # The contract holds however much an attack computes.
        "rounds": 2,
        "candidates": 5,
        "models": 1,
        "steps": 2,
    }
    return {name: value for name, value in known.items() if name in {f.name for f in fields}}


@pytest.mark.parametrize("name", plugins.names("attacks"))
@pytest.mark.parametrize("ratio", [0.1, 0.5])
def test_keeps_the_contract(name: str, ratio: float) -> None:
    attack_class = plugins.load("attacks", name)
    check_attack(attack_class, clouds(), ratio=ratio, **settings_for(attack_class))


@pytest.mark.parametrize("name", plugins.names("attacks"))
def test_is_called_what_it_is_registered_as(name: str) -> None:
    attack_class = plugins.load("attacks", name)
    assert attack_class(ratio=0.1, **settings_for(attack_class)).name == name


def test_ours_are_all_registered() -> None:
    assert set(plugins.names("attacks")) >= OURS
