"""How many pairs of states are compared at once: in tiles that stay in the cache.

Most distances need only inner products. A state becomes a few short real vectors, one for each
group of qubits, so that the overlap of two states is the product over groups of the inner products
of their vectors. One matrix product for each group then gives a whole tile of overlaps, and what
remains is elementwise, in place. The trace norm and the fidelity of general mixed states have no
such form: they cost one decomposition for each pair.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.progress import Progress
from bezoar.quantum.density import check_have_matrices, density_matrices
from bezoar.quantum.states import EncodedStates

Metric = Literal["hilbert-schmidt", "frobenius", "trace", "fidelity", "bures"]

TILE = (1024, 512)
"""Rows and columns: the fastest on CPUs with 1 to 2 MiB of second-level cache."""

SLOW_TILE = (32, 512)
"""The same where every pair costs a decomposition: progress shows and Ctrl-C works."""

TRACE_QUBITS = 6
"""Mixed product states of more qubits get no trace norm: it has no product form."""

HILBERT_SCHMIDT_QUBITS = 30
"""Beyond, 1 - Tr/2**n is 1 to nine digits or more and double precision keeps too little of it."""

POSITIVE: tuple[Metric, ...] = ("trace", "fidelity", "bures")
"""Metrics of density matrices, which estimated states become by `nearest_states`."""

_BLOCK_BYTES = 2**26
_SLICE_BYTES = 2**24
_LIMIT_SECONDS = 3600
_GROUP = 2
_SQRT2 = math.sqrt(2)
_FLOPS_PER_SECOND = 5e10
_EIGENVALUE_SECONDS = 3.2e-9
_SINGULAR_VALUE_SECONDS = 9e-9


@dataclass(frozen=True, slots=True)
class Prepared:
    """States in the form that a comparison multiplies.

    Attributes:
        parts: one matrix ``(state, K)`` for each group of qubits, or ``(state, d, d)`` factors.
        norms: ``(state,)``, the overlap of every state with itself.
    """

    parts: tuple[torch.Tensor, ...]
    norms: torch.Tensor


Prepare = Callable[[EncodedStates, torch.dtype], Prepared]
Fill = Callable[[Prepared, Prepared, torch.Tensor, torch.Tensor], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A way to fill tiles with values; a distance is ``offset + factor * value``.

    Attributes:
        prepare: turns states into what `fill` multiplies.
        fill: writes the values of a tile, given rows, columns, the tile and a scratch tile.
        width: numbers per prepared state.
        seconds: expected time of one pair on one thread.
        offset, factor: from values to distances; the mean of values maps the same way.
        self_value: the exact value of a state compared with itself; None when it varies.
        features: length of the vectors (`multiplied_out`) whose inner product is the value, so
            that its mean over a class is its value at the class's mean vector; None where the
            value is no inner product.
        decomposes: whether each pair costs a decomposition.
    """

    prepare: Prepare
    fill: Fill
    width: int
    seconds: float
    offset: float = 0.0
    factor: float = 1.0
    self_value: float | None = None
    features: int | None = None
    decomposes: bool = False

    def check_time(self, n_pairs: int) -> None:
        """Refuses what would take over an hour by a rough estimate.

        Raises:
            InvalidArgument: it would.
        """
        threads = 1 if self.decomposes else torch.get_num_threads()
        seconds = n_pairs * self.seconds / threads
        if seconds > _LIMIT_SECONDS:
            raise InvalidArgument(
                "number of pairs",
                wanted="at most an hour of work",
                got=f"{n_pairs} pairs, about {seconds / 3600:.1f} hours",
                mend="cap the references of each class with max_references, or take a cheaper "
                "metric such as frobenius",
            )


