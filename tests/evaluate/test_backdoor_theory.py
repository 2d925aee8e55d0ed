"""Theorems 1 and 2 against simulation, against each other, and against their counterexamples."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.contracts.records import Table
from bezoar.evaluate.backdoor_theory import (
    hoeffding,
    levy_alpha,
    smallest_strength,
    theorem_1_printed,
    theorem_1_two_sided,
    theorem_2_sentence,
    theorem_2_threshold,
)
from bezoar.evaluate.backdoor_theory_checks import check_theorem_1, check_theorem_2
from bezoar.evaluate.backdoor_theory_constants import (
    bounded_loss,
    clipped_cross_entropy,
    concentrated_features,
    linear_trigger,
    lipschitz_along,
    lipschitz_by_gradients,
    smooth_loss,
)

deltas = st.floats(1e-6, 0.99)


@given(n=st.integers(1, 10**6), delta=deltas)
def test_hoeffding_falls_with_n_and_inverts_its_chance(n: int, delta: float) -> None:
    width = float(hoeffding(n, delta=delta))
    assert width > float(hoeffding(n + 1, delta=delta))
    assert 2 * math.exp(-2 * n * width**2) == pytest.approx(delta, rel=1e-9)


def test_hoeffding_holds_in_simulation() -> None:
    rng = np.random.default_rng(0)
    means = (rng.random((20_000, 25)) < 0.3).mean(axis=1)
    outside = np.mean(np.abs(means - 0.3) > hoeffding(25, delta=0.1))
    # At most delta; 4 standard errors of 20,000 draws are below 0.01.
    assert outside < 0.1 + 0.01


@given(gap=st.floats(0, 10), k=st.floats(0, 10), net=st.floats(0, 10), norm=st.floats(0, 10))
def test_the_two_sided_bound_is_the_sum_of_its_parts(
    gap: float, k: float, net: float, norm: float
) -> None:
    found = float(
        theorem_1_two_sided(
            50, lipschitz=k, network_lipschitz=net, strength_gap=-gap, trigger_norm=norm
        )
    )
    assert found == pytest.approx(float(hoeffding(50)) + k * net * gap * norm)


def test_a_constant_loss_refutes_the_printed_reading() -> None:
    """Loss 0.5 for every input is Lipschitz for every K, and no strength raises it."""
    printed = float(theorem_1_printed(0.5, 10_000, lipschitz=1.0, strength=0.4))
    assert printed > 0.5
    sided = float(theorem_1_two_sided(10_000, lipschitz=1.0, strength_gap=0.4))
    assert 0.5 - sided <= 0.5 <= 0.5 + sided


@given(delta=deltas, qubits=st.integers(1, 30), eta=st.floats(0.01, 100))
def test_the_threshold_inverts_alpha(delta: float, qubits: int, eta: float) -> None:
    dimension = 2.0**qubits
    threshold = theorem_2_threshold(delta, dimension=dimension, eta=eta)
    assert float(levy_alpha(threshold, dimension=dimension, eta=eta)) == pytest.approx(delta)


@given(delta=deltas, qubits=st.integers(1, 30))
def test_the_readings_of_theorem_2_go_opposite_ways(delta: float, qubits: int) -> None:
    dimension = 2.0 ** np.array([qubits, qubits + 2])
    small, large = theorem_2_threshold(delta, dimension=dimension)
    assert large == pytest.approx(small / 2)
    below, above = theorem_2_sentence(delta, dimension=dimension)
    assert above == pytest.approx(below * 2)


def test_random_states_concentrate_as_levy_says() -> None:
    rng = np.random.default_rng(0)
    dimension = 2**8
    states = rng.normal(size=(2000, dimension)) + 1j * rng.normal(size=(2000, dimension))
    states /= np.linalg.norm(states, axis=1, keepdims=True)
    signs = np.repeat([1.0, -1.0], dimension // 2)
    z = (np.abs(states) ** 2) @ signs
    for t in (0.05, 0.2, 3.0):
        far = np.mean(np.abs(z) >= t)
        assert far <= levy_alpha(t, dimension=dimension, eta=2.0) + 1e-12
    # The variance of Z over Haar-random states is 1 / (D + 1); 2000 draws give it to 3 %.
    assert z.std() == pytest.approx(math.sqrt(1 / (dimension + 1)), rel=0.1)


def test_smallest_strength_is_none_where_nothing_worked() -> None:
    assert smallest_strength([1.0, 2.0], [0.1, 0.2]) is None
    with pytest.raises(InvalidArgument):
        smallest_strength([1.0], [0.1, 0.2])
    with pytest.raises(InvalidArgument):
        smallest_strength([], [])


@pytest.mark.parametrize("delta", [0.0, 1.0, math.nan])
def test_a_chance_out_of_range_is_refused(delta: float) -> None:
    with pytest.raises(InvalidArgument, match="delta"):
        hoeffding(10, delta=delta)
    with pytest.raises(InvalidArgument, match="delta"):
        theorem_2_threshold(delta, dimension=4)


def test_an_unbounded_loss_is_refused_with_the_mend() -> None:
    with pytest.raises(InvalidArgument, match="clip the loss"):
        theorem_1_two_sided(10, high=math.inf)
    with pytest.raises(InvalidArgument, match="n_triggered"):
        theorem_1_two_sided([10, 0])
    with pytest.raises(InvalidArgument, match="lipschitz"):
        theorem_1_two_sided(10, lipschitz=-1.0)
    with pytest.raises(InvalidArgument, match="dimension"):
        theorem_2_threshold(0.1, dimension=0)
    with pytest.raises(InvalidArgument, match="eta"):
        levy_alpha(1.0, dimension=2, eta=0.0)


def test_checks_become_tables_of_a_record() -> None:
    checks = (
        *check_theorem_1(n_triggered=[5, 50], error=[0.4, 0.2], training_error=0.1),
        *check_theorem_2(n_qubits=[2, 4], strengths=[1, 2], success=[[0, 1], [0, 0]]),
    )
    assert [c.reading for c in checks] == ["two-sided", "printed", "concentration", "sentence"]
    for check in checks:
        table = check.table(n=3, tags={"data": "wine"})
        assert isinstance(table, Table)
        assert len(table.values) == len(table.rows) == len(check.positions)
        assert {len(row) for row in table.values} == {len(table.columns)}
        assert table.tags["reading"] == check.reading
    assert checks[2].measured == (2.0, None)
    assert checks[2].consistent == (False, None)
    tables = [check.table() for check in checks]
    assert json.loads(json.dumps([t.values for t in tables], allow_nan=False))


def test_positions_are_what_the_check_is_over() -> None:
    settings: dict[str, Any] = {
        "n_triggered": 40,
        "error": [0.1, 0.2],
        "training_error": [0.1, 0.1],
    }
    sided, printed = check_theorem_1(**settings, strength=[0.5, 1.0], over="trigger strength")
    assert sided.positions == printed.positions == (0.5, 1.0)
    # The same strength in training and test: no drift, whatever the strength.
    assert sided.low[0] == sided.low[1]
    with pytest.raises(InvalidArgument, match="over"):
        check_theorem_1(**settings, over="time")
    with pytest.raises(InvalidArgument, match="one length"):
        check_theorem_1(**{**settings, "error": [0.1, 0.2, 0.3]})
    with pytest.raises(InvalidArgument, match="finite"):
        check_theorem_1(**{**settings, "error": [0.1, math.nan]})


@pytest.mark.parametrize(
    ("qubits", "strengths", "success"),
    [
        ([2], [1.0], [0.5]),
        ([2, 3], [1.0], [[0.5]]),
        ([2], [1.0, 2.0, 3.0], [[0.1, 0.2]]),
        ([0], [1], [[1]]),
    ],
)
def test_theorem_2_arrays_that_do_not_fit_are_refused(
    qubits: Any, strengths: Any, success: Any
) -> None:
    with pytest.raises(InvalidArgument):
        check_theorem_2(n_qubits=qubits, strengths=strengths, success=success)


def test_the_slope_of_a_linear_function_is_its_norm_along_the_trigger() -> None:
    rng = np.random.default_rng(0)
    matrix, x, t = rng.normal(size=(3, 4)), rng.normal(size=(5, 4)), rng.normal(size=4)
    found = lipschitz_along(lambda v: v @ matrix.T, x, x + t)
    assert found == pytest.approx(np.linalg.norm(matrix @ t) / np.linalg.norm(t))


def test_estimates_stay_below_the_constant() -> None:
    x = np.linspace(-1, 1, 9)[:, None]
    assert lipschitz_along(np.sin, x, x + 0.3) <= 1
    assert lipschitz_by_gradients(torch.sin, x) == pytest.approx(1)


def test_samples_that_the_trigger_leaves_tell_nothing() -> None:
    x = np.zeros((2, 1))
    assert lipschitz_along(lambda v: 2 * v, x, [[0.0], [1.0]]) == pytest.approx(2)
    with pytest.raises(InvalidArgument, match="triggered"):
        lipschitz_along(lambda v: v, x, x)
    with pytest.raises(InvalidData, match="function"):
        lipschitz_along(lambda v: v[:1], np.zeros((3, 1)), np.ones((3, 1)))
    with pytest.raises(InvalidArgument, match="steps"):
        lipschitz_along(lambda v: v, x, x + 1, steps=0)


def test_gradients_of_a_module_leave_its_modes_alone() -> None:
    linear, norm = nn.Linear(2, 3), nn.BatchNorm1d(3).eval()
    network = nn.Sequential(linear, nn.Dropout(0.5), norm)
    largest = lipschitz_by_gradients(network, np.ones((4, 2)))
    weight = linear.weight.detach() / math.sqrt(1 + 1e-5)
    # Batch norm starts as a division by sqrt(1 + 1e-5); float32 keeps 6 digits.
    assert largest == pytest.approx(float(weight.norm(dim=1).max()), rel=1e-5)
    assert [m.training for m in network] == [True, True, False]


def test_gradients_of_a_loss_and_of_a_constant() -> None:
    x, labels = np.array([[1.0, -1.0], [0.5, 0.5]]), torch.tensor([0, 1])

    def loss(out: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(out, labels, reduction="none")

    found = lipschitz_by_gradients(lambda v: v, x, loss=loss)
    # |softmax - one-hot| of the second sample is (1/2, 1/2), of the first smaller.
    assert found == pytest.approx(math.sqrt(0.5))
    with pytest.raises(InvalidArgument, match="batch_size"):
        lipschitz_by_gradients(lambda v: v, x, loss=loss, batch_size=1)
    assert lipschitz_by_gradients(lambda v: torch.zeros(len(v)), x) == 0


def test_conditions_are_told_with_their_numbers() -> None:
    losses = clipped_cross_entropy([[1.0, 0.0]] * 2, [0, 1])
    assert losses.tolist() == pytest.approx([0, -math.log(1e-6)])
    assert bounded_loss(losses, low=0, high=-math.log(1e-6)).holds
    assert bounded_loss(losses, low=0, high=math.inf).holds is False
    assert smooth_loss(3.0, claimed=2.0).holds is False
    assert smooth_loss(1.0, claimed=2.0).holds is None
    x = np.random.default_rng(0).random((4, 3))
    assert linear_trigger(x, x + np.array([0, 0, 0.5])).holds
    assert not linear_trigger(x, np.clip(x + 0.5, 0, 1)).holds


def test_concentration_of_few_qubits_says_nothing() -> None:
    features = np.array([[1.0], [-1.0]])
    assert concentrated_features(features, n_qubits=4).holds is None
    assert concentrated_features(features, n_qubits=14).holds is False
    assert concentrated_features(features * 1e-3, n_qubits=14).holds
    with pytest.raises(InvalidArgument):
        concentrated_features(features, n_qubits=0)


@pytest.mark.parametrize(
    ("probabilities", "labels"),
    [([[0.5, 0.5]], [2]), ([[0.5, 0.5]], [-1]), ([[math.nan, 0.5]], [0]), ([0.5], [0]), ([], [])],
)
def test_probabilities_that_do_not_fit_are_refused(probabilities: Any, labels: Any) -> None:
    with pytest.raises(InvalidData):
        clipped_cross_entropy(probabilities, labels)
