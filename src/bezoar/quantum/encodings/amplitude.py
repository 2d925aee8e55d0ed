"""Amplitude encoding: the features, normalised, are the state vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidData
from bezoar.quantum.circuit import Circuit, Operation
from bezoar.quantum.encodings.encoding import check_fits, finite_matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class AmplitudeEncoding:
    """The state ``sum_k x[k] |k> / norm``, basis states in the order of their bit strings.

    Amplitudes beyond the features are zero; for another padding append columns to the data. The
    length of a sample is lost, and so is its sign: x and -x are one state.

    Example:
        >>> AmplitudeEncoding().circuit(n_features=3, n_qubits=2).operations
        (Operation(gate='STATE', wires=(0, 1), angles=(), matrix=None, features=(0, 1, 2)),)
    """

    @property
    def name(self) -> str:
        """``amplitude``."""
        return "amplitude"

    @property
    def feature_range(self) -> None:
        """None: only the direction of a sample counts."""
        return

    def capacity(self, n_qubits: int) -> int:
        """``2**n_qubits``."""
        return 2**n_qubits

    def qubits_for(self, n_features: int) -> int:
        """``log2(n_features)``, rounded up."""
        return max(1, (n_features - 1).bit_length())

    def circuit(self, n_features: int, n_qubits: int) -> Circuit:
        """One ``STATE`` operation on all qubits.

        Raises:
            InvalidArgument: more features than the qubits hold, or fewer than one of either.
        """
        check_fits(self, n_features, n_qubits)
        wires, features = tuple(range(n_qubits)), tuple(range(n_features))
        return Circuit(n_qubits, (Operation("STATE", wires, features=features),))

    def check(self, features: npt.ArrayLike) -> None:
        """Refuses samples that have no direction.

        Raises:
            InvalidData: not a finite matrix, or a sample whose norm is zero or overflows.
        """
        matrix = finite_matrix(features)
        with np.errstate(over="ignore"):
            norms = np.linalg.norm(matrix, axis=1)
        bad = np.flatnonzero((norms == 0) | ~np.isfinite(norms))
        if bad.size:
            raise InvalidData(
                "features",
                wanted="samples of a norm above zero, which amplitudes need",
                got=f"norm {norms[bad[0]]:g} in sample {bad[0]} ({bad.size} such in all)",
                mend="drop these samples, or shift the data away from the origin",
            )