def overlap(a: EncodedStates, b: EncodedStates) -> Comparison:
    """The comparison of ``Tr(rho sigma)``, at any number of qubits for product states."""
    if a.is_product and b.is_product:
        scales = _qubit_scales(a, b)
        return _factored(
            functools.partial(_product, scales=scales),
            _no_change,
            sizes=_group_sizes(a.n_qubits, 4),
            factor=math.exp(np.log(scales / 2).sum()),
            linear=True,
        )
    return _factored(_dense, _no_change, sizes=[4**a.n_qubits], linear=True)


def decomposes(a: EncodedStates, b: EncodedStates, metric: Metric) -> bool:
    """Whether this metric costs a decomposition for each pair of these states."""
    if a.n_qubits == 1 or (a.pure and b.pure):
        return False
    if metric in ("fidelity", "bures"):
        return not (a.pure or b.pure or (a.is_product and b.is_product))
    return metric == "trace"


def check_metric(a: EncodedStates, b: EncodedStates, metric: Metric) -> None:
    """Refuses a metric that has no form for these states.

    Raises:
        InvalidArgument: trace of mixed products of many qubits, Hilbert-Schmidt of more still, or
            trace and fidelities of estimated overlaps.
    """
    n_qubits = a.n_qubits
    if metric in POSITIVE:
        check_have_matrices(a)
        check_have_matrices(b)
    if metric == "hilbert-schmidt" and n_qubits > HILBERT_SCHMIDT_QUBITS:
        raise InvalidArgument(
            "metric",
            wanted=f"another one than hilbert-schmidt for over {HILBERT_SCHMIDT_QUBITS} qubits",
            got=f"{n_qubits} qubits, where 1 - Tr(rho sigma)/2**n is 1 for all states",
            mend="rank by class_overlaps, which is the same order reversed, or use frobenius",
        )
    products = a.is_product and b.is_product
    if products and n_qubits > TRACE_QUBITS and metric == "trace" and decomposes(a, b, metric):
        raise InvalidArgument(
            "metric",
            wanted=f"another one than trace for mixed product states of over {TRACE_QUBITS} qubits",
            got=f"trace for {n_qubits} qubits: the trace norm of a difference of products has no "
            "product form",
            mend="use frobenius, fidelity or bures, which have one",
        )


def comparison(a: EncodedStates, b: EncodedStates, metric: Metric) -> Comparison:
    """The cheapest exact way to this metric for these states, one of each at least.

    Raises:
        InvalidArgument: as `check_metric`.
    """
    check_metric(a, b, metric)
    if metric == "hilbert-schmidt":
        same = overlap(a, b)
        return dataclasses.replace(same, offset=1.0, factor=-same.factor / 2.0**a.n_qubits)
    if metric == "frobenius":
        return _frobenius(a, b)
    if metric == "trace":
        return _trace(a, b)
    return _fidelity(a, b, metric)


