"""QSA402: features that are no angles are used as angles."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.encoders import Encoding, encodings, imports_framework
from bezoar.scan.rules.roles import holds_features, is_features, last_name, names_in

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module
    from bezoar.scan.code.values import Value

_OUTSIDE: Final = ("request", "network", "cli", "env", "file")
#: Scalers whose output has no bound: a sample far from the training data is anywhere.
_UNBOUNDED: Final = re.compile(
    r"sklearn\.preprocessing\.(StandardScaler|RobustScaler|PowerTransformer|scale|robust_scale)"
    r"(\.\w+)?|scipy\.stats\.zscore"
)
#: Pixels as they come, 0 to 255 (0 to 16 in load_digits).
_PIXELS: Final = re.compile(
    r"cv2\.imread|PIL\.Image\.open|imageio(\.v\d)?\.imread|matplotlib\.(pyplot|image)\.imread|"
    r"skimage\.io\.imread|tensorflow\.keras\.datasets\.\w+\.load_data|"
    r"sklearn\.datasets\.(load_digits|fetch_openml)"
)
_STD: Final = re.compile(r"\b(std|sigma|stddev|stds)(_\b|\b)|_std\b", re.IGNORECASE)
_TABLES: Final = re.compile(r"pandas\.read_\w+|polars\.read_\w+|numpy\.(loadtxt|genfromtxt)")
#: Calls that bound what they are given, or bring it into a known range.
_BOUNDING: Final = frozenset(
    (
        *("MinMaxScaler", "MaxAbsScaler", "Normalizer", "QuantileTransformer", "minmax_scale"),
        *("normalize", "tanh", "Tanh", "sigmoid", "Sigmoid", "expit", "arctan", "atan", "arctan2"),
        *("arcsin", "arccos", "asin", "acos", "clip", "clamp", "clip_by_value", "ToTensor"),
        *("hardtanh", "Hardtanh", "ptp"),
        *(
            "maxabs_scale",
            "l2_normalize",
            "softsign",
            "Rescaling",
            "rescale",
            "convert_image_dtype",
        ),
        *("rescale_intensity", "to_tensor"),
    )
)
#: Calls that bound features, and are mostly there for something else: plots, outputs, losses.
_BOUNDING_DATA: Final = frozenset(
    (
        *("softmax", "Softmax", "mod", "fmod", "remainder", "cos", "sin", "norm", "interp"),
        "rankdata",
    )
)
#: Classical layers: what reaches the encoder is theirs, not the table's.
_LAYERS: Final = frozenset(("Linear", "LazyLinear", "Dense", "Conv2d", "Conv1d", "LSTM", "Conv2D"))
_BOUNDING_WORD: Final = re.compile(
    r"(normali[sz]|rescal|min_?max|to_angle|scale_to|squash|wrap|bound|map_range|angle_range)",
    re.IGNORECASE,
)

#: What comes out of a model; a sigmoid of it says nothing of what went in.
_OUTPUTS: Final = re.compile(
    r"^(y|pred|preds|out|output|outputs|logits?|scores?|losses?|loss|probs?|counts?|correct|total)"
    r"(_|$)|prediction|_pred|logit|_out$|_counts$",
    re.IGNORECASE,
)

_PREPARES: Final = re.compile(r"preprocess|prepare|load_dataset|get_data(set)?\b|load_data\b")
_PREPARED_FILE: Final = re.compile(
    r"scaled|normali[sz]ed|processed|pca|reduced|encoded", re.IGNORECASE
)


def check(module: Module) -> Iterator[Hit]:
    """Reports angle encoders that get what is known to be no angle."""
    if module.is_test or not imports_framework(module):
        return
    bounded = _bounds_somewhere(module)
    seen: set[int] = set()
    for encoding in encodings(module):
        if encoding.kind != "angle":
            continue
        scope = id(encoding.call.function.node) if encoding.call.function else 0
        value = module.value(encoding.features)
        source = _source(value) if not bounded else ""
        if not source and not bounded:
            source = _module_source(module, encoding, value)
        if not source or scope in seen:
            continue
        seen.add(scope)
        what = ast.unparse(encoding.features)
        yield Hit(
            where=encoding.call.node,
            message=(
                f"`{encoding.name}` takes `{what}` as an angle, which is {source}: nothing "
                "brings it into one turn"
            ),
            flow=module.flow(value, _OUTSIDE, encoding.call.node, f"{encoding.name} turns by it"),
        )


def _source(value: Value) -> str:
    """What is known of the features that makes them no angles, "" where nothing is."""
    if value.fixed or "range" in value.marks:
        return ""
    return _described([*value.through, value.made_by])


def _described(names: list[str]) -> str:
    for name in names:
        if _UNBOUNDED.fullmatch(name):
            return f"output of {name.split('.')[2 if name.startswith('sklearn') else -1]}"
    for name in names:
        if _PIXELS.fullmatch(name):
            return f"made of raw pixels ({name})"
    for name in names:
        if _TABLES.fullmatch(name):
            return f"an unscaled table ({name})"
    return ""


def _module_source(module: Module, encoding: Encoding, value: Value) -> str:
    """The same for the parameter of a QNode: the module has one scaler, and nothing that bounds.

    The way from a loader to a QNode mostly leads through an optimiser and a cost function, where
    no data flow can follow.
    """
    if value.fixed or "range" in value.marks:
        return ""
    if not value.comes_from("parameter") or not holds_features(encoding.features):
        return ""
    if any(call.method in _LAYERS for call in module.calls):
        return ""
    names = [call.name for call in module.calls if _is_about_data(module, call.node)]
    return _described(names) or _standardised(module)


def _standardised(module: Module) -> str:
    """``(x - x.mean()) / x.std()``, which is a StandardScaler by hand."""
    for node in module.nodes(ast.BinOp):
        if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)):
            continue
        top = node.left
        if not (isinstance(top, ast.BinOp) and isinstance(top.op, ast.Sub)):
            continue
        if _STD.search(ast.unparse(node.right)) and not _is_of_outputs([top.left]):
            return f"standardised by hand (`{ast.unparse(node)}`)"
    return ""


def _is_about_data(module: Module, node: ast.Call) -> bool:
    """Whether a call's result, or its argument, is called like features."""
    statement = module.statement_of(node)
    if isinstance(statement, ast.Assign):
        targets = [name for target in statement.targets for name in names_in(target)]
        if any(is_features(name) or name.lower() in ("df", "table", "digits") for name in targets):
            return True
    return any(is_features(name) for argument in node.args for name in names_in(argument))


