"""Comparing values with their limits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bezoar.guard.limits import Limits
from bezoar.guard.values import Unreadable, concrete

_SHOWN = 5
# Squares of doubles within these neither overflow nor vanish.
_SAFE_LOW, _SAFE_HIGH = 1e-140, 1e140

_MENDS = {
    "finite": "leave these samples out, or mend what made them",
    "range": "scale the features to the range, with bounds learnt from training data",
    "whole": "round or threshold the features first",
    "norm": "leave these samples out: normalising would hide them",
    "length": "reduce or pad the features on purpose: an encoder may cut off what has no qubit",
    "dtype": "convert them to an array of numbers",
    "samples": "split the batch",
    "traced": (
        "put the guard outside of jax.jit, torch.func.vmap, torch.jit.trace and torch.export: "
        "guard(limits)(jax.jit(f))"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One limit that values did not keep to.

    Attributes:
        rule: ``finite``, ``range``, ``whole``, ``norm``, ``length``, ``dtype``, ``samples``,
            ``traced`` (the values are not known when the check runs) or ``unwatched`` (a framework
            that `guarding` did not see).
        wanted, got: in words, ``got`` with the first place.
        mend: what to do.
        samples: the first few samples that break it.
        n_refused, n_samples: how many samples break it, of how many.
    """

    rule: str
    wanted: str
    got: str
    mend: str
    samples: tuple[int, ...] = ()
    n_refused: int = 0
    n_samples: int = 0


def find_violations(
    values: Any, limits: Limits, *, places: Sequence[str] = ()
) -> tuple[Violation, ...]:
    """All limits that the values break, none if they keep to all.

    Args:
        values: what goes into the encoding; see `Limits` for its axes.
        limits: what it must keep to.
        places: names of the features, for messages.

    Example:
        >>> found = find_violations([[0.1, float("nan")], [0.2, 99.0]], Limits.angle(2))
        >>> [(violation.rule, violation.samples) for violation in found]
        [('finite', (0,)), ('range', (1,))]
    """
    Limits.known("limits", limits)
    try:
        array = concrete(values)
    except Unreadable as error:
        return (unreadable(error, limits),)
    if array.dtype.kind not in limits.kinds:
        got = f"an array of dtype {array.dtype}"
        return (_plain("dtype", limits.kinds_in_words(), got),)
    n_features = array.shape[-1] if array.ndim else 1
    n_samples = math.prod(array.shape[:-1])
    rows = array.reshape(n_samples, n_features)
    found = list(_of_shape(limits, n_samples, n_features))
    if rows.dtype.kind == "c" and (limits.low is not None or limits.high is not None):
        found.append(_plain("dtype", "real numbers, to have a least and a most", "complex ones"))
    elif rows.size or n_samples:
        with np.errstate(all="ignore"):
            found += _of_numbers(rows, limits, places)
    return tuple(found)


def _of_shape(limits: Limits, n_samples: int, n_features: int) -> Iterator[Violation]:
    if limits.length is not None and n_features != limits.length:
        wanted = f"{limits.length} features in each sample"
        yield _plain("length", wanted, f"{n_features}")
    if limits.max_samples is not None and n_samples > limits.max_samples:
        yield _plain("samples", f"at most {limits.max_samples} samples", f"{n_samples}")


def _of_numbers(
    rows: npt.NDArray[Any], limits: Limits, places: Sequence[str]
) -> Iterator[Violation]:
    # Beside complex values there are no bounds but those of magnitudes.
    real = np.abs(rows) if rows.dtype.kind == "c" else rows
    if real.dtype.kind == "b":
        real = real.view(np.uint8)
    low, high = _bounds(limits)
    least, most = (real.min(), real.max()) if real.size else (0.0, 0.0)
    # NaN and infinity show in these two; so does whatever lies beyond the bounds.
    odd = not (math.isfinite(least) and math.isfinite(most))
    finite = np.isfinite(rows) if odd and limits.finite else None
    if finite is not None:
        yield _at_elements("finite", "finite numbers", ~finite, rows, places)
    if odd or least < low or most > high:
        beyond = (real < low) | (real > high)
        beyond = beyond if finite is None else beyond & finite
        if beyond.any():
            yield _at_elements("range", _range_in_words(limits), beyond, rows, places)
    if limits.whole:
        part = (real != np.floor(real)) & np.isfinite(real)
        if part.any():
            yield _at_elements("whole", "whole numbers", part, rows, places)
    if limits.min_norm is not None or limits.max_norm is not None:
        largest = max(abs(float(least)), abs(float(most)))
        # A row far below the others may lose its squares, which matters to bounds as low alone.
        safe = _SAFE_LOW < largest < _SAFE_HIGH and not 0 < (limits.min_norm or 0) < _SAFE_LOW
        yield from _of_norms(_norms(real, scaled=not safe), limits)


