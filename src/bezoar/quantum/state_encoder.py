"""How a victim prepares states: what an attacker or a detector may know of a model."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.progress import Progress, silent
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.engines.encoder import encode
from bezoar.quantum.noise import NoiseModel, describe
from bezoar.quantum.states import EncodedStates
from bezoar.quantum.tomography import Tomography, check_seed, measure

PROJECTION = (
    "frobenius, hilbert-schmidt and overlaps: none, estimates are linear; "
    "trace, fidelity and bures: nearest density matrix in Frobenius norm"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateEncoder:
    """An encoding circuit and the noise of the device that runs it; nothing that is trained.

    Attributes:
        circuit: the encoding: features, no parameters.
        noise: what the gates do besides; None for a perfect device.
        tomography: how states are measured, for those who must; None where they are known exactly.
            Readout error is left out: who measures states has calibrated it away.
        seed: of the measurements' outcomes. Those of a sample depend on the seed, the protocol and
            the sample's own features (in single precision, so that the last bits of doubles do not
            matter): not on the other samples, nor on the call. Samples with equal features
            are one preparation, measured once.

    Raises:
        InvalidArgument: the circuit has parameters or uses no feature, or `seed` is negative.

    Example:
        >>> from bezoar.quantum.circuit import Feature, Operation
        >>> turn = Circuit(1, (Operation("RX", (0,), (Feature((0,)),)),))
        >>> StateEncoder(circuit=turn).encode([[0.0]]).pauli_vectors().round(6).tolist()
        [[1.0, 0.0, 0.0, 1.0]]
    """

    circuit: Circuit
    noise: NoiseModel | None = None
    tomography: Tomography | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.circuit.n_parameters or not self.circuit.n_features:
            raise InvalidArgument(
                "circuit",
                wanted="an encoding: features and no parameters",
                got=f"{self.circuit.n_features} features, {self.circuit.n_parameters} parameters",
                mend="pass the part that prepares the data, for example model_circuit.encoding()",
            )
        if self.tomography is not None and not hasattr(self.tomography, "estimate"):
            raise InvalidArgument(
                "tomography",
                wanted="a measurement protocol or None",
                got=repr(self.tomography),
                mend="parse_tomography reads names such as shadows:1000",
            )
        check_seed(self.seed)

    def encode(self, features: npt.ArrayLike, *, progress: Progress = silent) -> EncodedStates:
        """The state of every sample of `features`, ``(sample, feature)``, radians for angles.

        With `tomography`, its estimate.

        Raises:
            InvalidArgument, InvalidData: as `bezoar.quantum.engines.encoder.encode`, and as the
                protocol says.
        """
        states = encode(self.circuit, features, self.noise, progress=progress)
        if self.tomography is None:
            return states
        keys = _fingerprints(features, self.circuit.n_features)
        return measure(states, self.tomography, seed=self.seed, keys=keys, progress=progress)

    def describe(self) -> dict[str, object]:
        """The circuit as a drawing, the noise and, where there is one, the tomography, as JSON."""
        told: dict[str, object] = {"circuit": self.circuit.draw(), "noise": describe(self.noise)}
        if self.tomography is not None:
            told["tomography"] = {
                **self.tomography.describe(),
                "seed": int(self.seed),
                "projection": PROJECTION,
                "readout_error": "left out",
            }
        return told


def _fingerprints(features: npt.ArrayLike, n_features: int) -> list[str]:
    """A text for each sample that depends on the features that the circuit uses."""
    with np.errstate(over="ignore"):
        used = np.asarray(features, dtype=np.float64)[:, :n_features].astype("<f4")
    used += 0.0  # -0.0 is 0.0
    return [hashlib.sha256(row.tobytes()).hexdigest() for row in used]
