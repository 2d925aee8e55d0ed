"""QSA404: a vector is divided by its own norm before state preparation, zero or not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.assignments import assignments
from bezoar.scan.rules.encoders import ENCODERS, encodings, imports_framework
from bezoar.scan.rules.roles import last_name, names_in

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Function, Module

_OUTSIDE: Final = ("request", "network", "cli", "env", "file", "parameter")
#: Calls that give a norm.
_NORMS: Final = frozenset(("norm", "vector_norm", "l2_norm"))
#: Calls in a divisor that keep it from zero, or choose another way.
_GUARDS: Final = frozenset(("max", "maximum", "clip", "clamp", "where", "clamp_min", "fmax"))
#: Methods that change the shape of a norm alone.
_SHAPES: Final = frozenset(("unsqueeze", "reshape", "view", "item", "expand", "detach", "astype"))
#: Asked anywhere in the function about the vector or its norm, they are a guard too.
_QUESTIONS: Final = frozenset(
    ("any", "all", "isclose", "allclose", "count_nonzero", "isfinite", "errstate", "nan_to_num")
)
#: Numbers made on the spot: a zero vector does not happen.
_MADE: Final = re.compile(
    r"(?:numpy|jax|torch|scipy|pennylane\.numpy|qiskit\.quantum_info)\.(?:random\w*|rand|randn|"
    r"linalg\.(?:eigh?|svd|solve)|eye|ones|unitary_group)(?:\.\w+)*|"
    r"\?\.(?:normal|uniform|standard_normal|random|randn|rand|eigh?|solve)"
)
#: The names of functions that prepare a state.
_PREPARES: Final = re.compile(
    r"amplitude|encod|embed|prepare|state_?prep|initial|normali[sz]e|to_state|statevector|to_quantum",
    re.IGNORECASE,
)
#: Names of what is a state already, or a direction in space.
_STATES: Final = re.compile(
    r"(?:\w+_)?(?:state|states|statevector|psi|sv|ket|wavefunction|eigvec\w*|evec\w*|axis|normal|"
    r"direction|gradient|grad|residual|rho)(?:_\w+)?\d*",
    re.IGNORECASE,
)
_STATE_PREPARATIONS: Final = frozenset(
    name for name, (kind, _, _) in ENCODERS.items() if kind == "amplitude"
)


def check(module: Module) -> Iterator[Hit]:
    """Reports divisions by a norm that nothing keeps from zero."""
    if module.is_test or not imports_framework(module):
        return
    prepares = _prepares_states(module)
    guards: dict[ast.AST, list[ast.AST]] = {}
    for node in module.nodes(ast.BinOp, ast.AugAssign):
        if not isinstance(node.op, ast.Div):
            continue
        top, bottom = (
            (node.left, node.right) if isinstance(node, ast.BinOp) else (node.target, node.value)
        )
        top = _scaled(module, node, top)
        norm = _norm_of(module, node, bottom)
        if norm is None or not _same_vector(top, norm):
            continue
        function = module.function_of(node)
        if not _leads_to_state(module, function, top, prepares):
            continue
        if _is_made_here(module, top, node):
            continue
        scope = function.node if function is not None else module.tree
        if scope not in guards:
            guards[scope] = _possible_guards(scope)
        about = {*names_in(bottom), *names_in(norm)}
        if _is_guarded(module, node, about, guards[scope]):
            continue
        what = ast.unparse(top)
        yield Hit(
            where=node,
            message=f"`{what}` is divided by its norm, which is 0 for a vector of zeros",
            flow=module.flow(module.value(top), _OUTSIDE, node, "divided by its norm"),
        )


def _scaled(module: Module, node: ast.AST, top: ast.expr) -> ast.expr:
    """What is divided: the features in ``(1 / norm) * features`` too."""
    outer = module.parent(node)
    if not (isinstance(top, ast.Constant) and isinstance(outer, ast.BinOp)):
        return top
    if not isinstance(outer.op, ast.Mult):
        return top
    return outer.right if outer.left is node else outer.left


def _leads_to_state(
    module: Module, function: Function | None, top: ast.expr, prepares: bool
) -> bool:
    """Whether the vector is to become a state, as far as names and calls nearby tell."""
    if function is not None and _PREPARES.search(function.name):
        return True
    if any(each.call.function is function and function is not None for each in encodings(module)):
        return True
    if not prepares:
        return False
    # What is called a state already is a step of a simulation, unless it is prepared right here.
    if not any(_STATES.fullmatch(name) for name in names_in(top)):
        return True
    return any(_prepares(call) for call in module.calls if call.function is function)


def _prepares_states(module: Module) -> bool:
    return any(_prepares(call) for call in module.calls)


def _prepares(call: Call) -> bool:
    if call.name in _STATE_PREPARATIONS:
        return True
    return call.method in ("initialize", "prepare_state") and call.name.startswith("?.")


def _norm_of(module: Module, node: ast.expr | ast.stmt, bottom: ast.expr) -> ast.expr | None:
    """The expression of the norm in a divisor: itself, or what its name was assigned."""
    if _is_norm(bottom):
        return bottom
    name = last_name(bottom)
    if not name:
        return None
    given = assignments(module, module.function_of(node)).get(name, ())
    before = [assign.value for assign in given if assign.lineno <= node.lineno]
    return before[-1] if before and _is_norm(before[-1]) else None


def _is_norm(node: ast.expr) -> bool:
    """Whether an expression is a plain norm, with nothing added to it."""
    if isinstance(node, ast.Subscript):
        return _is_norm(node.value)
    if isinstance(node, ast.Call):
        called = last_name(node.func)
        if called in _SHAPES and isinstance(node.func, ast.Attribute):
            return _is_norm(node.func.value)
        if called in _NORMS:
            return not _is_other_norm(node)
        # By hand: the root of a sum of squares.
        if called == "sqrt" and len(node.args) == 1:
            return _is_sum_of_squares(node.args[0])
        return called in ("float", "abs") and len(node.args) == 1 and _is_norm(node.args[0])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        half = isinstance(node.right, ast.Constant) and node.right.value == 0.5
        return half and _is_sum_of_squares(node.left)
    return False


def _is_other_norm(norm: ast.Call) -> bool:
    """Whether it is the sum or the maximum: probabilities are divided by those, not states."""
    orders = [*norm.args[1:2], *(k.value for k in norm.keywords if k.arg in ("ord", "p"))]
    return any(isinstance(order, ast.Constant) and order.value == 1 for order in orders) or any(
        last_name(order) == "inf" for order in orders
    )


def _is_sum_of_squares(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = last_name(node.func)
    if called in ("dot", "vdot", "inner"):
        return True
    if called != "sum" or not (node.args or isinstance(node.func, ast.Attribute)):
        return False
    inner = node.args[0] if node.args else node.func.value  # type: ignore[union-attr]
    return any(
        (isinstance(part, ast.BinOp) and isinstance(part.op, ast.Pow | ast.Mult))
        or (isinstance(part, ast.Call) and last_name(part.func) in ("square", "abs"))
        for part in ast.walk(inner)
    )


def _same_vector(top: ast.expr, norm: ast.expr) -> bool:
    """Whether the norm is of what is divided, as far as names tell."""
    return bool(set(names_in(top)) & set(names_in(norm)))


def _is_made_here(module: Module, top: ast.expr, node: ast.AST) -> bool:
    value = module.value(top)
    if value.fixed or "norm" in value.marks:
        return True
    if any(_MADE.fullmatch(name) for name in (*value.through, value.made_by)):
        return True
    # cirq.to_valid_state_vector refuses what is not of norm 1.
    if any("valid" in name.rpartition(".")[2] for name in (*value.through, value.made_by)):
        return True
    return not value.origins and module.function_of(node) is None and not value.through


def _is_guarded(module: Module, node: ast.AST, about: set[str], guards: Sequence[ast.AST]) -> bool:
    if any(isinstance(above, ast.IfExp | ast.Assert) for above in module.ancestors(node)):
        return True
    return any(_guards(part, about) for part in guards)


def _guards(part: ast.AST, about: set[str]) -> bool:
    """Whether a test, a call or a change keeps one of the names in `about` from zero."""
    if isinstance(part, ast.If | ast.Assert | ast.While | ast.IfExp):
        return _asks_about(part.test, about)
    if isinstance(part, ast.Call):
        return last_name(part.func) == "errstate" or not about.isdisjoint(names_in(part))
    if isinstance(part, ast.AugAssign):
        # A small number is added.
        return last_name(part.target) in about
    return isinstance(part, ast.Assign) and _replaces_zeros(part, about)


def _possible_guards(scope: ast.AST) -> list[ast.AST]:
    """The nodes of a function that `_guards` has to look at."""
    found: list[ast.AST] = []
    for part in ast.walk(scope):
        if isinstance(part, ast.If | ast.Assert | ast.While | ast.IfExp):
            found.append(part)
        elif isinstance(part, ast.Call):
            if last_name(part.func) in _QUESTIONS | _GUARDS:
                found.append(part)
        elif isinstance(part, ast.AugAssign):
            if isinstance(part.op, ast.Add):
                found.append(part)
        elif isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Subscript):
            found.append(part)
    return found


def _asks_about(test: ast.expr, about: set[str]) -> bool:
    """Whether a test compares the norm (or asks for its truth), or the vector's content."""
    for part in ast.walk(test):
        if isinstance(part, ast.Compare):
            for side in (part.left, *part.comparators):
                # len(x) != 4 and x.shape == (4,) say nothing of zeros.
                if isinstance(side, ast.Call) and last_name(side.func) == "len":
                    continue
                if isinstance(side, ast.Constant) and side.value is None:
                    break
                text = ast.unparse(side)
                if ".shape" in text or ".ndim" in text or ".size" in text:
                    continue
                if set(names_in(side)) & about or "norm" in text:
                    return True
        elif isinstance(part, ast.UnaryOp) and last_name(part.operand) in about:
            return True
    return isinstance(test, ast.Name) and test.id in about


