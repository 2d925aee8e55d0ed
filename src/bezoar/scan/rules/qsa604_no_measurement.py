"""QSA604: what a circuit's method returns is dropped, or a circuit runs without a measurement."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.assignments import assignments

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Function, Module

#: Where `inplace` stands among positional arguments.
_IN_PLACE_AT: Final = {"compose": 4, "assign_parameters": 1, "tensor": 1}
#: Methods of a circuit that return a new one, and the argument that would make them act in place.
_RETURNING: Final[dict[str, str]] = {
    "from_qasm_str": "",
    "from_qasm_file": "",
    "compose": "inplace",
    "assign_parameters": "inplace",
    "bind_parameters": "",
    "decompose": "",
    "inverse": "",
    "reverse_ops": "",
    "reverse_bits": "",
    "to_gate": "",
    "to_instruction": "",
    "power": "",
    "repeat": "",
    "control": "",
    "tensor": "inplace",
    "combine": "",
    "copy": "",
}
#: Methods that act in place unless they are told not to.
_IN_PLACE: Final = ("measure_all", "measure_active", "remove_final_measurements")
_RUNNERS: Final = re.compile(
    r"qiskit\.execute|qiskit_aer\.(AerSimulator|QasmSimulator)\.run|"
    r"(qiskit\.primitives|qiskit_aer\.primitives|qiskit_ibm_runtime)\."
    r"(Sampler|SamplerV2|StatevectorSampler|BackendSampler|BackendSamplerV2)\.run|\?\.run"
)
_SAMPLERS: Final = re.compile(r"sampler|backend|simulator|^sim$|aer|qasm", re.IGNORECASE)
_EXACT: Final = re.compile(r"statevector|unitary|density|superop|estimator|pulse", re.IGNORECASE)
#: Methods by which a circuit is looked at or extended, without a measurement hidden in it.
_PLAIN: Final = frozenset(
    (
        *("h", "x", "y", "z", "s", "t", "sdg", "tdg", "sx", "rx", "ry", "rz", "p", "u", "u1", "u2"),
        *("u3", "cx", "cy", "cz", "ch", "crx", "cry", "crz", "cp", "cu", "ccx", "swap", "cswap"),
        *("rxx", "ryy", "rzz", "mcx", "id", "barrier", "initialize", "prepare_state", "draw"),
        *("depth", "size", "count_ops", "width", "num_parameters", "unitary", "cnot", "toffoli"),
        *("mcp", "iswap", "r", "delay", "qasm", "num_qubits"),
    )
)


#: Calls that are told of a circuit and leave it as it is.
_LOOKS: Final = frozenset(("get_counts", "plot_histogram", "display", "circuit_drawer"))


def check(module: Module) -> Iterator[Hit]:
    """Reports dropped circuits, and runs of circuits that measure nothing."""
    if module.is_test or not module.imports_any("qiskit"):
        return
    yield from _dropped(module)
    for call in module.calls:
        circuit = _run_without_measurement(module, call)
        if circuit:
            yield Hit(
                where=call.node,
                message=f"`{circuit}` is run for its counts and measures nothing",
                remedy="Add `measure_all()` before it runs.",
            )


def _dropped(module: Module) -> Iterator[Hit]:
    for call in module.calls:
        parent = module.parent(call.node)
        if not isinstance(parent, ast.Expr):
            continue
        # In a notebook the last expression of a cell is what is shown.
        shown = module.is_notebook and call.function is None
        if shown and not call.method.startswith("from_qasm"):
            continue
        if call.name == "qiskit.transpile" and not _is_tried(module, call):
            yield _drop(call, "`transpile` returns the compiled circuit")
        elif _is_circuit(module, call):
            reason = _returns(call)
            if reason:
                yield _drop(call, reason)


def _drop(call: Call, reason: str) -> Hit:
    return Hit(where=call.node, message=f"{reason}, and it is dropped")


def _returns(call: Call) -> str:
    in_place = _RETURNING.get(call.method)
    if in_place is not None:
        flag = call.argument(_IN_PLACE_AT.get(call.method), in_place) if in_place else None
        if flag is not None and flag.literal is not False:
            return ""
        if call.has_star:
            return ""
        return f"`{call.method}` leaves the circuit as it was and returns another"
    if call.method in _IN_PLACE:
        flag = call.argument(None, "inplace")
        if flag is not None and flag.literal is False:
            return f"`{call.method}(inplace=False)` returns another circuit"
    return ""


def _is_circuit(module: Module, call: Call) -> bool:
    """Whether the receiver is a circuit: by its class, or by a method that nothing else has."""
    if call.name.startswith("qiskit.QuantumCircuit."):
        return not _is_tried(module, call)
    if not call.name.startswith("?.") or not isinstance(call.node.func, ast.Attribute):
        return False
    receiver = ast.unparse(call.node.func.value)
    if call.method in ("from_qasm_str", "from_qasm_file", "assign_parameters", "bind_parameters"):
        return not _is_tried(module, call)
    return bool(
        re.fullmatch(r"(self\.)?(qc|circ|circuit|qcirc|quantum_circuit)\d*", receiver)
    ) and (
        call.method in ("compose", "inverse", "decompose", *_IN_PLACE)
        and module.imports_any("qiskit")
        and not module.imports_any("cirq", "pennylane", "tensorcircuit")
    )


def _is_tried(module: Module, call: Call) -> bool:
    """Whether the call stands in a try: it is asked whether it works."""
    return any(isinstance(above, ast.Try | ast.With) for above in module.ancestors(call.node))


def _run_without_measurement(module: Module, call: Call) -> str:
    """The circuit that a call runs and that measures nothing, "" for any other call."""
    if not _RUNNERS.fullmatch(call.name) or not _wants_counts(module, call):
        return ""
    node = call.argument_node(0, "circuits", "pubs", "experiments", "run_input", "circuit")
    name = _circuit_name(module, call.function, node)
    if not name or not _is_sampler(call):
        return ""
    made = _made(module, call.function, name)
    if made is None or made.node.lineno > call.node.lineno:
        return ""
    return name if _is_bare(module, call, name) else ""


def _is_sampler(call: Call) -> bool:
    text = ast.unparse(call.node)
    if isinstance(call.node.func, ast.Attribute):
        receiver = call.receiver
        known = "" if receiver is None else f"{receiver.made_by} {receiver.type}"
        if _EXACT.search(f"{text} {known}") and "StatevectorSampler" not in f"{text}{known}":
            return False
        if call.name.startswith("?."):
            return bool(_SAMPLERS.search(ast.unparse(call.node.func.value)))
        return True
    return not _EXACT.search(text)


def _wants_counts(module: Module, call: Call) -> bool:
    """Whether the file asks for counts and for no state."""
    asked = {other.method for other in module.calls if other.function is call.function}
    attributes = {
        node.attr for node in module.nodes(ast.Attribute) if isinstance(node, ast.Attribute)
    }
    exact = {"get_statevector", "get_unitary", "save_statevector", "save_expectation_value"}
    exact |= {"save_unitary", "save_density_matrix", "save_probabilities", "save_state"}
    if (asked | attributes) & exact or any(_is_exact_backend(other) for other in module.calls):
        return False
    # A sampler has nothing else to give.
    wants = {"get_counts", "quasi_dists", "get_memory", "get_int_counts"}
    return bool((asked | attributes) & wants) or "Sampler" in call.name


def _is_exact_backend(call: Call) -> bool:
    return call.method in ("get_backend", "AerSimulator") and any(
        isinstance(value.literal, str) and _EXACT.search(value.literal)
        for value in (*call.args, *call.keywords.values())
    )


def _circuit_name(module: Module, function: Function | None, node: ast.expr | None) -> str:
    """The name of the circuit in the first argument: `qc`, `[qc]`, `transpile(qc, backend)`."""
    for _ in range(5):
        if isinstance(node, ast.List) and len(node.elts) == 1:
            node = node.elts[0]
        elif isinstance(node, ast.Tuple) and node.elts:
            # (circuit, parameters), as a sampler takes it.
            node = node.elts[0]
        elif isinstance(node, ast.Call) and _is_transpilation(module, node):
            node = node.args[0] if node.args else None
        elif isinstance(node, ast.Name):
            source = _last_assignment(module, function, node)
            if isinstance(source, ast.Call) and _is_transpilation(module, source):
                node = source.args[0] if source.args else None
            else:
                return node.id
        else:
            return ""
    return ""


def _is_transpilation(module: Module, node: ast.Call) -> bool:
    call = module.call(node)
    return call is not None and (
        call.name == "qiskit.transpile" or call.name.endswith(("PassManager.run", "pm.run"))
    )


def _last_assignment(module: Module, function: Function | None, name: ast.Name) -> ast.expr | None:
    given = assignments(module, function).get(name.id, ())
    before = [assign.value for assign in given if assign.lineno < name.lineno]
    return before[-1] if before else None


def _made(module: Module, function: Function | None, name: str) -> Call | None:
    """The one `QuantumCircuit(...)` that the name was assigned in this function."""
    made = []
    for assign in module.nodes(ast.Assign, ast.AugAssign, ast.AnnAssign, ast.For):
        if module.function_of(assign) is not function:
            continue
        targets = getattr(assign, "targets", None) or [getattr(assign, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            value = getattr(assign, "value", None)
            made.append(module.call(value) if isinstance(value, ast.Call) else None)
    only = made[0] if len(made) == 1 else None
    return only if only is not None and only.name == "qiskit.QuantumCircuit" else None


def _is_bare(module: Module, run: Call, name: str) -> bool:
    """Whether nothing that happens to the circuit could measure."""
    scope = run.function.node if run.function is not None else module.tree
    for node in ast.walk(scope):
        if not (isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)):
            continue
        if not _is_plain_use(module, node, run):
            return False
    return True


def _is_plain_use(module: Module, node: ast.Name, run: Call) -> bool:
    parent = module.parent(node)
    if isinstance(parent, ast.Attribute):
        return parent.attr in _PLAIN
    for above in module.ancestors(node):
        if isinstance(above, ast.Call):
            call = module.call(above)
            if above is run.node or (
                call is not None
                and (call.name in ("qiskit.transpile", "print") or call.method in _LOOKS)
            ):
                return True
            if call is not None and call.method == "run":
                continue
            return False
        if isinstance(above, ast.stmt):
            return False
    return False


RULE = Rule(
    id="QSA604",
    title="Circuit is dropped, or run without a measurement",
    severity="medium",
    confidence="high",
    cwe=(252,),
    frameworks=("qiskit",),
    why=(
        "Most methods of a circuit return a new one. `qc.from_qasm_str(text)` leaves `qc` empty, "
        "`qc.compose(ansatz)` without `inplace=True` adds nothing, and `qc.assign_parameters(x)` "
        "binds nothing: the model that runs is not the one in the file, and an empty circuit "
        "answers 0 every time. A circuit that is sampled without a measurement gives an error on "
        "some backends and an empty register on others. Both are among the most frequent bugs of "
        "quantum programs (LintQ, Bugs4Q)."
    ),
    remedy="Keep what is returned (`qc = qc.compose(...)`), or pass `inplace=True`.",
    bad=(
        Example(
            name="a circuit is read and dropped",
            code="""\
