"""What gradients that are written out have in common: full precision, and no second derivative."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bezoar.contracts.errors import InvalidArgument

Gradients = tuple[Any, ...]


def full_precision(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Lifts autocast, whose short floats a circuit's long products do not bear."""
    if torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return contextlib.nullcontext()


def first_order(backward: Callable[[Any, Tensor], Gradients]) -> Callable[[Any, Tensor], Gradients]:
    """For the ``backward`` of an autograd function: its own derivative raises.

    torch's ``once_differentiable`` does the same with a message that names no mend, and leaves
    autocast as it is.

    Raises:
        InvalidArgument: on the backward pass through the gradients.
    """

    @functools.wraps(backward)
    def run(ctx: Any, grad: Tensor) -> Gradients:
        with torch.no_grad(), full_precision(grad.device):
            gradients = backward(ctx, grad)
        if not torch.is_grad_enabled():
            return gradients
        sources = (grad, *ctx.saved_tensors)
        return tuple(None if g is None else _FirstOrder.apply(g, *sources) for g in gradients)

    return run


class _FirstOrder(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, gradient: Tensor, *_sources: Tensor) -> Tensor:
        return gradient.clone()

    @staticmethod
    def backward(_ctx: Any, _grad: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        raise InvalidArgument(
            "create_graph",
            wanted="first derivatives of a quantum layer alone",
            got="a derivative of its gradient",
            mend="leave gradient penalties and Hessians through the quantum layer out",
        )