def _replaces_zeros(assign: ast.Assign, about: set[str]) -> bool:
    """``norms[norms == 0] = 1``."""
    return any(
        isinstance(target, ast.Subscript)
        and last_name(target.value) in about
        and isinstance(target.slice, ast.Compare)
        for target in assign.targets
    )


RULE = Rule(
    id="QSA404",
    title="Vector divided by its norm without a guard for zero",
    severity="medium",
    confidence="medium",
    cwe=(369,),
    frameworks=("any",),
    why=(
        "A state must have unit norm, so people divide by `np.linalg.norm(x)` before they "
        "prepare it. NumPy and torch do not raise for a vector of zeros: the result is NaN, with "
        "at most a warning. A black image, a padded row or a sparse sample then becomes a state "
        "of NaN; some simulators answer it with probabilities all the same, and one such sample "
        "in a batch spoils the gradient of all of them."
    ),
    remedy="Reject it: `norm = np.linalg.norm(x); if norm < 1e-12: raise ValueError(...)`.",
    bad=(
        Example(
            name="straight into initialize",
            code="""\
import numpy as np
from qiskit import QuantumCircuit


def amplitude_circuit(x):
    x = x / np.linalg.norm(x)  # <- here
    n = int(np.log2(len(x)))
    qc = QuantumCircuit(n)
    qc.initialize(x, range(n))
    return qc
""",
        ),
        Example(
            name="in the argument of a state preparation",
            file="swap.py",
            code="""\
import math
import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit.library import StatePreparation


def swap_test(u, v):
    n = int(math.log2(len(u)))
    qc = QuantumCircuit(1 + 2 * n, 1)
    qc.append(StatePreparation(u / np.linalg.norm(u)), range(1, 1 + n))  # <- here
    qc.append(
        StatePreparation(v / np.linalg.norm(v)),  # <- here
        range(1 + n, 1 + 2 * n),
    )
    return qc
""",
        ),
        Example(
            name="the norm has a name, the norm is by hand, and the division is in place",
            file="prep.py",
            code="""\
import numpy as np
import pennylane as qml

dev = qml.device("default.qubit", wires=2)


@qml.qnode(dev)
def circuit(state):
    qml.MottonenStatePreparation(state_vector=state, wires=range(2))
    return qml.probs(wires=range(2))


def by_name(sample):
    norm = np.linalg.norm(sample)
    return circuit(sample / norm)  # <- here


def by_hand(sample):
    length = np.sqrt(np.sum(np.abs(sample) ** 2))
    sample = sample / length  # <- here
    return circuit(sample)


def in_place(sample):
    sample /= np.linalg.norm(sample)  # <- here
    return circuit(sample)
""",
        ),
        Example(
            name="rows of a batch, in torch",
            file="encode.py",
            code="""\
import torch
import torchquantum as tq


def encode_batch(x):
    return x / torch.norm(x, dim=1, keepdim=True)  # <- here
""",
        ),
        Example(
            name="one over the norm, times the features",
            code="""\
import numpy as np
from qiskit import QuantumCircuit


def amplitude_map(n_qubits, features):
    qc = QuantumCircuit(n_qubits)
    amplitudes = (1 / np.linalg.norm(features)) * features  # <- here
    qc.initialize(amplitudes, range(n_qubits))
    return qc
""",
        ),
    ),
    good=(
        Example(
            name="zero is refused",
            code="""\
import numpy as np
from qiskit import QuantumCircuit


def amplitude_circuit(x):
    norm = np.linalg.norm(x)
    if norm < 1e-12:
        raise ValueError("x: wanted a vector that is not zero")
    qc = QuantumCircuit(2)
    qc.initialize(x / norm, range(2))
    return qc
""",
        ),
    ),
    look_alikes=(
        Example(
            name="probabilities, and states that were checked before",
            code="""\
import cirq
import numpy as np
from qiskit import QuantumCircuit


def prepare_and_draw(x, amplitudes, rng):
    qc = QuantumCircuit(2)
    qc.initialize(x, [0, 1])
    chances = np.abs(amplitudes) ** 2
    chances /= np.linalg.norm(chances, 1)
    return qc, rng.choice(len(chances), p=chances)


def prepare_pair(state):
    vector = cirq.to_valid_state_vector(state, num_qubits=2)
    vector = vector / np.linalg.norm(vector)
    return np.linalg.svd(vector.reshape(2, 2))
""",
        ),
        Example(
            name="guarded in the ways that people write it",
            code="""\
import numpy as np
from qiskit import QuantumCircuit


def with_if(x):
    qc = QuantumCircuit(2)
    norm = np.linalg.norm(x)
    if norm > 0:
        x = x / norm
    qc.initialize(x, [0, 1])
    return qc


def with_eps(x):
    return x / (np.linalg.norm(x) + 1e-8)


def with_max(x):
    return x / max(np.linalg.norm(x), 1e-12)


def with_choice(x):
    norm = np.linalg.norm(x)
    return x / norm if norm else x


def with_mask(rows):
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    norms[norms == 0] = 1.0
    return rows / norms


def with_where(rows):
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    norms = np.where(norms == 0, 1.0, norms)
    return rows / norms


def with_any(x):
    if not np.any(x):
        raise ValueError("zero vector")
    return x / np.linalg.norm(x)
""",
        ),
        Example(
            name="literals and random states",
            code="""\
import numpy as np
from qiskit import QuantumCircuit

target = np.array([1, 2, 3, 4])
target = target / np.linalg.norm(target)
psi = np.random.randn(4) + 1j * np.random.randn(4)
psi /= np.linalg.norm(psi)
qc = QuantumCircuit(2)
qc.initialize(psi, [0, 1])
""",
        ),
        Example(
            name="geometry, in a file that prepares no state",
            file="geometry.py",
            code="""\
import numpy as np
from qiskit.quantum_info import SparsePauliOp


def unit_vector(v):
    return v / np.linalg.norm(v)


def angle_between(a, b):
    return np.arccos(np.dot(unit_vector(a), unit_vector(b)))
""",
        ),
        Example(
            name="another thing's norm, and a mean",
            code="""\
import numpy as np
from qiskit import QuantumCircuit


def relative_error(approx, exact, reference):
    return (approx - exact) / np.linalg.norm(reference)


def prepare(x, n):
    qc = QuantumCircuit(n)
    qc.initialize(x, range(n))
    return qc


def mean(x):
    return sum(x) / len(x)
""",
        ),
    ),
    references=(
        "numpy.linalg.norm <https://numpy.org/doc/stable/reference/generated/numpy.linalg.norm.html>",
    ),
    check=check,
    keywords=("norm(", "sqrt(", "0.5"),
)