def _bounds(limits: Limits) -> tuple[float, float]:
    reach = math.inf if limits.max_abs is None else limits.max_abs
    low = -reach if limits.low is None else max(limits.low, -reach)
    high = reach if limits.high is None else min(limits.high, reach)
    return float(low), float(high)


def _range_in_words(limits: Limits) -> str:
    low, high = _bounds(limits)
    if math.isinf(low):
        return f"values of at most {high:.6g}"
    if math.isinf(high):
        return f"values of at least {low:.6g}"
    return f"values from {low:.6g} to {high:.6g}"


def _norms(real: npt.NDArray[Any], *, scaled: bool) -> npt.NDArray[np.float64]:
    wide = real.astype(np.float64, copy=False)
    if not scaled:
        return np.sqrt(np.einsum("ij,ij->i", wide, wide))
    scale = np.max(np.abs(wide), axis=1, initial=0.0, keepdims=True)
    scale[(scale == 0) | ~np.isfinite(scale)] = 1.0
    units = wide / scale
    return scale[:, 0] * np.sqrt(np.einsum("ij,ij->i", units, units))


def _of_norms(norms: npt.NDArray[np.float64], limits: Limits) -> Iterator[Violation]:
    if limits.min_norm is not None:
        small = norms < limits.min_norm
        if small.any():
            yield _at_samples(f"a norm of at least {limits.min_norm:.6g}", small, norms)
    if limits.max_norm is not None:
        large = norms > limits.max_norm
        if large.any():
            yield _at_samples(f"a norm of at most {limits.max_norm:.6g}", large, norms)


def _at_elements(
    rule: str,
    wanted: str,
    mask: npt.NDArray[np.bool_],
    rows: npt.NDArray[Any],
    places: Sequence[str],
) -> Violation:
    samples = np.flatnonzero(mask.any(axis=1))
    first = int(samples[0])
    feature = int(mask[first].argmax())
    value = rows[first, feature]
    place = places[feature] if feature < len(places) else f"feature {feature}"
    if len(rows) > 1:
        place = f"sample {first}, {place}"
    return _of_samples(rule, wanted, f"{value:.6g} at {place}", samples, len(rows))


def _at_samples(
    wanted: str, mask: npt.NDArray[np.bool_], norms: npt.NDArray[np.float64]
) -> Violation:
    samples = np.flatnonzero(mask)
    got = f"{norms[samples[0]]:.6g}"
    if len(norms) > 1:
        got += f" at sample {samples[0]}"
    return _of_samples("norm", wanted, got, samples, len(norms))


def _of_samples(
    rule: str, wanted: str, got: str, samples: npt.NDArray[np.intp], n_samples: int
) -> Violation:
    shown = tuple(samples[:_SHOWN].tolist())
    if n_samples > 1:
        names = ", ".join(map(str, shown)) + (", ..." if len(samples) > _SHOWN else "")
        got += f" ({len(samples)} of {n_samples} samples: {names})"
    return Violation(
        rule=rule,
        wanted=wanted,
        got=got,
        mend=_MENDS[rule],
        samples=shown,
        n_refused=len(samples),
        n_samples=n_samples,
    )


def _plain(rule: str, wanted: str, got: str) -> Violation:
    return Violation(rule=rule, wanted=wanted, got=got, mend=_MENDS[rule])


def unreadable(error: Unreadable, limits: Limits) -> Violation:
    """The violation that values are which cannot be read."""
    wanted = {
        "traced": "values that are known when the check runs",
        "length": "samples of one length",
        "dtype": limits.kinds_in_words(),
    }[error.rule]
    return _plain(error.rule, wanted, error.got)