def _bounds_somewhere(module: Module) -> bool:
    if any(name.rpartition(".")[2] in _BOUNDING for name in module.imports):
        return True
    for call in module.calls:
        bounds = call.method in _BOUNDING or _BOUNDING_WORD.search(call.method)
        if bounds and not _is_of_outputs(call.node.args):
            return True
        if call.method in _BOUNDING_DATA and _is_about_data(module, call.node):
            return True
        if _is_prepared_elsewhere(module, call):
            return True
    for node in module.nodes(ast.BinOp, ast.AugAssign):
        if _is_of_outputs([node.left if isinstance(node, ast.BinOp) else node.target]):
            continue
        if isinstance(node.op, ast.Div) and _is_bound(
            node.right if isinstance(node, ast.BinOp) else node.value
        ):
            return True
        if isinstance(node.op, ast.Mod) and _is_turn(
            node.right if isinstance(node, ast.BinOp) else node.value
        ):
            return True
    return False


def _is_of_outputs(arguments: list[ast.expr]) -> bool:
    """Whether what is bounded is a prediction or a count, and no feature."""
    # The receiver counts where there is no other name: counts.get("1", 0).
    names = [
        name
        for argument in arguments
        for name in (*names_in(argument), *map(last_name, _receivers(argument)))
    ]
    return bool(names) and all(_OUTPUTS.search(name) for name in names)