from qiskit import QuantumCircuit


def load(text):
    qc = QuantumCircuit()
    qc.from_qasm_str(text)  # <- here
    return qc
""",
        ),
        Example(
            name="compose and assign_parameters without keeping",
            file="model.py",
            code="""\
from qiskit import QuantumCircuit
from qiskit.circuit.library import RealAmplitudes, ZZFeatureMap


def model(x, theta):
    circuit = QuantumCircuit(2)
    circuit.compose(ZZFeatureMap(2))  # <- here
    circuit.compose(RealAmplitudes(2), inplace=True)
    circuit.assign_parameters(x)  # <- here
    circuit.measure_all(inplace=False)  # <- here
    return circuit
""",
        ),
        Example(
            name="no measurement, sampled all the same",
            file="sample.py",
            code="""\
from qiskit import QuantumCircuit, transpile
from qiskit_aer import AerSimulator


def bell():
    qc = QuantumCircuit(2, 2)
    qc.h(0)
    qc.cx(0, 1)
    backend = AerSimulator()
    compiled = transpile(qc, backend)
    result = backend.run(compiled, shots=1000).result()  # <- here
    return result.get_counts()
""",
        ),
        Example(
            name="a Sampler, in a notebook",
            file="sampler.ipynb",
            code="""\
# %%
from qiskit import QuantumCircuit
from qiskit.primitives import Sampler
# %%
qc = QuantumCircuit(1)
qc.ry(0.3, 0)
sampler = Sampler()
job = sampler.run([qc])  # <- here
print(job.result().quasi_dists)
# %%
from qiskit.primitives import StatevectorSampler


