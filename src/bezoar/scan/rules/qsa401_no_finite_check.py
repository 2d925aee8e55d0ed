"""QSA401: features reach an encoder and nobody asked whether they are finite."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.encoders import Encoding, encodings, imports_framework
from bezoar.scan.rules.roles import is_features, names_in

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module
    from bezoar.scan.code.values import Value

#: From where data may hold anything.
_OUTSIDE: Final = ("request", "network", "cli", "env", "file", "parameter")
#: Marks of a value that was looked at on its way.
_LOOKED_AT: Final = frozenset(("finite", "checked", "listed"))
#: Calls that look for, refuse or fill what is not finite, whatever they are a method of.
_CHECKS: Final = frozenset(
    (
        *("isfinite", "isnan", "isinf", "isna", "isnull", "notna", "notnull", "dropna", "fillna"),
        *("nan_to_num", "check_array", "check_X_y", "assert_all_finite", "check_numerics"),
        *("SimpleImputer", "KNNImputer", "IterativeImputer", "asarray_chkfinite", "is_finite"),
        *("detect_anomaly", "set_detect_anomaly", "isnull_any", "debug_nans"),
    )
)
#: Functions that take an operation apart into gates.
_DECOMPOSES: Final = re.compile(r"decompos")
_ASKS_TABLE: Final = frozenset(("isna", "isnull", "notna", "notnull", "isnull_any"))
#: Data that a library generates, finite as they are made.
_OWN_DATA: Final = re.compile(r"sklearn\.datasets\.make_\w+|qiskit_machine_learning\.datasets\.\w+")
#: Data sets that come with a library: those are finite, what the model meets later need not be.
_SHIPPED: Final = re.compile(
    r"sklearn\.datasets\.load_\w+|torchvision\.datasets\.\w+|torchquantum\.dataset\.\w+|"
    r"tensorflow\.keras\.datasets\.[\w.]+"
)
#: Numbers that are made on the spot.
_MADE: Final = re.compile(
    r"(numpy|pennylane\.numpy|jax|torch)\.(random\.\w+|rand|randn|randint|linspace|arange)|"
    r"numpy\.random\.\w+\.\w+|\?\.(uniform|normal|standard_normal|integers|rand|randn)"
)
#: Symbols are no numbers yet; what is bound to them is looked at where it is bound.
_SYMBOLS: Final = ("qiskit.circuit.Parameter", "sympy.", "braket.circuits.FreeParameter")
#: Calls that bound what they are given and pass NaN on.
_BOUNDING: Final = re.compile(r"tanh|sigmoid|arctan|clip|clamp|MinMaxScaler", re.IGNORECASE)
_LOADERS: Final = re.compile(
    r"(pandas|polars)\.(read_\w+|scan_\w+)|numpy\.(load|loadtxt|genfromtxt|fromfile|memmap)|"
    r"torch\.load|scipy\.io\.\w+|h5py\.File|json\.loads?|csv\.\w+|cv2\.\w+|pickle\.loads?|"
    r"joblib\.load|PIL\.Image\.open|requests\.\w+|datasets\.load_dataset|ucimlrepo\.\w+|open"
)


def check(module: Module) -> Iterator[Hit]:
    """Reports the first encoder of each function whose features nobody looked at."""
    if module.is_test or not imports_framework(module) or _looks_somewhere(module):
        return
    own_data = _makes_own_data(module)
    shipped = any(_SHIPPED.fullmatch(call.name) for call in module.calls)
    seen: set[int] = set()
    for encoding in encodings(module):
        # Bits are no numbers that could be NaN.
        if encoding.kind == "basis" or _is_decomposition(encoding):
            continue
        scope = id(encoding.call.function.node) if encoding.call.function else 0
        value = module.value(encoding.features)
        if scope in seen or not _is_outside(value, own_data):
            continue
        seen.add(scope)
        yield _hit(module, encoding, value, shipped)


def _is_decomposition(encoding: Encoding) -> bool:
    """Whether an operation or a tape is taken apart: its features came in where it was applied."""
    function = encoding.call.function
    if function is None:
        return False
    return bool(_DECOMPOSES.search(function.qualname)) or "tape" in function.params


def _hit(module: Module, encoding: Encoding, value: Value, shipped: bool) -> Hit:
    what = ast.unparse(encoding.features)
    bounded = any(_BOUNDING.search(name) for name in value.through)
    outside = value.comes_from(*(kind for kind in _OUTSIDE if kind != "parameter"))
    known = shipped and not outside
    sink = f"{encoding.name} encodes `{what}`"
    return Hit(
        where=encoding.call.node,
        message=(
            f"`{encoding.name}` encodes `{what}`, and nothing on the way asks whether it is finite"
            + ("; what bounds it lets NaN through" if bounded else "")
        ),
        severity="low" if bounded or known else None,
        flow=module.flow(value, _OUTSIDE, encoding.call.node, sink),
    )


def _is_outside(value: Value, own_data: bool) -> bool:
    if value.fixed or value.marks & _LOOKED_AT or not value.comes_from(*_OUTSIDE):
        return False
    for name in value.through:
        if _OWN_DATA.fullmatch(name) or _MADE.fullmatch(name) or name.startswith(_SYMBOLS):
            return False
    # A parameter may be anything, but a module that makes its own data passes those.
    outside = value.comes_from(*(kind for kind in _OUTSIDE if kind != "parameter"))
    return outside or not own_data


def _looks_somewhere(module: Module) -> bool:
    """Whether the module asks the question at all: people check once, at the door."""
    if module.imports_any("bezoar"):
        return True
    return any(call.method in _CHECKS and _is_heeded(module, call) for call in module.calls)


def _is_heeded(module: Module, call: Call) -> bool:
    """Whether an answer is used: ``print(df.isnull().sum())`` shows it and goes on."""
    if call.method not in _ASKS_TABLE:
        return True
    statement = module.statement_of(call.node)
    shown = isinstance(statement, ast.Expr) and not isinstance(statement.value, ast.Await)
    return not shown and not isinstance(module.parent(call.node), ast.IfExp)


def _makes_own_data(module: Module) -> bool:
    if any(_LOADERS.fullmatch(call.name) for call in module.calls):
        return False
    return any(
        _OWN_DATA.fullmatch(call.name) or (_MADE.fullmatch(call.name) and _is_data(module, call))
        for call in module.calls
    )


def _is_data(module: Module, call: Call) -> bool:
    """Whether random numbers are called like features, not like weights."""
    statement = module.statement_of(call.node)
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return any(is_features(name) for target in targets for name in names_in(target))


RULE = Rule(
    id="QSA401",
    title="Features reach an encoder with no finite check",
    severity="medium",
    confidence="medium",
    cwe=(20,),
    frameworks=("pennylane", "qiskit", "cirq", "torchquantum", "braket", "tensorcircuit"),
    why=(
        "A circuit does not refuse NaN or infinity, it answers. PennyLane with shots returns an "
        "expectation value of exactly 1.0 for a NaN angle, and Aer returns the counts "
        '`{"1": 100}`; neither raises an error. One missing cell in a CSV file, or one field of a '
        "request, thus becomes a confident prediction, and in training it becomes a gradient. "
        "Classical layers before the encoder do not help: `tanh`, `sigmoid` and scalers pass NaN "
        "on.\n\n"
        "The rule looks at the encoder of each function that encodes data from outside (a file, a "
        "request, or the parameter of a QNode whose callers are not known), and reports it once "
        "when neither the flow of the data nor its module asks whether they are finite. Numbers "
        "that are generated (`make_moons`, random ones) are taken as finite; with a data set that "
        "a library ships the finding is low, for what the model meets after training."
    ),
    remedy=(
        "Check before encoding: `if not np.isfinite(x).all(): raise ValueError(...)`, or put "
        "Bezoar's guard around the QNode."
    ),
    bad=(
        Example(
            name="a QNode that takes whatever comes",
            file="layers.py",
            code="""\