def _receivers(node: ast.expr) -> list[ast.expr]:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return []
    return [] if any(True for _ in names_in(node)) else [node.func.value]


def _is_prepared_elsewhere(module: Module, call: Call) -> bool:
    """Whether another file prepares the data, or they lie in a file that is called so."""
    # A scaler that came as an argument may be any.
    if call.method in ("transform", "fit_transform") and call.name.startswith("?."):
        # scaler = StandardScaler().fit(X) is that scaler still.
        made_by = call.receiver.made_by if call.receiver is not None else ""
        return not _UNBOUNDED.fullmatch(made_by)
    known = call.name.startswith((f"{module.path}:", "tensorflow."))
    if _PREPARES.search(call.method) and not known:
        return True
    return bool(_TABLES.fullmatch(call.name)) and any(
        isinstance(value.literal, str) and _PREPARED_FILE.search(value.literal)
        for value in call.args
    )


def _is_bound(node: ast.expr) -> bool:
    """A divisor that bounds: 255, 16, x.max(), a maximum, a norm, a range."""
    if isinstance(node, ast.Constant):
        return node.value in (255, 255.0, 16, 16.0, 15, 256, 127.5, 128, 100, 100.0)
    text = ast.unparse(node).lower()
    return any(word in text for word in ("max", "norm", "ptp", "range", "scale", "sum("))


def _is_turn(node: ast.expr) -> bool:
    return "pi" in ast.unparse(node)


