"""QSA501: what an optimiser returns is dropped, or a weight is not part of the circuit."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.roles import is_weights, last_name, names_in

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Function, Module

#: Optimisers that return new parameters and leave the old ones alone.
_RETURNING: Final = re.compile(r"pennylane\.\w*(Optimizer|SPSA|QNG)\w*")
#: Optimisers that change parameters in place.
_IN_PLACE: Final = ("torch", "tensorflow", "keras", "lightning", "optax", "paddle", "mindspore")
_MINIMIZERS: Final = re.compile(
    r"scipy\.optimize\.(minimize|basinhopping|dual_annealing|differential_evolution)|"
    r"(qiskit_algorithms|qiskit\.algorithms|qiskit_machine_learning)\.optimizers\.\w+\."
    r"(minimize|optimize)"
)
_STEPS: Final = ("step", "step_and_cost")
#: Where a parameter counts as used without its name being read.
_READS_ALL: Final = frozenset(("locals", "vars", "exec", "eval"))


def check(module: Module) -> Iterator[Hit]:
    """Reports dropped results, unused weights and weights that are told not to train."""
    if module.is_test:
        return
    yield from _dropped(module)
    yield from _unused_weights(module)
    yield from _frozen(module)


def _dropped(module: Module) -> Iterator[Hit]:
    for call in module.method_calls(*_STEPS):
        if not _returns_parameters(module, call):
            continue
        what = f"`{ast.unparse(call.node.func)}`"
        parent = module.parent(call.node)
        if isinstance(parent, ast.Expr):
            yield Hit(
                where=call.node,
                message=f"{what} returns the new parameters, and they are dropped",
            )
        elif isinstance(parent, ast.Assign) and _goes_nowhere(module, call, parent):
            yield Hit(
                where=call.node,
                message=f"the new parameters of {what} are assigned and never used again",
            )
        elif isinstance(parent, ast.Subscript) and _is_second(parent):
            yield Hit(where=call.node, message=f"of {what} only the cost is kept")
    for call in module.calls:
        dropped = isinstance(module.parent(call.node), ast.Expr)
        # A callback may keep what the call itself does not.
        if dropped and _MINIMIZERS.fullmatch(call.name) and "callback" not in call.keywords:
            yield Hit(
                where=call.node,
                message=f"the optimum that `{call.name}` returns is dropped",
            )


def _is_second(node: ast.Subscript) -> bool:
    return isinstance(node.slice, ast.Constant) and node.slice.value in (1, -1)


def _returns_parameters(module: Module, call: Call) -> bool:
    """Whether the receiver is one of PennyLane's optimisers, as far as can be told."""
    if call.receiver is None or not module.imports_any("pennylane"):
        return False
    for known in (call.receiver.type, call.receiver.made_by):
        if known:
            return bool(_RETURNING.match(known))
    if call.method == "step_and_cost":
        return True
    # An optimiser that came as an argument: torch's take one closure, PennyLane's the cost and
    # the parameters.
    if len(call.node.args) < 2 or not isinstance(call.node.args[0], ast.Name | ast.Lambda):
        return False
    receiver = last_name(call.node.func.value) if isinstance(call.node.func, ast.Attribute) else ""
    return "opt" in receiver.lower()


def _goes_nowhere(module: Module, call: Call, assign: ast.Assign) -> bool:
    """Whether the name that takes the new parameters is never read."""
    target = assign.targets[0]
    if isinstance(target, ast.Tuple):
        if call.method == "step_and_cost":
            target = target.elts[0]
        if isinstance(target, ast.Tuple):
            return all(last_name(part) == "_" for part in target.elts)
    if not isinstance(target, ast.Name):
        return False
    if set(target.id) == {"_"}:
        return True
    if call.function is None and module.is_notebook:
        return False
    scope = call.function.node if call.function is not None else module.tree
    return not any(
        isinstance(node, ast.Name) and node.id == target.id and isinstance(node.ctx, ast.Load)
        for node in ast.walk(scope)
    ) and not any(
        isinstance(node, ast.Global | ast.Nonlocal) and target.id in node.names
        for node in ast.walk(scope)
    )


def _unused_weights(module: Module) -> Iterator[Hit]:
    for function in module.functions:
        if not _is_circuit(module, function):
            continue
        read = {
            node.id
            for statement in function.node.body
            for node in ast.walk(statement)
            if isinstance(node, ast.Name)
        }
        if read & _READS_ALL:
            continue
        arguments = function.node.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            name = argument.arg
            if name in read or not is_weights(name) or not _is_trained(name):
                continue
            yield Hit(
                where=argument,
                message=f"`{name}` is a parameter of `{function.name}` and no gate uses it",
            )


