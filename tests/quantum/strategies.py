"""Random circuits, noise models and observables for hypothesis.

Hypothesis draws sizes, noise and observables; the gates come from a seed that it draws too. Drawing
every gate from hypothesis gives many copies of few circuits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from bezoar.quantum.circuit import Angle, Circuit, Feature, Operation, Parameter, unitary
from bezoar.quantum.engines import reference
from bezoar.quantum.gates import GATES, ComplexArray
from bezoar.quantum.noise import (
    AmplitudeDamping,
    BitFlip,
    Channel,
    CoherentRotation,
    Depolarizing,
    GateNoise,
    KrausChannel,
    NoiseModel,
    PhaseDamping,
    PhaseFlip,
    PlacedChannel,
    ReadoutError,
    ThermalRelaxation,
    TwoQubitDepolarizing,
)

SCALES = (1.0, -1.0, 0.5, 2.0, 1.7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A circuit with numbers to run it on.

    Attributes:
        circuit: what to run.
        features: ``(sample, feature)``.
        theta: ``(training, parameter)``.
        observables: Pauli strings.
    """

    circuit: Circuit
    features: np.ndarray
    theta: np.ndarray
    observables: tuple[str, ...]

    def reference(self, noise: NoiseModel | None = None) -> np.ndarray:
        """What the slow engine says, ``(training, sample, observable)``."""
        return np.array(
            [
                [
                    reference.expectations(self.circuit, x, theta, noise, self.observables)
                    for x in self.features
                ]
                for theta in self.theta
            ]
        )


def haar(n_wires: int, rng: np.random.Generator) -> ComplexArray:
    """A random unitary on `n_wires`, uniform by the Haar measure."""
    shape = (2**n_wires, 2**n_wires)
    q, r = np.linalg.qr(rng.normal(size=shape) + 1j * rng.normal(size=shape))
    diagonal = np.diagonal(r)
    return q * (diagonal / np.abs(diagonal))


def generators() -> st.SearchStrategy[np.random.Generator]:
    return st.integers(0, 2**32 - 1).map(np.random.default_rng)


def constant(rng: np.random.Generator) -> float:
    return float(rng.choice([0.0, np.pi / 2, -np.pi, rng.uniform(-2 * np.pi, 2 * np.pi)]))


def parameter(rng: np.random.Generator) -> Parameter:
    """From a pool of four, so that they are often shared."""
    return Parameter(int(rng.integers(4)), float(rng.choice(SCALES)))


def feature(rng: np.random.Generator) -> Feature:
    """Of one datum or the product of two, from a pool of four."""
    indices = tuple(int(i) for i in rng.integers(4, size=rng.integers(1, 3)))
    return Feature(indices, float(rng.choice(SCALES)), float(rng.choice([0.0, np.pi, -0.4])))


def operation(
    n_qubits: int,
    angles: Sequence[Callable[[np.random.Generator], Angle]],
    most_wires: int,
    rng: np.random.Generator,
) -> Operation:
    """Any standard gate, or a unitary on up to `most_wires` wires, anywhere on the circuit."""
    names = [g.name for g in GATES.values() if g.n_wires <= min(n_qubits, most_wires)]
    name = str(rng.choice([*names, "UNITARY"]))
    order = [int(wire) for wire in rng.permutation(n_qubits)]
    if name == "UNITARY":
        n_wires = int(rng.integers(1, min(n_qubits, most_wires) + 1))
        return unitary(haar(n_wires, rng), order[:n_wires])
    gate = GATES[name]
    chosen = tuple(angles[int(rng.integers(len(angles)))](rng) for _ in range(gate.n_angles))
    return Operation(name, tuple(order[: gate.n_wires]), chosen)


@st.composite
def circuits(
    draw: st.DrawFn,
    *,
    least_qubits: int = 1,
    most_qubits: int = 6,
    most_operations: int = 12,
    most_wires: int = 3,
    with_state: bool = True,
    reuploads: bool = False,
) -> Circuit:
    """An encoding followed by what is trained, or with `reuploads` both mixed.

    Args:
        draw: from hypothesis.
        least_qubits, most_qubits: range of the width.
        most_operations: of the encoding, and again of the trainable part.
        most_wires: of one operation; 1 makes products.
        with_state: whether amplitudes may be loaded first.
        reuploads: whether training acts before the data is fully in.
    """
    n = draw(st.integers(least_qubits, most_qubits))
    n_first, n_last = draw(st.tuples(*[st.integers(0, most_operations)] * 2))
    loaded = draw(st.integers(0, min(2**n, 6))) if with_state and not reuploads else 0
    rng = draw(generators())
    if reuploads:
        mixed = [
            operation(n, (constant, parameter, feature), most_wires, rng) for _ in range(n_first)
        ]
        data = Operation("RX", (0,), (Feature((0,)),))
        first = [Operation("RY", (0,), (Parameter(0),)), *mixed, data]
    else:
        first = [operation(n, (feature, constant), most_wires, rng) for _ in range(n_first)]
    if loaded:
        first.insert(0, Operation("STATE", tuple(range(n)), features=tuple(range(loaded))))
    last = [operation(n, (parameter, constant), most_wires, rng) for _ in range(n_last)]
    return Circuit(n, (*first, *last))


