"""A parametrised quantum circuit as a layer of a torch network."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from bezoar.contracts import plugins
from bezoar.contracts.errors import InvalidArgument, UnknownName
from bezoar.contracts.seeds import generator
from bezoar.models.circuits import build_encoding, whole_number
from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter
from bezoar.quantum.engines.bit_strings import estimated_z
from bezoar.quantum.engines.first_order import full_precision
from bezoar.quantum.engines.noisy_layers import NoisyLayers
from bezoar.quantum.engines.product_encoder import ProductEncoder
from bezoar.quantum.engines.real_statevector import RealStateVector
from bezoar.quantum.engines.sampling import ShotSampler
from bezoar.quantum.noise import NoiseModel, parse_noise

Entangler = Literal["ring", "chain"]

# The angle of RY that makes what H makes of |0>; an input angle adds to it.
_REAL_ENCODINGS = {"h-ry": math.pi / 2, "ry": 0.0}

# With noise, the distribution of all bit strings takes a sweep of 2**n observables.
_MOST_LISTED_QUBITS = 6


class QuantumLayer(nn.Module):
    """A circuit whose inputs are angles and whose outputs are expectations of Pauli Z.

    ``f_w(x) = <0| E(x)* U^T Z_w U E(x) |0>`` on n qubits, with ``E(x)`` the encoding, by default H
    and then RY(x_w) on every qubit w, and ``U = R_L C ... R_1 C``: in each layer first ``C``, the
    CX of the entangler, then ``R_l``, RY(weights[l, w]) on every qubit.

    ``ring``: CX(w, w + 1 mod n) for w = 0, 1, ..., n - 1, one after the other, as in
    PennyLane's ``StronglyEntanglingLayers`` with range 1. Two qubits get CX(0, 1) and CX(1, 0).
    ``chain``: CX(0, 1), CX(2, 3), ... and then CX(1, 2), CX(3, 4), ..., as in Mari et al. One qubit
    has no CX.

    Gradients to inputs and weights are exact and written out; there is no second derivative.
    Without noise states are real vectors of ``2**n`` numbers per sample; with noise Z is carried
    backwards as Pauli vectors of ``4**n`` numbers, whatever the batch. Arithmetic is float32, or
    float64 where inputs or weights are; autocast does not change it. A sample with NaN has NaN
    among its outputs and makes gradients of the weights NaN, as in torch's own layers.

    Args:
        n_qubits: n, 1 to 16, with noise 1 to 10.
        n_layers: L, 1 or more.
        entangler: ``ring`` or ``chain``.
        encoding: ``h-ry``; ``ry``, without the H; or a registered encoding of one-qubit rotations,
            such as ``angle``, which takes two features per qubit, RX and RZ. Others cost about
            twice the time, since their states are not real.
        noise: a `NoiseModel`, a name that `parse_noise` reads, such as ``ad-dep:0.05``, or None.
        shots: measurements of all qubits for each sample, in training and in evaluation alike; None
            for exact expectations. The outputs are then estimates, the gradient stays that of the
            exact expectations: what parameter shifts estimate, without the noise of their shots and
            without their two runs per angle. Drawn from a stream of the layer's own; one more call
            draws anew. Bit strings are drawn whole, but with noise on more than 6 qubits estimates
            come from the normal distribution, see `ShotSampler`.
        init_std: standard deviation of the first weights, radians. With angles near 0, 6 layers of
            a ring on 10 qubits make every output a product of 5 or 6 sines of inputs, which is flat
            where inputs are small; a chain makes it one of 1 to 5. Large angles mix.
        seed: of the first weights and of the shots.

    Attributes:
        weights: ``(layer, qubit)``, radians.
        n_features: numbers per sample; `n_qubits` for ``h-ry`` and ``ry``.
        noise: the `NoiseModel`, or None where nothing is noisy.

    Raises:
        InvalidArgument: a size, standard deviation, number of shots or noise that cannot be used;
            an encoding that entangles or loads amplitudes.
        UnknownName: no such entangler or encoding.

    Source: Fig. 4 of arXiv 2407.16273, whose circuit has H, RY, CNOT and 6 layers of 10 weights
    and is otherwise left open; Mari et al., Quantum 4, 340 (2020), for the order of the gates and
    the chain. Ring and `init_std` are ours.

    Example:
        >>> layer = QuantumLayer(3, n_layers=1)
        >>> print(layer.circuit().draw())
        0: -H-RY(x0)-*---X-RY(t0)-
        1: -H-RY(x1)-X-*-|-RY(t1)-
        2: -H-RY(x2)---X-*-RY(t2)-
        >>> layer(torch.zeros(8, 3)).shape
        torch.Size([8, 3])
    """

    def __init__(
        self,
        n_qubits: int,
        *,
        n_layers: int = 6,
        entangler: Entangler = "ring",
        encoding: str = "h-ry",
        noise: NoiseModel | str | None = None,
        shots: int | None = None,
        init_std: float = 1.5,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.n_qubits = whole_number("n_qubits", n_qubits)
        self.n_layers = whole_number("n_layers", n_layers)
        self.entangler: Entangler = entangler
        self.encoding = encoding
        self.noise = _noise_of(noise)
        self._noise_name = noise if isinstance(noise, str) else repr(self.noise)
        self.shots = None if shots is None else whole_number("shots", shots)
        self.init_std = _deviation(init_std)
        self.seed = whole_number("seed", seed, 0)
        pairs = entangler_pairs(entangler, self.n_qubits)
        trained = _layers_circuit(self.n_qubits, self.n_layers, pairs)
        if self.noise is None:
            self._layers = RealStateVector(self.n_qubits, pairs)
        else:
            self._layers = NoisyLayers(trained, self.noise)
        encoded = _encoding_circuit(encoding, self.n_qubits)
        self.n_features = encoded.n_features
        self._circuit = encoded.then(trained)
        self._encoder: ProductEncoder | None = None
        if self.noise is not None or encoding not in _REAL_ENCODINGS:
            self._encoder = ProductEncoder(encoded, self.noise)
        self._samplers: dict[tuple[torch.device, torch.dtype], ShotSampler] = {}
        self._rng = generator(self.seed, "quantum layer", "shots")
        self.weights = nn.Parameter(torch.empty(self.n_layers, self.n_qubits))
        self.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        """Expectations of Z, ``(..., n_qubits)``, in [-1, 1].

        Args:
            x: ``(..., n_features)``, radians; any number of leading axes, none and empty ones too.

        Raises:
            InvalidArgument: another last axis, or no floating-point numbers.
        """
        self._check(x)
        given = torch.promote_types(x.dtype, self.weights.dtype)
        kind = torch.promote_types(given, torch.float32)
        flat = x.reshape(x.shape[:-1].numel(), self.n_features).to(kind)
        weights = self.weights.to(kind)
        with full_precision(x.device):
            if not len(flat):
                # Nothing to run, but gradients of the right shape.
                out = flat.new_zeros((0, self.n_qubits)) + 0 * (flat.sum() + weights.sum())
            elif isinstance(self._layers, NoisyLayers):
                out = self._run_noisy(self._layers, flat, weights)
            else:
                out = self._run(self._layers, flat, weights)
        return out.to(given).reshape(*x.shape[:-1], self.n_qubits)

    def circuit(self) -> Circuit:
        """The circuit without noise: feature i is ``x[i]``, parameter ``l n + w`` is weight (l, w).

        What `bezoar.quantum` draws, exports and runs in its other engines.
        """
        return self._circuit

    def reset_parameters(self) -> None:
        """Draws the first weights again: the same for the same seed."""
        draws = generator(self.seed, "quantum layer", "weights").standard_normal(
            (self.n_layers, self.n_qubits)
        )
        with torch.no_grad():
            self.weights.copy_(torch.from_numpy(self.init_std * draws))

    def extra_repr(self) -> str:
        """The settings, as torch prints them."""
        noise = "none" if self.noise is None else self._noise_name
        return (
            f"{self.n_qubits}, n_layers={self.n_layers}, entangler={self.entangler!r}, "
            f"encoding={self.encoding!r}, noise={noise!r}, shots={self.shots}"
        )

    def _run(self, layers: RealStateVector, x: Tensor, weights: Tensor) -> Tensor:
        sampler = None if self.shots is None else self._draw
        if self._encoder is None:
            states = layers.product(x.t() + _REAL_ENCODINGS[self.encoding])
            return layers.expectations(states, weights, sampler)
        states = _multiplied(self._encoder(x))
        parts = torch.view_as_real(states.t()).reshape(len(states[0]), -1)
        return layers.expectations(parts, weights, sampler, parts=2)

    def _run_noisy(self, layers: NoisyLayers, x: Tensor, weights: Tensor) -> Tensor:
        assert self._encoder is not None  # noqa: S101 - noise always has one
        exact = layers.expectations(self._encoder(x), weights.reshape(-1))
        if self.shots is None:
            return exact
        with torch.no_grad():
            sampled = self._sampled(self.shots, x, weights)
            error = torch.where(exact.isnan(), exact, sampled - exact)
        return exact + error

    def _draw(self, probabilities: Tensor) -> Tensor:
        assert self.shots is not None  # noqa: S101 - without shots nothing is drawn
        return estimated_z(probabilities, self.shots, self._rng)

    def _sampled(self, shots: int, x: Tensor, weights: Tensor) -> Tensor:
        key = (x.device, x.dtype)
        if key not in self._samplers:
            self._samplers[key] = ShotSampler(
                self._circuit,
                self.noise,
                shots,
                kind="auto" if self.n_qubits <= _MOST_LISTED_QUBITS else "gaussian",
                dtype="float64" if x.dtype == torch.float64 else "float32",
                device=str(x.device),
            )
        sampler = self._samplers[key]
        # qsa: ignore[QSA504] reason=what is not finite becomes NaN again in what is given back
        inputs = sampler.program.encode(torch.nan_to_num(x, 0.0, 0.0, 0.0).cpu().numpy())
        return sampler(weights.reshape(1, -1), inputs, None, [self._rng])[0]

    def _check(self, x: Tensor) -> None:
        if not isinstance(x, Tensor) or not x.is_floating_point():
            raise InvalidArgument(
                "x",
                wanted="a tensor of floating-point numbers",
                got=str(x.dtype) if isinstance(x, Tensor) else type(x).__name__,
                mend="convert it with torch.as_tensor(x).float()",
            )
        if not x.ndim or x.shape[-1] != self.n_features:
            raise InvalidArgument(
                "x",
                wanted=f"shape (..., {self.n_features})",
                got=tuple(x.shape),
                mend=f"reduce the features to {self.n_features}, by a linear layer for example",
            )


def entangler_pairs(entangler: str, n_qubits: int) -> tuple[tuple[int, int], ...]:
    """(control, target) of the CX of one layer, in time order; none for one qubit.

    Raises:
        UnknownName: neither ``ring`` nor ``chain``.

    Example:
        >>> entangler_pairs("ring", 3), entangler_pairs("chain", 4)
        (((0, 1), (1, 2), (2, 0)), ((0, 1), (2, 3), (1, 2)))
    """
    if entangler not in get_args(Entangler):
        raise UnknownName("entangler", entangler, get_args(Entangler))
    if n_qubits < 2:
        return ()
    if entangler == "ring":
        return tuple((wire, (wire + 1) % n_qubits) for wire in range(n_qubits))
    return tuple((w, w + 1) for first in (0, 1) for w in range(first, n_qubits - 1, 2))


def _encoding_circuit(encoding: str, n_qubits: int) -> Circuit:
    if encoding in _REAL_ENCODINGS:
        start = ("H",) if encoding == "h-ry" else ()
        wires = range(n_qubits)
        first = [Operation(gate, (wire,)) for gate in start for wire in wires]
        turns = [Operation("RY", (wire,), (Feature((wire,)),)) for wire in wires]
        return Circuit(n_qubits, (*first, *turns))
    if not isinstance(encoding, str):
        raise InvalidArgument("encoding", wanted="a name", got=type(encoding).__name__)
    registered = plugins.names("encodings")
    if encoding not in registered:
        raise UnknownName("encoding", encoding, (*_REAL_ENCODINGS, *registered))
    part = build_encoding(encoding)
    return part.circuit(part.capacity(n_qubits) or n_qubits, n_qubits)


def _layers_circuit(n_qubits: int, n_layers: int, pairs: tuple[tuple[int, int], ...]) -> Circuit:
    entangle = [Operation("CX", pair) for pair in pairs]
    turns = [Operation("RY", (wire,), (Parameter(wire),)) for wire in range(n_qubits)]
    return Circuit(n_qubits, (*entangle, *turns)).repeated(n_layers)


def _noise_of(noise: NoiseModel | str | None) -> NoiseModel | None:
    model = parse_noise(noise) if isinstance(noise, str) else noise
    if model is not None and not isinstance(model, NoiseModel):
        raise InvalidArgument(
            "noise", wanted="a NoiseModel, a name such as ad-dep:0.05, or None", got=repr(noise)
        )
    return model if model is not None and model.is_active() else None


def _deviation(value: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < 0:
        raise InvalidArgument("init_std", wanted="a finite number, 0 or more", got=repr(value))
    return float(value)


def _multiplied(qubits: Tensor) -> Tensor:
    """States ``(sample, 2**n)`` from amplitudes ``(sample, n, 2)``."""
    states = qubits[:, 0]
    for qubit in qubits.unbind(1)[1:]:
        states = (states[:, :, None] * qubit[:, None]).reshape(len(qubits), -1)
    return states
