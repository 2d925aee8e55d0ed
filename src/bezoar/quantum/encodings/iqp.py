"""IQP encoding: the ZZ feature map of Havlicek et al."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy.typing as npt

from bezoar.contracts.errors import BezoarWarning, InvalidArgument
from bezoar.quantum.circuit import Circuit, Feature, Operation
from bezoar.quantum.encodings.encoding import check_fits, check_range, finite_matrix
from bezoar.quantum.entanglement import Entanglement, check_pattern, pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class IQPEncoding:
    """`n_repeats` times: H on every qubit, a phase for each pair, a phase for each feature.

    The phases are ``2 (pi - x_i) (pi - x_j)`` on the odd parity of each entangled pair (CX, P, CX)
    and ``2 x_i`` (P). One feature per qubit.

    Attributes:
        n_repeats: how often the pattern is repeated.
        entanglement: which pairs, see `bezoar.quantum.entanglement.pairs`.
        low, high: the range that features should be scaled to, in radians.

    Raises:
        InvalidArgument: fewer than one repetition, an unknown pattern, no range.

    Warns:
        BezoarWarning: a range beyond pi, the period of the phases ``2 x``.

    Source: Havlicek et al., Nature 567, 209 (2019), in the form of Qiskit's ``zz_feature_map``,
    whose unitary it equals with wire i on qubit i. We put the pairs before the single phases of a
    repetition, with which they commute, so that the last operation uses the data: what follows it
    counts as trainable.

    Example:
        >>> print(IQPEncoding(n_repeats=1).circuit(n_features=2, n_qubits=2).draw())
        0: -H-*--------------------------*-P(2*x0)-
        1: -H-X-P(2*(x0-3.14)*(x1-3.14))-X-P(2*x1)-
    """

    n_repeats: int = 2
    entanglement: Entanglement = "full"
    low: float = 0.0
    high: float = math.pi

    def __post_init__(self) -> None:
        if self.n_repeats < 1:
            raise InvalidArgument("n_repeats", wanted="1 or more", got=self.n_repeats)
        check_pattern(self.entanglement)
        check_range(self.low, self.high)
        if self.high - self.low > math.pi + 1e-6:
            warnings.warn(
                f"low and high: the range {self.low:.3g} to {self.high:.3g} is longer than pi, "
                "the period of the phases 2 x, so they alias; use a range of pi",
                BezoarWarning,
                stacklevel=3,
            )

    @property
    def name(self) -> str:
        """``iqp``."""
        return "iqp"

    @property
    def feature_range(self) -> tuple[float, float]:
        """`low` and `high`."""
        return self.low, self.high

    def capacity(self, n_qubits: int) -> int:
        """One per qubit."""
        return n_qubits

    def qubits_for(self, n_features: int) -> int:
        """One per feature."""
        return max(1, n_features)

    def circuit(self, n_features: int, n_qubits: int) -> Circuit:
        """The feature map on the first `n_features` qubits.

        Raises:
            InvalidArgument: more features than the qubits hold, or fewer than one of either.
        """
        check_fits(self, n_features, n_qubits)
        operations = [Operation("H", (i,)) for i in range(n_features)]
        for i, j in pairs(self.entanglement, n_features):
            phase = Feature((i, j), scale=2.0, offset=math.pi)
            operations += [
                Operation("CX", (i, j)),
                Operation("P", (j,), (phase,)),
                Operation("CX", (i, j)),
            ]
        operations += [Operation("P", (i,), (Feature((i,), scale=2.0),)) for i in range(n_features)]
        return Circuit(n_qubits, tuple(operations)).repeated(self.n_repeats)

    def check(self, features: npt.ArrayLike) -> None:
        """Refuses what is not finite.

        Raises:
            InvalidData: not a finite matrix.
        """
        finite_matrix(features)
