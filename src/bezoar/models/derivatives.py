"""Exact derivatives of a circuit's expectations by the features and by the parameters.

Every angle of the circuit is turned on its own. Expectations are trigonometric polynomials in each
angle, with noise or without, so differences at shifted angles are its exact derivative
(Wierichs et al. 2022, arXiv 2107.12390); the chain rule takes it to features and parameters, which
may be in several gates, or in products as in ZZ feature maps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from bezoar.contracts.dataset import FloatArray, IntArray
from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Angle, Circuit, Feature, Parameter
from bezoar.quantum.engines.encoder import check_features, starts_with_state
from bezoar.quantum.engines.gradients import shift_rules
from bezoar.quantum.engines.plan import Program, compile_circuit
from bezoar.quantum.noise import NoiseModel

# Numbers that one batch of shifted circuits may hold.
_BATCH_NUMBERS = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class _Shifts:
    """Shifted copies of some angles, and what they count for.

    Attributes:
        angle: which angle each copy shifts, ``(copy,)``.
        by: how far, in the units of the angle's source, ``(copy,)``.
        weight: of each copy in the derivative by its angle, ``(copy,)``.
    """

    angle: IntArray
    by: FloatArray
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.angle)

    def of(self, angles: FloatArray) -> FloatArray:
        """``(angle,)`` or ``(sample, angle)`` to all copies, a new first axis."""
        copies = np.repeat(angles[None], len(self), axis=0)
        copies[np.arange(len(self)), ..., self.angle] += self.by.reshape(
            -1, *(1,) * (copies.ndim - 2)
        )
        return copies


class CircuitDerivatives:
    """Expectations of Z on each wire with their derivatives, in float64.

    Axes: N samples, M observables, F features, P parameters.

    Args:
        circuit: an encoding followed by what is trained; re-uploading is fine.
        noise: or None.
        device: a torch device.

    Raises:
        InvalidArgument: as `compile_circuit`.

    Example:
        >>> from bezoar.quantum.circuit import Operation
        >>> circuit = Circuit(1, (Operation("RX", (0,), (Feature((0,)),)),
        ...                       Operation("RX", (0,), (Parameter(0),))))
        >>> slopes = CircuitDerivatives(circuit, None)
        >>> x, theta = np.array([[0.3]]), np.array([0.2])
        >>> bool(np.isclose(slopes.by_features(theta, x)[1], -np.sin(0.5)).all())
        True
    """

    def __init__(self, circuit: Circuit, noise: NoiseModel | None, *, device: str = "cpu") -> None:
        self.n_parameters = circuit.n_parameters
        self.n_observables = circuit.n_qubits
        self._circuit = circuit
        self._amplitudes = starts_with_state(circuit)
        loose, self._sources, self._owner = _loosened(circuit)
        self._program: Program = compile_circuit(loose, noise, dtype="float64", device=device)
        self._turns = _shifts_of(loose, noise, Parameter)
        self._moves = _shifts_of(loose, noise, Feature)

    def expectations(self, theta: FloatArray, features: FloatArray) -> FloatArray:
        """``(N, M)`` of parameters ``(P,)`` and features ``(N, F)``."""
        return self._run(theta[self._owner][None], self._angles(features))[0]

    def by_parameters(
        self, theta: FloatArray, features: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Expectations ``(N, M)`` and their derivative ``(N, M, P)``."""
        own = theta[self._owner]
        rows = np.concatenate([own[None], self._turns.of(own)])
        values = self._run(rows, self._angles(features))
        return values[0], self._parameter_slopes(values[1:])

    def parameter_curvature(
        self, theta: FloatArray, features: FloatArray, weights: FloatArray
    ) -> FloatArray:
        """``sum_nm weights[n, m] d2 E[n, m] / d theta d theta``, ``(P, P)``.

        The derivative by shifts of the engine's own analytic gradient.

        Args:
            theta: ``(P,)``.
            features: ``(N, F)``.
            weights: ``(N, M)``.
        """
        own = theta[self._owner]
        rows = self._tensor(self._turns.of(own))
        angles = self._angles(features)
        total = np.zeros((len(rows), len(own)))
        for part in self._parts(len(angles), len(rows)):
            inputs = self._program.encode(angles[part])
            _, tape = self._program.forward(rows, inputs, keep=True)
            pulled = self._tensor(weights[part]).expand(len(rows), -1, -1).contiguous()
            total += self._program.backward(tape, pulled).cpu().numpy()
        curvature = np.zeros((len(own), len(own)))
        np.add.at(curvature, self._turns.angle, self._turns.weight[:, None] * total)
        merged = np.zeros((self.n_parameters, self.n_parameters))
        np.add.at(merged, (self._owner[:, None], self._owner[None]), curvature)
        return merged

    def by_features(self, theta: FloatArray, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Expectations ``(N, M)`` and their derivative ``(N, M, F)``.

        Raises:
            InvalidArgument: the encoding loads amplitudes, which no gate's angle sets.
        """
        rows = theta[self._owner][None]
        return self._moved(features, 1, lambda angles: self._run(rows, angles)[0])

    def along(
        self, theta: FloatArray, features: FloatArray, direction: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """How expectations move along a direction of the parameters, and both by the features.

        Args:
            theta: ``(P,)``.
            features: ``(N, F)``.
            direction: v, ``(P,)``.

        Returns:
            E ``(N, M)``, ``v . dE/dtheta`` ``(N, M)``, and the derivatives of both by the features,
            ``(N, M, F)`` each.

        Raises:
            InvalidArgument: as `by_features`.
        """
        own = theta[self._owner]
        rows = np.concatenate([own[None], self._turns.of(own)])
        counts = self._turns.weight * direction[self._owner][self._turns.angle]

        def both(angles: FloatArray) -> FloatArray:
            values = self._run(rows, angles)
            return np.concatenate([values[0], np.tensordot(counts, values[1:], 1)], axis=-1)

        values, slopes = self._moved(features, len(rows), both)
        m = self.n_observables
        return values[:, :m], values[:, m:], slopes[:, :m], slopes[:, m:]

    def _parameter_slopes(self, values: FloatArray) -> FloatArray:
        """``(N, M, P)`` from expectations at shifted parameters, ``(copy, N, M)``."""
        slopes = np.zeros((self.n_parameters, *values.shape[1:]))
        owner = self._owner[self._turns.angle]
        np.add.at(slopes, owner, self._turns.weight[:, None, None] * values)
        return np.moveaxis(slopes, 0, -1)

    def _moved(
        self, features: FloatArray, n_rows: int, run: Callable[[FloatArray], FloatArray]
    ) -> tuple[FloatArray, FloatArray]:
        """Values of a function of the angles, and their derivative by the features.

        Args:
            features: ``(N, F)``.
            n_rows: how many circuits `run` runs.
            run: from angles ``(any, angle)`` to values ``(any, V)``.

        Returns:
            ``(N, V)`` and ``(N, V, F)``.
        """
        if self._amplitudes:
            raise InvalidArgument(
                "circuit",
                wanted="features that set angles, to differentiate by them",
                got="amplitude encoding",
                mend="use an angle encoding, or an attack that changes labels alone",
            )
        angles, inner = self._angles(features), self._angle_slopes(features)
        # In batches of samples, because `run` gives little of the much that it needs meanwhile.
        parts = list(self._parts(len(angles), n_rows * (1 + len(self._moves)))) or [slice(0)]
        done = [self._moved_part(angles[part], inner[part], run) for part in parts]
        return np.concatenate([v for v, _ in done]), np.concatenate([s for _, s in done])

    def _moved_part(
        self, angles: FloatArray, inner: FloatArray, run: Callable[[FloatArray], FloatArray]
    ) -> tuple[FloatArray, FloatArray]:
        """`_moved` of angles ``(N, angle)`` whose slopes are ``(N, angle, F)``."""
        everything = np.concatenate([angles[None], self._moves.of(angles)])
        values = run(everything.reshape(-1, angles.shape[1]))
        values = values.reshape(*everything.shape[:2], values.shape[-1])
        by_angle = np.zeros((angles.shape[1], *values.shape[1:]))
        np.add.at(by_angle, self._moves.angle, self._moves.weight[:, None, None] * values[1:])
        return values[0], np.einsum("knv,nkf->nvf", by_angle, inner)

    def _angles(self, features: FloatArray) -> FloatArray:
        """What the loosened circuit takes for features, ``(N, angle)``."""
        x = check_features(self._circuit, features)
        if self._amplitudes:
            return x
        columns = [np.prod(x[:, s.indices] - s.offset, axis=1) for s in self._sources]
        return np.stack(columns, axis=1) if columns else np.zeros((len(x), 0))

    def _angle_slopes(self, features: FloatArray) -> FloatArray:
        """Derivative of `_angles` by the features, ``(N, angle, F)``."""
        x = np.asarray(features, dtype=np.float64)
        slopes = np.zeros((len(x), len(self._sources), x.shape[1]))
        for k, source in enumerate(self._sources):
            for place, index in enumerate(source.indices):
                others = source.indices[:place] + source.indices[place + 1 :]
                slopes[:, k, index] += np.prod(x[:, others] - source.offset, axis=1)
        return slopes

    def _run(self, rows: FloatArray, angles: FloatArray) -> FloatArray:
        """``(row, N, M)`` of parameters ``(row, P)`` and angles ``(N, angle)``."""
        theta = self._tensor(rows)
        parts = [
            self._program.forward(theta, self._program.encode(angles[part]))[0].cpu().numpy()
            for part in self._parts(len(angles), len(rows))
        ]
        return (
            np.concatenate(parts, axis=1) if parts else np.zeros((len(rows), 0, self.n_observables))
        )

    def _parts(self, n_samples: int, n_rows: int) -> Iterator[slice]:
        """Samples in batches that fit the memory."""
        step = max(1, _BATCH_NUMBERS // (max(1, n_rows) * self._state_size()))
        for start in range(0, n_samples, step):
            yield slice(start, min(start + step, n_samples))

    def _state_size(self) -> int:
        """Numbers of one sample in one row, at most."""
        product = 4 * self.n_observables
        if self._program.method == "pauli" and self._circuit.encoding().is_product:
            return product
        return max(product, self._program.numbers_per_training)

    def _tensor(self, values: FloatArray) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(values), device=self._program.device)


def _loosened(circuit: Circuit) -> tuple[Circuit, list[Feature], IntArray]:
    """The circuit with a source of its own for every angle that data or training sets.

    Returns:
        The circuit; what feature made each angle of its encoding; and which parameter of the
        original each of its parameters is.
    """
    sources: list[Feature] = []
    owner: list[int] = []

    def loosen(angle: Angle) -> Angle:
        if isinstance(angle, Feature):
            sources.append(angle)
            return Feature((len(sources) - 1,), scale=angle.scale)
        if isinstance(angle, Parameter):
            owner.append(angle.index)
            return Parameter(len(owner) - 1, scale=angle.scale)
        return angle

    operations = tuple(
        replace(op, angles=tuple(loosen(angle) for angle in op.angles)) for op in circuit.operations
    )
    return replace(circuit, operations=operations), sources, np.array(owner, dtype=np.int64)


def _shifts_of(
    circuit: Circuit, noise: NoiseModel | None, kind: type[Feature | Parameter]
) -> _Shifts:
    """The shift rules of all angles of a kind in a loosened circuit, the only ones it has of it."""
    rows: list[tuple[int, float, float]] = []
    count = 0
    for operation, encoding in zip(circuit.operations, circuit.preparing(), strict=True):
        turn = 1.0 if noise is None else noise.turn(encoding=encoding)
        for place, angle in enumerate(operation.angles):
            if not isinstance(angle, kind):
                continue
            # The rules speak of parameters, so the angle stands in as the only one.
            fixed = [
                0.0 if i != place else Parameter(0, angle.scale)
                for i in range(len(operation.angles))
            ]
            alone = Circuit(circuit.n_qubits, (replace(operation, angles=tuple(fixed)),))
            rows += [(count, weight, shift) for weight, shift in shift_rules(alone, turn)[0]]
            count += 1
    angle, weight, shift = zip(*rows, strict=True) if rows else ((), (), ())
    return _Shifts(
        np.array(angle, dtype=np.int64), np.array(shift, dtype=float), np.array(weight, dtype=float)
    )