def _is_trained(name: str) -> bool:
    return any(
        word in name.lower() for word in ("weight", "param", "theta", "phi", "gamma", "beta", "var")
    ) or name.lower() in ("w", "ws")


def _is_circuit(module: Module, function: Function) -> bool:
    """Whether a function is a QNode with a body: it applies gates and measures."""
    decorated = any(name.endswith(("qnode", "QNode")) for name in function.decorators)
    if not decorated and not (function.is_qnode and _measures(function)):
        return False
    applied = [
        call
        for call in module.calls
        if call.function is function and isinstance(module.parent(call.node), ast.Expr)
    ]
    return bool(applied)


def _measures(function: Function) -> bool:
    return any(
        word in ast.unparse(node)
        for node, _ in function.returns
        for word in ("expval(", "probs(", "sample(", "counts(")
    )


def _frozen(module: Module) -> Iterator[Hit]:
    """``weights = np.array(..., requires_grad=False)`` that an optimiser is to train."""
    trained = _given_to_optimisers(module)
    for call in module.calls:
        flag = call.argument(None, "requires_grad")
        if flag is None or flag.literal is not False:
            continue
        parent = module.parent(call.node)
        if not isinstance(parent, ast.Assign | ast.AnnAssign):
            continue
        targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
        name = last_name(targets[0])
        if is_weights(name) and name in trained and not _is_thawed(module, name):
            yield Hit(
                where=call.node,
                message=f"`{name}` is given to an optimiser and made with `requires_grad=False`",
            )


def _given_to_optimisers(module: Module) -> set[str]:
    found: set[str] = set()
    for call in module.calls:
        if call.method in _STEPS and _returns_parameters(module, call):
            arguments = call.node.args[1:]
        elif call.name.startswith("torch.optim."):
            arguments = call.node.args[:1]
        else:
            continue
        for argument in arguments:
            found.update(names_in(argument))
    return found


def _is_thawed(module: Module, name: str) -> bool:
    for assign in module.nodes(ast.Assign):
        for target in assign.targets if isinstance(assign, ast.Assign) else ():
            named = isinstance(target, ast.Attribute) and last_name(target.value) == name
            if named and last_name(target) == "requires_grad":
                return True
    return any(
        call.method == "requires_grad_" and name in names_in(call.node.func)
        for call in module.calls
    )


