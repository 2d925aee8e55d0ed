"""Encodings of one-qubit gates, differentiable by the features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.engines.encoder import starts_with_state
from bezoar.quantum.engines.layout import lay_out
from bezoar.quantum.engines.lowering import Representation, lower
from bezoar.quantum.engines.machine import Machine
from bezoar.quantum.noise import NoiseModel

# One-wire vectors before any gate: |0>, and its I, X, Y, Z expectations.
_VACUUM: dict[Representation, Sequence[float]] = {
    "unitary": (1.0, 0.0),
    "transfer": (1.0, 0.0, 0.0, 1.0),
}


class ProductEncoder:
    """The state of every qubit after an encoding that entangles none, as torch sees it.

    `bezoar.quantum.engines.encoder.encode` computes the same without gradients, for whole data
    sets.

    Args:
        circuit: features and constants, no parameters.
        noise: channels after each gate; None gives amplitudes, otherwise Pauli vectors.

    Raises:
        InvalidArgument: a gate on two qubits, amplitude encoding, or a trained angle.
    """

    def __init__(self, circuit: Circuit, noise: NoiseModel | None) -> None:
        if not circuit.is_product or starts_with_state(circuit) or circuit.n_parameters:
            raise InvalidArgument(
                "encoding",
                wanted="rotations of single qubits by features",
                got="gates on several qubits, amplitudes or trained angles",
                mend="use h-ry, ry or angle",
            )
        self.n_qubits = circuit.n_qubits
        self._kind: Representation = "unitary" if noise is None else "transfer"
        self._layout = lay_out(
            lower(circuit, noise, self._kind), circuit.n_qubits, self._kind, states=False
        )
        self._held: dict[tuple[torch.device, torch.dtype], Machine] = {}

    def __call__(self, features: Tensor) -> Tensor:
        """One vector per qubit, ``(sample, wire, 2)`` complex or ``(sample, wire, 4)`` real.

        Args:
            features: ``(sample, feature)``, radians, float32 or float64.
        """
        machine = self._machine(features)
        angles = features.new_zeros((0, len(features)))
        if self._layout.angles:
            angles = machine.angles(features[:, :0], features)
        built = machine.build(angles, len(features))
        qubits = []
        for wire in range(self.n_qubits):
            state = machine.vacuum.expand(len(features), -1)[..., None]
            for ref in self._layout.chains[wire]:
                state = built.ones[machine.one_position(ref)] @ state
            qubits.append(state[..., 0])
        return torch.stack(qubits, dim=1)

    def _machine(self, like: Tensor) -> Machine:
        key = (like.device, like.dtype)
        if key not in self._held:
            dtype = like.dtype.to_complex() if self._kind == "unitary" else like.dtype
            self._held[key] = Machine(
                self._layout,
                dtype=dtype,
                device=like.device,
                vacuum=_VACUUM[self._kind],
                backwards=False,
            )
        return self._held[key]
