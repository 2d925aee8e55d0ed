"""QSA102: eval() of text from a file, a configuration or a measurement."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.contracts.records import Confidence, Severity
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.code_texts import builds_circuit, code_argument, is_own_code
from bezoar.scan.rules.frameworks import mentions_quantum
from bezoar.scan.rules.origins import HOSTILE, shown, told, worst_origin
from bezoar.scan.rules.roles import last_name

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

_RATING: dict[str, tuple[Severity, Confidence]] = {
    "request": ("critical", "high"),
    "network": ("critical", "high"),
    "file": ("high", "high"),
    "env": ("high", "medium"),
    "cli": ("medium", "high"),
    "result": ("medium", "medium"),
    "parameter": ("medium", "medium"),
    "": ("medium", "low"),
}
#: Eval as an argument, as a value in a dict, and as an element.
_PASSED_ON = re.compile(r"[(,=:]\s*eval\s*[,)}\]]")
#: Functions of SymPy that call eval on their text.
_SYMBOLIC = (
    "sympy.sympify",
    "sympy.S",
    "sympy.parse_expr",
    "sympy.parsing.parse_expr",
    "sympy.parsing.sympy_parser.parse_expr",
)
#: Classes whose items are text of a file, whatever was known of them when they were made.
_SETTINGS = frozenset(
    f"configparser.{name}" for name in ("ConfigParser", "RawConfigParser", "SafeConfigParser")
)
#: Names of variables that hold a string of bits.
_BITS = re.compile(
    r"(?:.*_)?(?:bits?|bitstrings?|bit_?str|binary|outcomes?|keys?)(?:_.*)?", re.IGNORECASE
)
#: What lets letters through: a dot, a class that excludes, a class of letters.
_LETS_WORDS_THROUGH = re.compile(r"\.")
_LETS_WORDS_THROUGH_IN_CLASS = re.compile(r"\[\^|\\[wSD]|(?<!!)\[[^\]]*[a-zA-Z][^\]]*\][+*]")


def check(module: Module) -> Iterator[Hit]:
    """eval of text that is not the program's own; exec of it in files without quantum code."""
    if module.is_test:
        return
    quantum = mentions_quantum(module)
    for call in module.calls_to("eval", "exec"):
        node = code_argument(call)
        if node is None:
            continue
        setting = _is_setting(module, node)
        if is_own_code(module, node) and not setting:
            continue
        # These are QSA101's.
        if quantum and (call.name == "exec" or builds_circuit(call, node)):
            continue
        kind = "file" if setting else worst_origin(module.value(node))
        if call.name == "exec" and kind in ("", "parameter"):
            continue
        if _is_checked(module, node):
            continue
        yield _hit(module, call, node, kind)
    yield from _passed_on(module)
    yield from _symbolic(module)


