"""QSA406: features that do not fit the wires are cut off, or repeated, in silence."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.assignments import assignments
from bezoar.scan.rules.encoders import encodings, imports_framework
from bezoar.scan.rules.gates import gate_of
from bezoar.scan.rules.roles import (
    holds_features,
    is_feature_count,
    is_features,
    is_qubit_count,
    last_name,
    names_in,
)

if TYPE_CHECKING:
    from bezoar.scan.code.module import Function, Module

#: Reductions whose leading columns are the ones that matter: slicing those is a choice.
_REDUCED: Final = re.compile(r"\.(PCA|KernelPCA|TruncatedSVD|FastICA|UMAP|SelectKBest|NMF)\b")
_REDUCTIONS: Final = frozenset(
    (
        *("PCA", "KernelPCA", "TruncatedSVD", "FastICA", "UMAP", "SelectKBest", "NMF", "svd"),
        *("IncrementalPCA", "SparsePCA", "LinearDiscriminantAnalysis", "pca", "argsort"),
        *("feature_importances_", "rfft", "fft", "dct"),
    )
)
_ENCODES: Final = re.compile(r"encod|embed|feature_?map|circuit|forward|quantum", re.IGNORECASE)
#: Functions that make samples fit the wires, or take them whole, by their names.
_FITS: Final = re.compile(
    r"pad|trunc|adjust|resiz|prepare|process|match|dim|features|predict|classif|bind|call|kernel",
    re.IGNORECASE,
)
#: Functions that are called after choosing: their caller asked for fewer.
_CHOOSES: Final = re.compile(r"select|choose|top|best|first|subset|plot|rank", re.IGNORECASE)
#: Calls that give the same numbers back in another container or shape.
_COPIES: Final = frozenset(
    (
        *("array", "asarray", "tensor", "as_tensor", "from_numpy", "list", "tuple", "copy"),
        *("ravel", "flatten", "reshape", "squeeze", "astype", "float", "clone", "detach"),
        *("concatenate", "to_numpy", "numpy"),
    )
)
_WARNINGS: Final = frozenset(("warn", "warning"))


def check(module: Module) -> Iterator[Hit]:
    """Reports `range(min(features, qubits))`, `x[:n_qubits]` and `x[i % len(x)]` in encoders."""
    quantum = imports_framework(module)
    # Helpers of a project take the samples apart, and know no framework.
    if module.is_test or not (quantum or "qubit" in module.text):
        return
    encoding = {id(one.call.function.node) for one in encodings(module) if one.call.function}
    for node in module.nodes(ast.Call, ast.Subscript):
        function = module.function_of(node)
        trimmed = isinstance(node, ast.Subscript) and _is_trimmed(module, node)
        if not (quantum or trimmed or _says_qubits(node, function)):
            continue
        if not (trimmed or _is_in_encoder(node, function, encoding)):
            continue
        message = _said(module, node)
        if message and not _is_refused(function):
            yield Hit(where=node, message=message)


def _is_trimmed(module: Module, node: ast.Subscript) -> bool:
    """Whether a slice stands under ``if len(features) > n_qubits:``."""
    bound = _upper_bound(node.slice)
    if bound is None or not is_qubit_count(bound):
        return False
    for above in module.ancestors(node):
        if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef):
            return False
        if isinstance(above, ast.If | ast.IfExp) and _compares_counts(above.test):
            return True
    return False


def _compares_counts(test: ast.expr) -> bool:
    """``len(features) > n_qubits``, and its mirror image."""
    if not isinstance(test, ast.Compare):
        return False
    sides = (test.left, *test.comparators)
    return any(map(is_feature_count, sides)) and any(map(is_qubit_count, sides))


def _says_qubits(node: ast.AST, function: Function | None) -> bool:
    """Whether code without a framework is about qubits: ``min(n_features, n_qubits)``."""
    if isinstance(node, ast.Call):
        return last_name(node.func) == "min" and "qubit" in ast.unparse(node).lower()
    if function is None or not isinstance(node, ast.Subscript):
        return False
    return bool(_ENCODES.search(function.name)) and "qubit" in ast.unparse(node.slice).lower()


def _said(module: Module, node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        return _cut(module, node) or _resized(module, node)
    return _slice(module, node) if isinstance(node, ast.Subscript) else ""


def _is_in_encoder(node: ast.AST, function: Function | None, encoding: set[int]) -> bool:
    """Whether a node stands where data are encoded, or made to fit the wires."""
    if isinstance(node, ast.Call):
        return True
    if function is None:
        # At the top level of a script, columns are chosen; in a function, they are lost.
        return _is_recycling(node)
    if id(function.node) in encoding or _ENCODES.search(function.name):
        return True
    return bool(_FITS.search(function.name)) and not _CHOOSES.search(function.name)


def _cut(module: Module, call: ast.Call) -> str:
    """``min(len(x), n_qubits)``, for a loop over gates or for the wires of an encoder."""
    if not (isinstance(call.func, ast.Name) and call.func.id == "min" and len(call.args) == 2):
        return ""
    first, second = call.args
    if is_qubit_count(first) and is_feature_count(second):
        first, second = second, first
    if not (is_feature_count(first) and is_qubit_count(second)):
        return ""
    if not _is_used_to_encode(module, call):
        return ""
    return (
        f"`{ast.unparse(call)}` encodes the first features that fit: the others of "
        f"`{ast.unparse(first)}` are dropped"
    )


def _resized(module: Module, call: ast.Call) -> str:
    """``np.resize(x, n_qubits)``, which repeats a short sample and cuts a long one."""
    if module.name_of(call.func) != "numpy.resize" or len(call.args) != 2:
        return ""
    features, size = call.args
    if not (holds_features(features) and is_qubit_count(size)):
        return ""
    return f"`{ast.unparse(call)}` repeats features or drops them, so that they fit the wires"


def _is_used_to_encode(module: Module, call: ast.Call) -> bool:
    """Whether a loop of gates, an encoder's wires or a slice of features depends on it."""
    statement = module.statement_of(call)
    if isinstance(statement, ast.For) and _within(call, statement.iter):
        return _encodes_below(module, statement)
    for above in module.ancestors(call):
        if isinstance(above, ast.Call) and above is not call:
            known = module.call(above)
            if known is not None and gate_of(module, known) is not None:
                return True
        # padded.at[:min(n_features, n_qubits)], whatever the array is called.
        if isinstance(above, ast.Subscript):
            return True
        if isinstance(above, ast.ListComp | ast.GeneratorExp):
            return any(
                isinstance(part, ast.Call) or holds_features(part)
                for part in ast.walk(above.elt)
                if isinstance(part, ast.expr)
            )
        if isinstance(above, ast.stmt):
            break
    if isinstance(statement, ast.Assign):
        names = {last_name(target) for target in statement.targets} - {""}
        function = module.function_of(call)
        scope = function.node if function is not None else module.tree
        return _bounds_encoding(module, scope, names)
    return False


