"""The constants that Theorems 1 and 2 assume, estimated on a network and its data."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.evaluate.backdoor_theory import Assumption, theorem_2_threshold

_FLOOR = 1e-6


def clipped_cross_entropy(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, *, floor: float = _FLOOR
) -> FloatArray:
    """``-ln max(p_label, floor)`` of each sample: in ``[0, -ln floor]``, as Hoeffding needs it.

    Args:
        probabilities: ``(sample, class)``.
        labels: class codes, ``(sample,)``.
        floor: in (0, 1).

    Example:
        >>> clipped_cross_entropy([[1.0, 0.0], [1.0, 0.0]], [0, 1], floor=0.01).round(3).tolist()
        [0.0, 4.605]
    """
    if not 0 < floor < 1:
        raise InvalidArgument("floor", wanted="inside (0, 1)", got=floor)
    values = np.asarray(probabilities, dtype=np.float64)
    codes = np.asarray(labels, dtype=np.int64)
    if values.ndim != 2 or codes.shape != (len(values),) or not len(values):
        raise InvalidData(
            "probabilities and labels",
            wanted="(sample, class) and (sample,), one sample or more",
            got=f"{values.shape} and {codes.shape}",
        )
    if codes.min() < 0 or codes.max() >= values.shape[1] or not np.isfinite(values).all():
        raise InvalidData(
            "probabilities and labels", wanted="finite, codes of its columns", got="others"
        )
    return -np.log(np.clip(values[np.arange(len(codes)), codes], floor, 1.0)) + 0.0


def bounded_loss(losses: npt.ArrayLike, *, low: float, high: float) -> Assumption:
    """Condition 1: the loss lies in [low, high] on these samples.

    Args:
        losses: ``(sample,)``.
        low, high: the bounds that a theorem was given; infinite for none.

    Example:
        >>> bounded_loss([0.1, 9.0], low=0.0, high=5.0).holds
        False
    """
    values = _finite("losses", losses)
    least, most = float(values.min()), float(values.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        return Assumption(
            name="bounded loss",
            holds=False,
            detail=f"No bound was given, as cross entropy has none; observed {least:.4g} to "
            f"{most:.4g}. Clip it.",
        )
    return Assumption(
        name="bounded loss",
        holds=bool(low <= least and most <= high),
        detail=f"Observed {least:.4g} to {most:.4g} on {values.size} samples, bounds {low:.4g} to "
        f"{high:.4g}.",
    )


def lipschitz_along(
    function: Callable[[FloatArray], npt.ArrayLike],
    inputs: npt.ArrayLike,
    triggered: npt.ArrayLike,
    *,
    steps: int = 8,
) -> float:
    """A lower bound of the Lipschitz constant of `function` along the way to the trigger.

    ``max |f(x_i+1) - f(x_i)| / ||x_i+1 - x_i||`` over samples and over neighbouring points of the
    straight line from each input to its triggered version. Samples that the trigger does not change
    tell nothing. The true constant can be larger: this is an estimate from below.

    Args:
        function: inputs ``(sample, ...)`` to a number for each, ``(sample,)``, or a vector,
            ``(sample, output)``, in the Euclidean norm.
        inputs, triggered: ``(sample, ...)``, the same samples.
        steps: pieces of the line, 1 or more.

    Raises:
        InvalidData: shapes that differ, no sample, values that are not finite.
        InvalidArgument: fewer than one step, or a trigger that changes no sample.

    Example:
        >>> x = np.zeros((1, 2))
        >>> lipschitz_along(lambda v: 3 * v[:, 0], x, x + [2.0, 0.0])
        3.0
    """
    start, end = _finite("inputs", inputs), _finite("triggered", triggered)
    if start.shape != end.shape:
        raise InvalidData("triggered", wanted=f"shape {start.shape}", got=end.shape)
    if steps < 1:
        raise InvalidArgument("steps", wanted="1 or more", got=steps)
    lengths = np.linalg.norm((end - start).reshape(len(start), -1), axis=1) / steps
    changed = lengths > 0
    if not changed.any():
        raise InvalidArgument(
            "triggered", wanted="inputs that the trigger changes", got="no change in any"
        )
    start, end, lengths = start[changed], end[changed], lengths[changed]
    before, largest = _outputs(function, start), 0.0
    for step in range(1, steps + 1):
        after = _outputs(function, start + (end - start) * (step / steps))
        slopes = np.linalg.norm(after - before, axis=1) / lengths
        largest, before = max(largest, float(slopes.max())), after
    return largest


def lipschitz_by_gradients(
    network: nn.Module | Callable[[Tensor], Tensor],
    inputs: npt.ArrayLike,
    *,
    loss: Callable[[Tensor], Tensor] | None = None,
    batch_size: int = 64,
) -> float:
    """A lower bound of the Lipschitz constant: the largest gradient norm over samples.

    For one output per sample the norm of its gradient; for several, the largest of their gradients'
    norms, which is below the spectral norm of the Jacobian. On a convex domain the constant is the
    supremum over all points; over some samples it is an estimate from below.

    Args:
        network: ``(sample, ...)`` to ``(sample,)`` or ``(sample, output)``; a module is put in
            evaluation mode and back. Each sample must be treated apart.
        inputs: ``(sample, ...)``; taken in the network's own precision, float64 for a callable.
        loss: from outputs to a number for each sample, ``(sample,)``, for example with labels
            inside; then `batch_size` must hold all samples. None for the outputs themselves.
        batch_size: samples at once.

    Example:
        >>> lipschitz_by_gradients(lambda x: (x**2).sum(1), np.array([[3.0, 4.0]]))
        10.0
    """
    values = _finite("inputs", inputs)
    if batch_size < 1 or (loss is not None and batch_size < len(values)):
        raise InvalidArgument(
            "batch_size",
            wanted="1 or more, and all samples with a loss, which may hold their labels",
            got=batch_size,
        )
    like = next(network.parameters(), None) if isinstance(network, nn.Module) else None
    kind, device = (torch.float64, None) if like is None else (like.dtype, like.device)
    # Each part has a mode of its own: frozen ones may be in evaluation while the rest trains.
    modes = [(m, m.training) for m in network.modules()] if isinstance(network, nn.Module) else []
    for module, _ in modes:
        module.training = False
    largest = 0.0
    try:
        for first in range(0, len(values), batch_size):
            part = values[first : first + batch_size]
            x = torch.tensor(part, dtype=kind, device=device, requires_grad=True)
            out = network(x) if loss is None else loss(network(x))
            if not out.requires_grad:  # a constant
                continue
            columns = out.reshape(len(part), -1)
            for k in range(columns.shape[1]):
                last = k == columns.shape[1] - 1
                (slope,) = torch.autograd.grad(columns[:, k].sum(), x, retain_graph=not last)
                largest = max(largest, float(slope.reshape(len(part), -1).norm(dim=1).max()))
    finally:
        for module, training in modes:
            module.training = training
    return largest


def smooth_loss(estimate: float, *, claimed: float) -> Assumption:
    """Condition 2: the loss has the Lipschitz constant `claimed`, seen against an estimate.

    An estimate from below can refute the claim and never confirm it.
    """
    if estimate > claimed:
        detail = f"Measured slopes reach {estimate:.4g}, above the constant {claimed:.4g}."
        return Assumption(name="Lipschitz loss", holds=False, detail=detail)
    detail = (
        f"Measured slopes reach {estimate:.4g}, not above the constant {claimed:.4g}; samples "
        "can refute a constant, not prove it."
    )
    return Assumption(name="Lipschitz loss", holds=None, detail=detail)


def linear_trigger(
    inputs: npt.ArrayLike, triggered: npt.ArrayLike, *, tolerance: float = 1e-9
) -> Assumption:
    """Condition 3: the trigger adds one pattern, ``x' = x + e t`` with the same e t for all x.

    Clipping, channel ratios (Qcolor), blending and set values depend on x and break it.
    """
    start, end = _finite("inputs", inputs), _finite("triggered", triggered)
    if start.shape != end.shape:
        raise InvalidData("triggered", wanted=f"shape {start.shape}", got=end.shape)
    change = (end - start).reshape(len(start), -1)
    spread = float(np.linalg.norm(change - change.mean(axis=0), axis=1).max())
    size = float(np.linalg.norm(change.mean(axis=0)))
    return Assumption(
        name="additive trigger",
        holds=bool(spread <= tolerance * max(size, 1.0)),
        detail=f"The added pattern has norm {size:.4g} on average and differs from it by up to "
        f"{spread:.4g} between {len(start)} samples.",
    )


def concentrated_features(
    features: npt.ArrayLike, *, n_qubits: int, delta: float = 0.05, eta: float = 2.0
) -> Assumption:
    """Theorem 2's condition: features stay within ``alpha**-1(delta)`` of their mean.

    Args:
        features: expectations of the circuit on data, ``(sample, observable)``.
        n_qubits: of the circuit; the dimension is ``2**n_qubits``.
        delta, eta: as in `theorem_2_threshold`.

    Example:
        >>> found = concentrated_features([[1.0], [-1.0]], n_qubits=12)
        >>> found.holds
        False
    """
    values = _finite("features", features).reshape(len(np.asarray(features)), -1)
    if n_qubits < 1:
        raise InvalidArgument("n_qubits", wanted="1 or more", got=n_qubits)
    allowed = float(theorem_2_threshold(delta, dimension=2.0**n_qubits, eta=eta))
    far = float((np.abs(values - values.mean(axis=0)) > allowed).mean(axis=0).max())
    spread = float(values.std(axis=0).max())
    # Two expectations of a Pauli string never differ by more than 2.
    empty = allowed >= 2
    random = math.sqrt(1 / (2**n_qubits + 1))
    return Assumption(
        name="concentration",
        holds=None if empty else bool(far <= delta),
        detail=(
            f"{100 * far:.1f} % of {len(values)} samples are more than {allowed:.3g} from the "
            f"mean, at most {100 * delta:g} % may be"
            + (", which a value in [-1, 1] meets in any case" if empty else "")
            + f"; their standard deviation is {spread:.3g}, that of random states {random:.3g}."
        ),
    )


def _outputs(function: Callable[[FloatArray], npt.ArrayLike], x: FloatArray) -> FloatArray:
    out = np.asarray(function(x), dtype=np.float64)
    if out.ndim == 0 or len(out) != len(x) or not np.isfinite(out).all():
        raise InvalidData(
            "function",
            wanted=f"a finite number or vector for each of {len(x)} samples",
            got=f"shape {out.shape}",
        )
    return out.reshape(len(x), -1)


def _finite(name: str, values: npt.ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim < 1 or not array.size or not np.isfinite(array).all():
        raise InvalidData(
            name, wanted="finite numbers of one sample or more", got=f"shape {array.shape}"
        )
    return array
