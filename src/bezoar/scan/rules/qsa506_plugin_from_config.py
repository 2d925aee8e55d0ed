"""QSA506: modules and classes that a setting names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.scan.code.values import Value
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.literals import leading_text

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

#: Calls that import what their first argument names.
_IMPORTERS = frozenset(
    {
        "importlib.import_module",
        "__import__",
        "importlib.__import__",
        "pydoc.locate",
        "pkgutil.resolve_name",
        "hydra.utils.get_class",
        "hydra.utils.get_method",
        "hydra.utils.get_object",
        "django.utils.module_loading.import_string",
        "werkzeug.utils.import_string",
        "werkzeug.import_string",
        "imp.load_source",
        "imp.load_module",
        "runpy.run_path",
        "runpy.run_module",
        "importlib.machinery.SourceFileLoader",
    }
)
_FROM_FILE = "importlib.util.spec_from_file_location"
_KINDS = ("request", "network", "file", "env", "cli")
#: Names of settings, as a whole or as the end of one.
_SETTINGS = re.compile(
    r"(?:^|_)(?:cfg|conf|config\w*|settings?|args|opts?|options|hparams|params|spec|yaml|kwargs"
    r"|hyperparams|namespace|flags|manifest)$"
)
#: Names of texts that say which class to take.
_TARGETS = re.compile(
    r"(?:^|_)(?:target|_target_|class_path|classpath|class_name|cls_path|import_path|dotted\w*"
    r"|callback\w*|optimi[sz]er\w*|plugin\w*|cb|module_path|object_path|func_path|entry_?point"
    r"|obj_str|obj_name|cls_name|import_str\w*|qualname|fqn)$"
)


def check(module: Module) -> Iterator[Hit]:
    """Imports of what a setting, a file, a request or an argument names."""
    if module.is_test:
        return
    for call in module.calls:
        node = _named(call)
        if node is None or _prefixed(module, node):
            continue
        value = module.value(node)
        if value.fixed or "listed" in value.marks or "checked" in value.marks:
            continue
        where = _from(module, node, value)
        if not where:
            continue
        yield Hit(
            where=call.node,
            message=f"`{call.method}` runs the module that `{_shown(node)}` names, {where}.",
            severity="high" if value.comes_from("request", "network") else None,
            flow=module.flow(value, _KINDS, call.node, "imported here"),
            source=value,
        )


def _shown(node: ast.expr) -> str:
    return ast.unparse(node)[:60]


def _named(call: Call) -> ast.expr | None:
    """What names the module, None for calls that import nothing."""
    if call.name in _IMPORTERS:
        return call.argument_node(0, "name", "path", "dotted_path", "import_name")
    if call.name == _FROM_FILE:
        return call.argument_node(1, "location")
    if call.name in ("hydra.utils.instantiate", "hydra.utils.call"):
        return call.argument_node(0, "config")
    return None


def _prefixed(module: Module, node: ast.expr) -> bool:
    """`f"callbacks.{name}"` and `"." + name` stay inside of one package."""
    if isinstance(node, ast.JoinedStr | ast.BinOp | ast.Call):
        text = leading_text(module, node)
        return "." in text or "/" in text
    source = _source(module, node)
    return source is not None and _prefixed(module, source)


def _source(module: Module, node: ast.expr) -> ast.expr | None:
    """What a local name was made of: `path = f"models.{name}"`."""
    if not isinstance(node, ast.Name):
        return None
    inside = module.function_of(node)
    for statement in module.nodes(ast.Assign):
        if (
            isinstance(statement.value, ast.JoinedStr | ast.BinOp)
            and module.function_of(statement) is inside
            and statement.lineno < node.lineno
            and any(ast.unparse(target) == node.id for target in statement.targets)
        ):
            return statement.value
    return None


def _from(module: Module, node: ast.expr, value: Value) -> str:
    """Where the name comes from, "" for nowhere that somebody else writes to."""
    for kind, told in (
        ("request", "which a client sent"),
        ("network", "which came over the network"),
        ("file", "which a file says"),
        ("env", "which the environment says"),
        ("cli", "which the command line says"),
    ):
        if value.comes_from(kind):
            return told
    inner = value.comes_from("parameter") or not value.origins
    return "which a setting says" if inner and _is_setting(module, node) else ""


def _is_setting(module: Module, node: ast.expr) -> bool:
    """Whether an expression is an entry of settings, or is named like one."""
    return any(
        _is_entry(each) or (isinstance(each, ast.Name) and _is_target_parameter(module, each))
        for each in _pieces(module, node)
    )


def _is_entry(node: ast.expr) -> bool:
    """`cfg.model.target`, `config["callback"]`, `self.args.get("plugin")`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr not in ("get", "pop", "values", "items"):
            return False
        inner: ast.expr = node.func.value
    elif isinstance(node, ast.Attribute | ast.Subscript):
        inner = node.value
    else:
        return False
    while isinstance(inner, ast.Attribute | ast.Subscript):
        if isinstance(inner, ast.Attribute) and _SETTINGS.search(inner.attr.lower()):
            return True
        inner = inner.value
    return isinstance(inner, ast.Name) and bool(_SETTINGS.search(inner.id.lower()))


