"""Every detector that is installed, ours or not, keeps the contract."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from bezoar.contracts import plugins
from bezoar.contracts.checks import check_detector
from bezoar.contracts.dataset import Dataset
from bezoar.quantum.encodings.angle import AngleEncoding
from bezoar.quantum.noise import ad_dep
from bezoar.quantum.state_encoder import StateEncoder


def clouds() -> Dataset:
    """30 samples around three places, two of them under a wrong label."""
    rng = np.random.default_rng(0)
    places = np.arange(30) % 3
    labels = places.copy()
    labels[:2] = 2
    return Dataset(
        features=np.clip(places[:, None] + 0.3 * rng.standard_normal((30, 4)) + 0.5, 0, np.pi),
        labels=labels,
        ids=np.arange(30),
        class_names=("ant", "bee", "cow"),
    )


def detector_named(name: str) -> Any:
    """The detector, with an encoder where it asks for one."""
    detector_class = plugins.load("detectors", name)
    is_record = dataclasses.is_dataclass(detector_class)
    fields = {field.name for field in dataclasses.fields(detector_class)} if is_record else set()
    circuit = AngleEncoding().circuit(n_features=4, n_qubits=2)
    encoder = StateEncoder(circuit=circuit, noise=ad_dep(0.05))
    return detector_class(**({"encoder": encoder} if "encoder" in fields else {}))


@pytest.mark.parametrize("name", plugins.names("detectors"))
def test_keeps_the_contract(name: str) -> None:
    check_detector(detector_named(name), clouds())


@pytest.mark.parametrize("name", plugins.names("detectors"))
def test_is_called_what_it_is_registered_as(name: str) -> None:
    assert detector_named(name).name == name


def test_ours_is_registered() -> None:
    assert "state-similarity" in plugins.names("detectors")
