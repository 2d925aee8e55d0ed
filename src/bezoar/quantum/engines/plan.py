"""`compile_circuit`: a circuit, its noise and its observables as a program for many trainings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.engines.encoder import encode, starts_with_state
from bezoar.quantum.engines.layout import light_cone
from bezoar.quantum.engines.pauli import PauliProgram
from bezoar.quantum.engines.reference import pauli_z_each
from bezoar.quantum.engines.reupload import ReuploadProgram
from bezoar.quantum.engines.statevector import StateVectorProgram
from bezoar.quantum.noise import NoiseModel
from bezoar.quantum.states import EncodedStates

Method = Literal["auto", "pauli", "statevector"]
Precision = Literal["float32", "float64"]

# Below this the 4**q reals of a Pauli vector, evolved once per step, beat a batch of 2**q complex.
_STATE_VECTOR_FROM = 6


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Samples in the form that the program wants: encoded states, or features to re-upload."""

    states: Any
    n_samples: int

    def __len__(self) -> int:
        return self.n_samples


class Program:
    """A compiled circuit. Make one with `compile_circuit`.

    All arrays carry a leading axis T of trainings; B is the batch, M the observables.

    Attributes:
        circuit, noise, observables: what was compiled.
        method: ``pauli``, ``reupload`` or ``statevector``.
        dtype, device: of all tensors.
    """

    def __init__(
        self,
        circuit: Circuit,
        noise: NoiseModel | None,
        observables: tuple[str, ...],
        runner: PauliProgram | ReuploadProgram | StateVectorProgram,
    ) -> None:
        self.circuit = circuit
        self.noise = noise
        self.observables = observables
        self.dtype = runner.dtype
        self.device = runner.device
        self._runner = runner

    @property
    def method(self) -> str:
        """What runs: ``pauli``, ``reupload`` or ``statevector``."""
        if isinstance(self._runner, StateVectorProgram):
            return "statevector"
        return "reupload" if isinstance(self._runner, ReuploadProgram) else "pauli"

    @property
    def n_parameters(self) -> int:
        """P."""
        return self._runner.n_parameters

    @property
    def numbers_per_training(self) -> int:
        """About how many numbers one training keeps moving: what a chunk should be chosen by."""
        return self._runner.numbers_per_training

    def encode(self, features: npt.ArrayLike) -> Inputs:
        """Samples ``(sample, feature)`` ready for this program; done once per data set.

        Raises:
            InvalidArgument, InvalidData: as `bezoar.quantum.engines.encoder.encode`.
        """
        if isinstance(self._runner, PauliProgram):
            width = np.float32 if self.dtype == torch.float32 else np.float64
            states = encode(self.circuit.encoding(), features, self.noise, dtype=width)
            return self.inputs_from(states)
        prepared = self._runner.prepare_features(np.asarray(features))
        return Inputs(prepared, len(prepared))

    def inputs_from(self, states: EncodedStates) -> Inputs:
        """States that were encoded elsewhere, ready for this program.

        Raises:
            InvalidArgument: the program re-uploads data or keeps state vectors, or the number of
                qubits differs.
        """
        if states.n_qubits != self.circuit.n_qubits or self.method != "pauli":
            raise InvalidArgument(
                "states",
                wanted=f"Pauli vectors of {self.circuit.n_qubits} qubits for a pauli program",
                got=f"{states.n_qubits} qubits for a {self.method} program",
                mend="encode the features with this program's encode()",
            )
        assert isinstance(self._runner, PauliProgram)  # noqa: S101 - what method says
        return Inputs(self._runner.prepare(states), len(states))

    def forward(
        self, theta: Tensor, inputs: Inputs, index: Tensor | None = None, *, keep: bool = False
    ) -> tuple[Tensor, Any]:
        """Expectations ``(T, B, M)`` and, with `keep`, the tape for `backward`.

        Args:
            theta: parameters ``(T, P)`` in radians.
            inputs: from `encode`.
            index: ``(T, B)``, which samples each training looks at; None for all samples.
            keep: whether `backward` will follow.

        Raises:
            InvalidArgument: theta has another shape.
        """
        self._check_theta(theta)
        batch = len(inputs) if index is None else index.shape[1]
        if not len(theta) * batch:
            return theta.new_zeros((len(theta), batch, len(self.observables))), None
        return self._runner.forward(theta, inputs.states, index, keep=keep)

    def backward(self, tape: Any, grad: Tensor) -> Tensor:
        """Gradient ``(T, P)`` from that of the expectations, ``(T, B, M)``."""
        if not grad.numel():
            return grad.new_zeros((len(grad), self.n_parameters))
        return self._runner.backward(tape, grad)

    def expectations(self, theta: Tensor, inputs: Inputs, index: Tensor | None = None) -> Tensor:
        """As `forward`, differentiable by torch with respect to `theta`."""
        return _Expectations.apply(theta, self, inputs, index)  # type: ignore[return-value]

    def run(self, features: npt.ArrayLike, parameters: npt.ArrayLike = ()) -> np.ndarray:
        """Expectations ``(sample, M)`` of features ``(sample, feature)`` at ``(parameter,)``."""
        theta = torch.as_tensor(np.asarray(parameters, dtype=float), device=self.device)
        inputs = self.encode(features)
        out, _ = self.forward(theta.to(self.dtype)[None], inputs)
        return out[0].cpu().numpy()

    def _check_theta(self, theta: Tensor) -> None:
        if theta.ndim != 2 or theta.shape[1] != self.n_parameters:
            raise InvalidArgument(
                "theta",
                wanted=f"shape (training, {self.n_parameters})",
                got=tuple(theta.shape),
            )


