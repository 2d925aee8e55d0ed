"""Is the circuit that runs the one that was handed in? Gates, unitaries and answers compared."""

from __future__ import annotations

import dataclasses
import difflib
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.models.trained_circuit import TrainedCircuit
from bezoar.quantum.circuit import Angle, Circuit, Operation, Parameter
from bezoar.quantum.engines.reference import gate_matrix
from bezoar.quantum.gates import STATE_PREPARATION
from bezoar.quantum.synthesis import unitary_distance, unitary_of

_IDENTITY = 1e-9
_DIGITS = 9
_MOST_QUBITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrityReport:
    """How a delivered circuit differs from its reference.

    Attributes:
        inserted: operations of the delivered circuit that the reference does not have, as
            ``(position, text)`` in the delivered circuit.
        removed: operations of the reference that were not delivered, as ``(position, text)`` in
            the reference.
        dormant: how many of the inserted ones are the identity as delivered, up to a phase: they do
            nothing now and something at another angle.
        distance: the largest `unitary_distance` over the probes, in [0, 1]; NaN with more than 10
            qubits or without probes to compare at.
        disagreement: the share of probes whose predicted class differs.
        variation: the mean over probes of half the L1 distance of the class probabilities.
        drift: ``(class,)``, the share of probes predicted as the class by the delivered circuit,
            minus that by the reference. Its largest entry shows where answers were moved to.
        n_probes: how many inputs were compared.
    """

    inserted: tuple[tuple[int, str], ...]
    removed: tuple[tuple[int, str], ...]
    dormant: int
    distance: float
    disagreement: float
    variation: float
    drift: tuple[float, ...]
    n_probes: int

    @property
    def same_gates(self) -> bool:
        """Whether gates, wires and the sources of their angles are the same."""
        return not self.inserted and not self.removed

    @property
    def largest_drift(self) -> float:
        """The largest entry of `drift`; 0 for circuits that predict alike."""
        return max(self.drift)


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitIntegrity:
    """Compares a delivered circuit with a reference in three ways.

    1. Gate by gate, in time order: what was inserted, what is missing. This sees a trojan that is
       switched off, as its gates are there with angle 0.
    2. As unitaries on probe inputs, where both have at most 10 qubits. This sees any change of what
       the circuit does on these inputs, and no switched-off gate. Where the data are amplitudes,
       what follows the encoding is compared.
    3. As answers on probe inputs. This needs no look inside and works on a service that only
       predicts; it sees what shows on the probes alone.

    What it cannot see: a switch at the service that is off whenever it is looked at; gates that
    were merged into neighbours before delivery, where 1 says that all gates differ and only 2 and 3
    tell how much; a trigger that no probe carries; a reference that was backdoored itself. A
    compiled circuit differs from its source in every gate: compare it by 2 and 3, or compile both.

    Attributes:
        n_probes: random inputs, each angle uniform in [low, high), where none are given.
        low, high: radians.
        n_unitaries: at how many of the probes unitaries are compared.

    Raises:
        InvalidArgument: a number out of range.

    Example:
        >>> from bezoar.quantum.circuit import Feature
        >>> line = Circuit(1, (Operation("RX", (0,), (Feature((0,)),)),))
        >>> hidden = Circuit(1, (Operation("U", (0,), (0.0, 0.0, 0.0)), *line.operations))
        >>> weights = {"theta": np.empty(0), "weight": np.ones((1, 2)), "bias": np.zeros(2)}
        >>> found = CircuitIntegrity().inspect(
        ...     TrainedCircuit(circuit=line, **weights), TrainedCircuit(circuit=hidden, **weights),
        ...     rng=np.random.default_rng(0))
        >>> found.inserted, found.dormant, found.distance, found.disagreement
        (((0, 'U(0,0,0) on 0'),), 1, 0.0, 0.0)
    """

    n_probes: int = 256
    low: float = 0.0
    high: float = math.pi
    n_unitaries: int = 16

    def __post_init__(self) -> None:
        if self.n_probes < 1 or self.n_unitaries < 0:
            raise InvalidArgument(
                "n_probes and n_unitaries",
                wanted="1 or more, 0 or more",
                got=f"{self.n_probes} and {self.n_unitaries}",
            )
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InvalidArgument(
                "low and high", wanted="finite, low < high", got=(self.low, self.high)
            )

    def inspect(
        self,
        reference: TrainedCircuit,
        delivered: TrainedCircuit,
        *,
        rng: np.random.Generator,
        probes: npt.ArrayLike | None = None,
    ) -> IntegrityReport:
        """What differs.

        Args:
            reference: what was handed in, or what the exact circuit is.
            delivered: what runs: the same weights in another circuit, or other weights.
            rng: of random probes.
            probes: inputs ``(probe, feature)``, radians, for example clean validation samples; None
                for random ones.

        Raises:
            InvalidArgument: circuits of different sizes.
            InvalidData: probes that do not fit the circuit.
        """
        _check_alike(reference, delivered)
        inputs = self._probes(reference.circuit, probes, rng)
        inserted, removed, dormant = _gates(reference, delivered)
        before, after = reference.probabilities(inputs), delivered.probabilities(inputs)
        was, now = before.argmax(axis=1), after.argmax(axis=1)
        shares = [np.bincount(c, minlength=reference.n_classes) / len(inputs) for c in (was, now)]
        return IntegrityReport(
            inserted=inserted,
            removed=removed,
            dormant=dormant,
            distance=_distance(reference, delivered, inputs[: self.n_unitaries]),
            disagreement=float(np.mean(was != now)),
            variation=float(np.abs(before - after).sum(axis=1).mean() / 2),
            drift=tuple((shares[1] - shares[0]).tolist()),
            n_probes=len(inputs),
        )

    def _probes(
        self, circuit: Circuit, given: npt.ArrayLike | None, rng: np.random.Generator
    ) -> FloatArray:
        width = circuit.n_features
        if given is None:
            return rng.uniform(self.low, self.high, (self.n_probes, width))
        probes = np.asarray(given, dtype=np.float64)
        if probes.ndim != 2 or not len(probes) or probes.shape[1] < width:
            raise InvalidData(
                "probes", wanted=f"one or more inputs of {width} features", got=probes.shape
            )
        if not np.isfinite(probes).all():
            raise InvalidData("probes", wanted="finite numbers", got="NaN or infinity")
        return probes