def _is_setting(module: Module, node: ast.expr) -> bool:
    """`config["train"]["shape"]` of a ConfigParser, which is filled by its read()."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return module.value(node).type in _SETTINGS


def _is_checked(module: Module, node: ast.expr) -> bool:
    if not {"listed", "checked"}.isdisjoint(module.value(node).marks):
        return True
    return _is_narrow_match(module, node) or _is_walked(module, node)


def _is_walked(module: Module, node: ast.expr) -> bool:
    """Whether the text was parsed, and a function here refuses nodes of the tree."""
    return "ast.parse" in module.value(node).through and any(
        call.name in ("ast.walk", "ast.iter_child_nodes")
        or call.method in ("visit", "generic_visit")
        for call in module.calls
    )


def _is_narrow_match(module: Module, node: ast.expr) -> bool:
    """Whether the text is what `re.sub(pattern, function, text)` found, and the pattern lets no
    words through: `[0-9+*/() -]+`."""
    function = module.function_of(node)
    if function is None or not any(
        isinstance(each, ast.Attribute) and each.attr == "group" for each in ast.walk(function.node)
    ):
        return False
    patterns = [
        call.args[0].literal
        for call in module.calls_to("re.sub", "re.subn")
        if len(call.node.args) > 1
        and isinstance(call.node.args[1], ast.Name)
        and call.node.args[1].id == function.name
    ]
    return bool(patterns) and all(
        isinstance(pattern, str)
        and not _LETS_WORDS_THROUGH.search(_without_classes(pattern))
        and not _LETS_WORDS_THROUGH_IN_CLASS.search(pattern)
        for pattern in patterns
    )


def _without_classes(pattern: str) -> str:
    return re.sub(r"\[[^\]]*\]|\\\.", "", pattern)


def _hit(module: Module, call: Call, node: ast.expr, kind: str) -> Hit:
    value = module.value(node)
    text = shown(node)
    flow = module.flow(value, HOSTILE, call.node, f"is run by {call.name}()")
    if _is_one_bit(module, node):
        return Hit(
            where=call.node,
            message=f"`{call.name}({text})` reads one character of a bitstring by running it.",
            severity="low",
            confidence="medium",
            remedy="Use int().",
            flow=flow,
            source=value,
        )
    severity, confidence = _RATING[kind]
    came = f"text from {told(kind)}" if kind else "text that is not the program's own"
    return Hit(
        where=call.node,
        message=f"`{call.name}({text})` runs {came} as Python code.",
        severity=severity,
        confidence=confidence,
        flow=flow,
        source=value,
    )


def _is_one_bit(module: Module, node: ast.expr) -> bool:
    """`eval(bits[3])` and `for bit in bits: eval(bit)`: one character runs nothing."""
    if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice):
        index = module.value(node.slice).literal
        return not isinstance(index, str) and _runs_over_bits(node.value)
    if not isinstance(node, ast.Name):
        return False
    for outer in module.ancestors(node):
        loops = [outer] if isinstance(outer, ast.For) else getattr(outer, "generators", ())
        for loop in loops:
            targets = [each.id for each in ast.walk(loop.target) if isinstance(each, ast.Name)]
            if node.id in targets:
                return _runs_over_bits(loop.iter)
        around = module.parent(outer)
        # A lambda that map() calls with each character.
        if (
            isinstance(outer, ast.Lambda)
            and isinstance(around, ast.Call)
            and any(argument.arg == node.id for argument in outer.args.args)
        ):
            return any(_runs_over_bits(each) for each in around.args if each is not outer)
    return False


def _runs_over_bits(node: ast.expr) -> bool:
    """Whether the elements are those of one string of bits; a table of them has whole strings."""
    if isinstance(node, ast.List | ast.Tuple):
        return any(_runs_over_bits(each) for each in node.elts)
    if isinstance(node, ast.Starred):
        return _runs_over_bits(node.value)
    if isinstance(node, ast.Call):
        return any(_runs_over_bits(each) for each in node.args)
    name = last_name(node)
    return bool(_BITS.fullmatch(name)) and not name.lower().endswith(
        ("keys", "strings", "outcomes")
    )


def _passed_on(module: Module) -> Iterator[Hit]:
    """`frame["counts"].apply(eval)`, `map(eval, lines)`, `converters={"angles": eval}`."""
    if not _PASSED_ON.search(module.text):
        return
    for node in module.nodes(ast.Name):
        if getattr(node, "id", "") != "eval" or not module.value(node).fixed:
            continue
        if module.name_of(node) != "eval":
            continue
        parent = module.parent(node)
        if isinstance(parent, ast.Call) and parent.func is node:
            continue
        call = _call_around(module, node)
        if call is None:
            continue
        yield Hit(
            where=call,
            message=f"`{shown(call)}` runs eval() on every element as Python code.",
            confidence="medium",
        )


def _call_around(module: Module, node: ast.AST) -> ast.Call | None:
    for outer in module.ancestors(node):
        if isinstance(outer, ast.Call):
            return outer
        if not isinstance(outer, ast.keyword | ast.Dict | ast.List | ast.Tuple):
            return None
    return None


def _symbolic(module: Module) -> Iterator[Hit]:
    for call in module.calls_to(*_SYMBOLIC):
        if not call.args:
            continue
        value = call.args[0]
        kind = worst_origin(value, ("request", "network"))
        if not kind or not {"listed", "number", "checked"}.isdisjoint(value.marks):
            continue
        yield Hit(
            where=call.node,
            message=f"`{call.method}()` calls eval() on text from {told(kind)}.",
            remedy="Check the text against a pattern of digits, operators and pi before.",
            confidence="medium",
            flow=module.flow(value, (kind,), call.node, f"is run by {call.method}()"),
        )


_BAD = (
    Example(
        name="Numbers of a text file",
        file="read_energies.py",
        code="""
