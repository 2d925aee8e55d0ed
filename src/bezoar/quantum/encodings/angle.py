"""Angle encoding: each feature is the angle of a rotation."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy.typing as npt

from bezoar.contracts.errors import BezoarWarning, InvalidArgument
from bezoar.quantum.circuit import Circuit, Feature, Operation
from bezoar.quantum.encodings.encoding import check_fits, check_range, finite_matrix

# A span that exceeds pi by rounding alone is no reason to warn.
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class AngleEncoding:
    """Feature ``i * len(axes) + k`` turns qubit ``i`` about ``axes[k]``, in the order of `axes`.

    The default is RX(x[2i]) and then RZ(x[2i+1]) on qubit i, two features per qubit on
    [0, pi]. Where features run out, the remaining rotations are left out.

    Attributes:
        axes: any sequence over X, Y and Z, first rotation first.
        hadamard_first: an H on every qubit in use before the rotations.
        low, high: the range that features should be scaled to, in radians.
        lossy: whether to accept, without a word, a sequence that loses features.

    Raises:
        InvalidArgument: no axes or other letters; a sequence that loses a feature (a rotation
            about the axis that the qubit points along, or twice about one axis) unless `lossy`; no
            range.

    Warns:
        BezoarWarning: a range beyond pi, where features alias; more than two features per qubit
            unless `lossy`.

    Source: the encoding of QUID (arXiv 2411.14412), which does not give order and range; these
    reproduce its Table 2.

    Example:
        >>> print(AngleEncoding().circuit(n_features=3, n_qubits=2).draw())
        0: -RX(x0)-RZ(x1)-
        1: -RX(x2)--------
    """

    axes: Sequence[str] = "XZ"
    hadamard_first: bool = False
    low: float = 0.0
    high: float = math.pi
    lossy: bool = False

    def __post_init__(self) -> None:
        # A string, so that the encoding hashes and compares by content.
        if not self.axes or not set(self.axes) <= set("XYZ"):
            raise InvalidArgument("axes", wanted="letters X, Y and Z, as in XZ", got=self.axes)
        object.__setattr__(self, "axes", "".join(self.axes))
        check_range(self.low, self.high)
        if not self.lossy:
            self._refuse_lost_features()
        if len(self.axes) > 2 and not self.lossy:
            _warn(
                f"axes {self.axes}: a qubit's state has two real coordinates, so "
                f"{len(self.axes)} features per qubit cannot all be told apart"
            )
        if self.high - self.low > math.pi + _TOLERANCE:
            _warn(
                f"low and high: the range {self.low:.3g} to {self.high:.3g} is longer than pi, so "
                "features alias: after the first rotation x and 2 pi - x have the same "
                "populations, and the ends of a whole turn are one state; use a range of pi"
            )

    def _refuse_lost_features(self) -> None:
        pointing = "X" if self.hadamard_first else "Z"
        if self.axes[0] == pointing:
            state = "|+>" if self.hadamard_first else "|0>"
            mend = "ZX" if self.hadamard_first else "XZ"
            raise InvalidArgument(
                "axes",
                wanted=f"a first rotation that changes {state}",
                got=self.axes,
                mend=f"R{pointing} leaves {state} as it is and its feature would be lost; "
                f"use {mend}, for example",
            )
        for first, second in itertools.pairwise(self.axes):
            if first == second:
                raise InvalidArgument(
                    "axes",
                    wanted="a change of axis from one rotation to the next",
                    got=self.axes,
                    mend=f"two R{first} in a row only encode the sum of their features",
                )

    @property
    def name(self) -> str:
        """``angle``."""
        return "angle"

    @property
    def feature_range(self) -> tuple[float, float]:
        """`low` and `high`."""
        return self.low, self.high

    def capacity(self, n_qubits: int) -> int:
        """``len(axes)`` per qubit."""
        return n_qubits * len(self.axes)

    def qubits_for(self, n_features: int) -> int:
        """``n_features / len(axes)``, rounded up."""
        return max(1, -(-n_features // len(self.axes)))

    def circuit(self, n_features: int, n_qubits: int) -> Circuit:
        """The rotations, one axis after the other.

        Raises:
            InvalidArgument: more features than the qubits hold, or fewer than one of either.
        """
        check_fits(self, n_features, n_qubits)
        per_qubit = len(self.axes)
        used = self.qubits_for(n_features)
        start = [Operation("H", (i,)) for i in range(used)] if self.hadamard_first else []
        turns = [
            Operation(f"R{axis}", (i,), (Feature((i * per_qubit + k,)),))
            for k, axis in enumerate(self.axes)
            for i in range(used)
            if i * per_qubit + k < n_features
        ]
        return Circuit(n_qubits, (*start, *turns))

    def check(self, features: npt.ArrayLike) -> None:
        """Refuses what is not finite; warns when a feature spans more than the range and pi.

        Raises:
            InvalidData: not a finite matrix.
        """
        matrix = finite_matrix(features)
        if not matrix.size:
            return
        spans = matrix.max(axis=0) - matrix.min(axis=0)
        widest = int(spans.argmax())
        if spans[widest] > max(math.pi, self.high - self.low) + _TOLERANCE:
            _warn(
                f"features: feature {widest} spans {spans[widest]:.3g} rad, more than pi, so "
                f"different values encode alike; scale to {self.low:.3g} to {self.high:.3g} first",
                stacklevel=3,
            )


@dataclass(frozen=True, slots=True)
class ZXZXEncoding(AngleEncoding):
    """RZ, RX, RZ, RX on each qubit, four features each, of which the first has no effect.

    The first RZ acts on |0>. For comparisons with who uses it; ``AngleEncoding(axes="XZXZ")`` loses
    no feature to its first gate.

    Source: QUID (arXiv 2411.14412), section 5.2 and Figure 4.

    Example:
        >>> print(ZXZXEncoding().circuit(n_features=4, n_qubits=1).draw())
        0: -RZ(x0)-RX(x1)-RZ(x2)-RX(x3)-
    """

    axes: Sequence[str] = "ZXZX"
    lossy: bool = True

    @property
    def name(self) -> str:
        """``angle-zxzx``."""
        return "angle-zxzx"


def _warn(text: str, stacklevel: int = 4) -> None:
    """By default points at the call of the constructor."""
    warnings.warn(text, BezoarWarning, stacklevel=stacklevel)
