"""The batched fallback for circuits whose training acts before the data is fully in.

No state can be encoded once there, so every sample counts as a training of its own: a step is
slower by about the batch size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from bezoar.quantum.circuit import Circuit
from bezoar.quantum.engines.encoder import check_features
from bezoar.quantum.engines.pauli import PauliProgram, Tape
from bezoar.quantum.engines.pauli_states import PauliStates
from bezoar.quantum.noise import NoiseModel
from bezoar.quantum.states import EncodedStates


class ReuploadProgram:
    """A re-uploading circuit compiled for its observables; arguments as of `PauliProgram`."""

    def __init__(
        self,
        circuit: Circuit,
        noise: NoiseModel | None,
        observables: Sequence[str],
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._circuit = circuit
        self._program = PauliProgram(circuit, noise, observables, dtype=dtype, device=device)
        self.dtype = dtype
        self.device = device
        bloch = np.zeros((1, circuit.n_qubits, 3))
        bloch[:, :, 2] = 1
        vacuum = EncodedStates(n_qubits=circuit.n_qubits, bloch=bloch, pure=True)
        self._vacuum: PauliStates = self._program.prepare(vacuum)

    @property
    def n_parameters(self) -> int:
        """P."""
        return self._program.n_parameters

    @property
    def numbers_per_training(self) -> int:
        """As of `PauliProgram`, for a batch of 32."""
        return 32 * self._program.numbers_per_training

    def prepare_features(self, features: np.ndarray) -> Tensor:
        """The raw features on this program's device, ``(sample, feature)``."""
        x = check_features(self._circuit, features)
        return torch.as_tensor(x, device=self.device).to(self.dtype)

    def forward(
        self, theta: Tensor, features: Tensor, index: Tensor | None, *, keep: bool
    ) -> tuple[Tensor, Tape | None]:
        """As `PauliProgram.forward`, with raw features ``(sample, feature)`` for states."""
        n_trainings = len(theta)
        if index is None:
            index = torch.arange(len(features), device=self.device).expand(n_trainings, -1)
        batch = index.shape[1]
        each = theta.repeat_interleave(batch, dim=0)
        angles = self._program.machine.angles(each, features.index_select(0, index.reshape(-1)))
        out, tape = self._program.forward_angles(angles, len(each), self._vacuum, None, keep=keep)
        return out.reshape(n_trainings, batch, -1), tape

    def backward(self, tape: Tape, grad: Tensor) -> Tensor:
        """As `PauliProgram.backward`."""
        n_trainings, batch, n_observables = grad.shape
        flat = grad.reshape(n_trainings * batch, 1, n_observables)
        d_theta = self._program.backward(tape, flat)
        return d_theta.reshape(n_trainings, batch, -1).sum(1)
