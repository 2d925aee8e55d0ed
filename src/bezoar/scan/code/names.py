"""Canonical names: one name for each thing, however it was imported."""

from __future__ import annotations

import builtins
import functools

#: Modules whose members are known by the shorter name that most people use. The longest matching
#: prefix wins.
_PREFIXES = {
    "pennylane.templates": "pennylane",
    "pennylane.templates.embeddings": "pennylane",
    "pennylane.templates.layers": "pennylane",
    "pennylane.templates.state_preparations": "pennylane",
    "pennylane.templates.subroutines": "pennylane",
    "pennylane.embeddings": "pennylane",
    "pennylane.ops": "pennylane",
    "pennylane.ops.qubit": "pennylane",
    "pennylane.measurements": "pennylane",
    "pennylane.optimize": "pennylane",
    "pennylane.optimizer": "pennylane",
    "pennylane.devices": "pennylane",
    "pennylane.workflow": "pennylane",
    "pennylane.io": "pennylane",
    "qiskit.circuit.quantumcircuit": "qiskit",
    "qiskit.circuit.parameter": "qiskit.circuit",
    "qiskit.circuit.parametervector": "qiskit.circuit",
    "qiskit.compiler": "qiskit",
    "qiskit.compiler.transpiler": "qiskit",
    "qiskit.execute_function": "qiskit",
    "qiskit.circuit.qpy_serialization": "qiskit.qpy",
    "qiskit.qpy.interface": "qiskit.qpy",
    "qiskit.circuit.library.data_preparation": "qiskit.circuit.library",
    "qiskit.circuit.library.n_local": "qiskit.circuit.library",
    "qiskit.providers.aer": "qiskit_aer",
    "qiskit.providers.aer.backends": "qiskit_aer",
    "qiskit_aer.backends": "qiskit_aer",
    "qiskit.providers.ibmq": "qiskit.IBMQ",
    "qiskit.aqua": "qiskit_aqua",
    "qiskit_ibm_runtime.utils": "qiskit_ibm_runtime",
    "qiskit_ibm_runtime.utils.json": "qiskit_ibm_runtime",
    "qiskit_ibm_runtime.program": "qiskit_ibm_runtime",
    "qiskit_ibm_provider.utils": "qiskit_ibm_provider",
    "cirq.ops": "cirq",
    "cirq.circuits": "cirq",
    "cirq.sim": "cirq",
    "braket.circuits.circuit": "braket.circuits",
    "braket.ir.openqasm": "braket.openqasm",
    "torch.serialization": "torch",
    "fastapi.applications": "fastapi",
    "fastapi.routing": "fastapi",
    "fastapi.param_functions": "fastapi",
    "fastapi.middleware.cors": "starlette.middleware.cors",
    "starlette.responses": "fastapi.responses",
    "pydantic.fields": "pydantic",
    "pydantic.main": "pydantic",
    "pydantic.v1": "pydantic",
    "flask.globals": "flask",
    "flask.app": "flask",
    "werkzeug.utils": "werkzeug",
    "sklearn.externals.joblib": "joblib",
    "numpy.random.mtrand": "numpy.random",
    "numpy.lib.npyio": "numpy",
    "jax.numpy": "jax.numpy",
    "pytorch_lightning": "lightning",
    "lightning.pytorch": "lightning",
    "tensorflow.compat.v1": "tensorflow",
    "keras": "tensorflow.keras",
    "_pickle": "pickle",
    "cPickle": "pickle",
    "six.moves.cPickle": "pickle",
    "pickle5": "pickle",
    "simplejson": "json",
    "importlib.util": "importlib.util",
    "urllib2": "urllib.request",
}

#: Single members that moved or go by two names.
_MEMBERS = {
    "qiskit.circuit.QuantumCircuit": "qiskit.QuantumCircuit",
    "qiskit.circuit.QuantumRegister": "qiskit.QuantumRegister",
    "qiskit.circuit.ClassicalRegister": "qiskit.ClassicalRegister",
    "qiskit.transpiler.transpile": "qiskit.transpile",
    "qiskit.Aer": "qiskit_aer.Aer",
    "qiskit.IBMQ.IBMQ": "qiskit.IBMQ",
    "qiskit.BasicAer": "qiskit.BasicAer",
    "pennylane.operation.Operation": "pennylane.operation.Operation",
    "flask.request.get_json": "flask.request.get_json",
    "starlette.requests.Request": "fastapi.Request",
    "starlette.websockets.WebSocket": "fastapi.WebSocket",
    "fastapi.security.OAuth2PasswordBearer": "fastapi.security.OAuth2PasswordBearer",
    "io.open": "open",
    "codecs.open": "open",
    "builtins.open": "open",
    "builtins.eval": "eval",
    "builtins.exec": "exec",
    "builtins.compile": "compile",
    "os.environb": "os.environ",
    "tensorflow.keras.keras": "tensorflow.keras",
    "typing_extensions.Annotated": "typing.Annotated",
}

