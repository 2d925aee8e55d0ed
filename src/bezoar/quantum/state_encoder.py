"""How a victim prepares states: what an attacker or a detector may know of a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy.typing as npt

from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.progress import Progress, silent
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.engines.encoder import encode
from bezoar.quantum.noise import NoiseModel, describe
from bezoar.quantum.states import EncodedStates


@dataclass(frozen=True, slots=True, kw_only=True)
class StateEncoder:
    """An encoding circuit and the noise of the device that runs it; nothing that is trained.

    Attributes:
        circuit: the encoding: features, no parameters.
        noise: what the gates do besides; None for a perfect device.

    Raises:
        InvalidArgument: the circuit has parameters or uses no feature.

    Example:
        >>> from bezoar.quantum.circuit import Feature, Operation
        >>> turn = Circuit(1, (Operation("RX", (0,), (Feature((0,)),)),))
        >>> StateEncoder(circuit=turn).encode([[0.0]]).pauli_vectors().round(6).tolist()
        [[1.0, 0.0, 0.0, 1.0]]
    """

    circuit: Circuit
    noise: NoiseModel | None = None

    def __post_init__(self) -> None:
        if self.circuit.n_parameters or not self.circuit.n_features:
            raise InvalidArgument(
                "circuit",
                wanted="an encoding: features and no parameters",
                got=f"{self.circuit.n_features} features, {self.circuit.n_parameters} parameters",
                mend="pass the part that prepares the data, for example model_circuit.encoding()",
            )

    def encode(self, features: npt.ArrayLike, *, progress: Progress = silent) -> EncodedStates:
        """The state of every sample of `features`, ``(sample, feature)``, radians for angles.

        Raises:
            InvalidArgument, InvalidData: as `bezoar.quantum.engines.encoder.encode`.
        """
        return encode(self.circuit, features, self.noise, progress=progress)

    def describe(self) -> dict[str, object]:
        """The circuit as a drawing and every setting of the noise, as JSON values."""
        return {"circuit": self.circuit.draw(), "noise": describe(self.noise)}
