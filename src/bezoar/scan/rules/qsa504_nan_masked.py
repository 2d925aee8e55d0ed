"""QSA504: NaN is replaced by a number where a model is trained or run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.encoders import encodings, is_in_quantum_project
from bezoar.scan.rules.roles import is_features, is_weights, last_name, names_in

if TYPE_CHECKING:
    from bezoar.scan.code.module import Module

_ASKS: Final = frozenset(("isnan", "is_nan", "isinf", "isfinite", "is_finite"))
_CHOICES: Final = frozenset(("where", "select"))
#: Words in the names of what a model is trained on or with.
_OF_TRAINING: Final = frozenset(
    (
        *("loss", "losses", "grad", "grads", "gradient", "gradients", "cost", "output", "outputs"),
        *("expval", "expvals", "expectation", "expectations", "logits", "pred", "preds", "angle"),
        *("angles", "state", "states", "batch", "kernel", "gram", "prediction", "predictions"),
        *("encoded", "amplitudes", "probs", "q", "result"),
    )
)
_TRAINS: Final = re.compile(
    r"train|forward|loss|cost|step|closure|fit|circuit|encod|embed|__call__|call\b|qnode|"
    r"objective|gradient|update",
    re.IGNORECASE,
)
#: Figures about a model, and logarithms of probabilities: 0 is the right limit there.
_REPORTS: Final = re.compile(
    r"plot|metric|report|entropy|score|correlat|summary|visuali|figure|evaluat|statistic|describe",
    re.IGNORECASE,
)
_LOGARITHMS: Final = frozenset(("log", "log2", "log10", "xlogy", "corrcoef", "corr", "divide"))
#: Words in comments that say that missing values were thought of.
_DOCUMENTED: Final = re.compile(
    r"missing|imput|mask(ed|ing)? (value|token|entr)|absent|padding|no[- ]?data"
)
_LINES_ABOVE: Final = 3


def check(module: Module) -> Iterator[Hit]:
    """Reports nan_to_num and its hand-written forms on data, loss or gradients."""
    if module.is_test or not is_in_quantum_project(module):
        return
    for node in module.nodes(ast.Call, ast.Assign):
        subject = (
            _masked_by_call(module, node) if isinstance(node, ast.Call) else _masked_by_item(node)
        )
        if subject is None or _is_harmless(module, node, subject):
            continue
        what = ast.unparse(subject)
        yield Hit(
            where=node,
            message=f"NaN in `{what}` is replaced by a number, and the model goes on with it",
        )


def _masked_by_call(module: Module, call: ast.Call) -> ast.expr | None:
    """``nan_to_num(x)``, ``x.nan_to_num()`` and ``where(isnan(x), 0, x)``: x."""
    called = last_name(call.func)
    if called in ("nan_to_num", "nan_to_num_"):
        known = module.call(call)
        if isinstance(call.func, ast.Attribute) and known and known.name.startswith("?."):
            return call.func.value
        if call.args:
            return call.args[0]
        named = next((k.value for k in call.keywords if k.arg in ("x", "input", "a")), None)
        if named is not None:
            return named
        return call.func.value if isinstance(call.func, ast.Attribute) else None
    if called in _CHOICES and len(call.args) == 3:
        asked = _asked(call.args[0])
        chosen = [argument for argument in call.args[1:] if not _is_number(argument)]
        if asked is not None and len(chosen) == 1 and ast.dump(chosen[0]) == ast.dump(asked):
            return asked
        if asked is not None and any(last_name(a).startswith("zeros") for a in _functions(call)):
            return asked
    return None


def _functions(call: ast.Call) -> list[ast.expr]:
    return [argument.func for argument in call.args[1:] if isinstance(argument, ast.Call)]


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return last_name(node.func) in ("zeros_like", "ones_like", "tensor", "full_like", "zeros")
    if isinstance(node, ast.UnaryOp):
        return _is_number(node.operand)
    return isinstance(node, ast.Constant)


def _asked(test: ast.expr) -> ast.expr | None:
    """What a test of NaN is about, None for another test."""
    if isinstance(test, ast.UnaryOp):
        return _asked(test.operand)
    if isinstance(test, ast.BinOp):
        return _asked(test.left)
    if isinstance(test, ast.Call) and last_name(test.func) in _ASKS:
        if test.args:
            return test.args[0]
        return test.func.value if isinstance(test.func, ast.Attribute) else None
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.NotEq):
        same = ast.dump(test.left) == ast.dump(test.comparators[0])
        return test.left if same else None
    return None


def _masked_by_item(assign: ast.AST) -> ast.expr | None:
    """``x[torch.isnan(x)] = 0``: x."""
    if not isinstance(assign, ast.Assign):
        return None
    target = assign.targets[0]
    if not isinstance(target, ast.Subscript) or not _is_number(assign.value):
        return None
    if isinstance(assign.value, ast.Constant) and not isinstance(assign.value.value, int | float):
        return None
    return target.value if _asked(target.slice) is not None else None


def _is_harmless(module: Module, node: ast.AST, subject: ast.expr) -> bool:
    function = module.function_of(node)
    where = function.name if function is not None else ""
    if any(
        isinstance(part, ast.Call) and last_name(part.func) in _LOGARITHMS
        for part in ast.walk(subject)
    ):
        return True
    if _REPORTS.search(where) or _is_documented(module, node):
        return True
    # Two arrays with NaN in the same places are compared.
    if where.startswith("test_") or isinstance(module.statement_of(node), ast.Assert):
        return True
    return not (_is_of_training(subject) or _TRAINS.search(where) or _feeds_encoder(module, node))


def _is_of_training(subject: ast.expr) -> bool:
    for name in (*names_in(subject), last_name(subject)):
        words = set(re.split(r"[_\d]+", name.lower()))
        if is_features(name) or is_weights(name) or words & _OF_TRAINING:
            return True
    return False


def _feeds_encoder(module: Module, node: ast.AST) -> bool:
    return any(
        any(part is node for part in ast.walk(encoding.features)) for encoding in encodings(module)
    )


def _is_documented(module: Module, node: ast.AST) -> bool:
    """Whether a comment at the line, right above it, or the function's text tells of a plan."""
    line = getattr(node, "lineno", 1)
    around = module.lines[max(0, line - 1 - _LINES_ABOVE) : line]
    comments = [text.partition("#")[2] for text in around]
    function = module.function_of(node)
    if function is not None:
        comments.append(ast.get_docstring(function.node) or "")
        comments.append(function.name)
    return any(_DOCUMENTED.search(comment.lower()) for comment in comments)


