"""How far states and overlaps estimated from finite shots are from the exact ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.contracts.progress import Progress, silent
from bezoar.quantum.density import purity
from bezoar.quantum.distances import gram
from bezoar.quantum.state_encoder import StateEncoder
from bezoar.quantum.states import EncodedStates
from bezoar.quantum.tomography import parse_tomography


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimationError:
    """Errors of one protocol at one number of shots, over n samples.

    Attributes:
        tomography: the protocol's name, for example ``shadows:1000``.
        shots: state preparations per sample.
        n: samples.
        state: mean of ``||rho' - rho||_F`` over samples, rho' the estimate; None for protocols
            that estimate overlaps alone.
        overlap: root mean square error of ``Tr(rho' sigma')`` over pairs of different samples.
    """

    tomography: str
    shots: int
    n: int
    state: float | None
    overlap: float


def estimation_error(
    encoder: StateEncoder,
    features: npt.ArrayLike,
    protocol: str,
    shots: Sequence[int],
    *,
    progress: Progress = silent,
) -> tuple[EstimationError, ...]:
    """Errors of a measurement protocol for each number of shots.

    Estimates are linear, not projected. All of ours are unbiased, so that both errors fall as
    ``1 / sqrt(shots)`` once there are enough of them; errors at different numbers of shots are from
    independent draws.

    Args:
        encoder: how states are prepared, and the seed of the draws; its own tomography is not used.
        features: ``(sample, feature)``, two samples or more.
        protocol: a name that `bezoar.quantum.tomography.parse_tomography` reads up to the colon:
            ``pauli``, ``shadows``, ``bloch`` or ``overlap``.
        shots: state preparations per sample, one or more numbers of them.
        progress: told of samples encoded and measured.

    Raises:
        InvalidArgument: no number of shots, an unknown protocol, or one that does not fit these
            states.
        InvalidData: fewer than two samples, and as `StateEncoder.encode`.

    Example:
        >>> from bezoar.quantum.circuit import Circuit, Feature, Operation
        >>> turn = Circuit(1, (Operation("RX", (0,), (Feature((0,)),)),))
        >>> found = estimation_error(StateEncoder(circuit=turn), [[0.0], [1.0], [2.0]],
        ...                          "bloch", [100, 10000])
        >>> [(error.tomography, error.state < 0.2) for error in found]
        [('bloch:100', True), ('bloch:10000', True)]
    """
    if not len(shots):
        raise InvalidArgument("shots", wanted="one number or more", got="none")
    protocols = [parse_tomography(f"{protocol}:{number}") for number in shots]
    exact = replace(encoder, tomography=None).encode(features, progress=progress)
    if len(exact) < 2:
        raise InvalidData("features", wanted="two samples or more", got=len(exact))
    pairs = ~np.eye(len(exact), dtype=bool)
    overlaps = gram(exact, exact)[pairs]
    errors = []
    for number, tomography in zip(shots, protocols, strict=True):
        measured = replace(encoder, tomography=tomography).encode(features, progress=progress)
        wrong = gram(measured, measured)[pairs] - overlaps
        errors.append(
            EstimationError(
                tomography=f"{protocol}:{number}",
                shots=number,
                n=len(exact),
                state=_state_error(measured, exact),
                overlap=float(np.sqrt(np.mean(wrong**2))),
            )
        )
    return tuple(errors)


def _state_error(found: EncodedStates, exact: EncodedStates) -> float | None:
    """Mean Frobenius distance of each state to its own estimate."""
    if found.estimate == "overlap":
        return None
    if found.bloch is None:
        gap = found.pauli_vectors() - exact.pauli_vectors()
        return float(np.linalg.norm(gap, axis=1).mean() * 2.0 ** (-found.n_qubits / 2))
    assert exact.bloch is not None  # noqa: S101 - Bloch vectors are only estimated of products
    both = np.prod((1 + np.einsum("swp,swp->sw", found.bloch, exact.bloch)) / 2, axis=1)
    squares = purity(found) + purity(exact) - 2 * both
    return float(np.sqrt(np.maximum(squares, 0)).mean())