def counts(theta, parameter):
    circuit = QuantumCircuit(1)
    circuit.ry(parameter, 0)
    result = StatevectorSampler().run([(circuit, theta)], shots=100).result()  # <- here
    return result[0].data.meas.get_counts()
""",
        ),
        Example(
            name="counts are asked for by the circuit that measures nothing",
            code="""\
from qiskit import Aer, QuantumCircuit, execute
from qiskit.visualization import plot_histogram

qc = QuantumCircuit(2, 2)
qc.h(0)
qc.cx(0, 1)
job = execute(qc, Aer.get_backend("qasm_simulator"), shots=1024)  # <- here
counts = job.result().get_counts(qc)
plot_histogram(counts)
""",
        ),
        Example(
            name="a sampler has nothing but counts to give",
            code="""\
from qiskit import QuantumCircuit, transpile
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime import SamplerV2

backend = AerSimulator()
bell = QuantumCircuit(2)
bell.h(0)
bell.cx(0, 1)
isa = transpile(bell, backend)
job = SamplerV2(mode=backend).run([isa], shots=512)  # <- here
print(job.result())
""",
        ),
    ),
    good=(
        Example(
            name="kept and measured",
            code="""\
from qiskit import QuantumCircuit, transpile
from qiskit_aer import AerSimulator


