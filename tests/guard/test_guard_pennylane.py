"""QNodes: what PennyLane answers to values that are no angles, and that guards refuse them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from pennylane import numpy as pnp
from pennylane.qnn.torch import TorchLayer
from pennylane.tape import QuantumScript
from pennylane.transforms import cancel_inverses

from bezoar.guard import GuardError, Limits, check_circuit, guard, guarding

NAN = float("nan")
GOOD, BAD = np.array([0.1, 0.2]), np.array([NAN, 0.2])


def angle_qnode(diff_method: Any = "best") -> Any:
    @qml.qnode(qml.device("default.qubit", wires=2, seed=0), diff_method=diff_method)
    def circuit(x: Any, weights: Any) -> Any:
        qml.AngleEmbedding(x, wires=range(2))
        qml.StronglyEntanglingLayers(weights, wires=range(2))
        return qml.expval(qml.Z(0))

    return circuit


def amplitude_qnode(**options: Any) -> Any:
    @qml.qnode(qml.device("default.qubit", wires=2))
    def circuit(x: Any) -> Any:
        qml.AmplitudeEmbedding(x, wires=range(2), **options)
        return qml.probs(wires=range(2))

    return circuit


def weights() -> Any:
    return pnp.array(np.linspace(0.1, 1.2, 6).reshape(1, 2, 3), requires_grad=True)


def rotation() -> Any:
    @qml.qnode(qml.device("default.qubit", wires=1, seed=0))
    def circuit(x: Any) -> Any:
        qml.RX(x, wires=0)
        return qml.expval(qml.Z(0))

    return circuit


def test_with_shots_nan_becomes_an_answer_and_the_guard_refuses_it() -> None:
    circuit = qml.set_shots(rotation(), 100)
    with np.errstate(all="ignore"):
        assert circuit(NAN) == 1.0
        assert circuit(np.inf) == 1.0
    guarded = guard(Limits.angle(1))(circuit)
    for value in (NAN, np.inf):
        with pytest.raises(GuardError, match="x of circuit: wanted finite"):
            guarded(value)
    assert abs(guarded(0.1)) <= 1


def test_with_shots_one_nan_takes_the_answers_of_its_whole_batch() -> None:
    circuit = qml.set_shots(rotation(), 100)
    batch = np.array([0.1, 2.0, NAN])
    assert circuit(batch) == 1.0
    assert circuit(np.nan_to_num(batch)).shape == (3,)
    with guarding(), pytest.raises(GuardError, match="finite"):
        circuit(batch)


def test_angles_alias() -> None:
    circuit = rotation()
    assert circuit(0.3 + 4 * np.pi) == pytest.approx(circuit(0.3), abs=1e-12)
    with pytest.raises(GuardError, match="range"):
        guard(Limits.angle(1, max_abs=np.pi))(circuit)(0.3 + 2 * np.pi)


def test_a_guarded_qnode_is_a_qnode_with_the_same_answers() -> None:
    circuit = angle_qnode()
    guarded = guard(Limits.angle(2))(circuit)
    assert isinstance(guarded, qml.QNode)
    assert guarded is not circuit
    w = weights()
    assert guarded(GOOD, w) == circuit(GOOD, w)
    assert qml.draw(guarded)(GOOD, w) == qml.draw(circuit)(GOOD, w)
    np.testing.assert_array_equal(
        qml.grad(guarded, argnums=1)(GOOD, w), qml.grad(circuit, argnums=1)(GOOD, w)
    )
    x = pnp.array(GOOD, requires_grad=True)
    np.testing.assert_array_equal(
        qml.grad(guarded, argnums=0)(x, w), qml.grad(circuit, argnums=0)(x, w)
    )
    calls: list[Any] = [
        guarded,
        qml.set_shots(guarded, 10),
        qml.grad(guarded, argnums=1),
        cancel_inverses(guarded),
        guarded.update(diff_method="parameter-shift"),
    ]
    for call in calls:
        with pytest.raises(GuardError, match="x of circuit"):
            call(BAD, w)
    with np.errstate(all="ignore"):
        assert np.isnan(circuit(BAD, w))


def test_a_guard_below_the_qnode_does_the_same() -> None:
    @qml.qnode(qml.device("default.qubit", wires=2))
    @guard(Limits.angle(2), argument="x")
    def circuit(x: Any) -> Any:
        qml.AngleEmbedding(x, wires=range(2))
        return qml.expval(qml.Z(0))

    assert circuit(GOOD) == pytest.approx(np.cos(0.1))
    with pytest.raises(GuardError, match="wanted 2 features"):
        circuit(GOOD[:1])


def test_batches_name_their_samples() -> None:
    guarded = guard(Limits.angle(2))(angle_qnode())
    with pytest.raises(GuardError, match=r"sample 2, feature 0 \(1 of 3 samples: 2\)"):
        guarded(np.stack([GOOD, GOOD, BAD]), weights())


def test_torch_layers_learn_nothing_from_nan_and_the_guard_tells() -> None:
    @qml.qnode(qml.device("default.qubit", wires=1, seed=0), diff_method="parameter-shift")
    def circuit(inputs: Any, w: Any) -> Any:
        qml.RX(inputs[..., 0], wires=0)
        qml.RY(w, wires=0)
        return [qml.expval(qml.Z(0))]

    def gradient(qnode: Any, inputs: torch.Tensor) -> float:
        weight = {"w": torch.tensor(0.7)}
        layer = TorchLayer(qml.set_shots(qnode, 100), {"w": ()}, init_method=weight)
        layer(inputs).sum().backward()
        return float(layer.w.grad)

    with np.errstate(all="ignore"):
        assert gradient(circuit, torch.tensor([NAN])) == 0.0
    guarded = guard(Limits.angle(1), argument="inputs")(circuit)
    assert gradient(guarded, torch.tensor([0.1])) != 0.0
    with pytest.raises(GuardError, match="inputs of circuit"):
        gradient(guarded, torch.tensor([NAN]))


def test_torch_gradients_are_the_same_with_a_guard() -> None:
    circuit = angle_qnode()
    gradients = []
    for qnode in (circuit, guard(Limits.angle(2))(circuit)):
        x = torch.tensor(GOOD, requires_grad=True)
        qnode(x, torch.tensor(weights())).backward()
        gradients.append(x.grad)
    torch.testing.assert_close(*gradients, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("x", "answer", "rule"),
    [
        ([0.0, 0.0, 0.0, 0.0], NAN, "norm"),
        ([1e-200, 0.0, 0.0, 0.0], NAN, "norm"),
        ([1e200, 0.0, 0.0, 0.0], 0.0, "norm"),
        ([NAN, 1.0, 0.0, 0.0], NAN, "finite"),
    ],
)
def test_normalising_hides_what_the_guard_refuses(x: list[float], answer: float, rule: str) -> None:
    circuit = amplitude_qnode(normalize=True)
    with np.errstate(all="ignore"):
        np.testing.assert_equal(float(circuit(np.array(x)).sum()), answer)
    with pytest.raises(GuardError) as refused:
        guard(Limits.amplitude(2))(circuit)(np.array(x))
    assert [violation.rule for violation in refused.value.violations] == [rule]
    with guarding(), pytest.raises(GuardError) as refused:
        circuit(np.array(x))
    assert [violation.rule for violation in refused.value.violations] == [rule]


def test_one_state_for_x_a_thousand_x_and_minus_x() -> None:
    circuit = amplitude_qnode(normalize=True)
    x = np.array([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(circuit(1000 * x), circuit(x), rtol=1e-12)
    np.testing.assert_allclose(circuit(-x), circuit(x), rtol=1e-12)
    known = Limits.amplitude(2, max_norm=10.0)
    for call in (guard(known)(circuit), guarding(amplitudes=known)(circuit)):
        np.testing.assert_array_equal(call(x), circuit(x))
        with pytest.raises(GuardError, match="norm of at most 10"):
            call(1000 * x)


def test_padded_features_are_checked_before_the_padding() -> None:
    circuit = amplitude_qnode(pad_with=0.0)
    with guarding(amplitudes=Limits.amplitude(2, n_features=3)):
        assert circuit(np.ones(3)).sum() == pytest.approx(1.0)
        with pytest.raises(GuardError, match="wanted 3 features"):
            circuit(np.ones(2))


def test_guarding_sees_gates_embeddings_and_weights() -> None:
    circuit = angle_qnode()
    w = weights()
    with guarding(Limits.angle(2)):
        circuit(GOOD, w)
        qml.grad(circuit, argnums=1)(GOOD, w)
        with pytest.raises(GuardError, match=r"QNode circuit: .*feature 0 of AngleEmbedding"):
            circuit(BAD, w)
        with pytest.raises(GuardError, match="wanted 2 features in each sample, got 1"):
            circuit(GOOD[:1], w)
        with pytest.raises(GuardError, match="StronglyEntanglingLayers on wires"):
            circuit(GOOD, w * 1e3)
        with pytest.raises(GuardError, match="RX on wires"):
            rotation()(NAN)


def test_qnodes_without_a_name_are_watched_and_guarded() -> None:
    def circuit(wire: int, x: Any) -> Any:
        qml.RX(x, wires=wire)
        return qml.expval(qml.Z(wire))

    nameless = qml.QNode(functools.partial(circuit, 0), qml.device("default.qubit"))
    with guarding(), pytest.raises(GuardError, match=r"QNode: wanted .*RX on wires"):
        nameless(NAN)
    with pytest.raises(GuardError, match="x of"):
        guard(Limits.angle(1))(nameless)(NAN)


def test_guarding_reads_operators_within_operators() -> None:
    @qml.qnode(qml.device("default.qubit", wires=3))
    def circuit(x: Any) -> Any:
        qml.adjoint(qml.RX)(x[0], wires=0)
        qml.ctrl(qml.RY, control=1)(x[1], wires=0)
        qml.prod(qml.RX(x[2], 0), qml.RZ(0.1, 1))
        qml.exp(qml.X(0), 1j * x[3])
        qml.QubitUnitary(np.eye(2) * 1j, wires=0)
        qml.BasisState([1], wires=[2])
        return qml.expval(qml.Z(0))

    places = [r"Adjoint\(RX\)", "CRY", "RX", "Exp"]
    with guarding():
        circuit([0.1] * 4)
        for index, place in enumerate(places):
            x = [0.1] * 4
            x[index] = NAN
            with pytest.raises(GuardError, match=f"{place} on wires"):
                circuit(x)


def test_tapes_are_checked_too() -> None:
    tape = QuantumScript([qml.RX(NAN, 0)], [qml.expval(qml.Z(0))])
    with pytest.raises(GuardError, match=r"encoder: .*RX on wires"):
        check_circuit(tape, name="encoder")
    with guarding(), pytest.raises(GuardError, match="tape 0"):
        qml.execute([tape], qml.device("default.qubit"))
    with np.errstate(all="ignore"):
        zeros = QuantumScript([qml.StatePrep(np.zeros(2), wires=0, normalize=True)])
    with pytest.raises(GuardError, match="finite"):
        check_circuit(zeros)


def test_float32_angles_at_the_bound_are_allowed() -> None:
    with guarding():
        rotation()(np.float32(4 * np.pi))
        rotation()(torch.tensor(4 * np.pi, dtype=torch.float32))
        angle_qnode()(np.full(2, 4 * np.pi, np.float32), weights())