RULE = Rule(
    id="QSA501",
    title="Trainable parameters are never updated",
    severity="medium",
    confidence="high",
    cwe=(563,),
    frameworks=("pennylane", "qiskit", "torchquantum"),
    why=(
        "PennyLane's optimisers do not change parameters in place: `opt.step(cost, params)` "
        "returns new ones. Whoever writes it as torch's `opt.step()` trains nothing, and the "
        "result is a random circuit that passes every test of shape and range. The same happens "
        "when a QNode takes `weights` and no gate uses them, when the optimum of a minimiser is "
        "not kept, or when weights are made with `requires_grad=False`.\n\n"
        "Optimisers of torch and TensorFlow do work in place and are not reported."
    ),
    remedy="Keep what is returned: `params = opt.step(cost, params)`.",
    bad=(
        Example(
            name="the step's result is dropped",
            code="""\
import pennylane as qml
from pennylane import numpy as np

dev = qml.device("default.qubit", wires=2)


@qml.qnode(dev)
def cost(params):
    qml.RX(params[0], wires=0)
    qml.RY(params[1], wires=1)
    qml.CNOT(wires=[0, 1])
    return qml.expval(qml.PauliZ(1))


params = np.array([0.1, 0.2], requires_grad=True)
opt = qml.GradientDescentOptimizer(stepsize=0.1)
for _ in range(100):
    opt.step(cost, params)  # <- here
print(cost(params))
""",
        ),
        Example(
            name="only the cost is kept, in a function with an imported optimiser",
            file="train.py",
            code="""\
from pennylane.optimize import AdamOptimizer


def train(cost, weights, epochs):
    optimizer = AdamOptimizer(0.05)
    history = []
    for _ in range(epochs):
        _, value = optimizer.step_and_cost(cost, weights)  # <- here
        history.append(value)
    return weights, history


def train_more(cost, weights, epochs, opt):
    for _ in range(epochs):
        new_weights = opt.step(cost, weights)  # <- here
    return weights
""",
        ),
        Example(
            name="a QNode without its weights",
            file="layer.py",
            code="""\
import pennylane as qml

dev = qml.device("default.qubit", wires=4)


@qml.qnode(dev, interface="torch")
def circuit(
    inputs,
    weights,  # <- here
):
    qml.AngleEmbedding(inputs, wires=range(4))
    for i in range(3):
        qml.CNOT(wires=[i, i + 1])
    return [qml.expval(qml.PauliZ(i)) for i in range(4)]
""",
        ),
        Example(
            name="a minimiser whose optimum nobody keeps, in a notebook",
            file="vqe.ipynb",
            code="""\
# %%
from qiskit_algorithms.optimizers import COBYLA
from scipy.optimize import minimize
# %%
optimizer = COBYLA(maxiter=100)
optimizer.minimize(energy, x0=theta)  # <- here
minimize(energy, theta, method="Nelder-Mead")  # <- here
print(energy(theta))
""",
        ),
        Example(
            name="weights that do not train",
            file="frozen.py",
            code="""\
import pennylane as qml
from pennylane import numpy as np


def fit(cost):
    weights = np.array([0.1, 0.2, 0.3], requires_grad=False)  # <- here
    opt = qml.NesterovMomentumOptimizer(0.1)
    for _ in range(50):
        weights = opt.step(cost, weights)
    return weights
""",
        ),
    ),
    good=(
        Example(
            name="assigned",
            code="""\
import pennylane as qml
from pennylane import numpy as np


def fit(cost, params, X, y):
    opt = qml.AdamOptimizer(0.05)
    for _ in range(100):
        params, _, _ = opt.step(cost, params, X, y)
        params, value = opt.step_and_cost(cost, params)
    return params
""",
        ),
    ),
    look_alikes=(
        Example(
            name="torch's optimiser, with and without a closure",
            code="""\
import pennylane as qml
import torch

dev = qml.device("default.qubit", wires=2)


@qml.qnode(dev, interface="torch")
def cost(phi):
    qml.RX(phi, wires=0)
    return qml.expval(qml.PauliZ(0))


phi = torch.tensor(0.1, requires_grad=True)
opt = torch.optim.Adam([phi], lr=0.1)


def closure():
    opt.zero_grad()
    loss = cost(phi)
    loss.backward()
    return loss


for _ in range(20):
    opt.step(closure)
    opt.step()
""",
        ),
        Example(
            name="a frozen backbone, and data without gradient",
            code="""\
import pennylane as qml
from pennylane import numpy as np


def prepare(model, features, labels):
    for param in model.parameters():
        param.requires_grad = False
    features = np.array(features, requires_grad=False)
    labels = np.array(labels, requires_grad=False)
    return features, labels
""",
        ),
        Example(
            name="inference, and a QNode without weights",
            code="""\
import pennylane as qml

dev = qml.device("default.qubit", wires=2)
WEIGHTS = [0.1, 0.2]


@qml.qnode(dev)
def predict(x):
    qml.AngleEmbedding(x, wires=range(2))
    qml.RY(WEIGHTS[0], wires=0)
    return qml.expval(qml.PauliZ(0))


class Environment:
    def step(self, action, weights):
        return action


def play(env, agent, weights):
    env.step(agent, weights)
""",
        ),
        Example(
            name="weights that are used in a nested loop, by star and by a helper",
            code="""\
import pennylane as qml

dev = qml.device("default.qubit", wires=2)


def layer(w):
    qml.Rot(*w, wires=0)


@qml.qnode(dev)
def circuit(x, weights, theta, phi=0.0):
    qml.RX(x, wires=0)
    for w in weights:
        layer(w)
    qml.U2(*theta, wires=1)
    return qml.expval(qml.PauliZ(phi))
""",
        ),
        Example(
            name="TensorFlow's minimize and a minimiser with a callback that keeps",
            code="""\
import pennylane as qml
import tensorflow as tf
from scipy.optimize import minimize

opt = tf.keras.optimizers.SGD(0.1)
theta = tf.Variable([0.1])
opt.minimize(lambda: cost(theta), [theta])
best = []
minimize(cost, [0.1], callback=best.append)
result = minimize(cost, [0.1])
""",
        ),
    ),
    references=(
        "Optimizers <https://docs.pennylane.ai/en/stable/introduction/interfaces.html>",
        (
            "GradientDescentOptimizer.step <https://docs.pennylane.ai/en/stable/code/api/"
            "pennylane.GradientDescentOptimizer.html>"
        ),
    ),
    check=check,
    keywords=("step", "minimize", "qnode", "QNode", "requires_grad", "optimize"),
)
