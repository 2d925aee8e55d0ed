"""Guards around functions of jax: values where it knows them, a refusal where it does not."""

from __future__ import annotations

from typing import Any

import pennylane as qml
import pytest

from bezoar.guard import GuardError, Limits, find_violations, guard, guarding

NAN = float("nan")
TWO = Limits.angle(2)


def test_jax_is_read_where_it_knows_the_values() -> None:
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    guarded = guard(TWO)(lambda x: (x * x).sum())
    good, bad = jnp.array([0.1, 0.2]), jnp.array([0.1, NAN])
    batch, worse = jnp.stack([good, good]), jnp.stack([good, bad])
    for call, fine, wrong in (
        (guarded, good, bad),
        (jax.grad(guarded), good, bad),
        (jax.hessian(guarded), good, bad),
        (jax.vmap(guarded), batch, worse),
        (jax.vmap(guarded, in_axes=1), batch.T, worse.T),
        (jax.vmap(jax.grad(guarded)), batch, worse),
        (jax.vmap(jax.vmap(guarded)), jnp.stack([batch] * 3), jnp.stack([worse] * 3)),
        (guard(TWO)(jax.jit(lambda x: x.sum())), good, bad),
    ):
        assert jnp.isfinite(call(fine)).all()
        with pytest.raises(GuardError, match="finite"):
            call(wrong)
    with pytest.raises(GuardError, match=r"guard\(limits\)\(jax.jit\(f\)\)"):
        jax.jit(guarded)(good)
    assert find_violations(jnp.ones(2, jnp.bfloat16), TWO) == ()
    scalars = jax.vmap(guard(Limits.angle(1))(lambda x: x))
    assert scalars(good).shape == (2,)


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype:UserWarning")
def test_qnodes_of_jax_are_watched() -> None:
    jax = pytest.importorskip("jax")
    jnp = jax.numpy

    @qml.qnode(qml.device("default.qubit", wires=1))
    def circuit(x: Any) -> Any:
        qml.RX(x, wires=0)
        return qml.expval(qml.Z(0))

    with guarding():
        assert jax.grad(circuit)(jnp.array(0.1)) == pytest.approx(-0.0998, abs=1e-3)
        with pytest.raises(GuardError, match="finite"):
            jax.grad(circuit)(jnp.array(NAN))
        with pytest.raises(GuardError, match="jax tracer of shape"):
            jax.jit(circuit)(jnp.array(0.1))