def _is_target_parameter(module: Module, node: ast.Name) -> bool:
    function = module.function_of(node)
    return (
        function is not None
        and node.id in function.params
        and bool(_TARGETS.search(node.id.lower()))
    )


def _pieces(module: Module, node: ast.expr) -> Iterator[ast.expr]:
    """An expression and what its names were taken apart from: `path.rsplit(".", 1)`."""
    yield node
    if not isinstance(node, ast.Name):
        if isinstance(node, ast.Subscript | ast.Attribute):
            return
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                yield from _pieces(module, child)
        return
    inside = module.function_of(node)
    for statement in module.nodes(ast.Assign):
        if module.function_of(statement) is not inside or statement.lineno >= node.lineno:
            continue
        bound = {
            each.id for t in statement.targets for each in ast.walk(t) if isinstance(each, ast.Name)
        }
        if node.id in bound:
            for each in ast.walk(statement.value):
                if isinstance(each, ast.expr):
                    yield each
                    yield from _looped(module, each)
    yield from _looped(module, node)


def _looped(module: Module, node: ast.expr) -> Iterator[ast.expr]:
    """What a loop takes the name from: `for path in cfg["callbacks"]`."""
    if not isinstance(node, ast.Name):
        return
    for outer in module.ancestors(node):
        for loop in [outer] if isinstance(outer, ast.For) else getattr(outer, "generators", ()):
            if any(isinstance(n, ast.Name) and n.id == node.id for n in ast.walk(loop.target)):
                yield loop.iter


