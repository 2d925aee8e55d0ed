"""QSA603: a circuit is transpiled without a seed and then stored, signed or hashed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.roles import last_name

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

_TRANSPILERS: Final = (
    "qiskit.transpile",
    "qiskit.transpiler.preset_passmanagers.generate_preset_pass_manager",
    "qiskit.transpiler.generate_preset_pass_manager",
)
#: Calls that make an artefact of a circuit, and the position of the circuit.
_WRITERS: Final = re.compile(
    r"qiskit\.(qpy|qasm2|qasm3)\.(dump|dumps|export)|hashlib\.\w+|hmac\.(new|digest)|"
    r"pickle\.dumps?|joblib\.dump|qiskit\.QuantumCircuit\.qasm"
)
_DUMPS: Final = frozenset(("qasm",))
_MAX_DEPTH: Final = 4


def check(module: Module) -> Iterator[Hit]:
    """Reports unseeded transpilation whose result is written, hashed or signed."""
    if module.is_test or not module.imports_any("qiskit"):
        return
    writers = [call for call in module.calls if _is_writer(module, call)]
    if not writers:
        return
    for call in module.calls_to(*_TRANSPILERS):
        if call.has_star or call.argument_node(None, "seed_transpiler") is not None:
            continue
        names = _names_from(module, call)
        for writer in writers:
            if _writes(module, writer, call, names):
                yield Hit(
                    where=call.node,
                    message=(
                        f"`{call.method}` runs without `seed_transpiler`, and "
                        f"`{ast.unparse(writer.node.func)}` keeps its circuit"
                    ),
                )
                break


def _is_writer(module: Module, call: Call) -> bool:
    if not (_WRITERS.fullmatch(call.name) or call.method in _DUMPS):
        return False
    if call.name.startswith(("qiskit.qasm2.dumps", "qiskit.qasm3.dumps")) or call.method == "qasm":
        # Text that is only shown is no artefact.
        return call.argument_node(None, "filename") is not None or _is_kept(module, call)
    return True


def _is_kept(module: Module, call: Call) -> bool:
    """Whether the text of a circuit goes into a file or a digest."""
    names = {last_name(target) for target in _targets(module, call.node)} - {""}
    for other in module.calls:
        if other.method not in ("write", "write_text", "sha256", "sha1", "md5", "update", "put"):
            continue
        for argument in other.node.args:
            for part in ast.walk(argument):
                if part is call.node or (isinstance(part, ast.Name) and part.id in names):
                    return True
    return False


def _targets(module: Module, node: ast.AST) -> list[ast.expr]:
    statement = module.statement_of(node)
    return list(statement.targets) if isinstance(statement, ast.Assign) else []


def _names_from(module: Module, call: Call) -> set[str]:
    """The names, in this function, of what was transpiled and of what was made of it."""
    names = {last_name(target) for target in _targets(module, call.node)} - {""}
    scope = call.function.node if call.function is not None else module.tree
    for _ in range(_MAX_DEPTH):
        before = len(names)
        for part in ast.walk(scope):
            if isinstance(part, ast.Assign) and _reads(part.value, names):
                names |= {last_name(target) for target in part.targets} - {""}
            elif isinstance(part, ast.For) and _reads(part.iter, names):
                names |= {n.id for n in ast.walk(part.target) if isinstance(n, ast.Name)}
            elif (
                isinstance(part, ast.Call)
                and last_name(part.func) in ("append", "extend")
                and any(_reads(argument, names) for argument in part.args)
                and isinstance(part.func, ast.Attribute)
            ):
                names |= {last_name(part.func.value)} - {""}
        if len(names) == before:
            break
    return names


def _reads(node: ast.AST, names: set[str]) -> bool:
    return any(isinstance(part, ast.Name) and part.id in names for part in ast.walk(node))


def _writes(module: Module, writer: Call, call: Call, names: set[str]) -> bool:
    node = writer.node
    inside = any(part is call.node for part in ast.walk(node))
    if inside:
        return True
    if writer.function is call.function and _reads(node, names):
        return True
    # Another function of the file writes what this one returns.
    if call.function is None or writer.function is call.function:
        return False
    for other in module.calls:
        if other.function is writer.function and other.method == call.function.name:
            made = {last_name(target) for target in _targets(module, other.node)} - {""}
            if any(part is other.node for part in ast.walk(node)) or _reads(node, made):
                return True
    return False


RULE = Rule(
    id="QSA603",
    title="Stored circuit was transpiled without a seed",
    severity="low",
    confidence="high",
    cwe=(330,),
    frameworks=("qiskit",),
    why=(
        "Layout and routing in Qiskit's transpiler are random. A compiled circuit that is written "
        "to a file, hashed or signed without `seed_transpiler` cannot be compiled again and "
        "compared: whoever holds the artefact cannot show that it is the circuit it claims to be, "
        "and a backdoor that appears only after synthesis (QDoor) stays unseen. The hash changes "
        "with every run, so that nobody wonders when it does.\n\n"
        "Most scripts transpile to run at once; the rule reports only circuits that are kept."
    ),
    remedy="Add `seed_transpiler=` and store the seed with the circuit.",
    bad=(
        Example(
            name="transpiled, then written as QPY",
            code="""\
