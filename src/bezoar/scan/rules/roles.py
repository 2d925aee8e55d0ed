"""What a variable is for, told by its name: features, weights, a number of qubits or features.

Nothing else in a circuit tells data from trainable parameters: both are arrays of angles.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_FEATURES = frozenset(
    (
        *("x", "xs", "xi", "xj", "xx", "input", "inputs", "inp", "feature", "features", "feat"),
        *("feats", "data", "datum", "datapoint", "sample", "samples", "image", "images", "img"),
        *("pixel", "pixels", "row", "record", "signal", "patch", "obs", "observation", "instance"),
        *("datapoints", "vector", "vec", "token", "embedding", "point"),
    )
)
_WEIGHTS = frozenset(
    (
        *("weight", "weights", "w", "ws", "param", "params", "parameter", "parameters", "theta"),
        *("thetas", "phi", "phis", "gamma", "gammas", "beta", "betas", "var", "variational"),
        *("ansatz", "trainable", "omega", "alpha", "alphas", "lambda", "lam", "wire", "wires"),
        *("qubit", "qubits", "register", "coeff", "coeffs", "coefficients", "bias"),
    )
)
#: Words of weights that are learned; the others of `_WEIGHTS` merely are no features.
_TRAINED = (
    _WEIGHTS
    - {"wire", "wires", "qubit", "qubits", "register"}
    - {
        *("coeff", "coeffs", "coefficients"),
    }
)
_REGISTERS = frozenset(("wires", "wire", "qubits", "qubit", "qreg", "qr"))
_QUBIT_COUNT = re.compile(
    r"(?:n|num|number|nr|no|total|max)_?(?:of_)?(?:data_|input_|img_|amp_)?(?:qubits?|wires|qbits?)"
    r"(?:_.*)?_?|(?:qubits?|wires|qbits?)_?(?:n|num|count|number)|n_?q|nqubits?|nwires|qubits",
    re.IGNORECASE,
)
_FEATURE_COUNT = re.compile(
    r"(?:n|num|number|nr)_?(?:of_)?(?:features?|feats?|inputs?|dims?|dimensions?)_?|"
    r"(?:input|feature|features|data)_?(?:dim|dims|size|count|len|length|dimension)s?",
    re.IGNORECASE,
)


def _words(name: str) -> list[str]:
    # inputData, x_train and X1 have two words each, of which digits are none.
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return [word for word in re.split(r"[_\d]+", spaced.lower()) if word]


def is_features(name: str) -> bool:
    """Whether a name is one that people give to data.

    Example:
        >>> [is_features(name) for name in ("x", "X_train", "inputs", "weights", "x_params")]
        [True, True, True, False, False]
    """
    words = _words(name)
    return any(word in _FEATURES for word in words) and not any(word in _WEIGHTS for word in words)


def is_weights(name: str) -> bool:
    """Whether a name is one that people give to trainable parameters.

    Example:
        >>> [is_weights(name) for name in ("weights", "theta_0", "q_params", "inputs", "wires")]
        [True, True, True, False, False]
    """
    return any(word in _TRAINED for word in _words(name))


def is_qubit_count(node: ast.expr) -> bool:
    """Whether an expression is a number of qubits: ``n_qubits``, ``self.n_wires``, ``len(wires)``.

    Example:
        >>> [is_qubit_count(ast.parse(text, mode="eval").body)
        ...  for text in ("n_qubits", "self.num_wires", "len(wires)", "2 ** n_qubits", "len(x)")]
        [True, True, True, True, False]
    """
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return is_qubit_count(node.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.LShift):
        return is_qubit_count(node.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return any(is_qubit_count(side) for side in (node.left, node.right))
    counted = _counted(node)
    if counted is not None:
        return not _REGISTERS.isdisjoint(_words(last_name(counted)))
    return bool(_QUBIT_COUNT.fullmatch(last_name(node)))


def is_feature_count(node: ast.expr) -> bool:
    """Whether an expression is a number of features: ``len(x)``, ``n_features``, ``x.shape[0]``.

    Example:
        >>> [is_feature_count(ast.parse(text, mode="eval").body)
        ...  for text in ("len(x)", "self.n_features", "x.shape[-1]", "len(wires)", "depth")]
        [True, True, True, False, False]
    """
    counted = _counted(node)
    if counted is not None:
        return is_features(last_name(counted)) or _holds_features(counted)
    if isinstance(node, ast.Subscript) and last_name(node.value) == "shape":
        shaped = node.value.value if isinstance(node.value, ast.Attribute) else node.value
        return any(is_features(name) for name in names_in(shaped))
    if isinstance(node, ast.Attribute) and node.attr in ("size", "shape"):
        return is_features(last_name(node.value))
    if isinstance(node, ast.Call) and last_name(node.func) == "size":
        return any(is_features(name) for name in names_in(node.func))
    return bool(_FEATURE_COUNT.fullmatch(last_name(node)))


def _holds_features(node: ast.expr) -> bool:
    names = list(names_in(node))
    return bool(names) and all(is_features(name) for name in names)


def _counted(node: ast.expr) -> ast.expr | None:
    """What `len` is asked of, None for another expression."""
    if isinstance(node, ast.Call) and last_name(node.func) == "len" and len(node.args) == 1:
        return node.args[0]
    return None


def last_name(node: ast.AST) -> str:
    """The last component of a name or attribute, "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def names_in(node: ast.AST) -> Iterator[str]:
    """The names that an expression is computed from; indices, functions and constants are not.

    Example:
        >>> list(names_in(ast.parse("np.pi * inputs[:, i] + self.scale(x)", mode="eval").body))
        ['inputs', 'x']
    """
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        if node.attr not in ("pi", "e", "inf", "T", "shape", "dtype", "newaxis"):
            # self.x is one name; x.real is about x.
            inner = last_name(node.value)
            yield node.attr if inner in ("self", "cls", "args", "config", "cfg") else inner
        elif node.attr == "T":
            yield from names_in(node.value)
    elif isinstance(node, ast.Subscript):
        yield from names_in(node.value)
    elif isinstance(node, ast.IfExp):
        # The test decides and is no part of the number.
        yield from names_in(node.body)
        yield from names_in(node.orelse)
    elif isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and not node.args:
            yield from names_in(node.func.value)
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            yield from names_in(argument)
    elif isinstance(node, ast.expr | ast.keyword):
        for child in ast.iter_child_nodes(node):
            yield from names_in(child)


def holds_features(node: ast.AST) -> bool:
    """Whether an expression is computed from features and from no weights."""
    names = list(names_in(node))
    return any(is_features(name) for name in names) and not any(is_weights(n) for n in names)