def _bounds_encoding(module: Module, scope: ast.AST, names: set[str]) -> bool:
    for part in ast.walk(scope):
        if isinstance(part, ast.For) and _names(part.iter) & names:
            if _encodes_below(module, part):
                return True
        elif isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Slice):
            upper = part.slice.upper
            if upper is not None and holds_features(part.value) and _names(upper) & names:
                return True
        elif isinstance(part, ast.keyword) and part.arg == "wires" and _names(part.value) & names:
            return True
    return False


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _encodes_below(module: Module, loop: ast.For) -> bool:
    """Whether a gate in the loop turns by a feature (or by a name that was made of one)."""
    for part in ast.walk(loop):
        if not isinstance(part, ast.Call):
            continue
        call = module.call(part)
        gate = gate_of(module, call) if call is not None else None
        if gate is not None and gate.angles:
            return True
    return False


def _within(node: ast.AST, tree: ast.AST) -> bool:
    return any(part is node for part in ast.walk(tree))


def _slice(module: Module, node: ast.Subscript) -> str:
    """``x[:n_qubits]`` and ``x[i % len(x)]``."""
    if _is_recycling(node):
        if not _is_angle(module, node):
            return ""
        what = ast.unparse(node.value)
        return f"`{ast.unparse(node)}` starts over when `{what}` has fewer features than wires"
    bound = _upper_bound(node.slice)
    if bound is None or not is_qubit_count(bound) or not _are_features(module, node.value):
        return ""
    if not isinstance(node.ctx, ast.Load) or _is_reduced(module, node, bound):
        return ""
    return f"`{ast.unparse(node)}` drops the features beyond `{ast.unparse(bound)}` without a word"