from qiskit import QuantumCircuit, qpy, transpile


def export(circuit, backend, path):
    compiled = transpile(circuit, backend, optimization_level=3)  # <- here
    with open(path, "wb") as f:
        qpy.dump(compiled, f)
""",
        ),
        Example(
            name="a pass manager, and a list of circuits",
            file="batch.py",
            code="""\
from qiskit import qpy
from qiskit.transpiler.preset_passmanagers import generate_preset_pass_manager


def compile_all(circuits, backend):
    pm = generate_preset_pass_manager(  # <- here
        optimization_level=2,
        backend=backend,
    )
    compiled = []
    for qc in circuits:
        isa = pm.run(qc)
        compiled.append(isa)
    with open("compiled.qpy", "wb") as f:
        qpy.dump(compiled, f)
""",
        ),
        Example(
            name="one function compiles, another one keeps",
            file="twofold.py",
            code="""\
from qiskit import QuantumCircuit, qasm2, transpile


def compiled(circuit, backend):
    return transpile(circuit, backend)  # <- here


def export(circuit, backend, path):
    result = compiled(circuit, backend)
    with open(path, "w") as f:
        f.write(qasm2.dumps(result))
""",
        ),
        Example(
            name="hashed as OpenQASM, in a notebook",
            file="hash.ipynb",
            code="""\
# %%
import hashlib
import qiskit
from qiskit import qasm3
# %%
tqc = qiskit.transpile(qc, backend)  # <- here
text = qasm3.dumps(tqc)
digest = hashlib.sha256(text.encode()).hexdigest()
""",
        ),
    ),
    good=(
        Example(
            name="seeded",
            code="""\
from qiskit import qpy, transpile


def export(circuit, backend, path, seed):
    compiled = transpile(circuit, backend, optimization_level=3, seed_transpiler=seed)
    with open(path, "wb") as f:
        qpy.dump(compiled, f)
""",
        ),
    ),
    look_alikes=(
        Example(
            name="transpiled to run at once",
            code="""\
from qiskit import QuantumCircuit, transpile
from qiskit_aer import AerSimulator


def run(qc):
    backend = AerSimulator()
    return backend.run(transpile(qc, backend), shots=100).result().get_counts()
""",
        ),
        Example(
            name="the untranspiled circuit is what is kept",
            code="""\
from qiskit import QuantumCircuit, qpy, transpile


def keep_and_run(circuit, backend, path):
    with open(path, "wb") as f:
        qpy.dump(circuit, f)
    compiled = transpile(circuit, backend)
    return backend.run(compiled).result()
""",
        ),
        Example(
            name="one is measured, another one, which is seeded, is kept",
            code="""\
from qiskit import qpy, transpile


def depth(circuit, backend):
    compiled = transpile(circuit, backend)
    return compiled.depth()


def export(circuit, backend, handle):
    compiled = transpile(circuit, backend, seed_transpiler=42)
    qpy.dump(compiled, handle)
""",
        ),
        Example(
            name="options come as keywords that are not seen",
            code="""\
from qiskit import qpy, transpile


def export(circuit, backend, path, **options):
    with open(path, "wb") as f:
        qpy.dump(transpile(circuit, backend, **options), f)
""",
        ),
        Example(
            name="OpenQASM is only printed",
            code="""\
from qiskit import qasm2, transpile


def show(circuit, backend):
    compiled = transpile(circuit, backend)
    print(qasm2.dumps(compiled))
    print(compiled.depth())
""",
        ),
    ),
    references=(
        "transpile <https://docs.quantum.ibm.com/api/qiskit/compiler>",
        (
            "QDoor: approximate synthesis for backdoor attacks in quantum neural networks "
            "<https://arxiv.org/abs/2307.09529>"
        ),
    ),
    check=check,
    keywords=("transpile", "generate_preset_pass_manager"),
)