RULE = Rule(
    id="QSA504",
    title="NaN is masked where a model is trained or run",
    severity="medium",
    confidence="medium",
    cwe=(754,),
    frameworks=("any",),
    why=(
        "NaN in features, loss or gradients says that something is broken: a missing cell, a "
        "vector of zeros that was normalised, an angle that left its range. `nan_to_num` turns it "
        "into a 0, which an encoder takes as a perfectly good angle, and training goes on with "
        "samples that were never measured. Poisoned rows stay hidden in the same way.\n\n"
        "Missing values may be handled on purpose; the rule is quiet where a comment, the "
        "docstring or the name of the function says so, for tables that are cleaned with "
        "`fillna` or an imputer, and in code that makes figures."
    ),
    remedy=(
        "Reject the batch: `if not torch.isfinite(x).all(): raise ValueError(...)`, and find out "
        "where it comes from."
    ),
    bad=(
        Example(
            name="inputs of a circuit, in JAX",
            code="""\
import jax.numpy as jnp
import pennylane as qml

dev = qml.device("default.qubit", wires=4)


@qml.qnode(dev, interface="jax")
def circuit(inputs, weights):
    inputs = jnp.nan_to_num(inputs)  # <- here
    qml.AngleEmbedding(inputs, wires=range(4))
    qml.StronglyEntanglingLayers(weights, wires=range(4))
    return qml.expval(qml.PauliZ(0))
""",
        ),
        Example(
            name="the layer's input and the loss, in torch",
            file="hybrid.py",
            code="""\
import pennylane as qml
import torch


class Hybrid(torch.nn.Module):
    def forward(self, x):
        x = torch.nan_to_num(x, nan=0.0, posinf=1.0, neginf=-1.0)  # <- here
        return self.qlayer(self.pre(x))


def train(model, loader, opt, criterion):
    for x, y in loader:
        loss = criterion(model(x), y)
        loss = torch.where(torch.isnan(loss), torch.zeros_like(loss), loss)  # <- here
        loss.backward()
        opt.step()
""",
        ),
        Example(
            name="by hand, in a notebook",
            file="kernel.ipynb",
            code="""\
# %%
import numpy as np
from qiskit.circuit.library import ZZFeatureMap
# %%
def train(X, labels, model):
    X[np.isnan(X)] = 0  # <- here
    features = np.where(np.isfinite(X), X, 0.0)  # <- here
    model.fit(features, labels)
""",
        ),
        Example(
            name="in a script that imports its quantum model from another file",
            file="fit.py",
            code="""\
import torch
from model.hybrid_qnn import HybridQNN


def train_one_epoch(net: HybridQNN, loader, opt, loss_fn):
    for features, labels in loader:
        features[torch.isnan(features)] = 0.0  # <- here
        opt.zero_grad()
        loss_fn(net(features), labels).backward()
        for weight in net.parameters():
            weight.grad.nan_to_num_(0.0)  # <- here
        opt.step()
""",
        ),
        Example(
            name="gradients",
            file="spsa.py",
            code="""\
import numpy as np
from qiskit.primitives import Estimator


def step(params, estimate, rate):
    gradient = np.nan_to_num(estimate(params))  # <- here
    return params - rate * gradient
""",
        ),
    ),
    good=(
        Example(
            name="the batch is refused",
            code="""\
import pennylane as qml
import torch


def train(model, loader, opt, criterion):
    for x, y in loader:
        if not torch.isfinite(x).all():
            raise ValueError("x: wanted finite features")
        loss = criterion(model(x), y)
        loss.backward()
        opt.step()
""",
        ),
    ),
    look_alikes=(
        Example(
            name="missing values, said and done",
            code="""\
import numpy as np
import pennylane as qml
from sklearn.impute import SimpleImputer


def encode_rows(X):
    # A missing reading is 0 in this data set's description.
    X = np.nan_to_num(X, nan=0.0)
    return SimpleImputer().fit_transform(X)


def impute(features):
    return np.nan_to_num(features)
""",
        ),
        Example(
            name="entropy: p log p of 0 is 0",
            code="""\
import numpy as np
from qiskit.quantum_info import Statevector


def train_entropy(probs):
    return -np.sum(np.nan_to_num(probs * np.log2(probs)))
""",
        ),
        Example(
            name="two arrays are compared, NaN and all",
            code="""\
import jax.numpy as jnp
import pennylane as qml


def check_batch(features, expected):
    assert jnp.allclose(jnp.nan_to_num(features), jnp.nan_to_num(expected))
""",
        ),
        Example(
            name="figures",
            code="""\
import matplotlib.pyplot as plt
import numpy as np
import pennylane as qml


def plot_loss(losses):
    plt.plot(np.nan_to_num(losses))
""",
        ),
        Example(
            name="a table is cleaned when it is read",
            code="""\
import pandas as pd
import pennylane as qml

df = pd.read_csv("sensors.csv")
df = df.fillna(df.mean())
""",
        ),
        Example(
            name="a NaN loss ends the training",
            code="""\
import pennylane as qml
import torch


def train(model, batches, criterion):
    for x, y in batches:
        loss = criterion(model(x), y)
        if torch.isnan(loss):
            raise RuntimeError("loss is NaN")
        loss.backward()
""",
        ),
    ),
    references=(
        "numpy.nan_to_num <https://numpy.org/doc/stable/reference/generated/numpy.nan_to_num.html>",
    ),
    check=check,
    keywords=("nan_to_num", "isnan", "isfinite", "is_nan", "is_finite", "isinf", "!="),
)