def tiles(
    compare: Comparison,
    a: EncodedStates,
    b: EncodedStates,
    columns: npt.NDArray[np.intp],
    *,
    symmetric: bool = False,
    dtype: torch.dtype,
    tile: int | None,
    progress: Progress,
) -> Iterator[tuple[slice, slice, torch.Tensor]]:
    """The values of all of `a` against ``b.take(columns)``, tile by tile.

    With `symmetric`, `a` and `b` must be the same and the rows too are ``a.take(columns)``: only
    tiles on and above the diagonal are worked out, and those above it come a second time,
    transposed.

    Yields the rows, the positions within `columns`, and the values. The next tile overwrites
    them; off the diagonal they are not to be changed. Memory is bounded by two tiles and one block
    of prepared states on each side.
    """
    compare.check_time(len(a) * len(columns) // (2 if symmetric else 1))
    most = max(1, _BLOCK_BYTES // (compare.width * dtype.itemsize))
    usual = SLOW_TILE if compare.decomposes else TILE
    height, width = (min(side, most) for side in (usual if tile is None else (tile, tile)))
    block = max(1, most // width) * width
    values, scratch = torch.empty((2, height * width), dtype=dtype)
    rows_done, rows_total = 0, len(a) * math.ceil(len(columns) / block)
    for first in range(0, len(columns), block):
        positions = columns[first : first + block]
        right = compare.prepare(b.take(positions), dtype)
        for top in range(0, len(a), height):
            rows = slice(top, min(top + height, len(a)))
            begin = max(0, top - first) if symmetric else 0
            if begin < len(positions):
                left = compare.prepare(a.take(columns[rows] if symmetric else rows), dtype)
                for start in range(begin, len(positions), width):
                    part = slice(start, min(start + width, len(positions)))
                    shape = (rows.stop - top, part.stop - start)
                    out, spare = (t[: math.prod(shape)].view(shape) for t in (values, scratch))
                    compare.fill(left, _part(right, part), out, spare)
                    here = slice(first + start, first + part.stop)
                    yield rows, here, out
                    if symmetric and here.stop > rows.stop:
                        beyond = slice(max(here.start, rows.stop), here.stop)
                        yield beyond, rows, out[:, beyond.start - here.start :].T
            rows_done += rows.stop - top
            progress("distances", rows_done, rows_total)


def multiplied_out(prepared: Prepared) -> torch.Tensor:
    """The groups multiplied out, ``(state, K)``: overlaps are inner products of these."""
    whole, *rest = prepared.parts
    for part in rest:
        whole = (whole[:, :, None] * part[:, None, :]).flatten(1)
    return whole


# Forms with inner products -------------------------------------------------------------------


def _factored(
    prepare: Prepare,
    finish: Callable[[torch.Tensor, Prepared, Prepared], object],
    *,
    sizes: list[int],
    factor: float = 1.0,
    self_value: float | None = None,
    linear: bool = False,
) -> Comparison:
    def fill(left: Prepared, right: Prepared, values: torch.Tensor, scratch: torch.Tensor) -> None:
        torch.mm(left.parts[0], right.parts[0].T, out=values)
        for mine, theirs in zip(left.parts[1:], right.parts[1:], strict=True):
            values.mul_(torch.mm(mine, theirs.T, out=scratch))
        finish(values, left, right)

    return Comparison(
        prepare=prepare,
        fill=fill,
        width=sum(sizes),
        seconds=sum(2 * size / _FLOPS_PER_SECOND + 3e-10 for size in sizes),
        factor=factor,
        self_value=self_value,
        features=math.prod(sizes) if linear else None,
    )


def _frobenius(a: EncodedStates, b: EncodedStates) -> Comparison:
    if a.is_product and b.is_product:
        scales = _qubit_scales(a, b)
        return _factored(
            functools.partial(_product, scales=scales),
            _root_of_squared_distance,
            sizes=_group_sizes(a.n_qubits, 4),
            factor=math.exp(np.log(scales / 2).sum() / 2),
            self_value=0.0,
        )
    # Distances do not change when all vectors move together; around their mean the norms are
    # smallest, and with them the cancellation in |a|^2 + |b|^2 - 2 a.b.
    one = b if b.pauli is not None else a
    assert one.pauli is not None  # noqa: S101 - not both are products
    centre = one.pauli.mean(axis=0, dtype=np.float64)
    return _factored(
        functools.partial(_dense, centre=centre),
        _root_of_squared_distance,
        sizes=[4**a.n_qubits],
        self_value=0.0,
    )


def _trace(a: EncodedStates, b: EncodedStates) -> Comparison:
    if decomposes(a, b, "trace"):
        return _decomposed(a.n_qubits, _densities, _trace_norms, _EIGENVALUE_SECONDS)
    # The difference has two eigenvalues, equal but for their sign.
    same = _frobenius(a, b)
    return dataclasses.replace(same, factor=_SQRT2 * same.factor)


def _fidelity(a: EncodedStates, b: EncodedStates, metric: Metric) -> Comparison:
    bures = metric == "bures"
    products = a.is_product and b.is_product
    if decomposes(a, b, metric):
        norms = functools.partial(_nuclear_norms, bures=bures)
        values = _decomposed(a.n_qubits, _roots, norms, _SINGULAR_VALUE_SECONDS)
    elif a.pure or b.pure:
        values = _factored(
            _product if products else _dense,
            _root_of_bures if bures else _no_change,
            sizes=_group_sizes(a.n_qubits, 4) if products else [4**a.n_qubits],
            linear=not bures,
        )
    else:
        values = _factored(
            _rooted_product,
            _root_of_bures if bures else _no_change,
            sizes=_group_sizes(a.n_qubits, 5),
            linear=not bures,
        )
    if bures:
        return dataclasses.replace(values, factor=_SQRT2, self_value=0.0)
    return dataclasses.replace(values, offset=1.0, factor=-1.0, self_value=1.0)


def _no_change(values: torch.Tensor, left: Prepared, right: Prepared) -> None:
    """The overlap is the value."""


def _root_of_squared_distance(values: torch.Tensor, left: Prepared, right: Prepared) -> None:
    torch.sub(right.norms, values, alpha=2, out=values)
    values.add_(left.norms[:, None]).clamp_(min=0).sqrt_()


def _root_of_bures(values: torch.Tensor, left: Prepared, right: Prepared) -> None:  # noqa: ARG001
    values.clamp_(0, 1).sqrt_().neg_().add_(1).sqrt_()


def _dense(
    states: EncodedStates, dtype: torch.dtype, centre: npt.NDArray[np.float64] | None = None
) -> Prepared:
    """``2**(-n/2) (r - centre)``, whose inner products are ``Tr(rho sigma)`` but for the shift."""
    vectors = states.pauli_vectors()
    moved = vectors if centre is None else vectors - centre
    return _with_norms([torch.from_numpy(moved * 2.0 ** (-states.n_qubits / 2))], dtype)


def _product(
    states: EncodedStates, dtype: torch.dtype, scales: npt.NDArray[np.float64] | None = None
) -> Prepared:
    """``prod_w (1 + a_w.b_w) / s_w``: vectors ``(1, a_w) / sqrt(s_w)``, s_w = 2 unless given."""
    bloch = _bloch(states)
    one = torch.ones_like(bloch[..., :1])
    return _grouped(torch.cat([one, bloch], dim=2), scales, dtype)


def _rooted_product(states: EncodedStates, dtype: torch.dtype) -> Prepared:
    """``prod_w (1 + a_w.b_w + sqrt((1-|a_w|^2)(1-|b_w|^2))) / 2``, the fidelity of products.

    For one qubit Tr(rs) + 2 sqrt(det r det s); fidelity multiplies over tensor factors.
    """
    bloch = _bloch(states)
    one = torch.ones_like(bloch[..., :1])
    mixed = (1 - bloch.square().sum(2, keepdim=True)).clamp_(min=0).sqrt_()
    return _grouped(torch.cat([one, bloch, mixed], dim=2), None, dtype)


def _bloch(states: EncodedStates) -> torch.Tensor:
    if states.bloch is not None:
        return torch.from_numpy(states.bloch.astype(np.float64))
    return torch.from_numpy(states.pauli_vectors()[:, None, 1:].astype(np.float64))


def _grouped(
    qubits: torch.Tensor, scales: npt.NDArray[np.float64] | None, dtype: torch.dtype
) -> Prepared:
    """Multiplies out groups of qubits, so that a matrix product has more to do per entry."""
    roots = torch.full((qubits.shape[1],), _SQRT2, dtype=torch.float64)
    if scales is not None:
        roots = torch.from_numpy(np.sqrt(scales))
    qubits = qubits / roots[:, None]
    groups = []
    for first in range(0, qubits.shape[1], _GROUP):
        wires = qubits[:, first : first + _GROUP].unbind(1)
        groups.append(multiplied_out(Prepared(wires, qubits)))
    return _with_norms(groups, dtype)


def _with_norms(parts: list[torch.Tensor], dtype: torch.dtype) -> Prepared:
    """Norms are those of the rounded parts, so that equal states cancel as well as they can."""
    rounded = tuple(part.to(dtype).contiguous() for part in parts)
    norms = torch.ones(len(parts[0]), dtype=torch.float64)
    for part in rounded:
        norms *= part.double().square().sum(1)
    return Prepared(rounded, norms.to(dtype))


def _group_sizes(n_qubits: int, size: int) -> list[int]:
    whole, rest = divmod(n_qubits, _GROUP)
    return [size**_GROUP] * whole + [size**rest] * bool(rest)


def _qubit_scales(a: EncodedStates, b: EncodedStates) -> npt.NDArray[np.float64]:
    """Divisors of the qubits' factors with which the largest purity becomes 1.

    Purities of mixed states fall exponentially with the qubits, below what a float holds; what
    is divided out here is multiplied back once, at the end, in double precision.
    """
    assert a.bloch is not None  # noqa: S101 - only called for products
    assert b.bloch is not None  # noqa: S101
    if a.pure and b.pure:
        return np.full(a.n_qubits, 2.0)
    logs = [np.log1p(np.einsum("swp,swp->sw", s, s, dtype=np.float64)) for s in (a.bloch, b.bloch)]
    mean = (logs[0].mean(axis=0) + logs[1].mean(axis=0)) / 2
    largest = max(part.sum(axis=1).max() for part in logs)
    return np.exp(mean + (largest - mean.sum()) / a.n_qubits)


# Forms with a decomposition for each pair ----------------------------------------------------


def _decomposed(
    n_qubits: int,
    prepare: Prepare,
    values_of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    seconds: float,
) -> Comparison:
    size = 2**n_qubits

    def fill(
        left: Prepared,
        right: Prepared,
        values: torch.Tensor,
        scratch: torch.Tensor,  # noqa: ARG001
    ) -> None:
        (mine,), (theirs,) = left.parts, right.parts
        step = max(1, _SLICE_BYTES // (16 * size * size * len(theirs)))
        for start in range(0, len(mine), step):
            rows = slice(start, start + step)
            values[rows] = values_of(mine[rows], theirs)

    return Comparison(
        prepare=prepare,
        fill=fill,
        width=4 * size * size,
        seconds=1e-6 + seconds * size**3,
        self_value=0.0,
        decomposes=True,
    )


def _densities(states: EncodedStates, dtype: torch.dtype) -> Prepared:  # noqa: ARG001
    matrices = torch.from_numpy(density_matrices(states))
    return Prepared((matrices,), torch.ones(len(matrices)))


def _roots(states: EncodedStates, dtype: torch.dtype) -> Prepared:  # noqa: ARG001
    """Factors A with ``rho = A A*``; which factor does not matter to the nuclear norm."""
    values, vectors = torch.linalg.eigh(torch.from_numpy(density_matrices(states)))
    return Prepared((vectors * values.clamp_(min=0).sqrt_()[:, None, :],), torch.ones(len(values)))


def _trace_norms(mine: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    return torch.linalg.eigvalsh(mine[:, None] - theirs).abs_().sum(-1)


def _nuclear_norms(mine: torch.Tensor, theirs: torch.Tensor, *, bures: bool) -> torch.Tensor:
    """``(||sqrt(rho) sqrt(sigma)||_1)**2``, the fidelity, or what Bures makes of it."""
    root = torch.linalg.svdvals(mine.mH[:, None] @ theirs).sum(-1).clamp_(max=1)
    return root.neg_().add_(1).sqrt_() if bures else root.square_()


def _part(prepared: Prepared, part: slice) -> Prepared:
    return Prepared(tuple(tensor[part] for tensor in prepared.parts), prepared.norms[part])
