"""Encoded samples: the states that an encoding circuit makes of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidArgument

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncodedStates:
    """The states of many samples as real Pauli vectors.

    A product state is kept as its qubits' Bloch vectors, which works at any number of qubits; a
    general one as its whole Pauli vector ``Tr(P rho)``.

    Attributes:
        n_qubits: qubits per sample.
        bloch: ``(sample, qubit, 3)``, the X, Y, Z expectations of every qubit of product states;
            None when the states are not known to be products.
        pauli: ``(sample, 4**n_qubits)``, strings ordered I, X, Y, Z per wire, wire 0 slowest,
            first entry 1; None for product states.
        pure: whether every state is pure by construction (no active noise on the encoding).
        estimate: None for exact states. ``state`` for unbiased estimates from finite shots: no
            density matrix need have these expectations, see
            `bezoar.quantum.density.nearest_states`. ``overlap`` for vectors whose inner products
            alone mean something: ``v . w / 2**n_qubits`` estimates ``Tr(rho sigma)``.
    """

    n_qubits: int
    bloch: Floats | None = None
    pauli: Floats | None = None
    pure: bool = False
    estimate: Literal["state", "overlap"] | None = None

    def __post_init__(self) -> None:
        if (self.bloch is None) == (self.pauli is None):
            raise InvalidArgument("bloch, pauli", wanted="one of them", got="none or both")
        if self.estimate is not None and self.pure:
            raise InvalidArgument("pure", wanted="False for estimates", got="True")

    def __len__(self) -> int:
        return len(self.bloch if self.bloch is not None else self.pauli)  # type: ignore[arg-type]

    @property
    def is_product(self) -> bool:
        """Whether the Bloch form is the one at hand."""
        return self.bloch is not None

    def take(self, positions: npt.NDArray[np.integer] | slice) -> EncodedStates:
        """The states at these positions, in this order."""
        return EncodedStates(
            n_qubits=self.n_qubits,
            bloch=None if self.bloch is None else self.bloch[positions],
            pauli=None if self.pauli is None else self.pauli[positions],
            pure=self.pure,
            estimate=self.estimate,
        )

    def pauli_vectors(self) -> Floats:
        """``(sample, 4**n_qubits)``, multiplied out for product states.

        Raises:
            InvalidArgument: more than 10 qubits, where a sample alone is over 4 MiB.
        """
        if self.pauli is not None:
            return self.pauli
        if self.n_qubits > 10:
            raise InvalidArgument(
                "n_qubits",
                wanted="10 or fewer for whole Pauli vectors",
                got=self.n_qubits,
                mend="use a distance that has a product form, for example frobenius or fidelity",
            )
        bloch = self.bloch
        assert bloch is not None  # noqa: S101 - one of the two is there
        vectors = np.ones((len(bloch), 1), dtype=bloch.dtype)
        one = np.ones((len(bloch), 1), dtype=bloch.dtype)
        for wire in range(self.n_qubits):
            qubit = np.concatenate([one, bloch[:, wire]], axis=1)
            vectors = (vectors[:, :, None] * qubit[:, None, :]).reshape(len(bloch), 4 ** (wire + 1))
        return vectors
