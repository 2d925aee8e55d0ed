"""A circuit in a device's own gates, on its own wires, by Qiskit's transpiler; symbols stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.adapters.qiskit import THEIRS, from_qiskit, qiskit_package, to_qiskit
from bezoar.quantum.circuit import Circuit, Operation
from bezoar.quantum.devices.calibration import DeviceGate, DeviceQubit
from bezoar.quantum.gates import STATE_PREPARATION

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """A circuit that fits a device.

    Attributes:
        circuit: in the device's gates, with as many wires as the original; what the original does
            to wire i ends on wire i.
        n_encoding: how many leading operations prepare the data.
        qubits: the device's qubit of each wire.
    """

    circuit: Circuit
    n_encoding: int
    qubits: tuple[int, ...]


def routed(
    circuit: Circuit,
    qubits: Sequence[DeviceQubit],
    gates: Sequence[DeviceGate],
    *,
    barrier: bool,
    layout: Sequence[int] | None,
    seed: int,
    optimization_level: int,
) -> Routed:
    """Transpiles; see `bezoar.quantum.devices.device.Device.transpile`."""
    if not (isinstance(seed, int) and seed >= 0):
        raise InvalidArgument("seed", wanted="a whole number of 0 or more", got=seed)
    _check(circuit, len(qubits), layout, optimization_level)
    usable = [gate for gate in gates if gate.is_calibrated]
    # P is RZ up to a phase; the adapter writes constant offsets with it, which must cost nothing.
    if any(gate.gate == "RZ" for gate in usable):
        usable = [gate for gate in usable if gate.gate != "P"]
    written = _written(circuit, barrier=barrier)
    chosen = list(range(len(qubits))) if layout is None else list(layout)
    if layout is not None and not (circuit.is_product or _is_connected(chosen, usable)):
        raise InvalidArgument(
            "layout",
            wanted="qubits that calibrated two-qubit gates connect, as the circuit entangles",
            got=list(layout),
        )

    def run(on: Sequence[int], initial: Sequence[int] | None) -> tuple[QuantumCircuit, list[int]]:
        target = _target(qubits, usable, on)
        try:
            out = qiskit_package().transpile(
                written,
                target=target,
                initial_layout=initial,
                seed_transpiler=seed,
                optimization_level=optimization_level,
                approximation_degree=1.0,
            )
        except qiskit_package().QiskitError as error:
            raise InvalidArgument(
                "circuit",
                wanted="a circuit for qubits that calibrated gates connect, in a basis that the "
                "device's gates make",
                got=f"one that Qiskit refuses ({error})",
            ) from error
        return out, [on[q] for q in out.layout.final_index_layout(filter_ancillas=True)]

    out, ends = run(chosen, None if layout is None else range(circuit.n_qubits))
    if _touched(out, chosen) - set(ends):
        # Routing went through other qubits. Kept out of them, every wire is one of the model's.
        chosen = _connected(ends, usable)
        out, ends = run(chosen, None)
    wires = {qubit: wire for wire, qubit in enumerate(ends)}
    return _read(out, [wires.get(qubit, -1) for qubit in chosen], ends, barrier=barrier)


def _read(
    out: QuantumCircuit, wires: Sequence[int], ends: Sequence[int], *, barrier: bool
) -> Routed:
    """The transpiled circuit; `wires` says which wire each of its qubits is."""
    cut = next((i for i, step in enumerate(out.data) if step.operation.name == "barrier"), 0)
    halves = []
    for steps in (out.data[:cut], out.data[cut:]):
        half = out.copy_empty_like()
        for step in steps:
            half.append(step)
        halves.append(
            [
                replace(op, wires=tuple(wires[q] for q in op.wires))
                for op in from_qiskit(half).operations
            ]
        )
    operations = halves[0] + halves[1]
    if not barrier:
        operations = _data_first(operations)
    circuit = Circuit(len(ends), tuple(operations))
    n_encoding = len(halves[0]) if cut else circuit.encoding_length
    return Routed(circuit=circuit, n_encoding=n_encoding, qubits=tuple(ends))


def _data_first(operations: Sequence[Operation]) -> list[Operation]:
    """The same circuit with all that the encoding does not wait for moved behind it."""
    waited: set[int] = set()
    needed: set[int] = set()
    for position in range(len(operations) - 1, -1, -1):
        operation = operations[position]
        if operation.uses_features or needed.intersection(operation.wires):
            needed.update(operation.wires)
            waited.add(position)
    rest = [op for i, op in enumerate(operations) if i not in waited]
    return [operations[i] for i in sorted(waited)] + rest


def _written(circuit: Circuit, *, barrier: bool) -> QuantumCircuit:
    """The circuit in Qiskit, with a barrier where the encoding ends."""
    plain = to_qiskit(circuit)
    length = circuit.encoding_length
    if not barrier or not 0 < length < len(circuit.operations):
        return plain
    out = plain.copy_empty_like()
    for position, step in enumerate(plain.data):
        if position == length:
            out.barrier()
        out.append(step)
    return out


def _target(qubits: Sequence[DeviceQubit], gates: Sequence[DeviceGate], on: Sequence[int]) -> Any:
    """Qiskit's description of the qubits `on`, numbered as they stand there."""
    from qiskit.circuit import Measure
    from qiskit.circuit.library import get_standard_gate_name_mapping
    from qiskit.transpiler import InstructionProperties, Target

    standard = get_standard_gate_name_mapping()
    place = {qubit: i for i, qubit in enumerate(on)}
    target = Target(num_qubits=len(on))
    at: dict[str, dict[tuple[int, ...], Any]] = {}
    for gate in gates:
        if set(gate.qubits) <= set(on):
            properties = InstructionProperties(duration=gate.duration, error=gate.error)
            at.setdefault(gate.gate, {})[tuple(place[q] for q in gate.qubits)] = properties
    for name, places in at.items():
        target.add_instruction(standard[THEIRS[name]], places)
    read = [qubits[q].readout for q in on]
    target.add_instruction(
        Measure(),
        {
            (i,): InstructionProperties(error=None if r is None else (r.p10 + r.p01) / 2)
            for i, r in enumerate(read)
        },
    )
    return target