class _Expectations(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, theta: Tensor, program: Program, inputs: Inputs, index: Tensor | None):
        out, tape = program.forward(theta.detach(), inputs, index, keep=theta.requires_grad)
        ctx.program, ctx.tape = program, tape
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        return ctx.program.backward(ctx.tape, grad), None, None, None


def compile_circuit(
    circuit: Circuit,
    noise: NoiseModel | None = None,
    observables: Sequence[str] | None = None,
    *,
    dtype: Precision = "float32",
    device: str = "cpu",
    method: Method = "auto",
) -> Program:
    """Compiles a circuit for training.

    Args:
        circuit: an encoding followed by what is trained. If training acts before the data is fully
            in (re-uploading), states cannot be encoded once: the program's `method` is then
            ``reupload`` and a step costs as many sweeps as the batch has samples.
        noise: or None.
        observables: Pauli strings, one letter per wire; Z on each wire by default.
        dtype: ``float32`` agrees with ``float64`` to 1e-6 up to 8 qubits.
        device: a torch device, for example ``cuda``.
        method: ``auto`` takes state vectors for noiseless circuits whose observables six or more
            qubits can reach, Pauli vectors otherwise.

    Raises:
        InvalidArgument: an observable of the wrong length or letters; too many entangled qubits;
            ``statevector`` with noise or re-uploading; a device that torch does not have.

    Example:
        >>> from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter
        >>> circuit = Circuit(1, (Operation("RX", (0,), (Feature((0,)),)),
        ...                       Operation("RX", (0,), (Parameter(0),))))
        >>> program = compile_circuit(circuit, dtype="float64")
        >>> program.run([[0.25 * np.pi]], [0.75 * np.pi]).round(6).tolist()
        [[-1.0]]
    """
    strings = pauli_z_each(circuit.n_qubits) if observables is None else tuple(observables)
    _check_observables(strings, circuit.n_qubits)
    kind = {"float32": torch.float32, "float64": torch.float64}.get(dtype)
    if kind is None:
        raise InvalidArgument("dtype", wanted="float32 or float64", got=dtype)
    if starts_with_state(circuit) and circuit.reuploads:
        raise InvalidArgument(
            "circuit",
            wanted="amplitudes (STATE) or re-uploading",
            got="both",
            mend="use an angle encoding to re-upload data",
        )
    where = _device(device)
    quiet = noise is None or not noise.is_active()
    chosen = _choose(circuit, strings, quiet=quiet, method=method)
    if chosen == "statevector":
        runner: Any = StateVectorProgram(circuit, strings, dtype=kind, device=where)
    else:
        active = None if quiet else noise
        if circuit.reuploads:
            runner = ReuploadProgram(circuit, active, strings, dtype=kind, device=where)
        else:
            part = circuit.trainable()
            runner = PauliProgram(part, active, strings, dtype=kind, device=where)
    return Program(circuit, noise, strings, runner)


def _choose(circuit: Circuit, strings: Sequence[str], *, quiet: bool, method: Method) -> str:
    if method not in ("auto", "pauli", "statevector"):
        raise InvalidArgument("method", wanted="auto, pauli or statevector", got=method)
    if method == "statevector" and (not quiet or circuit.reuploads):
        raise InvalidArgument(
            "method",
            wanted="pauli for a circuit with noise or re-uploading",
            got=method,
            mend="leave it at auto",
        )
    if method != "auto":
        return method
    if not quiet or circuit.reuploads or circuit.is_product:
        return "pauli"
    return "statevector" if _widest(circuit, strings) >= _STATE_VECTOR_FROM else "pauli"


def _widest(circuit: Circuit, strings: Sequence[str]) -> int:
    """How many qubits a Pauli vector would have to hold at once."""
    if not circuit.encoding().is_product:
        return circuit.n_qubits
    operations = circuit.trainable().operations
    supports = [[w for w, letter in enumerate(s) if letter != "I"] for s in strings]
    return max(len(light_cone(operations, support)) for support in supports)


def _check_observables(strings: Sequence[str], n_qubits: int) -> None:
    if not strings:
        raise InvalidArgument("observables", wanted="one or more Pauli strings", got="none")
    for string in strings:
        if len(string) != n_qubits or set(string) - set("IXYZ"):
            raise InvalidArgument(
                "observables",
                wanted=f"strings of {n_qubits} letters among I, X, Y, Z",
                got=repr(string),
            )


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        # A number there and back: `meta` is a device too, but computes nothing.
        torch.zeros((), device=device).item()
    except (RuntimeError, AssertionError) as error:
        raise InvalidArgument(
            "device", wanted="a device of this torch, for example cpu", got=repr(name)
        ) from error
    return device
