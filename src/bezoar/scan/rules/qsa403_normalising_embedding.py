"""QSA403: an embedding that normalises hides how large, small or odd a sample was."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.encoders import encoding_of
from bezoar.scan.rules.roles import last_name

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

#: Embeddings that normalise when they are told to: position of `normalize`.
_NORMALISING: Final = {
    "pennylane.AmplitudeEmbedding": ("features", 3, 2),
    "pennylane.StatePrep": ("state", None, None),
    "qiskit.QuantumCircuit.initialize": ("params", None, None),
    "qiskit.QuantumCircuit.prepare_state": ("state", None, None),
    "qiskit.circuit.library.StatePreparation": ("params", None, None),
    "qiskit.circuit.library.Initialize": ("params", None, None),
}
#: Embeddings that always do.
_ALWAYS: Final = frozenset(
    (
        *("torchquantum.StateEncoder", "torchquantum.AmplitudeEncoder"),
        "qiskit_machine_learning.circuit.library.RawFeatureVector",
    )
)


def check(module: Module) -> Iterator[Hit]:
    """Reports the first normalising embedding of a module."""
    if module.is_test:
        return
    for call in module.calls:
        reason = _reason(call)
        if reason and call.name not in _ALWAYS and encoding_of(module, call) is None:
            continue
        if reason and not _norm_is_kept(module):
            yield Hit(
                where=call.node,
                message=f"`{call.method}` {reason}: the norm of the sample is lost unseen",
            )
            return


def _reason(call: Call) -> str:
    if call.name in _ALWAYS:
        return "normalises whatever it is given"
    known = _NORMALISING.get(call.name)
    if known is None:
        return ""
    keyword, at_normalize, at_pad = known
    features = call.argument(0, keyword)
    if features is None or features.fixed:
        return ""
    normalize = call.argument(at_normalize, "normalize")
    if normalize is not None and normalize.literal is True:
        return "normalises its features (`normalize=True`)"
    pad = call.argument(at_pad, "pad_with", "pad")
    if pad is not None and pad.fixed and pad.literal is not None:
        # pad_with implies normalize in PennyLane.
        return "pads and normalises its features (`pad_with`)"
    return ""


def _norm_is_kept(module: Module) -> bool:
    """Whether the module measures the norm itself, for a comparison or as a feature."""
    for call in module.calls:
        if call.method not in ("norm", "vector_norm"):
            continue
        parent = module.parent(call.node)
        # x / norm(x) is the same loss by hand; anything else looks at the norm.
        if isinstance(parent, ast.Compare | ast.Return | ast.keyword | ast.List | ast.Tuple):
            return True
        if isinstance(parent, ast.Assign) and _is_looked_at(module, parent):
            return True
    return False


def _is_looked_at(module: Module, assign: ast.Assign) -> bool:
    names = {last_name(target) for target in assign.targets} - {""}
    return any(
        isinstance(node, ast.Name | ast.Attribute) and last_name(node) in names
        for compare in module.nodes(ast.Compare)
        for node in ast.walk(compare)
    )


RULE = Rule(
    id="QSA403",
    title="Normalising embedding hides anomalous samples",
    severity="low",
    confidence="high",
    cwe=(20,),
    frameworks=("pennylane", "torchquantum", "qiskit"),
    why=(
        "An amplitude embedding that normalises cannot tell a sample x from 1000 x, and a sensor "
        "that fails by scale, or an attacker who uses it, is not seen by the model. The "
        "borders are worse: a sample of zeros gives NaN, one of 1e-200 gives infinity, and one of "
        "1e200 gives probabilities that sum to 0, all without an error.\n\n"
        "Normalising is by design in many models. The rule therefore has low severity, reports "
        "one place in each file, and is quiet where the module looks at the norm itself."
    ),
    remedy=(
        "Keep the embedding, but give the norm to the model as a feature, or reject samples whose "
        "norm is far from those of the training data."
    ),
    bad=(
        Example(
            name="normalize=True",
            code="""\
import pennylane as qml

dev = qml.device("default.qubit", wires=3)


