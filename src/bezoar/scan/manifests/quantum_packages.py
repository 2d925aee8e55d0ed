"""Which packages make quantum circuits, run them, or reach quantum hardware."""

from __future__ import annotations

_NAMES = frozenset(
    {
        "blueqat",
        "classiq",
        "cuda-quantum",
        "cudaq",
        "deepquantum",
        "dimod",
        "lambeq",
        "mindquantum",
        "mitiq",
        "myqlm",
        "openfermion",
        "openqasm3",
        "paddle-quantum",
        "perceval-quandela",
        "projectq",
        "pulser",
        "pyqasm",
        "pyqpanda",
        "pyqpanda3",
        "pyquil",
        "qbraid",
        "qibo",
        "qulacs",
        "quimb",
        "qutip",
        "strawberryfields",
        "tensorflow-quantum",
        "tequila-basic",
        "tfq-nightly",
        "thewalrus",
        "torchquantum",
        "torchquantum-ng",
        "vqnet",
    }
)
_FAMILIES = (
    "amazon-braket",
    "azure-quantum",
    "cirq",
    "dwave",
    "guppylang",
    "mqt-",
    "pennylane",
    "pytket",
    "qiskit",
    "tensorcircuit",
)


def is_quantum_package(name: str) -> bool:
    """Whether a package, by its normalised name, belongs to a quantum framework.

    Example:
        >>> is_quantum_package("qiskit-aer"), is_quantum_package("numpy")
        (True, False)
    """
    return name in _NAMES or name.startswith(_FAMILIES)