import pennylane as qml
import torch.nn as nn

N_WIRES = 4
dev = qml.device("default.qubit", wires=N_WIRES)


@qml.qnode(dev, interface="torch")
def head(inputs, weights):
    qml.AngleEmbedding(inputs, wires=range(N_WIRES), rotation="Y")  # <- here
    qml.BasicEntanglerLayers(weights, wires=range(N_WIRES))
    return [qml.expval(qml.PauliZ(i)) for i in range(N_WIRES)]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.quantum = qml.qnn.TorchLayer(head, {"weights": (2, N_WIRES)})
""",
        ),
        Example(
            name="a CSV file, loaded and encoded amplitude by amplitude",
            file="train.py",
            code="""\
import pandas as pd
import pennylane as qml
from pennylane import numpy as np
from pennylane.templates import AmplitudeEmbedding

table = pd.read_csv("patients.csv")
X = np.array(table.drop(columns=["label"]).values)
dev = qml.device("default.qubit", wires=3)


@qml.qnode(dev)
def circuit(weights, x):
    AmplitudeEmbedding(  # <- here
        features=x,
        wires=range(3),
        normalize=True,
        pad_with=0.0,
    )
    qml.StronglyEntanglingLayers(weights, wires=range(3))
    return qml.expval(qml.PauliZ(0))


weights = np.random.random((2, 3, 3))
scores = [circuit(weights, x) for x in X]
""",
        ),
        Example(
            name="a hand-written Qiskit encoder, rotation by rotation",
            file="encoding.py",
            code="""\