def run(text, layer):
    qc = QuantumCircuit.from_qasm_str(text)
    qc = qc.compose(layer)
    qc.compose(layer, inplace=True)
    qc.measure_all()
    backend = AerSimulator()
    return backend.run(transpile(qc, backend)).result().get_counts()
""",
        ),
    ),
    look_alikes=(
        Example(
            name="the state is what is wanted",
            code="""\
from qiskit import Aer, QuantumCircuit, execute
from qiskit.quantum_info import Statevector


def state():
    qc = QuantumCircuit(1)
    qc.h(0)
    backend = Aer.get_backend("statevector_simulator")
    result = execute(qc, backend).result()
    return result.get_statevector(), result.get_counts()
""",
        ),
        Example(
            name="measured in another function, through a register, or by a list",
            code="""\
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit_aer import AerSimulator

backend = AerSimulator()


def add_readout(circuit):
    circuit.measure_all()


def one():
    qc = QuantumCircuit(1)
    qc.h(0)
    add_readout(qc)
    return backend.run(qc).result().get_counts()


def two():
    qc = QuantumCircuit(1)
    qc.h(0)
    qc.add_register(ClassicalRegister(1))
    qc.measure(0, 0)
    return backend.run(qc).result().get_counts()


def three(gates):
    qc = QuantumCircuit(1, 1)
    for gate in gates:
        qc.append(gate, [0], [0])
    return backend.run(qc).result().get_counts()
""",
        ),
        Example(
            name="an Estimator measures by itself",
            code="""\
from qiskit import QuantumCircuit
from qiskit.primitives import Estimator

estimator = Estimator()


def energy(hamiltonian):
    qc = QuantumCircuit(1)
    qc.h(0)
    return estimator.run([qc], [hamiltonian]).result().values[0]
""",
        ),
        Example(
            name="a parse is only tried; a circuit at the end of a cell is shown",
            file="valid.ipynb",
            code="""\
# %%
from qiskit import QuantumCircuit
# %%
def is_valid(text):
    try:
        QuantumCircuit.from_qasm_str(text)
    except Exception:
        return False
    return True
# %%
qc = QuantumCircuit(2)
qc.h(0)
qc.decompose()
""",
        ),
        Example(
            name="in place by position; lists and strings have methods of these names",
            code="""\
from qiskit import QuantumCircuit


def other(items, email):
    items.copy()
    email.compose("hello")
    items.repeat(3)


def in_place_by_position(layer, values):
    qc = QuantumCircuit(2)
    qc.compose(layer, range(2), None, False, True)
    qc.assign_parameters(values, True)
    return qc
""",
        ),
    ),
    references=(
        (
            "LintQ: a static analysis framework for Qiskit quantum programs "
            "<https://arxiv.org/abs/2310.00718>"
        ),
        "Bugs4Q <https://arxiv.org/abs/2108.09744>",
    ),
    check=check,
    keywords=(
        *("from_qasm", "compose", "_parameters", "decompose", "inverse", "transpile", "run("),
        *("execute(", "measure_", ".power(", ".control(", ".repeat(", ".tensor(", "reverse_"),
    ),
)