def _check_alike(reference: TrainedCircuit, delivered: TrainedCircuit) -> None:
    sizes = [
        (m.circuit.n_qubits, m.n_classes, m.circuit.n_features) for m in (reference, delivered)
    ]
    if sizes[0] != sizes[1]:
        raise InvalidArgument(
            "delivered",
            wanted="{} qubits, {} classes and {} features as the reference".format(*sizes[0]),
            got="{}, {} and {}".format(*sizes[1]),
        )


def _gates(
    reference: TrainedCircuit, delivered: TrainedCircuit
) -> tuple[tuple[tuple[int, str], ...], tuple[tuple[int, str], ...], int]:
    old, new = _bound(reference), _bound(delivered)
    inserted: list[tuple[int, str]] = []
    removed: list[tuple[int, str]] = []
    dormant = 0
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal":
            continue
        removed += [(i, _told(old[i])) for i in range(old_start, old_end)]
        inserted += [(i, _told(new[i])) for i in range(new_start, new_end)]
        dormant += sum(_is_identity(new[i]) for i in range(new_start, new_end))
    return tuple(inserted), tuple(removed), dormant


def _bound(model: TrainedCircuit) -> list[Operation]:
    """The operations with trained angles as numbers, so that renumbered parameters compare."""

    def value(angle: Angle) -> Angle:
        if isinstance(angle, Parameter):
            angle = angle.scale * float(model.theta[angle.index])
        return round(angle, _DIGITS) + 0.0 if isinstance(angle, float) else angle

    return [
        dataclasses.replace(op, angles=tuple(value(a) for a in op.angles))
        for op in model.circuit.operations
    ]


def _is_identity(operation: Operation) -> bool:
    if operation.uses_features:
        return False
    matrix = gate_matrix(operation, np.empty(0), np.empty(0), 1.0)
    return bool(np.abs(matrix - matrix[0, 0] * np.eye(len(matrix))).max() < _IDENTITY)


def _told(operation: Operation) -> str:
    def text(angle: Angle) -> str:
        return f"{angle:.4g}" if isinstance(angle, float) else "data"

    angles = f"({','.join(text(a) for a in operation.angles)})" if operation.angles else ""
    return f"{operation.gate}{angles} on {', '.join(map(str, operation.wires))}"


def _distance(reference: TrainedCircuit, delivered: TrainedCircuit, probes: FloatArray) -> float:
    """The largest distance over the probes; NaN where there is nothing to compare them by."""
    if not len(probes) or reference.circuit.n_qubits > _MOST_QUBITS:
        return math.nan
    models = (reference, delivered)
    by_amplitudes = [op.gate == STATE_PREPARATION for m in models for op in m.circuit.operations]
    if any(by_amplitudes):
        after = [unitary_of(m.circuit.trainable(), m.theta) for m in models]
        return unitary_distance(*after)
    width = reference.circuit.n_features
    return max(
        unitary_distance(*(unitary_of(m.circuit, m.theta, probe[:width]) for m in models))
        for probe in probes
    )