from qiskit import QuantumCircuit


def angle_encode(features):
    qc = QuantumCircuit(len(features))
    for i, value in enumerate(features):
        qc.ry(features[i], i)  # <- here
        qc.rz(features[i], i)
    return qc
""",
        ),
        Example(
            name="a service that encodes the body of a request",
            file="service.py",
            code="""\
import pennylane as qml
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
dev = qml.device("default.qubit", wires=2, shots=100)


class Sample(BaseModel):
    features: list[float]


@qml.qnode(dev)
def score(features):
    for wire in range(2):
        qml.RY(features[wire], wires=wire)  # <- here
    qml.CNOT(wires=[0, 1])
    return qml.expval(qml.PauliZ(1))


@app.post("/score")
def run(sample: Sample):
    return {"score": float(score(sample.features))}
""",
        ),
        Example(
            name="a notebook with Cirq",
            file="encode.ipynb",
            code="""\
# %%
import cirq
import numpy as np
# %%
data = np.loadtxt("sensors.txt")
qubits = cirq.LineQubit.range(4)
# %%
def encode(sample):
    circuit = cirq.Circuit()
    for i, q in enumerate(qubits):
        circuit.append(cirq.rx(sample[i])(q))  # <- here
    return circuit
# %%
circuits = [encode(row) for row in data]
""",
        ),
        Example(
            name="angles from an array that was made of the features",
            file="tfq_encoder.py",
            code="""\
import cirq
import numpy as np
import tensorflow as tf
import tensorflow_quantum as tfq


def encoder(inputs, qubits):
    scaled = tf.nn.l2_normalize(inputs, axis=-1)
    circuit = cirq.Circuit()
    for k, qubit in enumerate(qubits):
        circuit.append([cirq.ry(np.pi * scaled[k])(qubit), cirq.rz(scaled[k])(qubit)])  # <- here
    return tfq.convert_to_tensor([circuit])
""",
        ),
        Example(
            name="missing cells are counted, shown and encoded",
            file="loans.ipynb",
            code="""\
# %%
import pandas as pd
import pennylane as qml
# %%
df = pd.read_csv("loans.csv")
print(df.isnull().sum())
df.isna().any()
X = df.drop(columns=["default"]).values
dev = qml.device("default.qubit", wires=4)
# %%
@qml.qnode(dev)
def circuit(x, weights):
    for k in range(4):
        angle = x[k] if k < len(x) else 0.0
        qml.RY(angle, wires=k)  # <- here
    qml.BasicEntanglerLayers(weights, wires=range(4))
    return qml.expval(qml.PauliZ(0))
# %%
outputs = [circuit(row, [[0.1] * 4]) for row in X]
""",
        ),
        Example(
            name="a training script on iris, whose model will meet other rows",
            file="iris.py",
            code="""\
import pennylane as qml
from pennylane import numpy as np
from sklearn.datasets import load_iris
from sklearn.preprocessing import MinMaxScaler

X, Y = load_iris(return_X_y=True)
X = MinMaxScaler((0, np.pi)).fit_transform(X)
dev = qml.device("default.qubit", wires=4)


@qml.qnode(dev)
def classifier(weights, x):
    qml.AngleEmbedding(x, wires=range(4))  # <- here
    qml.StronglyEntanglingLayers(weights, wires=range(4))
    return qml.expval(qml.PauliZ(0))


def cost(weights, X, Y):
    return np.mean((np.stack([classifier(weights, x) for x in X]) - Y) ** 2)


weights = np.random.random((2, 4, 3), requires_grad=True)
opt = qml.AdamOptimizer(0.05)
for _ in range(20):
    weights = opt.step(lambda w: cost(w, X, Y), weights)
""",
        ),
    ),
    good=(
        Example(
            name="the QNode's door is guarded",
            file="layers.py",
            code="""\
import numpy as np
import pennylane as qml

dev = qml.device("default.qubit", wires=4)


@qml.qnode(dev)
def _circuit(inputs, weights):
    qml.AngleEmbedding(inputs, wires=range(4))
    qml.BasicEntanglerLayers(weights, wires=range(4))
    return qml.expval(qml.PauliZ(0))


def predict(inputs, weights):
    if not np.isfinite(inputs).all():
        raise ValueError("inputs: wanted finite numbers")
    return _circuit(inputs, weights)
""",
        ),
    ),
    look_alikes=(
        Example(
            name="rows with missing values are dropped when the table is read",
            file="train.py",
            code="""\
import pandas as pd
import pennylane as qml

table = pd.read_csv("patients.csv").dropna()
dev = qml.device("default.qubit", wires=4)


