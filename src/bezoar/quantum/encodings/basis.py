"""Basis encoding: each bit is a qubit in ``|0>`` or ``|1>``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidData
from bezoar.quantum.circuit import Circuit, Feature, Operation
from bezoar.quantum.encodings.encoding import check_fits, finite_matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class BasisEncoding:
    """RX(pi x) on one qubit per bit x, which is ``|x>`` up to a phase.

    Example:
        >>> print(BasisEncoding().circuit(n_features=2, n_qubits=2).draw())
        0: -RX(3.14*x0)-
        1: -RX(3.14*x1)-
    """

    @property
    def name(self) -> str:
        """``basis``."""
        return "basis"

    @property
    def feature_range(self) -> None:
        """None: bits are to be left alone."""
        return

    def capacity(self, n_qubits: int) -> int:
        """One bit per qubit."""
        return n_qubits

    def qubits_for(self, n_features: int) -> int:
        """One per bit."""
        return max(1, n_features)

    def circuit(self, n_features: int, n_qubits: int) -> Circuit:
        """One rotation per bit.

        Raises:
            InvalidArgument: more bits than qubits, or fewer than one of either.
        """
        check_fits(self, n_features, n_qubits)
        return Circuit(
            n_qubits,
            tuple(
                Operation("RX", (i,), (Feature((i,), scale=math.pi),)) for i in range(n_features)
            ),
        )

    def check(self, features: npt.ArrayLike) -> None:
        """Refuses everything but the numbers 0 and 1.

        Raises:
            InvalidData: that, or not a matrix.
        """
        matrix = finite_matrix(features)
        other = np.argwhere((matrix != 0) & (matrix != 1))
        if other.size:
            sample, feature = other[0]
            raise InvalidData(
                "features",
                wanted="bits, 0 or 1",
                got=f"{matrix[sample, feature]:g} in sample {sample}, feature {feature}",
                mend="threshold the data, or use the angle encoding",
            )