import numpy as np


def read(path):
    energies = []
    for line in open(path):
        energies.append(eval(line.split()[0]))  # <- here
    return np.array(energies)
""",
    ),
    Example(
        name="A whole dictionary of counts",
        file="compare.py",
        code="""
import matplotlib.pyplot as plt
from qiskit.visualization import plot_histogram

with open("results/counts_run3.txt", "r") as f:
    counts = eval(f.read())  # <- here
plot_histogram(counts)
plt.show()
""",
    ),
    Example(
        name="A column of a table, eval passed as a function",
        file="analysis.ipynb",
        code="""
# %%
import pandas as pd
df = pd.read_csv("runs.csv")
# %%
df["angles"] = df["angles"].apply(eval)  # <- here
table = pd.read_csv("runs.csv", converters={"counts": eval})  # <- here
values = list(map(eval, open("values.txt")))  # <- here
""",
    ),
    Example(
        name="A configuration file",
        file="train.py",
        code="""
import configparser
import pennylane as qml

config = configparser.ConfigParser()
config.read("train.ini")
rate = float(config.get("train", "rate"))
shape = eval(config.get("train", "shape"))  # <- here
layers = eval(config["model"]["layers"])  # <- here
""",
    ),
    Example(
        name="An angle typed into a form, with fewer names",
        file="app.py",
        code="""
import math
from flask import Flask, request
import qiskit

app = Flask(__name__)


def angle_of(text):
    return eval(text, {"__builtins__": {}}, {"pi": math.pi})  # <- here


@app.post("/rotate")
def rotate():
    theta = angle_of(request.form["theta"])
    return {"theta": theta}
""",
    ),
    Example(
        name="Options of the command line and the environment",
        file="options.py",
        code="""
import argparse
import os
import torchquantum as tq

parser = argparse.ArgumentParser()
parser.add_argument("--layers", default="[4, 4]")
args = parser.parse_args()
layers = eval(args.layers)  # <- here
debug = eval(os.environ.get("DEBUG", "False"))  # <- here
count = eval(input("How many qubits? "))  # <- here
""",
    ),
    Example(
        name="A bitstring of a measurement, read as a whole",
        file="decode.py",
        code="""
from qiskit import QuantumCircuit, transpile
from qiskit_aer import AerSimulator

qc = QuantumCircuit(2, 2)
qc.measure([0, 1], [0, 1])
counts = AerSimulator().run(qc).result().get_counts()
best = max(counts, key=counts.get)
number = eval("0b" + best)  # <- here
""",
    ),
    Example(
        name="One character of a bitstring: bad style, of low severity",
        file="bits.py",
        code="""
def parity(bitstring):
    total = 0
    for bit in bitstring:
        total += eval(bit)  # <- here
    return total % 2


def first(counts):
    keys = list(counts)
    return [eval(key[0]) for key in keys]  # <- here
""",
    ),
    Example(
        name="The same in a lambda",
        file="masks.py",
        code="""
import numpy as np
import torchquantum as tq


def expectation(counts, mask):
    total = 0
    for bitstring, n in counts.items():
        if np.dot(list(map(lambda x: eval(x), [*bitstring])), mask).sum() % 2 == 0:  # <- here
            total += n
    return total
""",
    ),
    Example(
        name="SymPy evaluates its text as well",
        file="symbolic.py",
        code="""
from fastapi import FastAPI
from sympy import sympify
import cirq

app = FastAPI()


@app.get("/angle")
def angle(text: str):
    return {"angle": float(sympify(text))}  # <- here
""",
    ),
)

_GOOD = (
    Example(
        name="Numbers by float(), structures by literal_eval or JSON",
        file="read_energies.py",
        code="""
import ast
import json


def read(path):
    with open(path) as handle:
        return [float(line.split()[0]) for line in handle]


def read_counts(path):
    with open(path) as handle:
        return ast.literal_eval(handle.read())


def read_config(path):
    with open(path) as handle:
        return json.load(handle)
""",
    ),
    Example(
        name="A formula is checked against a pattern first",
        file="angles.py",
        code="""
import math
import re