@qml.qnode(dev)
def circuit(x, weights):
    qml.AngleEmbedding(x, wires=range(4))
    qml.StronglyEntanglingLayers(weights, wires=range(4))
    return qml.expval(qml.PauliZ(0))
""",
        ),
        Example(
            name="components of scikit-learn, which refuses what is not finite",
            file="components.py",
            code="""\
import numpy as np
import pandas as pd
import pennylane as qml
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler

table = pd.read_csv("cells.csv").to_numpy()
angles = MinMaxScaler((0, np.pi)).fit_transform(PCA(n_components=4).fit_transform(table))
dev = qml.device("default.qubit", wires=4)


@qml.qnode(dev)
def circuit(x, weights):
    qml.AngleEmbedding(x, wires=range(4))
    qml.StronglyEntanglingLayers(weights, wires=range(4))
    return qml.expval(qml.PauliZ(0))


scores = [circuit(row, WEIGHTS) for row in angles]
""",
        ),
        Example(
            name="data that scikit-learn generates",
            file="moons.py",
            code="""\
import pennylane as qml
from sklearn.datasets import make_moons
from sklearn.preprocessing import MinMaxScaler

X, y = make_moons(n_samples=100, noise=0.1, random_state=7)
X = MinMaxScaler((0, 3.14)).fit_transform(X)
dev = qml.device("default.qubit", wires=2)


@qml.qnode(dev)
def kernel(a, b):
    qml.AngleEmbedding(a, wires=range(2))
    qml.adjoint(qml.AngleEmbedding)(b, wires=range(2))
    return qml.probs(wires=range(2))


gram = [[kernel(a, b)[0] for b in X] for a in X]
""",
        ),
        Example(
            name="trainable weights are not features",
            file="ansatz.py",
            code="""\
import pennylane as qml

dev = qml.device("default.qubit", wires=2)


@qml.qnode(dev)
def ansatz(weights):
    for layer in weights:
        qml.RY(layer[0], wires=0)
        qml.RY(layer[1], wires=1)
        qml.CNOT(wires=[0, 1])
    return qml.expval(qml.PauliZ(0))
""",
        ),
        Example(
            name="symbols, a single number, and bits",
            file="symbols.py",
            code="""\
import pennylane as qml
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

dev = qml.device("default.qubit", wires=3)


def feature_map(n):
    x = ParameterVector("x", n)
    qc = QuantumCircuit(n)
    for i in range(n):
        qc.ry(x[i], i)
    return qc


@qml.qnode(dev)
def demo(x, bits):
    qml.BasisEmbedding(bits, wires=range(3))
    qml.RX(x, wires=0)
    return qml.expval(qml.PauliZ(0))
""",
        ),
        Example(
            name="the decomposition of an operation into gates",
            file="embedding.py",
            code="""\
import pennylane as qml
from pennylane.operation import Operation


class PairEmbedding(Operation):
    grad_method = None

    @staticmethod
    def compute_decomposition(features, wires):
        ops = []
        for i, wire in enumerate(wires):
            ops.append(qml.Hadamard(wires=wire))
            ops.append(qml.RZ(features[i], wires=wire))
        return ops


def _pair_decomposition(features, wires):
    def one(i):
        qml.RX(features[i], wires=wires[i])

    for i in range(len(wires)):
        one(i)
""",
        ),
        Example(
            name="constants",
            file="demo.py",
            code="""\
import pennylane as qml

dev = qml.device("default.qubit", wires=3)
SAMPLE = [0.1, 0.7, 1.2]


@qml.qnode(dev)
def demo():
    qml.AngleEmbedding(SAMPLE, wires=range(3))
    return qml.state()


print(demo())
""",
        ),
        Example(
            name="the check lives in another module of the project",
            file="guarded.py",
            code="""\
import pennylane as qml
from checks import checked_features

dev = qml.device("default.qubit", wires=4)


@qml.qnode(dev)
def circuit(x):
    qml.AngleEmbedding(x, wires=range(4))
    return qml.probs(wires=range(4))


def serve(path):
    return circuit(checked_features(path))
# file: checks.py
import numpy as np


def checked_features(path):
    x = np.load(path)
    if not np.isfinite(x).all():
        raise ValueError("x: wanted finite numbers")
    return x
""",
        ),
    ),
    references=(
        "AngleEmbedding <https://docs.pennylane.ai/en/stable/code/api/pennylane.AngleEmbedding.html>",
        "numpy.isfinite <https://numpy.org/doc/stable/reference/generated/numpy.isfinite.html>",
    ),
    check=check,
    keywords=(
        *("Embedding", "StatePrep", "initialize", "prepare_state", "feature", "rx(", "ry(", "rz("),
        *("RX(", "RY(", "RZ(", "Rot(", "encod", "inputs", "x["),
    ),
)