@qml.qnode(dev)
def circuit(x, weights):
    qml.AmplitudeEmbedding(features=x, wires=range(3), normalize=True)  # <- here
    qml.StronglyEntanglingLayers(weights, wires=range(3))
    return qml.expval(qml.PauliZ(0))
""",
        ),
        Example(
            name="padding, over several lines, by the old import; one report for the file",
            file="qcnn.py",
            code="""\
from pennylane.templates.embeddings import AmplitudeEmbedding, AngleEmbedding


def embed(X, kind):
    if kind == "Amplitude":
        AmplitudeEmbedding(  # <- here
            X,
            wires=range(8),
            pad_with=0.0,
            normalize=True,
        )
    elif kind == "Angle":
        AngleEmbedding(X, wires=range(8), rotation="Y")
    elif kind == "Half":
        AmplitudeEmbedding(X, wires=range(4), normalize=True)
""",
        ),
        Example(
            name="positional arguments in a notebook",
            file="amp.ipynb",
            code="""\
# %%
import pennylane as qml
dev = qml.device("lightning.qubit", wires=4)
# %%
@qml.qnode(dev)
def state_of(image):
    qml.AmplitudeEmbedding(image, range(4), 0, True)  # <- here
    return qml.state()
""",
        ),
        Example(
            name="TorchQuantum's state encoder",
            file="tq.py",
            code="""\
import torchquantum as tq


class Model(tq.QuantumModule):
    def __init__(self):
        super().__init__()
        self.encoder = tq.StateEncoder()  # <- here

    def forward(self, x):
        device = tq.QuantumDevice(n_wires=4, bsz=x.shape[0])
        self.encoder(device, x)
        return tq.MeasureAll(tq.PauliZ)(device)
""",
        ),
    ),
    good=(
        Example(
            name="samples with an odd norm are refused",
            code="""\
import numpy as np
import pennylane as qml

dev = qml.device("default.qubit", wires=3)


@qml.qnode(dev)
def circuit(x, weights):
    qml.AmplitudeEmbedding(features=x, wires=range(3), normalize=True)
    qml.StronglyEntanglingLayers(weights, wires=range(3))
    return qml.expval(qml.PauliZ(0))


def predict(x, weights, low, high):
    if not low <= np.linalg.norm(x) <= high:
        raise ValueError("x: norm outside of the training data's")
    return circuit(x, weights)
""",
        ),
    ),
    look_alikes=(
        Example(
            name="an embedding that insists on unit norm",
            code="""\
import pennylane as qml

dev = qml.device("default.qubit", wires=2)


@qml.qnode(dev)
def circuit(f=None):
    qml.AmplitudeEmbedding(features=f, wires=range(2))
    return qml.expval(qml.PauliZ(0))
""",
        ),
        Example(
            name="normalize=False",
            code="""\
import pennylane as qml

dev = qml.device("default.qubit", wires=2)


@qml.qnode(dev)
def overlap(a, b):
    qml.AmplitudeEmbedding(a, wires=range(2), normalize=False)
    qml.adjoint(qml.AmplitudeEmbedding)(b, wires=range(2), normalize=False)
    return qml.probs(wires=range(2))
""",
        ),
        Example(
            name="constant amplitudes",
            code="""\
import pennylane as qml

dev = qml.device("default.qubit", wires=2)


@qml.qnode(dev)
def w_state():
    qml.AmplitudeEmbedding([0, 1, 1, 1], wires=range(2), normalize=True)
    return qml.state()
""",
        ),
        Example(
            name="angles are not normalised",
            code="""\
import pennylane as qml
from sklearn.preprocessing import normalize

dev = qml.device("default.qubit", wires=2)


@qml.qnode(dev)
def circuit(x):
    qml.AngleEmbedding(x, wires=range(2))
    return qml.probs(wires=range(2))


def run(X):
    return [circuit(x) for x in normalize(X)]
""",
        ),
    ),
    references=(
        (
            "AmplitudeEmbedding <https://docs.pennylane.ai/en/stable/code/api/"
            "pennylane.AmplitudeEmbedding.html>"
        ),
    ),
    check=check,
    keywords=("AmplitudeEmbedding", "StatePrep", "StateEncoder", "AmplitudeEncoder", "normalize="),
)
