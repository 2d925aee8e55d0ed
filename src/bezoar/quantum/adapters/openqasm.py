"""To OpenQASM 3: plain text that any tool of the field reads."""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.adapters.angles import Floats, amplitudes, value, vectors
from bezoar.quantum.circuit import Circuit, Operation
from bezoar.quantum.gates import STATE_PREPARATION, UNITARY

_NAMES = {"I": "id", "U": "U"}
# What stdgates.inc lacks; each is exact up to a global phase.
_DEFINITIONS = {
    "SXDG": "gate sxdg a { inv @ sx a; }",
    "ECR": "gate ecr a, b { s a; sx b; cx a, b; x a; }",
    "RXX": "gate rxx(t) a, b { h a; h b; cx a, b; rz(t) b; cx a, b; h a; h b; }",
    "RYY": "gate ryy(t) a, b "
    "{ rx(pi/2) a; rx(pi/2) b; cx a, b; rz(t) b; cx a, b; rx(-pi/2) a; rx(-pi/2) b; }",
    "RZZ": "gate rzz(t) a, b { cx a, b; rz(t) b; cx a, b; }",
}


def to_openqasm(
    circuit: Circuit, features: npt.ArrayLike = (), parameters: npt.ArrayLike = ()
) -> str:
    """The circuit as an OpenQASM 3 program with numbers for its angles; ``q[i]`` is wire i.

    Gates that ``stdgates.inc`` lacks are defined at the top. Amplitude encodings become
    controlled RY; global phases are not kept. There is no measurement at the end.

    Args:
        circuit: what to write.
        features, parameters: ``(feature,)`` and ``(parameter,)``, radians or amplitudes.

    Raises:
        InvalidArgument: too few features or parameters, or a matrix on two wires or more.
        InvalidData: NaN among them, or amplitudes that are all zero.

    Example:
        >>> bell = Circuit(2, (Operation("H", (0,)), Operation("CX", (0, 1))))
        >>> print(to_openqasm(bell))
        OPENQASM 3.0;
        include "stdgates.inc";
        qubit[2] q;
        h q[0];
        cx q[0], q[1];
        <BLANKLINE>
    """
    x, theta = vectors(circuit, features, parameters)
    used = {operation.gate for operation in circuit.operations}
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";']
    lines += [text for gate, text in _DEFINITIONS.items() if gate in used]
    lines.append(f"qubit[{circuit.n_qubits}] q;")
    for operation in circuit.operations:
        lines += _statements(operation, x, theta)
    return "\n".join(lines) + "\n"


def _statements(operation: Operation, x: Floats, theta: Floats) -> Iterator[str]:
    if operation.gate == STATE_PREPARATION:
        yield from _preparation(operation, x)
        return
    if operation.gate == UNITARY:
        name, angles = "U", _euler(operation)
    else:
        name = _NAMES.get(operation.gate, operation.gate.lower())
        angles = [float(value(a, x.__getitem__, theta.__getitem__)) for a in operation.angles]
    numbers = f"({', '.join(map(repr, angles))})" if angles else ""
    yield f"{name}{numbers} {_qubits(operation.wires)};"


def _preparation(operation: Operation, x: Floats) -> Iterator[str]:
    """RY on each wire in turn, controlled by all values of the wires before it."""
    wires = operation.wires
    psi = amplitudes(operation, x)
    for depth, wire in enumerate(wires):
        halves = psi.reshape(1 << depth, 2, -1)
        last = halves.shape[2] == 1
        for prefix, (low, high) in enumerate(halves):
            # The last wire sets the signs, those before it only share out the norm.
            a, b = (low[0], high[0]) if last else (np.linalg.norm(low), np.linalg.norm(high))
            angle = 2 * math.atan2(b, a)
            if not angle:
                continue
            bits = f"{prefix:0{depth}b}" if depth else ""
            controls = "".join("ctrl @ " if bit == "1" else "negctrl @ " for bit in bits)
            yield f"{controls}ry({angle!r}) {_qubits((*wires[:depth], wire))};"


def _euler(operation: Operation) -> list[float]:
    """The angles of U(theta, phi, lambda), which equals the matrix up to a global phase."""
    matrix = np.array(operation.matrix)
    if matrix.shape != (2, 2):
        raise InvalidArgument(
            "circuit",
            wanted="matrices on one wire, which OpenQASM 3 can say",
            got=f"one on wires {operation.wires}",
            mend="build it from gates, or transpile the result of to_qiskit",
        )
    theta = 2 * math.atan2(abs(matrix[1, 0]), abs(matrix[0, 0]))
    if abs(matrix[0, 0]) < abs(matrix[1, 0]):
        # Phases relative to the larger entry, so that a zero gives no phase.
        phi, lam = 0.0, cmath.phase(-matrix[0, 1] / matrix[1, 0])
        if abs(matrix[0, 0]) > 0:
            phi = cmath.phase(matrix[1, 0] / matrix[0, 0])
            lam += phi
        return [theta, phi, lam]
    total = cmath.phase(matrix[1, 1] / matrix[0, 0])
    phi = cmath.phase(matrix[1, 0] / matrix[0, 0]) if abs(matrix[1, 0]) > 0 else 0.0
    return [theta, phi, total - phi]


def _qubits(wires: tuple[int, ...]) -> str:
    return ", ".join(f"q[{wire}]" for wire in wires)
