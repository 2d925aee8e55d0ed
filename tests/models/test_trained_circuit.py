"""A trained circuit is the classifier that it came from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bezoar.contracts.errors import InvalidArgument
from bezoar.models.qnn import QNNClassifier
from bezoar.models.trained_circuit import TrainedCircuit
from bezoar.quantum.circuit import Circuit, Operation, Parameter
from bezoar.quantum.synthesis import ApproximateSynthesis


def test_it_predicts_as_its_classifier() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, np.pi, (12, 4)), np.arange(12) % 2
    model = QNNClassifier(scale=False, epochs=2, ansatz="sim-6", noise="ad-dep:0.05").fit(x, y)
    found = TrainedCircuit.of(model)
    np.testing.assert_allclose(found.probabilities(x), model.predict_proba(x), atol=1e-12)
    assert found.predict(x).tolist() == model.predict(x).tolist()
    assert found.n_classes == 2


def test_a_synthesis_that_changes_nothing_leaves_the_predictions() -> None:
    line = Circuit(1, (Operation("RX", (0,), (Parameter(0),)),))
    model = TrainedCircuit(circuit=line, theta=np.ones(1), weight=np.ones((1, 2)), bias=np.zeros(2))
    same = model.synthesised(ApproximateSynthesis())
    assert same.circuit == line
    assert same.theta.tolist() == [1.0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"theta": np.ones(2)},
        {"theta": np.array([np.nan])},
        {"weight": np.ones((2, 2))},
        {"weight": np.ones((1, 3))},
        {"bias": np.zeros((2, 1))},
    ],
)
def test_weights_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        "circuit": Circuit(1, (Operation("RX", (0,), (Parameter(0),)),)),
        "theta": np.ones(1),
        "weight": np.ones((1, 2)),
        "bias": np.zeros(2),
    }
    with pytest.raises(InvalidArgument):
        TrainedCircuit(**given | wrong)
