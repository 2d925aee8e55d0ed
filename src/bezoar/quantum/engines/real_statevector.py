"""Layers of CX and RY on real state vectors: the circuit of hybrid networks, forwards and back.

H, RY and CX have real matrices, so a state of n qubits is 2**n real numbers. States are kept as
``(2**n, sample)``, wire 0 slowest: the CX of a layer then move whole rows, and its RY are a few
Kronecker factors, each one matrix product for the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.engines.first_order import first_order
from bezoar.quantum.engines.real_tables import Tables, tables_of

MOST_QUBITS = 16

Sampler = Callable[[Tensor], Tensor]
"""From probabilities of all bit strings ``(2**n, sample)`` to estimated Z, ``(sample, wire)``."""


class RealStateVector:
    """RY on every wire of |0...0>, then layers of CX and RY, then Z of every wire.

    Args:
        n_qubits: n, 1 to 16.
        pairs: (control, target) of the CX of every layer, in time order.

    Raises:
        InvalidArgument: another number of qubits.
    """

    def __init__(self, n_qubits: int, pairs: Sequence[tuple[int, int]]) -> None:
        if not 1 <= n_qubits <= MOST_QUBITS:
            raise InvalidArgument(
                "n_qubits",
                wanted=f"1 to {MOST_QUBITS}",
                got=n_qubits,
                mend="reduce the features to fewer qubits",
            )
        self.n_qubits = n_qubits
        self.pairs = tuple(pairs)
        self._held: dict[tuple[torch.device, torch.dtype], Tables] = {}

    def product(self, angles: Tensor) -> Tensor:
        """States ``(2**n, sample)`` from ``RY(angles[w])`` on wire w of |0...0>, differentiable.

        Args:
            angles: ``(wire, sample)``, radians.
        """
        return _Product.apply(angles, self)  # type: ignore[return-value]

    def expectations(
        self, states: Tensor, weights: Tensor, sampler: Sampler | None = None, *, parts: int = 1
    ) -> Tensor:
        """Z of every wire after all layers, ``(sample, wire)``, differentiable.

        Args:
            states: ``(2**n, sample * parts)``.
            weights: ``(layer, wire)``, radians.
            sampler: replaces exact expectations by estimates; the gradient stays the exact one.
            parts: 2 where real and imaginary part of a complex state are neighbours, else 1.
        """
        keep = torch.is_grad_enabled() and (states.requires_grad or weights.requires_grad)
        return _Layers.apply(states, weights, self, sampler, parts, keep)  # type: ignore[return-value]

    def tables(self, like: Tensor) -> Tables:
        """Those for the device and precision of `like`."""
        key = (like.device, like.dtype)
        if key not in self._held:
            self._held[key] = tables_of(self.n_qubits, self.pairs, *key)
        return self._held[key]


class _Product(torch.autograd.Function):
    """`RealStateVector.product`."""

    @staticmethod
    def forward(ctx: Any, angles: Tensor, program: RealStateVector) -> Tensor:
        own = program.tables(angles)
        half = 0.5 * angles
        table = torch.cat((half.cos(), half.sin(), torch.ones_like(half[:1])))
        numbers = table.index_select(0, own.amplitudes).reshape(-1, sum(own.sides), len(half[0]))
        left, right = numbers.prod(0).split(own.sides)
        ctx.own = own
        ctx.save_for_backward(angles, left, right)
        return (left[:, None] * right).reshape(-1, right.shape[1])

    @staticmethod
    @first_order
    def backward(ctx: Any, grad: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        _, left, right = ctx.saved_tensors
        shaped = grad.reshape(len(left), len(right), -1)
        d_left, d_right = (shaped * right).sum(1), (shaped * left[:, None]).sum(0)
        slopes = []
        for state, d_state, generators in zip(
            (left, right), (d_left, d_right), ctx.own.halves, strict=True
        ):
            turned = (generators @ state).reshape(-1, *state.shape)
            slopes.append((turned * d_state).sum(1))
        return torch.cat(slopes), None


class _Layers(torch.autograd.Function):
    """`RealStateVector.expectations`."""

    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        weights: Tensor,
        program: RealStateVector,
        sampler: Sampler | None,
        parts: int,
        keep: bool,
    ) -> Tensor:
        own = program.tables(states)
        matrices = _matrices(weights, own)
        kept = states.new_empty((len(weights), *states.shape)) if keep else None
        last = _swept(states, matrices, own, kept)
        if kept is not None:
            ctx.own, ctx.parts = own, parts
            ctx.save_for_backward(states, weights, kept, *matrices)
        probabilities = last.square()
        if parts > 1:
            probabilities = probabilities.reshape(len(last), -1, parts).sum(2)
        exact = _expectations(probabilities, own)
        if sampler is None:
            return exact
        # A sample whose amplitudes are NaN has no bit strings to draw.
        return torch.where(exact.isnan(), exact, sampler(probabilities).to(exact))

    @staticmethod
    @first_order
    def backward(ctx: Any, grad: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        _, _, kept, *matrices = ctx.saved_tensors
        own: Tables = ctx.own
        need_states, need_weights = ctx.needs_input_grad[:2]
        d_last = _expectations_backward(2 * grad, own)
        if ctx.parts > 1:
            d_last = d_last.repeat_interleave(ctx.parts, dim=1)
        d_kept = torch.empty_like(kept)
        torch.mul(d_last, kept[-1], out=d_kept[-1])
        d_states = _swept_backward(d_kept, matrices, own, whole=need_states)
        d_weights = _slopes(kept, d_kept, own) if need_weights else None
        return d_states, d_weights, None, None, None, None


def _swept(states: Tensor, matrices: Sequence[Tensor], own: Tables, kept: Tensor | None) -> Tensor:
    """States ``(2**n, sample)`` after all layers.

    Args:
        states: ``(2**n, sample)``.
        matrices: from `_matrices`.
        own: the constants.
        kept: receives the states after each layer, ``(layer, 2**n, sample)``, if wanted.
    """
    shape = states.shape
    outs = [None] * len(matrices[0]) if kept is None else kept.unbind(0)
    for of_layer, out in zip(_by_layer(matrices), outs, strict=True):
        states = states.index_select(0, own.sources)
        for matrix in of_layer[:-1]:
            states = torch.bmm(matrix, states.view(*matrix.shape[:2], -1))
        states = states.view(*of_layer[-1].shape[:2], -1)
        states = torch.bmm(of_layer[-1], states, out=None if out is None else out.view_as(states))
        states = states.view(shape)
    return states


def _swept_backward(
    d_kept: Tensor, matrices: Sequence[Tensor], own: Tables, *, whole: bool
) -> Tensor | None:
    """Fills the gradients of the states after each layer but the last, whose gradient is there.

    Returns:
        The gradient of the states before all layers, unless `whole` is false.
    """
    layers = _by_layer([matrix.mT for matrix in matrices])
    for layer in reversed(range(0 if whole else 1, len(d_kept))):
        grad = d_kept[layer]
        for matrix in layers[layer]:
            grad = torch.bmm(matrix, grad.view(*matrix.shape[:2], -1))
        grad = grad.view(d_kept.shape[1:])
        if not layer:
            return grad.index_select(0, own.targets)
        torch.index_select(grad, 0, own.targets, out=d_kept[layer - 1])
    return None


def _by_layer(matrices: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
    """For each layer the matrices of its factors, from ``(layer, ...)`` of each factor."""
    return list(zip(*(matrix.unbind(0) for matrix in matrices), strict=True))


def _expectations(probabilities: Tensor, own: Tables) -> Tensor:
    """Z of every wire, ``(sample, wire)``, from the marginals of both halves.

    torch's sums of many terms lose fewer digits than its matrix products.
    """
    shaped = probabilities.view(*own.sides, -1)
    marginals = shaped.sum(1), shaped.sum(0)
    return torch.cat([s @ p for s, p in zip(own.signs, marginals, strict=True)]).t()


def _expectations_backward(grad: Tensor, own: Tables) -> Tensor:
    """Gradient of the probabilities, ``(2**n, sample)``, from that of all Z."""
    left, right = grad.t().split([len(signs) for signs in own.signs])
    d_left, d_right = own.signs[0].t() @ left, own.signs[1].t() @ right
    return (d_left[:, None] + d_right).view(-1, len(grad))


def _slopes(kept: Tensor, d_kept: Tensor, own: Tables) -> Tensor:
    """Gradient of the weights, ``(layer, wire)``.

    A generator commutes with all RY of its layer, so that the states after the layer will do.
    """
    n_layers = len(kept)
    slopes = []
    for factor in own.factors:
        shape = (n_layers * factor.slow, factor.side, -1)
        overlaps = torch.bmm(d_kept.view(shape), kept.view(shape).mT)
        summed = overlaps.reshape(n_layers, factor.slow, -1).sum(1)
        slopes.append(summed @ factor.generators)
    return torch.cat(slopes, dim=1)


def _matrices(weights: Tensor, own: Tables) -> tuple[Tensor, ...]:
    """The matrices of each factor, ``(layer, slow, side, side)``, the same along `slow`."""
    half = 0.5 * weights
    sin = half.sin()
    table = torch.cat((half.cos(), sin, -sin, torch.ones_like(sin[:, :1])), dim=1)
    numbers = table.index_select(1, own.entries).reshape(len(weights), -1, own.n_entries)
    entries = numbers.prod(1)
    return tuple(
        entries[:, factor.entries]
        .reshape(len(weights), 1, factor.side, factor.side)
        .expand(-1, factor.slow, -1, -1)
        for factor in own.factors
    )