def angle_of(text):
    if not re.fullmatch(r"[0-9.+*/() -]*(pi)?[0-9.+*/() -]*", text):
        raise ValueError("wanted a number or a multiple of pi")
    return eval(text, {"__builtins__": {}}, {"pi": math.pi})
""",
    ),
)

_LOOK_ALIKES = (
    Example(
        name="literal_eval under the name eval",
        file="reader.py",
        code="""
from ast import literal_eval as eval


def read(path):
    with open(path) as handle:
        return [eval(line) for line in handle]
""",
    ),
    Example(
        name="Methods called eval",
        file="evaluate.py",
        code="""
import pandas as pd
import torch


def run(model, loader, frame):
    model.eval()
    net = torch.load("m.pt", weights_only=True)
    net.eval()
    frame = pd.read_csv("runs.csv")
    return frame.eval("gain = after - before"), loader.dataset.eval(model)
""",
    ),
    Example(
        name="An own function of that name",
        file="loop.py",
        code="""
def eval(model, lines):
    return sum(model(line) for line in lines)


def main(model, path):
    with open(path) as handle:
        print(eval(model, handle.readlines()))
""",
    ),
    Example(
        name="Constants, and names from a constant list",
        file="sweep.py",
        code="""
import numpy as np

half = eval("np.pi / 2")
for name in ("sin", "cos"):
    function = eval(f"np.{name}")
KERNELS = {"rbf": "lambda x: np.exp(-x * x)"}
kernel = eval(KERNELS["rbf"])
""",
    ),
    Example(
        name="A name that was looked up",
        file="choose.py",
        code="""
import argparse
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--scale")
args = parser.parse_args()
if args.scale not in ("log", "sqrt"):
    raise SystemExit("--scale: log or sqrt")
scale = eval("np." + args.scale)
""",
    ),
    Example(
        name="Arithmetic that a pattern without letters has found",
        file="simplify.py",
        code="""
import re
import qbraid


def _value(match):
    return f"({eval(match.group(1))})"


def simplified(qasm):
    return re.sub(r"\\(([0-9+\\-*/. ]+)\\)", _value, qasm)
""",
    ),
    Example(
        name="A tree of which every node is checked",
        file="formula.py",
        code="""
import ast
import math
from fastapi import FastAPI
from qiskit import QuantumCircuit

app = FastAPI()
ALLOWED = (ast.Expression, ast.BinOp, ast.Constant, ast.Name, ast.operator, ast.Load)


def value_of(text):
    tree = ast.parse(text, mode="eval")
    for node in ast.walk(tree):
        if not isinstance(node, ALLOWED):
            raise ValueError("numbers, pi and operators alone")
    return eval(compile(tree, "<angle>", "eval"), {"__builtins__": {}}, {"pi": math.pi})


@app.get("/angle")
def angle(text: str):
    return {"angle": value_of(text)}
""",
    ),
    Example(
        name="A flag named eval",
        file="flags.py",
        code="""
def run(trainer, eval=False):
    trainer.fit(eval=eval)
    if eval:
        print(trainer.test(eval))
""",
    ),
)

RULE = Rule(
    id="QSA102",
    title="eval() of text from a file, a configuration or a measurement",
    severity="high",
    confidence="high",
    cwe=(95,),
    frameworks=("any",),
    why="""Result files, configuration values, angles such as `pi/2` and bitstrings are often read
back with `eval`. A result file travels: it is downloaded with a paper, sent by a colleague, written
by a shared job, and then runs whatever it says on the machine where the next model is trained. A
dictionary of counts is a Python literal, which `ast.literal_eval` reads without running anything,
and numbers are read by `float` and `int`. An empty `__builtins__` is no protection.""",
    remedy="Use float(), int(), json or ast.literal_eval.",
    bad=_BAD,
    good=_GOOD,
    look_alikes=_LOOK_ALIKES,
    references=(
        "Python: ast.literal_eval <https://docs.python.org/3/library/ast.html#ast.literal_eval>",
        "SymPy: sympify uses eval <https://docs.sympy.org/latest/modules/core.html#sympy.core.sympify.sympify>",
        "Eval really is dangerous <https://nedbatchelder.com/blog/201206/eval_really_is_dangerous.html>",
    ),
    check=check,
    keywords=("eval", "exec", "sympify", "parse_expr"),
)
