"""The numbers in what frameworks pass around, without touching gradients.

No framework is imported here: what nobody has imported, nobody can have passed.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

# numpy has no more axes; also ends a list that holds itself.
_DEEPEST = 64
_PLAIN = {bool, int, float, complex}


class Unreadable(Exception):
    """Values that cannot be read as an array of numbers.

    Attributes:
        rule: ``traced``, ``dtype`` or ``length``.
        got: what came.
    """

    def __init__(self, rule: str, got: str) -> None:
        super().__init__(got)
        self.rule = rule
        self.got = got


def concrete(values: Any, depth: int = 0) -> npt.NDArray[Any]:
    """The values as a plain array, detached; the values themselves stay as they are.

    Under ``jax.vmap`` the mapped axis comes first, so the last axis stays that of the features.

    Args:
        values: numbers, nested lists, or arrays and tensors of numpy, torch, autograd or jax.
        depth: how deep in lists they lie.

    Raises:
        Unreadable: no numbers, rows of different lengths, or values that are not known yet.

    Example:
        >>> concrete([[1, 2.5], [3, 4]]).tolist()
        [[1.0, 2.5], [3.0, 4.0]]
    """
    if isinstance(values, np.ndarray):
        return _plain_kind(np.asarray(values))
    if isinstance(values, list | tuple):
        return _stacked(values, depth)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(values, torch.Tensor):
        return _of_torch(torch, values)
    jax = sys.modules.get("jax")
    if jax is not None and isinstance(values, jax.core.Tracer):
        known = _of_tracer(jax, values)
        return known if values.shape else known[..., None]
    autograd = sys.modules.get("autograd.tracer")
    if autograd is not None and autograd.isbox(values):
        return concrete(autograd.getval(values), depth)
    if hasattr(values, "tocsr"):
        return concrete(values.toarray(), depth)
    try:
        return _plain_kind(np.asarray(values))
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise Unreadable("dtype", f"a {type(values).__name__}") from None


def _stacked(values: list[Any] | tuple[Any, ...], depth: int) -> npt.NDArray[Any]:
    if depth >= _DEEPEST:
        raise Unreadable("dtype", f"lists more than {_DEEPEST} deep")
    try:
        if all(type(value) in _PLAIN for value in values):
            return np.array(values)
        parts = [concrete(value, depth + 1) for value in values]
        if len({part.shape for part in parts}) > 1:
            raise Unreadable("length", "rows of different lengths")
        return np.stack(parts)
    except (ValueError, OverflowError):
        # More axes than numpy has, or an integer that no float holds.
        raise Unreadable("dtype", f"a {type(values).__name__}") from None


def _plain_kind(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    # jax's bfloat16 and its kin are no kind of number to numpy.
    if array.dtype.kind == "V" and array.dtype.type.__module__ == "ml_dtypes":
        return array.astype(np.float32)
    return array


def _of_torch(torch: Any, tensor: Any) -> npt.NDArray[Any]:
    plain = tensor.detach()
    try:
        if torch.jit.is_tracing():
            # The traced module would run without the check.
            raise RuntimeError
        if plain.layout != torch.strided:
            plain = plain.to_dense()
        if plain.is_floating_point() and plain.itemsize < 4:
            # numpy has no bfloat16 and no 8-bit floats.
            plain = plain.float()
        try:
            return plain.cpu().resolve_conj().resolve_neg().numpy()
        except RuntimeError:
            # Under torch.func.grad a tensor has values but no storage.
            return np.array(plain.tolist(), dtype=str(plain.dtype).removeprefix("torch."))
    except (RuntimeError, TypeError):
        shape = tuple(tensor.shape)
        raise Unreadable(
            "traced", f"a torch tensor of shape {shape} whose values are not known"
        ) from None


def _of_tracer(jax: Any, tracer: Any) -> npt.NDArray[Any]:
    """The values behind a tracer of jax.grad, jax.jvp or jax.vmap; jax.jit has none yet."""
    if not isinstance(tracer, jax.core.Tracer):
        return _plain_kind(np.asarray(tracer))
    primal = getattr(tracer, "primal", None)
    if primal is not None:
        return _of_tracer(jax, primal)
    mapped = getattr(tracer, "batch_dim", None)
    if isinstance(mapped, int):
        inner = _of_tracer(jax, tracer.val)
        # Axes that an outer vmap mapped lie before those of the value.
        return np.moveaxis(inner, mapped + inner.ndim - np.ndim(tracer.val), 0)
    raise Unreadable("traced", f"a jax tracer of shape {tuple(tracer.shape)}")
