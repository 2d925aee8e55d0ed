"""The encoders of all frameworks: which calls put features into a circuit, and which argument."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from weakref import WeakKeyDictionary

from bezoar.scan.rules.assignments import assignments
from bezoar.scan.rules.frameworks import is_quantum
from bezoar.scan.rules.gates import QUANTUM_PACKAGES, gate_of
from bezoar.scan.rules.roles import holds_features, is_features, is_weights, last_name, names_in

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

EncodingKind = Literal["angle", "amplitude", "basis"]

#: name: (kind, position of the features, keywords of the features)
ENCODERS: Final[dict[str, tuple[EncodingKind, int, tuple[str, ...]]]] = {
    "pennylane.AngleEmbedding": ("angle", 0, ("features",)),
    "pennylane.IQPEmbedding": ("angle", 0, ("features",)),
    "pennylane.QAOAEmbedding": ("angle", 0, ("features",)),
    "pennylane.DisplacementEmbedding": ("angle", 0, ("features",)),
    "pennylane.SqueezingEmbedding": ("angle", 0, ("features",)),
    "pennylane.AmplitudeEmbedding": ("amplitude", 0, ("features",)),
    "pennylane.StatePrep": ("amplitude", 0, ("state",)),
    "pennylane.QubitStateVector": ("amplitude", 0, ("state",)),
    "pennylane.MottonenStatePreparation": ("amplitude", 0, ("state_vector",)),
    "pennylane.BasisEmbedding": ("basis", 0, ("features",)),
    "qiskit.QuantumCircuit.initialize": ("amplitude", 0, ("params",)),
    "qiskit.QuantumCircuit.prepare_state": ("amplitude", 0, ("state",)),
    "qiskit.circuit.library.StatePreparation": ("amplitude", 0, ("params",)),
    "qiskit.circuit.library.Initialize": ("amplitude", 0, ("params",)),
    "qiskit.extensions.Initialize": ("amplitude", 0, ("params",)),
    "qiskit.extensions.StatePreparation": ("amplitude", 0, ("params",)),
    "cirq.StatePreparationChannel": ("amplitude", 0, ("target_state",)),
    "braket.circuits.Circuit.initialize": ("amplitude", 0, ("state",)),
}
#: Methods that bind features to a feature map's parameters.
_BINDERS: Final = ("assign_parameters", "bind_parameters")
#: Functions that say in their name that they encode data.
_ENCODES: Final = re.compile(r"encod|embed|feature|amplitude_circuit|data", re.IGNORECASE)
#: Encoders that prepare any state, not features alone.
_STATE_PREPARATIONS: Final = frozenset(
    name
    for name, (kind, _, _) in ENCODERS.items()
    if kind == "amplitude" and not name.endswith("AmplitudeEmbedding")
)
#: Loaders of pixels. What flows from them is data, whatever it is called.
_DATA_SETS: Final = re.compile(
    r"tensorflow\.keras\.datasets\.|cv2\.imread|PIL\.Image\.open|skimage\.io\.imread"
)
#: Weights that were trained on data flow from them too.
_TRAINED: Final = re.compile(r"optim|random|\.fit\b|minimi[sz]e|Parameter|grad", re.IGNORECASE)
#: Modules of a project that are called after their circuits.
_QUANTUM_NAME: Final = re.compile(r"quantum|qnn|vqc|qml|qcnn|pqc|qlayer|qkernel", re.IGNORECASE)
_TORCHQUANTUM_ENCODERS: Final[dict[str, EncodingKind]] = {
    "torchquantum.GeneralEncoder": "angle",
    "torchquantum.MultiPhaseEncoder": "angle",
    "torchquantum.PhaseEncoder": "angle",
    "torchquantum.StateEncoder": "amplitude",
    "torchquantum.AmplitudeEncoder": "amplitude",
}
#: Several rules ask for the same module's encodings.
_KNOWN: Final[WeakKeyDictionary[Module, tuple[Encoding, ...]]] = WeakKeyDictionary()
#: Methods that exist on circuits alone, so that an unknown receiver is one.
_STATE_METHODS: Final = {"initialize": "params", "prepare_state": "state"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """One call that puts features into a circuit.

    Attributes:
        call: the call.
        kind: what the features become.
        features: the argument that holds them.
        name: how people call the encoder, for messages.
    """

    call: Call
    kind: EncodingKind
    features: ast.expr
    name: str


def encodings(module: Module) -> tuple[Encoding, ...]:
    """The calls that encode data, in source order: templates, state preparations, rotations."""
    known = _KNOWN.get(module)
    if known is None:
        found = (encoding_of(module, call) for call in module.calls)
        known = _KNOWN[module] = tuple(each for each in found if each is not None)
    return known


def encoding_of(module: Module, call: Call) -> Encoding | None:
    """What a call encodes, None where it is no encoder or encodes no features."""
    known = ENCODERS.get(call.name)
    if known is not None:
        kind, position, keywords = known
        node = call.argument_node(position, *keywords)
        return _encoding(call, kind, node)
    if (
        call.method in _STATE_METHODS
        and call.name.startswith("?.")
        and module.imports_any("qiskit")
    ):
        node = call.argument_node(0, _STATE_METHODS[call.method])
        return _encoding(call, "amplitude", node)
    if call.method in _BINDERS and module.imports_any("qiskit"):
        return _bound(call)
    return _torchquantum(module, call) or _rotation(module, call)


def _torchquantum(module: Module, call: Call) -> Encoding | None:
    """``self.encoder(device, x)``, where the module makes an encoder of TorchQuantum."""
    if "encoder" not in call.method.lower() or not module.imports_any("torchquantum"):
        return None
    if len(call.node.args) + len(call.node.keywords) < 2 or call.name.startswith("torchquantum.e"):
        return None
    made = [other for other in module.calls if other.name in _TORCHQUANTUM_ENCODERS]
    if not made:
        return None
    kind = _TORCHQUANTUM_ENCODERS[made[0].name]
    return _encoding(call, kind, call.argument_node(1, "x"))


def _encoding(call: Call, kind: EncodingKind, node: ast.expr | None) -> Encoding | None:
    if node is None or any(is_weights(name) or "coef" in name for name in names_in(node)):
        return None
    # A state preparation may be part of an algorithm; it encodes data where names say so.
    if call.name in _STATE_PREPARATIONS or call.name.startswith("?."):
        where = call.function.name if call.function is not None else ""
        if not holds_features(node) and not _ENCODES.search(where):
            return None
    return Encoding(call=call, kind=kind, features=node, name=call.method)


def _bound(call: Call) -> Encoding | None:
    # feature_map.assign_parameters(x): the receiver says that these are no weights.
    node = call.argument_node(0, "parameters", "value_dict")
    if node is None or not isinstance(call.node.func, ast.Attribute):
        return None
    receiver = ast.unparse(call.node.func.value).lower()
    if isinstance(node, ast.Dict | ast.DictComp) or not holds_features(node):
        return None
    if "feature" not in receiver and "encod" not in receiver and "embed" not in receiver:
        return None
    return Encoding(call=call, kind="angle", features=node, name=call.method)


def _rotation(module: Module, call: Call) -> Encoding | None:
    gate = gate_of(module, call)
    if gate is None or not gate.is_rotation:
        return None
    for angle in gate.angles:
        if is_feature(module, call, angle):
            return Encoding(call=call, kind="angle", features=angle, name=gate.shown)
    return None


def is_feature(module: Module, call: Call, angle: ast.expr) -> bool:
    """Whether the angle of a gate is a feature, by its name or by what it was made of."""
    return (
        _is_data(module, call, angle)
        or _was_features(module, call, angle)
        or _flows_from_data(module, angle)
    )


def _is_data(module: Module, call: Call, angle: ast.expr) -> bool:
    """Whether an angle is a feature: ``x[i]``, ``inputs``, but no ``x`` that is one number."""
    plain = {node.id for node in ast.walk(angle) if isinstance(node, ast.Name)}
    for above in module.ancestors(call.node):
        if _loops_over_features(above, plain):
            return True
    if not holds_features(angle):
        return False
    if any(isinstance(node, ast.Subscript) for node in ast.walk(angle)):
        return True
    if any(len(name) > 2 and is_features(name) for name in plain):
        return True
    return call.function is not None and bool(_ENCODES.search(call.function.name))


def _loops_over_features(node: ast.AST, names: set[str]) -> bool:
    """``for i, value in enumerate(x)``: whether one of `names` is an element of features."""
    loops = node.generators if isinstance(node, ast.ListComp | ast.GeneratorExp) else [node]
    for loop in loops:
        if not isinstance(loop, ast.For | ast.comprehension):
            continue
        target, over = loop.target, loop.iter
        if isinstance(over, ast.Call) and last_name(over.func) == "enumerate" and over.args:
            if not isinstance(target, ast.Tuple):
                continue
            # The first is the index.
            target, over = target.elts[-1], over.args[0]
        if isinstance(over, ast.Call) and last_name(over.func) in ("range", "zip", "len"):
            continue
        if holds_features(over) and last_name(target) in names:
            return True
    return False


def _was_features(module: Module, call: Call, angle: ast.expr) -> bool:
    """Whether the angle is made of a name that was given features.

    ``theta = np.pi * x[i]``, and the elements of ``scaled = normalise(inputs)``.
    """
    if call.function is None:
        return False
    if isinstance(angle, ast.Name):
        return _was_given_features(module, call, angle.id)
    elements = [node.value for node in ast.walk(angle) if isinstance(node, ast.Subscript)]
    if not elements or any(is_weights(name) for name in names_in(angle)):
        return False
    return any(
        isinstance(node, ast.Name) and _was_given_features(module, call, node.id)
        for node in elements
    )


def _was_given_features(module: Module, call: Call, name: str) -> bool:
    given = assignments(module, call.function).get(name, ())
    return bool(given) and all(holds_features(assign.value) for assign in given)


def _flows_from_data(module: Module, angle: ast.expr) -> bool:
    """Whether an element of an array of any name comes from a data set: ``phi[j]`` of an image."""
    if not any(isinstance(node, ast.Subscript) for node in ast.walk(angle)):
        return False
    through = module.value(angle).through
    return any(_DATA_SETS.match(name) for name in through) and not any(
        _TRAINED.search(name) for name in through
    )


def imports_framework(module: Module) -> bool:
    """Whether a module imports a quantum framework itself."""
    return module.imports_any(*QUANTUM_PACKAGES)


def is_in_quantum_project(module: Module) -> bool:
    """Whether a module works with circuits, or trains models of a project that does."""
    return is_quantum(module) or any(_QUANTUM_NAME.search(name) for name in module.imports)