RULE = Rule(
    id="QSA506",
    title="Optimiser, callback or plug-in loaded by a name in the settings",
    severity="medium",
    confidence="medium",
    cwe=(470,),
    frameworks=("any",),
    why=(
        "`importlib.import_module(cfg.callback)` runs whatever module the settings name, and "
        "importing is running. Settings of experiments are shared with the results, copied from "
        "papers' repositories and sent to job services, so a line of YAML picks the code that "
        "trains the model. `pydoc.locate` and Hydra's `_target_` do the same."
    ),
    remedy="Look the name up in a dict of the classes that are allowed, and refuse others.",
    bad=(
        Example(
            name="a callback in the settings",
            code="""\
import importlib

import yaml

with open("experiment.yaml") as f:
    cfg = yaml.safe_load(f)
callback = importlib.import_module(cfg["callback"])  # <- here
optimiser = __import__(cfg["optimiser"]["module"])  # <- here
""",
        ),
        Example(
            name="the usual helper",
            code="""\
from importlib import import_module


def instantiate_from_config(config):
    module, name = config["target"].rsplit(".", 1)
    return getattr(import_module(module), name)(**config.get("params", {}))  # <- here


class Trainer:
    def __init__(self, cfg):
        self.cfg = cfg

    def callbacks(self):
        return import_module(self.cfg.callbacks.module).make()  # <- here
""",
        ),
        Example(
            name="an argument of the command line, the environment, a file",
            code="""\
import argparse
import importlib.util
import os
from pydoc import locate

parser = argparse.ArgumentParser()
parser.add_argument("--plugin")
args = parser.parse_args()
spec = importlib.util.spec_from_file_location("plugin", args.plugin)  # <- here
plugin = importlib.import_module(os.environ["QML_PLUGIN"])  # <- here
ansatz = locate(args.plugin)  # <- here
""",
        ),
        Example(
            name="a request",
            code="""\
import importlib

from flask import Flask, request

app = Flask(__name__)


@app.post("/train")
def train():
    module = importlib.import_module(  # <- here
        request.json["optimizer"],
    )
    return {"name": module.__name__}
""",
        ),
        Example(
            name="a list of dotted names",
            code="""
from importlib import import_module


def callbacks_of(config):
    made = []
    for dotted in config["callbacks"]:
        module_name, class_name = dotted.rsplit(".", 1)
        made.append(getattr(import_module(module_name), class_name)())  # <- here
    return made
""",
        ),
        Example(
            name="parts of a Hydra configuration",
            code="""
import hydra


@hydra.main(version_base=None, config_path="conf", config_name="train")
def main(cfg):
    model = hydra.utils.instantiate(cfg.model)  # <- here
    callbacks = [hydra.utils.instantiate(each) for each in cfg.callbacks.values()]  # <- here
    return model, callbacks
""",
        ),
    ),
    good=(
        Example(
            name="a dict of what is allowed",
            code="""\
import pennylane as qml
import yaml

OPTIMISERS = {
    "adam": qml.AdamOptimizer,
    "spsa": qml.SPSAOptimizer,
}

with open("experiment.yaml") as f:
    cfg = yaml.safe_load(f)
optimiser = OPTIMISERS[cfg["optimiser"]](**cfg["options"])
""",
        ),
    ),
    look_alikes=(
        Example(
            name="a registry, lazy imports",
            code="""\
import importlib

_LAZY = {"qiskit": "project.backends.qiskit", "cirq": "project.backends.cirq"}


def backend(name):
    return importlib.import_module(_LAZY[name])


def __getattr__(name):
    return importlib.import_module("." + name, __name__)


for each in ("numpy", "torch", "qiskit"):
    print(each, importlib.import_module(each).__version__)
""",
        ),
        Example(
            name="one package, and a name that was checked",
            code="""\
import importlib

import yaml

with open("experiment.yaml") as f:
    cfg = yaml.safe_load(f)
model = importlib.import_module(f"project.models.{cfg['model']}")
path = "project.callbacks." + cfg["callback"]
callback = importlib.import_module(path)
name = cfg["plugin"]
if name not in ("spsa_plugin", "adam_plugin"):
    raise ValueError(name)
plugin = importlib.import_module(name)
""",
        ),
        Example(
            name="plug-ins that were installed",
            code="""\
import importlib
import pkgutil
from importlib.metadata import entry_points

import project.rules

loaded = [each.load() for each in entry_points(group="project.rules")]
for info in pkgutil.iter_modules(project.rules.__path__):
    importlib.import_module(f"project.rules.{info.name}")


def optional(module_name):
    try:
        return importlib.import_module(module_name)
    except ImportError:
        return None
""",
        ),
        Example(
            name="a class of one module",
            code="""\
import torch


def optimiser(cfg, parameters):
    return getattr(torch.optim, cfg.optimizer)(parameters, lr=cfg.lr)
""",
        ),
    ),
    references=("CWE-470 <https://cwe.mitre.org/data/definitions/470.html>",),
    check=check,
    keywords=(
        "import_module",
        "__import__",
        "locate",
        "get_class",
        "instantiate",
        "import_string",
        "resolve_name",
        "spec_from_file_location",
        "load_source",
        "runpy",
        "SourceFileLoader",
    ),
    tags=("injection",),
)