RULE = Rule(
    id="QSA402",
    title="Features are used as angles without a scaler that bounds them",
    severity="medium",
    confidence="medium",
    cwe=(20,),
    frameworks=("pennylane", "qiskit", "cirq", "torchquantum", "braket", "tensorcircuit"),
    why=(
        "A rotation knows its angle only up to a period: two samples that differ by a multiple of "
        "4 pi in a feature are the same state. Standardised features, raw pixels and plain table "
        "columns have no bound, so different inputs collide in training, and at inference anyone "
        "may shift a feature by full turns without changing the prediction, or far beyond the "
        "range that was trained on. Very large angles also lose their meaning in floating point: "
        "RX(1e16) changes when the circuit is transpiled.\n\n"
        "The rule reports an angle encoder only where the source is known to be unbounded "
        "(`StandardScaler` and the like, pixels that are not divided, a table that nothing "
        "scales) and the module has no scaling of any other kind. Features of unknown origin are "
        "left alone."
    ),
    remedy=(
        "Scale into one turn with limits learned on the training data (`MinMaxScaler((0, np.pi))`) "
        "and clip at inference."
    ),
    bad=(
        Example(
            name="standardised features go straight into rotations",
            file="train.py",
            code="""\
import pandas as pd
import pennylane as qml
from pennylane import numpy as np
from sklearn.preprocessing import StandardScaler

df = pd.read_csv("wine.csv")
X = StandardScaler().fit_transform(df.drop("quality", axis=1))
n_qubits = X.shape[1]
dev = qml.device("default.qubit", wires=n_qubits)


@qml.qnode(dev)
def circuit(weights, x):
    qml.AngleEmbedding(x, wires=range(n_qubits))  # <- here
    qml.StronglyEntanglingLayers(weights, wires=range(n_qubits))
    return qml.expval(qml.PauliZ(0))


def cost(weights, X, y):
    return np.mean((np.stack([circuit(weights, x) for x in X]) - y) ** 2)
""",
        ),
        Example(
            name="raw pixels as angles",
            file="pixels.py",
            code="""\
import cv2
from qiskit import QuantumCircuit

image = cv2.imread("digit.png", cv2.IMREAD_GRAYSCALE)
pixels = cv2.resize(image, (2, 2)).flatten()
qc = QuantumCircuit(4)
for i in range(4):
    qc.rx(pixels[i], i)  # <- here
qc.measure_all()
""",
        ),
        Example(
            name="table columns as angles",
            file="table.ipynb",
            code="""\
# %%
import pandas as pd
import cirq
# %%
df = pd.read_csv("heart.csv")
X = df[["age", "chol", "thalach", "oldpeak"]].values
# %%
qubits = cirq.LineQubit.range(4)
circuits = []
for row in X:
    ops = [cirq.ry(row[i])(qubits[i]) for i in range(4)]  # <- here
    circuits.append(cirq.Circuit(ops))
""",
        ),
        Example(
            name="MNIST from Keras, pooled but not divided",
            file="mnist.py",
            code="""\
import pennylane as qml
from tensorflow import keras

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
dev = qml.device("default.qubit", wires=4)


@qml.qnode(dev)
def quanv(patch):
    for j in range(4):
        qml.RY(patch[j], wires=j)  # <- here
    qml.RandomLayers([[0.1, 0.2]], wires=range(4))
    return [qml.expval(qml.PauliZ(j)) for j in range(4)]


def convolve(image):
    return quanv([image[0, 0], image[0, 1], image[1, 0], image[1, 1]])


maps = [convolve(image) for image in x_train[:10]]
""",
        ),
        Example(
            name="pixels of Keras, whatever the parameter is called",
            file="quanvolution.ipynb",
            code="""\
# %%
import numpy as np
import pennylane as qml
from tensorflow import keras
# %%
(images, labels), _ = keras.datasets.fashion_mnist.load_data()
dev = qml.device("default.qubit", wires=4)
# %%
@qml.qnode(dev)
def quanv(phi):
    for j in range(4):
        qml.RY(np.pi * phi[j], wires=j)  # <- here
    return [qml.expval(qml.PauliZ(j)) for j in range(4)]
# %%
first = images[0]
quanv([first[0, 0], first[0, 1], first[1, 0], first[1, 1]])
""",
        ),
        Example(
            name="a scaler that was fitted in the same breath, and a sigmoid of the outputs",
            file="old_qiskit.py",
            code="""\
import torch
from qiskit import Aer, QuantumCircuit, execute
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

X, y = load_breast_cancer(return_X_y=True)
scaler = StandardScaler().fit(X)
X = scaler.transform(X)


def score(sample):
    qc = QuantumCircuit(4, 1)
    for i in range(4):
        qc.ry(sample[i], i)  # <- here
    qc.measure(0, 0)
    counts = execute(qc, Aer.get_backend("qasm_simulator")).result().get_counts()
    return counts.get("1", 0) / sum(counts.values())


predictions = torch.tensor([score(x) for x in X])
predictions = torch.sigmoid(predictions)
""",
        ),
        Example(
            name="standardised by hand, and a softmax over the outputs",
            file="prices.py",
            code="""\
import pandas as pd
import pennylane as qml
from pennylane import numpy as np
from scipy.special import softmax

table = pd.read_csv("prices.csv")
X = table[["open", "close", "volume"]]
X = (X - X.mean()) / X.std()
dev = qml.device("default.qubit", wires=3)


@qml.qnode(dev)
def circuit(x, params):
    for k in range(3):
        qml.RX(x[k], wires=k)  # <- here
    qml.StronglyEntanglingLayers(params, wires=range(3))
    return [qml.expval(qml.PauliZ(k)) for k in range(3)]


def predict(x, params):
    logits = circuit(x, params)
    return softmax(np.array(logits))
""",
        ),
    ),
    good=(
        Example(
            name="scaled to half a turn, clipped at inference",
            file="train.py",
            code="""\
import numpy as np
import pandas as pd
import pennylane as qml
from sklearn.preprocessing import MinMaxScaler

df = pd.read_csv("wine.csv")
scaler = MinMaxScaler((0, np.pi)).fit(df.values)
dev = qml.device("default.qubit", wires=4)


@qml.qnode(dev)
def circuit(weights, x):
    qml.AngleEmbedding(x, wires=range(4))
    qml.StronglyEntanglingLayers(weights, wires=range(4))
    return qml.expval(qml.PauliZ(0))


def predict(weights, row):
    return circuit(weights, np.clip(scaler.transform([row])[0], 0, np.pi))
""",
        ),
    ),
    look_alikes=(
        Example(
            name="tanh times pi/2, as in transfer learning",
            file="dressed.py",
            code="""\
import numpy as np
import pennylane as qml
import torch
from torch import nn
from sklearn.preprocessing import StandardScaler

dev = qml.device("default.qubit", wires=4)


@qml.qnode(dev, interface="torch")
def net(q_in, q_weights):
    for k in range(4):
        qml.RY(q_in[k], wires=k)
    qml.BasicEntanglerLayers(q_weights, wires=range(4))
    return [qml.expval(qml.PauliZ(k)) for k in range(4)]


class Dressed(nn.Module):
    def forward(self, features):
        q_in = torch.tanh(self.pre(features)) * np.pi / 2.0
        return net(q_in, self.q_params)


X = StandardScaler().fit_transform(np.loadtxt("x.txt"))
""",
        ),
        Example(
            name="pixels divided by 255",
            file="mnist.py",
            code="""\
import pennylane as qml
from tensorflow import keras

(x_train, y_train), _ = keras.datasets.mnist.load_data()
x_train = x_train / 255
dev = qml.device("default.qubit", wires=4)


@qml.qnode(dev)
def quanv(patch):
    for j in range(4):
        qml.RY(patch[j] * 3.14, wires=j)
    return [qml.expval(qml.PauliZ(j)) for j in range(4)]
""",
        ),
        Example(
            name="standardised first, brought into range by hand afterwards",
            file="byhand.py",
            code="""\
import numpy as np
import pennylane as qml
from sklearn.preprocessing import StandardScaler

X = StandardScaler().fit_transform(np.loadtxt("x.txt"))
X = np.pi * (X - X.min()) / (X.max() - X.min())
dev = qml.device("default.qubit", wires=4)


@qml.qnode(dev)
def circuit(weights, x):
    qml.AngleEmbedding(x, wires=range(4))
    return qml.expval(qml.PauliZ(0))
""",
        ),
        Example(
            name="features of unknown origin",
            file="layer.py",
            code="""\
import pennylane as qml

dev = qml.device("default.qubit", wires=4)


@qml.qnode(dev)
def circuit(inputs, weights):
    qml.AngleEmbedding(inputs, wires=range(4))
    qml.BasicEntanglerLayers(weights, wires=range(4))
    return qml.expval(qml.PauliZ(0))
""",
        ),
        Example(
            name="standardised features as amplitudes",
            file="amplitude.py",
            code="""\
import numpy as np
import pennylane as qml
from sklearn.preprocessing import StandardScaler

X = StandardScaler().fit_transform(np.loadtxt("x.txt"))
dev = qml.device("default.qubit", wires=3)


@qml.qnode(dev)
def circuit(weights, x):
    qml.AmplitudeEmbedding(x, wires=range(3), normalize=True)
    qml.StronglyEntanglingLayers(weights, wires=range(3))
    return qml.expval(qml.PauliZ(0))
""",
        ),
    ),
    references=(
        (
            "The effect of data encoding on the expressive power of variational quantum models "
            "<https://arxiv.org/abs/2008.08605>"
        ),
        (
            "StandardScaler <https://scikit-learn.org/stable/modules/generated/"
            "sklearn.preprocessing.StandardScaler.html>"
        ),
    ),
    check=check,
    keywords=(
        *("StandardScaler", "RobustScaler", "PowerTransformer", "zscore", "imread", "Image.open"),
        *("load_data", "load_digits", "fetch_openml", "read_", "loadtxt", "genfromtxt", "scale("),
    ),
)
