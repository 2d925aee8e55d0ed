"""A circuit is a description: gates, wires, and where each angle comes from. No numbers move here.

Wire 0 is the leftmost qubit of a basis state's bit string, as in PennyLane.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.drawing import Symbol, as_svg, as_text
from bezoar.quantum.gates import STATE_PREPARATION, UNITARY, gate_named


@dataclass(frozen=True, slots=True)
class Feature:
    """An angle that the data sets: ``scale * prod_i (x[i] - offset)`` over `indices`, in radians.

    One index and no offset is plain angle encoding; two indices make the products of ZZ feature
    maps, for example ``Feature((0, 1), scale=2.0, offset=pi)``.
    """

    indices: tuple[int, ...]
    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not self.indices or min(self.indices) < 0:
            raise InvalidArgument(
                "indices", wanted="one or more numbers from 0", got=tuple(self.indices)
            )
        if not (math.isfinite(self.scale) and math.isfinite(self.offset)):
            raise InvalidArgument(
                "scale, offset", wanted="finite numbers", got=(self.scale, self.offset)
            )


@dataclass(frozen=True, slots=True)
class Parameter:
    """An angle that training sets: ``scale * theta[index]``, in radians."""

    index: int
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.index < 0 or not math.isfinite(self.scale):
            raise InvalidArgument(
                "index, scale",
                wanted="an index from 0 and a finite scale",
                got=(self.index, self.scale),
            )


Angle = Feature | Parameter | float


@dataclass(frozen=True, slots=True)
class Operation:
    """One gate on some wires.

    Attributes:
        gate: a name from `bezoar.quantum.gates`, upper case.
        wires: the qubits it acts on, control first.
        angles: as many as the gate takes; each a constant, a `Feature` or a `Parameter`.
        matrix: for ``UNITARY`` only, the rows of the unitary matrix.
        features: for ``STATE`` only, which features become amplitudes.
    """

    gate: str
    wires: tuple[int, ...]
    angles: tuple[Angle, ...] = ()
    matrix: tuple[tuple[complex, ...], ...] | None = None
    features: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.gate == UNITARY:
            _check_unitary(self)
            return
        if self.gate == STATE_PREPARATION:
            _check_state(self)
            return
        spec = gate_named(self.gate)
        if len(self.wires) != spec.n_wires or len(self.angles) != spec.n_angles:
            raise InvalidArgument(
                f"operation {self.gate}",
                wanted=f"{spec.n_wires} wires and {spec.n_angles} angles",
                got=f"{len(self.wires)} wires and {len(self.angles)} angles",
            )
        for angle in self.angles:
            if not isinstance(angle, Feature | Parameter | float | int) or (
                isinstance(angle, float) and not math.isfinite(angle)
            ):
                raise InvalidArgument(
                    f"angle of {self.gate}",
                    wanted="a Feature, a Parameter or a finite float",
                    got=repr(angle),
                )

    @property
    def uses_features(self) -> bool:
        """Whether the data decides what this operation does."""
        return self.gate == STATE_PREPARATION or any(isinstance(a, Feature) for a in self.angles)

    @property
    def uses_parameters(self) -> bool:
        """Whether training decides what this operation does."""
        return any(isinstance(a, Parameter) for a in self.angles)


@dataclass(frozen=True, slots=True)
class Circuit:
    """Operations in time order on `n_qubits` qubits that start in ``|0...0>``.

    Equality and hash are by content.

    Raises:
        InvalidArgument: no qubits, a wire out of range or twice in one operation.

    Example:
        >>> bell = Circuit(2, (Operation("H", (0,)), Operation("CX", (0, 1))))
        >>> print(bell.draw())
        0: -H-*-
        1: ---X-
        >>> bell == Circuit(2, list(bell.operations)), bell.n_parameters
        (True, 0)
    """

    n_qubits: int
    operations: tuple[Operation, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))
        if self.n_qubits < 1:
            raise InvalidArgument("n_qubits", wanted="1 or more", got=self.n_qubits)
        for operation in self.operations:
            wires = operation.wires
            if len(set(wires)) != len(wires) or not all(0 <= w < self.n_qubits for w in wires):
                raise InvalidArgument(
                    f"wires of {operation.gate}",
                    wanted=f"different wires from 0 to {self.n_qubits - 1}",
                    got=wires,
                )

    @property
    def n_parameters(self) -> int:
        """One more than the highest parameter index."""
        return max((a.index + 1 for a in self._angles() if isinstance(a, Parameter)), default=0)

    @property
    def n_features(self) -> int:
        """One more than the highest feature index."""
        by_angle = (i + 1 for a in self._angles() if isinstance(a, Feature) for i in a.indices)
        by_state = (i + 1 for operation in self.operations for i in operation.features)
        return max((*by_angle, *by_state), default=0)

    @property
    def encoding_length(self) -> int:
        """How many leading operations the encoding has: all up to the last that uses features."""
        uses = [i for i, operation in enumerate(self.operations) if operation.uses_features]
        return uses[-1] + 1 if uses else 0

    @property
    def reuploads(self) -> bool:
        """Whether training acts before the data is fully in, so that states cannot be reused."""
        return any(op.uses_parameters for op in self.operations[: self.encoding_length])

    @property
    def is_product(self) -> bool:
        """Whether no operation touches two qubits."""
        return all(len(operation.wires) == 1 for operation in self.operations)

    def preparing(self) -> tuple[bool, ...]:
        """Whether each operation belongs to the encoding, not to what is trained.

        Where nothing is trained, all of it does. In a whole model, constant gates after the last
        use of the data count as trained.
        """
        length = self.encoding_length if self.n_parameters else len(self.operations)
        return tuple(
            position < length and not operation.uses_parameters
            for position, operation in enumerate(self.operations)
        )

    def encoding(self) -> Circuit:
        """The part that does not depend on training, up to the last use of the data."""
        return replace(self, operations=self.operations[: self.encoding_length])

    def trainable(self) -> Circuit:
        """What follows the encoding."""
        return replace(self, operations=self.operations[self.encoding_length :])

    def then(self, other: Circuit) -> Circuit:
        """This circuit followed by `other`, parameter and feature indices as they are.

        Raises:
            InvalidArgument: `other` has another number of qubits.
        """
        if other.n_qubits != self.n_qubits:
            raise InvalidArgument(
                "other", wanted=f"a circuit on {self.n_qubits} qubits", got=other.n_qubits
            )
        return replace(self, operations=self.operations + other.operations)

    def shifted(self, parameters: int) -> Circuit:
        """The same circuit with `parameters` added to every parameter index."""

        def shift(angle: Angle) -> Angle:
            if isinstance(angle, Parameter):
                return replace(angle, index=angle.index + parameters)
            return angle

        return replace(
            self,
            operations=tuple(
                replace(op, angles=tuple(shift(a) for a in op.angles)) for op in self.operations
            ),
        )

    def repeated(self, n_layers: int) -> Circuit:
        """`n_layers` copies in a row, each with parameters of its own.

        Raises:
            InvalidArgument: fewer than one layer.
        """
        if n_layers < 1:
            raise InvalidArgument("n_layers", wanted="1 or more", got=n_layers)
        step = self.n_parameters
        layers = [self.shifted(i * step).operations for i in range(n_layers)]
        return replace(self, operations=tuple(op for layer in layers for op in layer))

    def draw(self) -> str:
        """The circuit as text, one line per qubit."""
        return as_text(self.n_qubits, self._symbols())

    def draw_svg(self) -> str:
        """The circuit as an SVG picture."""
        return as_svg(self.n_qubits, self._symbols())

    def _repr_svg_(self) -> str:
        return self.draw_svg()

    def _symbols(self) -> list[Symbol]:
        return [Symbol(op.gate, op.wires, tuple(map(_label, op.angles))) for op in self.operations]

    def _angles(self) -> Iterator[Angle]:
        return (angle for operation in self.operations for angle in operation.angles)


def unitary(matrix: npt.ArrayLike, wires: Iterable[int]) -> Operation:
    """An operation from a unitary matrix ``(2**k, 2**k)`` on ``k`` wires.

    Raises:
        InvalidArgument: the matrix is not square of that size, or not unitary to 1e-8.
    """
    rows = tuple(tuple(complex(z) for z in row) for row in np.asarray(matrix, dtype=complex))
    return Operation(UNITARY, tuple(wires), matrix=rows)


def _label(angle: Angle) -> str:
    if isinstance(angle, Feature):
        factors = "*".join(
            f"(x{i}-{angle.offset:.3g})" if angle.offset else f"x{i}" for i in angle.indices
        )
        return factors if angle.scale == 1 else f"{angle.scale:.3g}*{factors}"
    if isinstance(angle, Parameter):
        name = f"t{angle.index}"
        return name if angle.scale == 1 else f"{angle.scale:.3g}*{name}"
    return f"{angle:.3g}"


def _check_state(operation: Operation) -> None:
    most = 2 ** len(operation.wires)
    if operation.angles or not 1 <= len(operation.features) <= most:
        raise InvalidArgument(
            "operation STATE",
            wanted=f"no angles and 1 to {most} features for {len(operation.wires)} wires",
            got=f"{len(operation.angles)} angles and {len(operation.features)} features",
        )


def _check_unitary(operation: Operation) -> None:
    size = 2 ** len(operation.wires)
    array = np.asarray(operation.matrix, dtype=complex) if operation.matrix else np.zeros(())
    if array.shape != (size, size):
        raise InvalidArgument(
            "matrix",
            wanted=f"shape ({size}, {size}) for {len(operation.wires)} wires",
            got=array.shape,
        )
    error = float(np.abs(array @ array.conj().T - np.eye(size)).max())
    if not error < 1e-8:  # also refuses NaN
        raise InvalidArgument("matrix", wanted="a unitary", got=f"|U U* - 1| = {error:.2g}")