def _touched(out: QuantumCircuit, chosen: Sequence[int]) -> set[int]:
    """The device's qubits on which something happens."""
    return {
        chosen[out.find_bit(qubit).index]
        for step in out.data
        if step.operation.name != "barrier"
        for qubit in step.qubits
    }


def _is_connected(qubits: Sequence[int], gates: Sequence[DeviceGate]) -> bool:
    pairs = [set(g.qubits) for g in gates if len(g.qubits) == 2 and set(g.qubits) <= set(qubits)]
    reached = {qubits[0]}
    for _ in qubits:
        reached.update(*(pair for pair in pairs if pair & reached))
    return reached == set(qubits)


def _connected(near: Sequence[int], gates: Sequence[DeviceGate]) -> list[int]:
    """As many connected qubits, `near` themselves if they are, else grown over the best gates."""
    if _is_connected(near, gates):
        return list(near)
    pairs = [g for g in gates if len(g.qubits) == 2]
    grown = [near[0]]
    while len(grown) < len(near):
        edge = [g for g in pairs if len(set(g.qubits) & set(grown)) == 1]
        if not edge:
            raise InvalidArgument(
                "device",
                wanted=f"{len(near)} qubits that two-qubit gates connect",
                got=f"{len(grown)} around qubit {near[0]}",
                mend="give a layout",
            )
        best = min(edge, key=lambda g: (g.error or 0.0, g.qubits))
        grown += [q for q in best.qubits if q not in grown]
    return grown


def _check(
    circuit: Circuit, n_qubits: int, layout: Sequence[int] | None, optimization_level: int
) -> None:
    if optimization_level not in range(4):
        raise InvalidArgument("optimization_level", wanted="0 to 3", got=optimization_level)
    if any(operation.gate == STATE_PREPARATION for operation in circuit.operations):
        raise InvalidArgument(
            "circuit",
            wanted="an encoding by angles, whose gates do not depend on the sample",
            got="amplitudes (STATE)",
            mend="use an angle encoding on a device",
        )
    if circuit.n_qubits > n_qubits:
        raise InvalidArgument(
            "circuit", wanted=f"at most the device's {n_qubits} qubits", got=circuit.n_qubits
        )
    if layout is not None and (
        len(layout) != circuit.n_qubits
        or len(set(layout)) != len(layout)
        or not set(layout) <= set(range(n_qubits))
    ):
        raise InvalidArgument(
            "layout",
            wanted=f"{circuit.n_qubits} different qubits from 0 to {n_qubits - 1}",
            got=list(layout),
        )
