"""What every encoding offers: how many features it holds, its circuit, and what it refuses."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.quantum.circuit import Circuit


@runtime_checkable
class Encoding(Protocol):
    """A way to write features into qubits.

    Qubits that hold no feature stay in ``|0>``.
    """

    @property
    def name(self) -> str:
        """The registered name."""
        ...

    @property
    def feature_range(self) -> tuple[float, float] | None:
        """The range that features should be scaled to; None where they are to be left alone."""
        ...

    def capacity(self, n_qubits: int) -> int | None:
        """How many features `n_qubits` hold; None for any number."""
        ...

    def qubits_for(self, n_features: int) -> int:
        """The fewest qubits that hold `n_features`."""
        ...

    def circuit(self, n_features: int, n_qubits: int) -> Circuit:
        """The circuit that encodes features 0 to ``n_features - 1``; it has no parameters.

        Raises:
            InvalidArgument: more features than the qubits hold, or fewer than one of either.
        """
        ...

    def check(self, features: npt.ArrayLike) -> None:
        """Refuses samples ``(sample, feature)`` that cannot be encoded, warns of doubtful ones.

        Raises:
            InvalidData: not a finite matrix, or values that this encoding cannot hold.
        """
        ...


def check_fits(encoding: Encoding, n_features: int, n_qubits: int) -> None:
    """Refuses more features than the qubits hold.

    Raises:
        InvalidArgument: that, or fewer than one feature or qubit.
    """
    for name, value in (("n_features", n_features), ("n_qubits", n_qubits)):
        if not isinstance(value, Integral) or value < 1:
            raise InvalidArgument(name, wanted="a whole number, 1 or more", got=value)
    capacity = encoding.capacity(n_qubits)
    if capacity is not None and n_features > capacity:
        raise InvalidArgument(
            "n_features",
            wanted=f"at most {capacity}, which the {encoding.name} encoding holds on "
            f"{n_qubits} {'qubit' if n_qubits == 1 else 'qubits'}",
            got=n_features,
            mend=f"use {encoding.qubits_for(n_features)} qubits "
            f"or reduce the data to {capacity} features",
        )


def finite_matrix(features: npt.ArrayLike) -> FloatArray:
    """The features as a matrix ``(sample, feature)`` of floats.

    Raises:
        InvalidData: another shape, text, NaN or infinity.
    """
    try:
        if np.iscomplexobj(features):
            raise TypeError("complex numbers")
        matrix = np.asarray(features, dtype=float)
    except (TypeError, ValueError) as error:
        raise InvalidData("features", wanted="numbers", got=str(error)) from error
    if matrix.ndim != 2:
        raise InvalidData(
            "features", wanted="a matrix (sample, feature)", got=f"shape {matrix.shape}"
        )
    finite = np.isfinite(matrix)
    if not finite.all():
        sample, feature = np.argwhere(~finite)[0]
        raise InvalidData(
            "features",
            wanted="finite numbers",
            got=f"{matrix[sample, feature]} in sample {sample}, feature {feature}",
            mend="drop or fill such samples",
        )
    return matrix


def check_range(low: float, high: float) -> None:
    """Refuses a range of angles that is not one.

    Raises:
        InvalidArgument: an end is not finite, or `high` is not above `low`.
    """
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InvalidArgument(
            "low and high", wanted="finite angles with low < high", got=(low, high)
        )