def _are_features(module: Module, node: ast.expr) -> bool:
    """Whether a vector is one of features, by its name or by what it was made of."""
    if holds_features(node):
        return True
    given = assignments(module, module.function_of(node)).get(last_name(node), ())
    # A copy of the features by another name, as `np.array(features)` gives it.
    first = given[0].value if given else None
    if not isinstance(first, ast.Call) or last_name(first.func) not in _COPIES:
        return False
    return holds_features(first)


def _is_recycling(node: ast.AST) -> bool:
    if not isinstance(node, ast.Subscript):
        return False
    index = _last_index(node.slice)
    return (
        isinstance(index, ast.BinOp)
        and isinstance(index.op, ast.Mod)
        and is_feature_count(index.right)
        and any(is_features(name) for name in names_in(node.value))
    )


def _is_angle(module: Module, node: ast.Subscript) -> bool:
    """Whether the feature is encoded: in a gate, or in what a statement of an encoder makes."""
    for above in module.ancestors(node):
        if isinstance(above, ast.Call):
            call = module.call(above)
            if call is not None and gate_of(module, call) is not None:
                return True
        if isinstance(above, ast.stmt):
            return isinstance(above, ast.Assign) and module.function_of(node) is not None
    return False


def _upper_bound(index: ast.expr) -> ast.expr | None:
    index = _last_index(index)
    if not isinstance(index, ast.Slice) or index.step is not None:
        return None
    lower = index.lower
    from_start = lower is None or (isinstance(lower, ast.Constant) and lower.value == 0)
    return index.upper if from_start else None


def _is_reduced(module: Module, node: ast.Subscript, bound: ast.expr) -> bool:
    value = module.value(node.value)
    if any(_REDUCED.search(f".{name}") for name in value.through):
        return True
    if _is_rest_used(module, node, bound):
        return True
    return any(call.method in _REDUCTIONS for call in module.calls)


def _is_rest_used(module: Module, node: ast.Subscript, bound: ast.expr) -> bool:
    """Whether ``x[n_qubits:]`` is used too, so that nothing is dropped."""
    function = module.function_of(node)
    scope = function.node if function is not None else module.tree
    text, of = ast.unparse(bound), ast.unparse(node.value)
    for part in ast.walk(scope):
        if not isinstance(part, ast.Subscript) or part is node or ast.unparse(part.value) != of:
            continue
        index = _last_index(part.slice)
        lower = index.lower if isinstance(index, ast.Slice) else None
        if lower is not None and text in ast.unparse(lower):
            return True
    return False


def _last_index(index: ast.expr) -> ast.expr:
    return index.elts[-1] if isinstance(index, ast.Tuple) and index.elts else index


def _is_refused(function: Function | None) -> bool:
    """Whether the function raises, asserts or warns about the number of features."""
    if function is None:
        return False
    for part in ast.walk(function.node):
        if isinstance(part, ast.Assert) and _is_about_count(part.test):
            return True
        if isinstance(part, ast.If) and _is_about_count(part.test):
            for inner in (*part.body, *part.orelse):
                for node in ast.walk(inner):
                    if isinstance(node, ast.Raise):
                        return True
                    if isinstance(node, ast.Call) and last_name(node.func) in _WARNINGS:
                        return True
    return False


def _is_about_count(test: ast.expr) -> bool:
    return any(
        isinstance(part, ast.Compare)
        and any(is_feature_count(side) for side in (part.left, *part.comparators))
        for part in ast.walk(test)
    )