def observables(n_qubits: int) -> st.SearchStrategy[tuple[str, ...]]:
    """One to four Pauli strings of all letters, the identity among them."""
    string = st.text("IXYZ", min_size=n_qubits, max_size=n_qubits)
    single = st.builds(
        lambda wire, letter: "I" * wire + letter + "I" * (n_qubits - wire - 1),
        st.integers(0, n_qubits - 1),
        st.sampled_from("XYZ"),
    )
    return st.lists(st.one_of(string, single), min_size=1, max_size=4).map(tuple)


@st.composite
def cases(
    draw: st.DrawFn,
    circuit: st.SearchStrategy[Circuit],
    *,
    n_samples: int = 2,
    n_trainings: int = 2,
) -> Case:
    """A circuit with random features, parameters and observables."""
    chosen = draw(circuit)
    rng = draw(generators())
    return Case(
        circuit=chosen,
        features=rng.uniform(-np.pi, np.pi, (n_samples, chosen.n_features)),
        theta=rng.uniform(-np.pi, np.pi, (n_trainings, chosen.n_parameters)),
        observables=draw(observables(chosen.n_qubits)),
    )


def probabilities() -> st.SearchStrategy[float]:
    """Small ones, and the two ends."""
    return st.one_of(st.floats(0, 0.3), st.sampled_from((0.0, 1.0)))


@st.composite
def thermal_relaxations(draw: st.DrawFn) -> ThermalRelaxation:
    t1 = draw(st.floats(0.5, 100))
    return ThermalRelaxation(
        t1=t1,
        t2=t1 * draw(st.floats(0.01, 2)),
        duration=t1 * draw(st.floats(0, 2)),
        excited=draw(st.floats(0, 1)),
    )


def channels() -> st.SearchStrategy[Channel]:
    """Every kind."""
    return st.one_of(
        st.builds(AmplitudeDamping, probabilities()),
        st.builds(PhaseDamping, probabilities()),
        st.builds(Depolarizing, probabilities(), st.sampled_from(("pennylane", "qiskit"))),
        st.builds(BitFlip, probabilities()),
        st.builds(PhaseFlip, probabilities()),
        thermal_relaxations(),
        st.builds(CoherentRotation, st.floats(-np.pi, np.pi), st.sampled_from(("X", "Y", "Z"))),
    )


def noise_models(*, with_readout: bool = True) -> st.SearchStrategy[NoiseModel]:
    """Channels in any order, by gate and for the rest, over-rotation and readout error."""
    some = st.lists(channels(), max_size=2).map(tuple)
    readout = st.builds(ReadoutError, st.floats(0, 1), st.floats(0, 1))
    return st.builds(
        NoiseModel,
        after_gate=some,
        by_gate=st.dictionaries(st.sampled_from([*GATES, "UNITARY", "STATE"]), some, max_size=3),
        over_rotation=st.one_of(st.just(0.0), st.floats(-0.2, 0.2)),
        on_encoding=st.booleans(),
        readout=st.one_of(st.none(), readout) if with_readout else st.none(),
    )


def kraus_channel(n_wires: int, rng: np.random.Generator) -> KrausChannel:
    """A random channel: an isometry into two or three environment states."""
    n = int(rng.integers(2, 4))
    size = 2**n_wires
    isometry = np.linalg.qr(
        rng.normal(size=(n * size, size)) + 1j * rng.normal(size=(n * size, size))
    )
    return KrausChannel.of(isometry[0].reshape(n, size, size))


@st.composite
def placed_noise_models(draw: st.DrawFn, case: Case) -> NoiseModel:
    """Noise at some places of the circuit, over a model by gate, with readout of each wire."""
    base = draw(noise_models(with_readout=False))
    rng = draw(generators())
    places = {
        (op.gate, op.wires)
        for op in case.circuit.operations
        if op.gate in GATES and rng.random() < 0.7
    }
    by_place = []
    for gate, wires in sorted(places):
        found: list[PlacedChannel] = []
        for _ in range(int(rng.integers(0, 4))):
            if len(wires) == 2 and rng.random() < 0.6:
                on = wires if rng.random() < 0.5 else wires[::-1]
                two: list[Channel] = [
                    TwoQubitDepolarizing(rng.uniform(0, 16 / 15)),
                    kraus_channel(2, rng),
                ]
                found.append((two[int(rng.integers(2))], on))
            else:
                found.append((draw(channels()), (wires[int(rng.integers(len(wires)))],)))
        by_place.append(GateNoise(gate=gate, wires=wires, channels=tuple(found)))
    readout = tuple(
        None if rng.random() < 0.3 else ReadoutError(*rng.uniform(0, 1, 2))
        for _ in range(case.circuit.n_qubits)
    )
    return NoiseModel(
        after_gate=base.after_gate,
        by_gate=dict(base.by_gate) | {"CX": (kraus_channel(2, rng), BitFlip(0.1))},
        over_rotation=base.over_rotation,
        on_encoding=base.on_encoding,
        readout=readout,
        by_place=tuple(by_place),
    )
