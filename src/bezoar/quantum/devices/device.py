"""A quantum computer by its calibration, and a circuit as it would run there."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.adapters.qiskit import qiskit_package
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.devices.calibration import DeviceGate, DeviceQubit, channels_of
from bezoar.quantum.devices.transpiling import routed
from bezoar.quantum.noise import GateNoise, NoiseModel


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCircuit:
    """A circuit in a device's gates with the noise of the qubits that it runs on.

    Attributes:
        circuit: as many wires as the circuit that was given, features and parameters still
            symbols. What that circuit does to wire i ends on wire i, so its observables hold here.
        noise: of these wires, readout included.
        qubits: the device's qubit of each wire.
        device: its name.
        calibrated: when the device was calibrated.
        barrier: whether gates of the encoding were kept apart from those that follow.
        n_encoding: how many leading operations prepare the data; with a barrier, all before it.
        layout_given: whether the user chose the qubits.
        seed, optimization_level: of the transpiler.
        transpiler: its name and version.
    """

    circuit: Circuit
    noise: NoiseModel
    qubits: tuple[int, ...]
    device: str
    calibrated: str
    barrier: bool
    n_encoding: int
    layout_given: bool
    seed: int
    optimization_level: int
    transpiler: str

    def encoding(self) -> Circuit:
        """The part that prepares the data, for a `StateEncoder` with the same noise.

        ``circuit.encoding()`` stops at the last gate that uses the data; this goes on to the
        barrier, and so keeps constant gates that belong to the encoding.
        """
        return replace(self.circuit, operations=self.circuit.operations[: self.n_encoding])

    def describe(self) -> dict[str, object]:
        """What a record must say of it, as JSON values; the noise describes itself."""
        counts = Counter(operation.gate for operation in self.circuit.operations)
        return {
            "device": self.device,
            "calibrated": self.calibrated,
            "qubits": list(self.qubits),
            "layout": "given" if self.layout_given else "chosen by the transpiler",
            "barrier": self.barrier,
            "seed": self.seed,
            "optimization_level": self.optimization_level,
            "transpiler": self.transpiler,
            "gates": dict(sorted(counts.items())),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A quantum computer by its calibration.

    Attributes:
        name: for records.
        calibrated: date of the calibration, ISO 8601; empty if it is not known.
        source: where the numbers come from.
        qubits: by number.
        gates: its gates, each at each place; kept in order of name and qubits.

    Raises:
        InvalidArgument: no qubits, a gate on a qubit that is not there, a place named twice.

    Example:
        >>> from bezoar.quantum.devices.tables import device_named
        >>> kyiv = device_named("ibm-kyiv")
        >>> len(kyiv.qubits), kyiv.basis_gates
        (127, ('ECR', 'I', 'RZ', 'SX', 'X'))
    """

    name: str
    calibrated: str
    source: str
    qubits: tuple[DeviceQubit, ...]
    gates: tuple[DeviceGate, ...]

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.gates, key=lambda gate: (gate.gate, gate.qubits)))
        object.__setattr__(self, "gates", ordered)
        if not self.qubits:
            raise InvalidArgument("qubits", wanted="one or more", got="none")
        places = Counter((gate.gate, gate.qubits) for gate in self.gates)
        wrong = [
            place
            for place, count in places.items()
            if count > 1 or not set(place[1]) <= set(range(len(self.qubits)))
        ]
        if wrong:
            raise InvalidArgument(
                "gates",
                wanted=f"each place once, on qubits from 0 to {len(self.qubits) - 1}",
                got=wrong[0],
            )

    @property
    def basis_gates(self) -> tuple[str, ...]:
        """The names of its gates."""
        return tuple(sorted({gate.gate for gate in self.gates}))

    @property
    def coupling(self) -> tuple[tuple[int, ...], ...]:
        """The pairs of qubits that a calibrated two-qubit gate joins, in the gate's order."""
        pairs = {g.qubits for g in self.gates if len(g.qubits) == 2 and g.is_calibrated}
        return tuple(sorted(pairs))

    def noise_model(self, qubits: Sequence[int] | None = None) -> NoiseModel:
        """The noise of its gates and of its readout, for circuits in its own gates.

        Qubits that wait while others work are not noisy: noise follows gates, as in Aer's
        ``NoiseModel.from_backend``.

        Args:
            qubits: the device's qubit of each wire; all of them, in order, by default.

        Raises:
            InvalidArgument: a qubit that is not there, or twice.
        """
        chosen = list(range(len(self.qubits)) if qubits is None else qubits)
        if len(set(chosen)) != len(chosen) or not set(chosen) <= set(range(len(self.qubits))):
            raise InvalidArgument(
                "qubits",
                wanted=f"different numbers from 0 to {len(self.qubits) - 1}",
                got=chosen,
            )
        wire = {qubit: i for i, qubit in enumerate(chosen)}
        places = []
        for gate in self.gates:
            if not set(gate.qubits) <= set(chosen):
                continue
            channels = channels_of(gate, self.qubits)
            if channels:
                at = tuple(wire[q] for q in gate.qubits)
                moved = tuple((c, tuple(wire[q] for q in on)) for c, on in channels)
                places.append(GateNoise(gate=gate.gate, wires=at, channels=moved))
        readout = tuple(self.qubits[q].readout for q in chosen)
        return NoiseModel(
            by_place=tuple(places), readout=readout if any(r is not None for r in readout) else None
        )

    def transpile(
        self,
        circuit: Circuit,
        *,
        barrier: bool = True,
        layout: Sequence[int] | None = None,
        seed: int = 0,
        optimization_level: int = 3,
    ) -> DeviceCircuit:
        """The circuit in this device's gates, with the noise of the qubits that it gets.

        The transpiler is Qiskit's; gates that could not be calibrated are not used. Where it would
        route through more qubits than the circuit has, it is run again on as many connected qubits,
        so that the result has no wires beside the circuit's own.

        Args:
            circuit: any, but for an amplitude encoding.
            barrier: keep the gates of the encoding apart from those that follow, so that the states
                of the samples do not depend on what is trained. Without it the transpiler may merge
                gates across.
            layout: the device's qubit of each wire of `circuit` at the start; by default the
                transpiler chooses.
            seed: of the transpiler.
            optimization_level: of the transpiler, 0 to 3.

        Raises:
            InvalidArgument: an amplitude encoding, too many qubits, a layout that does not fit or
                that no gates connect.
            MissingExtra: Qiskit is not installed.

        Example:
            >>> from bezoar.quantum.circuit import Feature, Operation
            >>> from bezoar.quantum.devices.tables import device_named
            >>> turn = Circuit(1, (Operation("RY", (0,), (Feature((0,)),)),))
            >>> run = device_named("ibm-brisbane").transpile(turn, layout=[5])
            >>> print(run.circuit.draw())
            0: -SX-RZ((x0--3.14))-SX-RZ(9.42)-
        """
        version = qiskit_package().__version__
        found = routed(
            circuit,
            self.qubits,
            self.gates,
            barrier=barrier,
            layout=layout,
            seed=seed,
            optimization_level=optimization_level,
        )
        return DeviceCircuit(
            circuit=found.circuit,
            noise=self.noise_model(found.qubits),
            qubits=found.qubits,
            device=self.name,
            calibrated=self.calibrated,
            barrier=barrier,
            n_encoding=found.n_encoding,
            layout_given=layout is not None,
            seed=seed,
            optimization_level=optimization_level,
            transpiler=f"qiskit {version}",
        )

    def describe(self) -> dict[str, object]:
        """The table as JSON values, as in a file that `bezoar.quantum.devices.tables` reads."""
        gates = {
            name: [
                {"qubits": list(g.qubits), "error": g.error, "duration": g.duration}
                for g in of_name
            ]
            for name, of_name in itertools.groupby(self.gates, key=lambda gate: gate.gate)
        }
        return {
            "name": self.name,
            "calibrated": self.calibrated,
            "source": self.source,
            "basis_gates": list(self.basis_gates),
            "coupling": [list(pair) for pair in self.coupling],
            "qubits": [
                {
                    "t1": q.t1,
                    "t2": q.t2,
                    "p10": None if q.readout is None else q.readout.p10,
                    "p01": None if q.readout is None else q.readout.p01,
                }
                for q in self.qubits
            ],
            "gates": gates,
        }
