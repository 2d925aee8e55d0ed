"""Theorems 1 and 2 on backdoors of hybrid networks: what is printed, and what follows.

Source: arXiv 2407.16273, section 4.2 and appendices A and B. The formulas are missing from the copy
that we could read; they are reconstructed from the text around them and from the proofs' steps.
Each theorem therefore has two readings, and both are offered by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.records import Table, Tags

Reading = Literal["two-sided", "printed", "concentration", "sentence"]

# Of Levy's lemma on the unit sphere of R**k: 2 exp(-k t**2 / (9 pi**3 eta**2)).
_LEVY = 9 * math.pi**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """A condition of a theorem and what the measurement says of it.

    Attributes:
        name: what is assumed.
        holds: whether it was met; None where a measurement cannot tell.
        detail: one sentence with the number.
    """

    name: str
    holds: bool | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TheoryCheck:
    """One reading of one theorem beside measured values.

    Attributes:
        theorem: 1 or 2.
        reading: ``two-sided`` and ``printed`` of Theorem 1, ``concentration`` and ``sentence`` of
            Theorem 2.
        statement: the formula in words.
        axis: what the positions are, for example ``triggered samples``.
        positions: where it was measured, in order given.
        measured: the measured value at each position; None where there is none.
        low, high: what the reading allows there; None for no bound on that side.
        unit: of measured values and bounds.
        constants: what went into the bounds.
        assumptions: the theorem's conditions, checked.
    """

    theorem: int
    reading: Reading
    statement: str
    axis: str
    positions: tuple[float, ...]
    measured: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    unit: str
    constants: Mapping[str, float] = field(default_factory=dict)
    assumptions: tuple[Assumption, ...] = ()

    @property
    def consistent(self) -> tuple[bool | None, ...]:
        """Whether each measured value lies within the bounds; None where nothing was measured."""
        return tuple(
            None
            if value is None
            else (low is None or value >= low) and (high is None or value <= high)
            for value, low, high in zip(self.measured, self.low, self.high, strict=True)
        )

    def table(self, *, n: int = 1, tags: Tags | None = None) -> Table:
        """Rows are positions; columns the measured value and the bounds.

        Args:
            n: how many repetitions each measured value is the mean of.
            tags: of the table, added to those of the theorem and its reading.
        """
        return Table(
            name="theory_check",
            row_title=self.axis,
            column_title=self.statement,
            rows=tuple(f"{position:g}" for position in self.positions),
            columns=("measured", "low", "high"),
            values=tuple(zip(self.measured, self.low, self.high, strict=True)),
            unit=self.unit,
            n=n,
            tags={"theorem": self.theorem, "reading": self.reading, **(tags or {})},
        )


def theorem_1_two_sided(
    n_triggered: npt.ArrayLike,
    *,
    low: float = 0.0,
    high: float = 1.0,
    delta: float = 0.05,
    lipschitz: float = 0.0,
    network_lipschitz: float = 1.0,
    strength_gap: npt.ArrayLike = 0.0,
    trigger_norm: float = 1.0,
) -> FloatArray:
    """``(b - a) sqrt(ln(2 / delta) / 2n) + K L_f |e - e'| ||t||``: what follows from Hoeffding.

    With probability ``1 - delta`` over the n samples, the mean loss on them at trigger strength e'
    is within this of the expected loss at strength e. The samples must be independent of the
    network: the bound holds for held-out samples, and not for those that it was trained on, for
    which the paper states it.

    Args:
        n_triggered: how many triggered samples, n.
        low, high: bounds a and b of the loss.
        delta: the chance to be wrong, in (0, 1).
        lipschitz: K of the loss in the network's output.
        network_lipschitz: L_f of the network in its input; leave at 1 if K is of both together.
        strength_gap: ``|e - e'|``, broadcast against `n_triggered`.
        trigger_norm: Euclidean norm of the trigger t of strength 1.

    Returns:
        The bound, in units of the loss, shape of `n_triggered` and `strength_gap` broadcast.

    Raises:
        InvalidArgument: a number out of range.

    Example:
        >>> theorem_1_two_sided([100, 400]).round(4).tolist()
        [0.1358, 0.0679]
    """
    drift = _nonnegative("lipschitz", lipschitz) * _nonnegative(
        "network_lipschitz", network_lipschitz
    )
    gap = np.abs(np.asarray(strength_gap, dtype=np.float64))
    return hoeffding(n_triggered, low=low, high=high, delta=delta) + drift * gap * _nonnegative(
        "trigger_norm", trigger_norm
    )


def theorem_1_printed(
    training_error: npt.ArrayLike,
    n_triggered: npt.ArrayLike,
    *,
    low: float = 0.0,
    high: float = 1.0,
    delta: float = 0.05,
    lipschitz: float = 0.0,
    strength: npt.ArrayLike = 0.0,
) -> FloatArray:
    """``E_n - (b - a) sqrt(ln(2 / delta) / 2n) + K e``: the lower bound as the paper reads it.

    This does not follow. ``|l(x) - l(x')| <= K ||x - x'||`` bounds a change from above; a change of
    at most K e can be none, or a decrease, so K e may be subtracted from a lower bound and never
    added. A constant loss is the counterexample: it has the Lipschitz constant K for every K, and
    its generalisation error does not grow with e.

    Args:
        training_error: mean loss E_n on the n triggered training samples.
        n_triggered, low, high, delta, lipschitz: as in `theorem_1_two_sided`.
        strength: e.

    Returns:
        What the generalisation error is said to be at least, broadcast, in units of the loss.

    Example:
        >>> float(theorem_1_printed(0.2, 100, lipschitz=0.5, strength=1.0).round(3))
        0.564
    """
    error = np.asarray(training_error, dtype=np.float64)
    added = _nonnegative("lipschitz", lipschitz) * np.asarray(strength, dtype=np.float64)
    return error - hoeffding(n_triggered, low=low, high=high, delta=delta) + added


def hoeffding(
    n: npt.ArrayLike, *, low: float = 0.0, high: float = 1.0, delta: float = 0.05
) -> FloatArray:
    """``(b - a) sqrt(ln(2 / delta) / 2n)``, for n independent losses in [a, b]."""
    count = np.asarray(n, dtype=np.float64)
    if not (count >= 1).all():
        raise InvalidArgument("n_triggered", wanted="1 or more", got=np.min(count))
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise InvalidArgument(
            "low and high",
            wanted="finite bounds of the loss",
            got=(low, high),
            mend="clip the loss: cross entropy has no upper bound of its own",
        )
    return (high - low) * np.sqrt(math.log(2 / _chance(delta)) / (2 * count))


def levy_alpha(t: npt.ArrayLike, *, dimension: npt.ArrayLike, eta: float) -> FloatArray:
    """``2 exp(-2 D t**2 / (9 pi**3 eta**2))``: the chance to be t or more away from the mean.

    For a function f of random pure states of dimension D, drawn uniformly from the sphere
    ``S**(2D - 1)`` of the real space of 2D dimensions, with Lipschitz constant eta in the Euclidean
    norm of that space. n qubits have ``D = 2**n``; the expectation of a Pauli Z has eta 2 at most.

    Source: Levy's lemma in the form of Popescu, Short, Winter, Nature Physics 2, 754 (2006).

    Args:
        t: deviations, 0 or more.
        dimension: D, 1 or more, broadcast against `t`.
        eta: above 0.
    """
    distance = np.asarray(t, dtype=np.float64)
    if not (distance >= 0).all():
        raise InvalidArgument("t", wanted="0 or more", got=np.min(distance))
    return 2 * np.exp(-2 * _dimension(dimension) * distance**2 / (_LEVY * _eta(eta) ** 2))


def theorem_2_threshold(delta: float, *, dimension: npt.ArrayLike, eta: float = 2.0) -> FloatArray:
    """``alpha**-1(delta) = eta sqrt(9 pi**3 ln(2 / delta) / 2D)``: the least trigger strength.

    The strength beyond which less than `delta` of random states deviate by themselves. It FALLS
    with the dimension, as ``2**(-n/2)``: the more qubits, the closer are all features to their mean
    and the smaller is the change that stands out. The paper's sentence says the opposite, see
    `theorem_2_sentence`. Both take encoded data for uniformly random states, which they are not.

    Args:
        delta: the allowed chance, in (0, 1).
        dimension: D = 2**n.
        eta: Lipschitz constant, 2 for a Pauli expectation.

    Returns:
        The strength in units of the feature; above 2, where it says nothing, for Pauli expectations
        of few qubits.

    Example:
        >>> theorem_2_threshold(0.05, dimension=[2**4, 2**8, 2**12]).round(2).tolist()
        [11.34, 2.84, 0.71]
    """
    return _eta(eta) * np.sqrt(_LEVY * math.log(2 / _chance(delta)) / (2 * _dimension(dimension)))


def theorem_2_sentence(delta: float, *, dimension: npt.ArrayLike, eta: float = 2.0) -> FloatArray:
    """The sentence "the strength required grows exponentially", at the mildest rate.

    The paper gives no formula for it. This is the threshold of one qubit (D = 2) times
    ``sqrt(D / 2)``: the rate of `theorem_2_threshold` upside down, exponential in the number of
    qubits. It is there to be compared with measurements, not because it follows from anything.

    Args:
        delta, dimension, eta: as in `theorem_2_threshold`.

    Example:
        >>> theorem_2_sentence(0.05, dimension=[2, 8]).round(2).tolist()
        [32.08, 64.17]
    """
    start = float(theorem_2_threshold(delta, dimension=2, eta=eta))
    return start * np.sqrt(_dimension(dimension) / 2)


def smallest_strength(
    strengths: npt.ArrayLike, success: npt.ArrayLike, *, level: float = 0.5
) -> float | None:
    """The smallest measured strength from which the attack succeeds in `level` of the samples.

    Args:
        strengths: ``(strength,)``.
        success: measured attack success rates, ``(strength,)``.
        level: in [0, 1].

    Returns:
        None if no strength reached it.

    Example:
        >>> smallest_strength([0.1, 0.4, 0.2], [0.0, 0.9, 0.6])
        0.2
    """
    where, rates = _pair("strengths", strengths, "success", success)
    reached = where[rates >= level]
    return float(reached.min()) if len(reached) else None


def _pair(
    first: str, a: npt.ArrayLike, second: str, b: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    x, y = (np.asarray(v, dtype=np.float64) for v in (a, b))
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        raise InvalidArgument(
            f"{first} and {second}",
            wanted="one number of each for each measurement",
            got=f"shapes {x.shape} and {y.shape}",
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InvalidArgument(f"{first} and {second}", wanted="finite numbers", got="NaN or inf")
    return x, y


def as_numbers(values: npt.ArrayLike | Sequence[float | None]) -> tuple[float | None, ...]:
    """Floats, None for what is missing or not finite."""
    array = np.asarray([np.nan if v is None else v for v in np.atleast_1d(values)], dtype=float)  # type: ignore[arg-type]
    return tuple(float(v) if math.isfinite(v) else None for v in array)


def _chance(delta: float) -> float:
    if not 0 < delta < 1:
        raise InvalidArgument("delta", wanted="inside (0, 1)", got=delta)
    return float(delta)


def _nonnegative(name: str, value: float) -> float:
    if not 0 <= value < math.inf:
        raise InvalidArgument(name, wanted="0 or more, finite", got=value)
    return float(value)


def _dimension(dimension: npt.ArrayLike) -> FloatArray:
    array = np.asarray(dimension, dtype=np.float64)
    if not (np.isfinite(array) & (array >= 1)).all():
        raise InvalidArgument("dimension", wanted="1 or more", got=np.min(array))
    return array


def _eta(eta: float) -> float:
    if not 0 < eta < math.inf:
        raise InvalidArgument("eta", wanted="above 0", got=eta)
    return float(eta)
