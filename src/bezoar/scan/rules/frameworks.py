"""What a file is part of: quantum code, and a service that others send requests to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bezoar.scan.rules.gates import QUANTUM_PACKAGES

if TYPE_CHECKING:
    from bezoar.scan.code.module import Module

#: Further packages whose import makes a file quantum code, though they apply no gates.
_PARSERS: Final = (
    *("pyqasm", "openqasm3", "qiskit_qasm3_import", "pytket", "pyzx", "qbraid", "mitiq", "mqt"),
    *("bqskit", "qibo", "quimb", "pennylane_qiskit", "qiskit_optimization", "qiskit_nature"),
    *("qiskit_experiments", "qiskit_braket_provider", "qiskit_ionq", "cudaq", "qsimcirq"),
)
_WEB_PACKAGES: Final = (
    *("fastapi", "flask", "flask_restful", "flask_restx", "django", "rest_framework", "starlette"),
    *(
        "quart",
        "sanic",
        "bottle",
        "tornado",
        "aiohttp",
        "litestar",
        "falcon",
        "grpc",
        "mcp",
        "connexion",
    ),
    *("flask_smorest", "flask_socketio", "socketio", "chalice", "functions_framework"),
)
_WORDS: Final = re.compile(r"qiskit|pennylane|\bcirq\b|QuantumCircuit|OPENQASM|torchquantum")
_REQUIRED: Final = frozenset(
    name.replace("_", "-").replace("braket", "amazon-braket-sdk") for name in QUANTUM_PACKAGES
) | {"cirq-core", "amazon-braket-default-simulator", "tensorcircuit-ng"}


def is_quantum(module: Module) -> bool:
    """Whether a quantum framework is imported here or required by the project."""
    if module.imports_any(*QUANTUM_PACKAGES, *_PARSERS):
        return True
    return not _REQUIRED.isdisjoint(module.project.requirements)


def mentions_quantum(module: Module) -> bool:
    """Whether a file is about quantum code, be it only by what its texts say."""
    return is_quantum(module) or _WORDS.search(module.text) is not None


def is_service(module: Module) -> bool:
    """Whether this file has to do with answering requests."""
    return module.imports_any(*_WEB_PACKAGES) or any(
        function.is_route for function in module.functions
    )
