"""A layout's matrices for many trainings at once, and their sweep over states or observables.

Axis names: T trainings, n matrices of a group, K functions, D matrix side, R rows of a sweep.
Gradients are written out: the work is a few dozen small tensor operations, where the bookkeeping of
a tape would cost as much as the arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bezoar.quantum.engines.layout import ROWS, Group, Layout, Ref, Route, Slot, Step


@dataclass(slots=True, eq=False)
class Built:
    """Numbers for one set of angles.

    Attributes:
        table: ``(1 + 2 * angles, T)``: 1, the cosines, the sines.
        factors: for each group, the functions of each factor, ``(n * K, T)``.
        groups: ``(n, T, D, D)`` of each group.
        ones: ``(m, T, d, d)``, all one-wire matrices, then the identity where it is needed.
        slots: ``(T, D, D)`` of each slot, runs absorbed.
        absorbing: for each absorbing group, what its gradient needs.
    """

    table: Tensor
    factors: list[list[Tensor]]
    groups: list[Tensor]
    ones: Tensor
    slots: list[Tensor]
    absorbing: list[tuple[Tensor, Tensor, Tensor, Tensor]]


@dataclass(frozen=True, slots=True, eq=False)
class _Absorption:
    """The slots whose main matrices are in one group and which absorb a run."""

    group: int
    positions: Tensor | None
    first: Tensor
    second: Tensor
    slots: tuple[int, ...]


# What is added to a gradient: where along the first axis (None: everywhere), and how much.
Share = tuple[Tensor | None, Tensor]


class Machine:
    """A layout with its constants on a device.

    Args:
        layout: from `lay_out`.
        dtype: real or complex, as the layout's matrices are.
        device: where to compute.
        vacuum: the one-wire vector of a wire that is not in play: I for observables, ``|0>`` for
            states.
        backwards: sweep rows are observables (``X @ S``) rather than states (``X @ S.T``).
    """

    def __init__(
        self,
        layout: Layout,
        *,
        dtype: torch.dtype,
        device: torch.device,
        vacuum: Sequence[float],
        backwards: bool,
    ) -> None:
        self.layout = layout
        self.dtype = dtype
        self.real = torch.empty(0, dtype=dtype).real.dtype
        self.device = device
        self.side = layout.side
        self.vacuum = torch.tensor(vacuum, dtype=dtype, device=device)
        self.backwards = backwards
        n_angles = len(layout.angles)
        rates = np.array([rate for _, rate in layout.angles])
        self._rates = None if (rates == 1).all() else self._tensor(rates, self.real)[:, None]
        self._parameters = self._index([source.parameter for source, _ in layout.angles])
        self._basis = [self._tensor(_stacked(group), dtype) for group in layout.groups]
        rows = [self._row_indices(group, n_angles) for group in layout.groups]
        # One look-up for the functions of all groups; each factor of each group is a part of it.
        self._n_factors = [len(of_group) for of_group in rows]
        flat = [row for of_group in rows for row in of_group]
        self._rows = torch.cat(flat) if flat else None
        self._row_sizes = [row.shape[0] for row in flat]
        self._identity = torch.eye(self.side, dtype=dtype, device=device).reshape(
            1, 1, self.side, self.side
        )
        self._one_offset: dict[int, int] = {}
        self.n_ones = 0
        for g in layout.one_wire_groups:
            self._one_offset[g] = self.n_ones
            self.n_ones += len(layout.groups[g].basis)
        self._uses_identity = self.n_ones == 0
        self._absorptions = self._plan_absorption(layout.slots)

    def one_position(self, ref: Ref) -> int:
        """Where a one-wire matrix is in `Built.ones`."""
        return self._one_offset[ref.group] + ref.position

    def identity_position(self) -> int:
        """Where the identity is in `Built.ones`, which asking for it puts there."""
        self._uses_identity = True
        return self.n_ones

    def pick(self, positions: Sequence[int], size: int) -> Tensor | None:
        """Positions among `size` as an index for `take`; None when they are all, in order."""
        if not self._uses_identity and list(positions) == list(range(size)):
            return None
        return self._index(positions)

    def angles(self, theta: Tensor, features: Tensor | None) -> Tensor:
        """All angles ``(angle, T)`` from ``theta (T, P)`` and ``features (T, d)``."""
        if features is None:
            return self._rated(theta.t().index_select(0, self._parameters))
        rows = [
            theta[:, source.parameter]
            if source.parameter >= 0
            else torch.prod(features[:, list(source.features)] - source.offset, dim=1)
            for source, _ in self.layout.angles
        ]
        return self._rated(torch.stack(rows))

    def _rated(self, angles: Tensor) -> Tensor:
        return angles if self._rates is None else angles * self._rates

    def build(self, angles: Tensor, n_trainings: int) -> Built:
        """All matrices for ``angles (angle, T)``."""
        one = torch.ones((1, n_trainings), dtype=self.real, device=self.device)
        table = torch.cat([one, angles.cos(), angles.sin()]) if angles.shape[0] else one
        functions: Iterator[Tensor] = iter(())
        if self._rows is not None:
            functions = iter(table.index_select(0, self._rows).split(self._row_sizes))
        factors = [[next(functions) for _ in range(n)] for n in self._n_factors]
        groups = [self._build_group(g, factors[g], n_trainings) for g in range(len(factors))]
        singles = [groups[g] for g in self._one_offset]
        if self._uses_identity:
            singles.append(self._identity.expand(1, n_trainings, -1, -1))
        ones = singles[0] if len(singles) == 1 else torch.cat(singles)
        slots = [groups[slot.main.group][slot.main.position] for slot in self.layout.slots]
        absorbing = []
        for absorption in self._absorptions:
            # One axis for slots and trainings: bmm costs a fraction of a broadcasting matmul.
            main = take(groups[absorption.group], absorption.positions).flatten(0, 1)
            first = ones.index_select(0, absorption.first).flatten(0, 1)
            second = ones.index_select(0, absorption.second).flatten(0, 1)
            product = _kron(first, second)
            total = torch.bmm(main, product)
            absorbing.append((main, first, second, product))
            matrices = total.reshape(-1, n_trainings, *total.shape[1:]).unbind(0)
            for slot, matrix in zip(absorption.slots, matrices, strict=True):
                slots[slot] = matrix
        return Built(table, factors, groups, ones, slots, absorbing)

    def build_backward(
        self, built: Built, d_slots: list[Tensor | None], shares: list[Share]
    ) -> Tensor:
        """Gradient with respect to the parameters' angles, ``(angle, T)``.

        Args:
            built: what `build` returned.
            d_slots: gradient of each slot, None for zero; consumed.
            shares: of the gradient of ``built.ones``; consumed.
        """
        d_groups: list[list[Tensor | None]] = [[None] * len(b) for b in self._basis]
        for absorption, saved in zip(self._absorptions, built.absorbing, strict=True):
            slots = [(slot, d_slots[slot]) for slot in absorption.slots]
            grads = [grad for _, grad in slots]
            if all(g is None for g in grads):
                continue
            total = torch.stack(
                [torch.zeros_like(built.slots[i]) if g is None else g for i, g in slots]
                if any(g is None for g in grads)
                else [g for g in grads if g is not None]
            )
            d_main = self._absorb_backward(absorption, saved, total, shares)
            for slot, grad in zip(absorption.slots, d_main.unbind(0), strict=True):
                ref = self.layout.slots[slot].main
                d_groups[ref.group][ref.position] = grad
                d_slots[slot] = None
        for slot, grad in zip(self.layout.slots, d_slots, strict=True):
            if grad is not None:
                d_groups[slot.main.group][slot.main.position] = grad
        return self._angles_backward(built, d_groups, _summed(shares, built.ones))

    def sweep(self, built: Built, route: Route, rows: Tensor, keep: list[Tensor] | None) -> Tensor:
        """Carries ``rows`` through the route.

        Args:
            built: the matrices.
            route: from `plan_route`.
            rows: observables or states ``(T, ...)``, the other axes those of ``route.start``, flat
                or not: R for the rows, one of `side` for each wire.
            keep: receives what `sweep_backward` needs, or None when no gradient is wanted.

        Returns:
            ``(T, R * side**wires)``, axes in the order of ``route.end``.
        """
        n_trainings = rows.shape[0]
        x = rows
        n_rows = rows.numel() // (n_trainings * self.side ** (len(route.start) - 1) or 1)
        for step in route.steps:
            if step.permutation is not None:
                shape = [n_rows if axis == ROWS else self.side for axis in step.before]
                x = x.reshape(n_trainings, *shape)
                x = x.permute(0, *[1 + axis for axis in step.permutation])
            matrix = self._active_rows(built.slots[step.slot], step)
            if step.front:
                x = x.reshape(n_trainings, matrix.shape[1], -1)
                out = torch.bmm(matrix.transpose(1, 2), x)
            else:
                x = x.reshape(n_trainings, -1, matrix.shape[1])
                out = torch.bmm(x, matrix)
            if keep is not None:
                keep.append(x)
            x = out
        return x.reshape(n_trainings, -1)

    def sweep_backward(
        self,
        built: Built,
        route: Route,
        kept: list[Tensor],
        grad: Tensor,
        d_slots: list[Tensor | None],
    ) -> Tensor:
        """Adds each slot's gradient to `d_slots`; returns that of the rows it started from.

        Args:
            built, route: as in `sweep`.
            kept: what `sweep` kept.
            grad: ``(T, ...)``, axes in the order of ``route.end``.
            d_slots: of each slot, None for zero; changed in place.
        """
        n_trainings = grad.shape[0]
        n_rows = grad.numel() // (n_trainings * self.side**route.n_wires or 1)
        for step, x in zip(reversed(route.steps), reversed(kept), strict=True):
            matrix = self._active_rows(built.slots[step.slot], step)
            if step.front:
                grad = grad.reshape(n_trainings, matrix.shape[2], -1)
                d_matrix = torch.bmm(x.conj(), grad.transpose(1, 2))
                grad = torch.bmm(matrix.conj(), grad)
            else:
                grad = grad.reshape(n_trainings, -1, matrix.shape[2])
                d_matrix = torch.bmm(x.transpose(1, 2).conj(), grad)
                grad = torch.bmm(grad, matrix.transpose(1, 2).conj())
            self._add_rows(d_slots, step, d_matrix, built.slots[step.slot])
            if step.permutation is not None:
                shape = [n_rows if step.before[a] == ROWS else self.side for a in step.permutation]
                back = sorted(range(len(shape)), key=step.permutation.__getitem__)
                grad = grad.reshape(n_trainings, *shape).permute(0, *[1 + axis for axis in back])
        return grad.reshape(n_trainings, -1)

    def _active_rows(self, slot: Tensor, step: Step) -> Tensor:
        """The slot as ``(T, side**active, D)``, wires not in play set to the vacuum."""
        matrix = slot if self.backwards else slot.transpose(1, 2)
        if all(step.active):
            return matrix
        n_wires = len(step.active)
        rows = matrix.reshape(len(slot), *(self.side,) * n_wires, -1)
        for wire in range(n_wires - 1, -1, -1):
            if not step.active[wire]:
                rows = (
                    rows.select(1 + wire, 0)
                    if self.backwards
                    else rows.movedim(1 + wire, -1) @ self.vacuum
                )
        return rows.reshape(len(slot), -1, slot.shape[-1])

    def _add_rows(
        self, d_slots: list[Tensor | None], step: Step, grad: Tensor, slot: Tensor
    ) -> None:
        if not all(step.active):
            n_wires = len(step.active)
            n_active = sum(step.active)
            full = grad.reshape(len(slot), *(self.side,) * n_active, -1)
            for wire in range(n_wires):
                if not step.active[wire]:
                    shape = [1] * (full.ndim + 1)
                    shape[1 + wire] = self.side
                    full = full.unsqueeze(1 + wire) * self.vacuum.reshape(shape)
            grad = full.reshape(slot.shape)
        grad = grad if self.backwards else grad.transpose(1, 2)
        before = d_slots[step.slot]
        d_slots[step.slot] = grad if before is None else before + grad

    def _build_group(self, index: int, factors: list[Tensor], n_trainings: int) -> Tensor:
        basis = self._basis[index]
        n, n_functions, size = basis.shape
        side = round(size**0.5)
        if not factors:
            return basis.reshape(n, 1, side, side).expand(-1, n_trainings, -1, -1)
        functions = _product(factors).reshape(n, n_functions, n_trainings).transpose(1, 2)
        return torch.bmm(functions.to(self.dtype), basis).reshape(n, n_trainings, side, side)

    def _factors_backward(
        self, index: int, factors: list[Tensor], d_matrices: Tensor
    ) -> list[Tensor]:
        """Gradient of each factor's functions, ``(n * K, T)``."""
        basis = self._basis[index]
        flat = d_matrices.reshape(len(basis), -1, basis.shape[2])
        d_functions = torch.bmm(basis.conj(), flat.transpose(1, 2))
        if d_functions.is_complex():
            d_functions = d_functions.real
        d_functions = d_functions.flatten(0, 1)
        if len(factors) == 1:
            return [d_functions]
        return [
            d_functions * _product([f for other, f in enumerate(factors) if other != which])
            for which in range(len(factors))
        ]

    def _absorb_backward(
        self,
        absorption: _Absorption,
        saved: tuple[Tensor, Tensor, Tensor, Tensor],
        total: Tensor,
        shares: list[Share],
    ) -> Tensor:
        main, first, second, product = saved
        d = first.shape[1]
        n_slots, n_trainings = total.shape[:2]
        flat = total.flatten(0, 1)
        d_product = torch.bmm(main.transpose(1, 2).conj(), flat)
        # Rows (i, k), columns (j, l) of kron(first, second): pair up (i, j) against (k, l).
        paired = d_product.reshape(-1, d, d, d, d).permute(0, 1, 3, 2, 4).reshape(-1, d * d, d * d)
        d_first = torch.bmm(paired, second.conj().reshape(-1, d * d, 1))
        d_second = torch.bmm(first.conj().reshape(-1, 1, d * d), paired)
        shape = (n_slots, n_trainings, d, d)
        shares.append((absorption.first, d_first.reshape(shape)))
        shares.append((absorption.second, d_second.reshape(shape)))
        return torch.bmm(flat, product.transpose(1, 2).conj()).reshape(total.shape)

    def _angles_backward(
        self, built: Built, d_groups: list[list[Tensor | None]], d_ones: Tensor
    ) -> Tensor:
        table = built.table
        if self._rows is None:
            return table[1:]
        shares: list[Tensor] = []
        for g, (grads, factors) in enumerate(zip(d_groups, built.factors, strict=True)):
            if not factors:
                continue
            offset = self._one_offset.get(g)
            total = None if offset is None else d_ones[offset : offset + len(grads)]
            if any(grad is not None for grad in grads):
                own = torch.stack(
                    [torch.zeros_like(built.groups[g][0]) if m is None else m for m in grads]
                )
                total = own if total is None else total + own
            if total is None:
                shares += [torch.zeros_like(factor) for factor in factors]
            else:
                shares += self._factors_backward(g, factors, total)
        d_table = torch.zeros_like(table).index_add_(0, self._rows, torch.cat(shares))
        n = table.shape[0] // 2
        _, cos, sin = table.split([1, n, n])
        _, d_cos, d_sin = d_table.split([1, n, n])
        return (cos * d_sin).addcmul_(sin, d_cos, value=-1)

    def parameters_backward(self, d_angles: Tensor, n_parameters: int) -> Tensor:
        """Gradient ``(T, P)`` from that of the angles; angles made of features drop out."""
        d_angles = self._rated(d_angles)
        # Angles made of features carry parameter -1 and land in a spare first row.
        out = d_angles.new_zeros((n_parameters + 1, d_angles.shape[1]))
        return out.index_add_(0, self._parameters + 1, d_angles)[1:].t()

    def _plan_absorption(self, slots: Sequence[Slot]) -> list[_Absorption]:
        by_group: dict[int, list[int]] = {}
        for index, slot in enumerate(slots):
            if slot.absorbed:
                by_group.setdefault(slot.main.group, []).append(index)
        planned = []
        for group, members in by_group.items():
            positions = [slots[i].main.position for i in members]
            whole = positions == list(range(len(self.layout.groups[group].basis)))
            refs = [slots[i].absorbed for i in members]
            one = [[self._absorbed_position(pair[k]) for pair in refs] for k in (0, 1)]
            planned.append(
                _Absorption(
                    group=group,
                    positions=None if whole else self._index(positions),
                    first=self._index(one[0]),
                    second=self._index(one[1]),
                    slots=tuple(members),
                )
            )
        return planned

    def _absorbed_position(self, ref: Ref | None) -> int:
        return self.identity_position() if ref is None else self.one_position(ref)

    def _row_indices(self, group: Group, n_angles: int) -> list[Tensor]:
        n_factors = len(group.rows[0])
        codes = [np.concatenate([member[f] for member in group.rows]) for f in range(n_factors)]
        return [self._index(np.where(code < 0, n_angles - code, code)) for code in codes]

    def _index(self, values: Sequence[int] | np.ndarray) -> Tensor:
        return torch.as_tensor(np.asarray(values, dtype=np.int64), device=self.device)

    def _tensor(self, values: np.ndarray, dtype: torch.dtype) -> Tensor:
        return torch.as_tensor(values, device=self.device).to(dtype)


def _stacked(group: Group) -> np.ndarray:
    return np.stack([basis.reshape(len(basis), -1) for basis in group.basis])


def take(values: Tensor, which: Tensor | None) -> Tensor:
    """`values` at positions along the first axis; all of them for None."""
    return values if which is None else values.index_select(0, which)


def _product(factors: list[Tensor]) -> Tensor:
    product = factors[0]
    for factor in factors[1:]:
        product = product * factor
    return product


def _summed(shares: list[Share], like: Tensor) -> Tensor:
    if len(shares) == 1 and shares[0][0] is None:
        return shares[0][1]
    total = torch.zeros_like(like)
    for which, share in shares:
        if which is None:
            total += share
        else:
            total.index_add_(0, which, share)
    return total


def _kron(first: Tensor, second: Tensor) -> Tensor:
    d = first.shape[1]
    product = first.reshape(-1, d, 1, d, 1) * second.reshape(-1, 1, d, 1, d)
    return product.reshape(-1, d * d, d * d)