#: What `from X import *` brings, of what rules and sources ask for.
STAR_EXPORTS: dict[str, tuple[str, ...]] = {
    "qiskit": (
        "QuantumCircuit",
        "QuantumRegister",
        "ClassicalRegister",
        "transpile",
        "assemble",
        "execute",
        "Aer",
        "BasicAer",
        "IBMQ",
        "qpy",
        "qasm2",
        "qasm3",
    ),
    "qiskit.circuit": ("QuantumCircuit", "Parameter", "ParameterVector", "QuantumRegister"),
    "qiskit.circuit.library": (
        "ZZFeatureMap",
        "ZFeatureMap",
        "PauliFeatureMap",
        "RealAmplitudes",
        "EfficientSU2",
        "TwoLocal",
        "StatePreparation",
        "Initialize",
    ),
    "qiskit.qasm2": ("load", "loads", "dump", "dumps"),
    "qiskit_aer": ("Aer", "AerSimulator", "QasmSimulator", "StatevectorSimulator"),
    "qiskit_ibm_runtime": (
        "QiskitRuntimeService",
        "Sampler",
        "SamplerV2",
        "Estimator",
        "EstimatorV2",
        "Session",
        "RuntimeDecoder",
    ),
    "pennylane": (
        "qnode",
        "QNode",
        "device",
        "RX",
        "RY",
        "RZ",
        "Rot",
        "PhaseShift",
        "Hadamard",
        "CNOT",
        "CZ",
        "PauliX",
        "PauliY",
        "PauliZ",
        "expval",
        "probs",
        "sample",
        "state",
        "AngleEmbedding",
        "AmplitudeEmbedding",
        "BasisEmbedding",
        "IQPEmbedding",
        "StronglyEntanglingLayers",
        "BasicEntanglerLayers",
        "GradientDescentOptimizer",
        "AdamOptimizer",
        "NesterovMomentumOptimizer",
        "numpy",
    ),
    "pennylane.templates": (
        "AngleEmbedding",
        "AmplitudeEmbedding",
        "BasisEmbedding",
        "IQPEmbedding",
        "StronglyEntanglingLayers",
        "BasicEntanglerLayers",
        "RandomLayers",
    ),
    "pennylane.templates.embeddings": (
        "AngleEmbedding",
        "AmplitudeEmbedding",
        "BasisEmbedding",
        "IQPEmbedding",
    ),
    "cirq": ("Circuit", "LineQubit", "GridQubit", "rx", "ry", "rz", "H", "CNOT", "measure"),
    "fastapi": ("FastAPI", "APIRouter", "Depends", "Request", "Body", "Query", "Form", "File"),
    "flask": ("Flask", "request", "jsonify", "Blueprint", "send_file", "abort"),
    "pydantic": ("BaseModel", "Field", "validator", "field_validator"),
    "pickle": ("load", "loads", "dump", "dumps", "Unpickler"),
    "joblib": ("load", "dump"),
    "os": ("environ", "getenv", "system", "path"),
    "numpy": ("load", "save", "clip", "array", "isfinite", "isnan", "nan_to_num", "pi", "random"),
    "math": ("isfinite", "isnan", "pi", "tanh", "atan"),
    "torch": ("load", "save", "tensor", "tanh", "nn"),
    "zlib": ("decompress", "decompressobj"),
    "urllib.request": ("urlopen", "urlretrieve", "Request"),
}

_BUILTINS = frozenset(dir(builtins))


def is_builtin(name: str) -> bool:
    """Whether a plain name means Python's own, where nothing redefined it."""
    return name in _BUILTINS


@functools.lru_cache(maxsize=65536)
def canonical(name: str) -> str:
    """The one name of a dotted name whose aliases are resolved already.

    Example:
        >>> canonical("pennylane.templates.embeddings.AngleEmbedding")
        'pennylane.AngleEmbedding'
        >>> canonical("qiskit.providers.aer.AerSimulator")
        'qiskit_aer.AerSimulator'
    """
    if "." not in name:
        return _MEMBERS.get(name, _PREFIXES.get(name, name))
    end = len(name)
    while True:
        target = _PREFIXES.get(name[:end])
        # The module itself keeps its name unless the whole of it goes by another.
        if target is not None and (end < len(name) or target.count(".") >= name.count(".")):
            name = target + name[end:]
            break
        end = name.rfind(".", 0, end)
        if end < 0:
            break
    for cut in range(len(name), 0, -1):
        if cut == len(name) or name[cut] == ".":
            target = _MEMBERS.get(name[:cut])
            if target is not None:
                return target + name[cut:]
    return name