RULE = Rule(
    id="QSA406",
    title="Features are cut off or repeated to fit the wires",
    severity="medium",
    confidence="medium",
    cwe=(130,),
    frameworks=("any",),
    why=(
        "`range(min(len(x), n_qubits))` and `x[:n_qubits]` make every sample fit, and that is the "
        "harm: a model that was trained on 16 columns and runs on 4 wires learns from 4 of them, "
        "nobody is told, and whatever an attacker or a broken sensor puts into the other 12 is "
        "never seen. `x[i % len(x)]` does the opposite and repeats features, so that a sample that "
        "is too short is answered as if it were complete.\n\n"
        "The rule is quiet where the function raises or warns when the numbers differ, and where "
        "the features are components of a PCA, whose first ones were meant."
    ),
    remedy=(
        "Compare the numbers and raise: `if len(x) != n_qubits: raise ValueError(...)`; reduce "
        "features before, by PCA or by name."
    ),
    bad=(
        Example(
            name="the shorter of both, in a loop",
            code="""\
import pennylane as qml

n_qubits = 4
dev = qml.device("default.qubit", wires=n_qubits)


@qml.qnode(dev)
def circuit(features, weights):
    for i in range(min(len(features), n_qubits)):  # <- here
        qml.RY(features[i], wires=i)
    qml.StronglyEntanglingLayers(weights, wires=range(n_qubits))
    return qml.expval(qml.PauliZ(0))
""",
        ),
        Example(
            name="the same in Qiskit, with a scaled angle and names from a class",
            file="encoder.py",
            code="""\
import numpy as np
from qiskit import QuantumCircuit


class Encoder:
    def __init__(self, n_qubits):
        self.n_qubits = n_qubits

    def encode(self, sample):
        n_features = sample.shape[0]
        circuit = QuantumCircuit(self.n_qubits)
        for i in range(min(n_features, self.n_qubits)):  # <- here
            theta = np.pi * sample[i]
            circuit.ry(theta, i)
        return circuit
""",
        ),
        Example(
            name="a slice in the argument of an encoder, and in a helper",
            file="fair.py",
            code="""\
import numpy as np
import pennylane as qml

n_qubits = 4
dev = qml.device("default.qubit", wires=n_qubits)


@qml.qnode(dev)
def circuit(params, x):
    qml.AngleEmbedding(x[:n_qubits], wires=range(n_qubits))  # <- here
    qml.StronglyEntanglingLayers(params, wires=range(n_qubits))
    return qml.expval(qml.PauliZ(0))


def feature_map(x):
    x = x[:n_qubits] if len(x) >= n_qubits else np.pad(x, (0, n_qubits - len(x)))  # <- here
    for i in range(n_qubits):
        qml.RY(x[i], wires=i)
""",
        ),
        Example(
            name="features start over",
            file="recycle.ipynb",
            code="""\
# %%
from qiskit import QuantumCircuit
# %%
def z_map(x, n):
    qc = QuantumCircuit(n)
    qc.h(range(n))
    for i in range(n):
        qc.rz(2.0 * x[i % len(x)], i)  # <- here
    return qc
""",
        ),
        Example(
            name="the count has a name, and a batch is sliced in forward",
            file="layer.py",
            code="""\
import pennylane as qml
import torch


class Layer(torch.nn.Module):
    def forward(self, x):
        x = x[:, : self.n_qubits]  # <- here
        return self.qlayer(x)

    def encode(self, features):
        n = min(len(features), self.n_qubits)  # <- here
        for i in range(n):
            qml.RX(features[i], wires=i)
""",
        ),
        Example(
            name="a classifier that makes rows fit before they are predicted",
            file="classifier.py",
            code="""\
import numpy as np
import pennylane as qml


class Classifier:
    def __init__(self, n_qubits):
        self.n_qubits = n_qubits
        self.qnode = qml.QNode(self._circuit, qml.device("default.qubit", wires=n_qubits))

    def _circuit(self, inputs, weights):
        qml.AngleEmbedding(inputs, wires=range(self.n_qubits))
        qml.BasicEntanglerLayers(weights, wires=range(self.n_qubits))
        return qml.expval(qml.PauliZ(0))

    def _pad_rows(self, X):
        if X.shape[1] > self.n_qubits:
            return X[:, : self.n_qubits]  # <- here
        padding = np.zeros((X.shape[0], self.n_qubits - X.shape[1]))
        return np.hstack((X, padding))

    def tile(self, x):
        return self.qnode(np.resize(x, self.n_qubits), self.weights)  # <- here
""",
        ),
        Example(
            name="a helper of the project, in NumPy alone",
            file="encoding.py",
            code="""import numpy as np


def angle_encode(features, n_qubits):
    arr = np.array(features)
    arr = arr[:n_qubits]  # <- here
    return np.pi * arr


def rows_of(table, runner, n_qubits):
    n_rows, n_features = table.shape
    out = []
    for sample in table:
        padded = np.zeros(n_qubits)
        width = min(n_features, n_qubits)  # <- here
        padded[:width] = sample[:width]
        out.append(runner(padded))
    return out
""",
        ),
        Example(
            name="longer rows are cut while data are fetched",
            file="fetcher.py",
            code="""\
class ThreatEngine:
    def __init__(self, num_qubits):
        self.num_qubits = num_qubits

    def fetch(self, source):
        rows = []
        for features, label in source:
            if len(features) > self.num_qubits:
                features = features[: self.num_qubits]  # <- here
            rows.append((features, label))
        return rows
""",
        ),
    ),
    good=(
        Example(
            name="a mismatch is refused",
            code="""\
import pennylane as qml

n_qubits = 4
dev = qml.device("default.qubit", wires=n_qubits)


@qml.qnode(dev)
def circuit(features, weights):
    if len(features) != n_qubits:
        raise ValueError(f"features: wanted {n_qubits}, got {len(features)}")
    for i in range(n_qubits):
        qml.RY(features[i], wires=i)
    qml.StronglyEntanglingLayers(weights, wires=range(n_qubits))
    return qml.expval(qml.PauliZ(0))
""",
        ),
    ),
    look_alikes=(
        Example(
            name="the leading components of a PCA",
            code="""\
import pennylane as qml
from sklearn.decomposition import PCA

n_qubits = 4
dev = qml.device("default.qubit", wires=n_qubits)


@qml.qnode(dev)
def circuit(x):
    qml.AngleEmbedding(x[:n_qubits], wires=range(n_qubits))
    return qml.probs(wires=range(n_qubits))


def run(X):
    return [circuit(x) for x in PCA(n_components=8).fit_transform(X)]
""",
        ),
        Example(
            name="wires in a ring, and weights by the layer",
            code="""\
import pennylane as qml

n_qubits = 4
dev = qml.device("default.qubit", wires=n_qubits)


@qml.qnode(dev)
def circuit(x, weights):
    qml.AngleEmbedding(x, wires=range(n_qubits))
    for i in range(n_qubits):
        qml.CNOT(wires=[i, (i + 1) % n_qubits])
    first = weights[:n_qubits]
    for i in range(n_qubits):
        qml.RZ(first[i], wires=i)
    return [qml.expval(qml.PauliZ(i)) for i in range(min(4, n_qubits))]
""",
        ),
        Example(
            name="all features, in two halves",
            code="""\
import pennylane as qml

n_qubits = 4
dev = qml.device("default.qubit", wires=n_qubits)


@qml.qnode(dev)
def circuit(inputs):
    qml.AngleEmbedding(inputs[:n_qubits], wires=range(n_qubits), rotation="Y")
    qml.AngleEmbedding(inputs[n_qubits:], wires=range(n_qubits), rotation="X")
    return qml.probs(wires=range(n_qubits))
""",
        ),
        Example(
            name="a longer sample is refused before the loop",
            code="""\
from qiskit import QuantumCircuit


def encode(x, n_qubits):
    assert len(x) <= n_qubits, "too many features"
    qc = QuantumCircuit(n_qubits)
    for i in range(min(len(x), n_qubits)):
        qc.ry(x[i], i)
    return qc
""",
        ),
        Example(
            name="more features than wires go round the wires, none is lost",
            code="""\
import pennylane as qml

n_qubits = 4
dev = qml.device("default.qubit", wires=n_qubits)


@qml.qnode(dev)
def circuit(x):
    for i in range(len(x)):
        qml.RX(x[i], wires=i % n_qubits)
    return qml.probs(wires=range(n_qubits))
""",
        ),
    ),
    references=("CWE-130 <https://cwe.mitre.org/data/definitions/130.html>",),
    check=check,
    keywords=("min(", "[:", ": ", "%"),
)
