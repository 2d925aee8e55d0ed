"""Files and buffers that a program reads back after it has written them itself."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from bezoar.scan.rules.literals import assigned

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Function, Module

#: What each function writes to, by line: asked for every load of a module.
_WRITTEN: Final[WeakKeyDictionary[Module, dict[Function | None, list[tuple[int, ast.expr]]]]] = (
    WeakKeyDictionary()
)
#: What writes objects, by the last component of its name: the position and the names of the
#: argument that says where to.
_WRITERS: dict[str, tuple[int, tuple[str, ...]]] = {
    "pickle.dump": (1, ("file",)),
    "dill.dump": (1, ("file",)),
    "cloudpickle.dump": (1, ("file",)),
    "joblib.dump": (1, ("filename",)),
    "torch.save": (1, ("f",)),
    "numpy.save": (0, ("file",)),
    "numpy.savez": (0, ("file",)),
    "numpy.savez_compressed": (0, ("file",)),
    "qiskit.qpy.dump": (1, ("file_obj",)),
    "qiskit_ibm_runtime.qpy.dump": (1, ("file_obj",)),
    "json.dump": (1, ("fp",)),
    "pandas.to_pickle": (1, ("filepath_or_buffer",)),
    "tarfile.open": (0, ("name", "fileobj")),
    "shutil.make_archive": (0, ("base_name",)),
}
_WRITING_METHODS = {"to_pickle": (0, ("path",)), "dump": (0, ("file",)), "to_dill": (0, ("path",))}
#: What saves a model to the path that it is given.
_SAVERS = ("?.save", "qiskit_machine_learning.")
_SERIALISERS = frozenset(
    {
        "pickle.dumps",
        "dill.dumps",
        "cloudpickle.dumps",
        "marshal.dumps",
        "zlib.compress",
        "gzip.compress",
        "bz2.compress",
        "lzma.compress",
    }
)
_OPENERS = frozenset(
    {
        "open",
        "gzip.open",
        "bz2.open",
        "bz2.BZ2File",
        "lzma.open",
        "gzip.GzipFile",
        "os.fdopen",
        "tarfile.open",
    }
)
_BUFFERS = frozenset({"io.BytesIO", "io.StringIO"})
#: Names, buffers and calls that are followed from what is read to where it was made.
_DEPTH = 8


#: Folders that pytest and tempfile make.
_TEMPORARY = re.compile(r"\b(?:tmp_?path\w*|tmp_?dir\w*|temp_?dir\w*|tempfile)\b")


def is_temporary(module: Module, source: ast.expr | None) -> bool:
    """Whether a path lies in a folder of this run: what is there, this run has written."""
    for _ in range(_DEPTH):
        if source is None:
            return False
        if _TEMPORARY.search(ast.unparse(source)):
            return True
        source = _opened(module, source) or _bound(module, source)
    return False


def own_output(module: Module, source: ast.expr | None) -> bool:
    """Whether `source` (a path, an open file, a buffer or bytes) holds what the same function, or
    for code at the top level the same file, has written there before."""
    if source is None:
        return False
    if module.value(source).through & _SERIALISERS or _made_of(module, source, _SERIALISERS):
        return True
    if _comes_from_own_process(module, source):
        return True
    wanted = _target(module, source)
    if not wanted:
        return False
    return any(_target(module, node) == wanted for node in _written(module, source))


def _comes_from_own_process(module: Module, source: ast.expr) -> bool:
    """Whether `source` is a parameter of a private function to which the same file hands, under
    that name, what it has just serialised: work for another process."""
    function = module.function_of(source)
    if not isinstance(source, ast.Name) or function is None:
        return False
    if source.id not in function.params or not function.name.startswith("_"):
        return False
    given: list[ast.expr] = []
    for node in module.nodes(ast.Call, ast.Dict):
        if isinstance(node, ast.Call):
            given += [each.value for each in node.keywords if each.arg == source.id]
        elif isinstance(node, ast.Dict):
            given += [
                value
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and key.value == source.id
            ]
    return any(_made_of(module, each, _SERIALISERS) for each in given)


def _written(module: Module, source: ast.expr) -> list[ast.expr]:
    """Where the function around `source` writes objects to, before that line."""
    inside = module.function_of(source)
    by_function = _WRITTEN.setdefault(module, {})
    if inside not in by_function:
        found = ((call.node.lineno, _destination(module, call)) for call in module.calls_in(inside))
        by_function[inside] = [(line, node) for line, node in found if node is not None]
    return [
        node for line, node in by_function[inside] if line <= source.lineno and node is not source
    ]


def _destination(module: Module, call: Call) -> ast.expr | None:
    """What a call writes an object to, None for a call that writes none."""
    where = _WRITERS.get(call.name)
    if call.method in ("write", "write_bytes") and isinstance(call.node.func, ast.Attribute):
        # Not `dump`, but the text that `dumps` gave.
        made = call.node.args and _made_of(module, call.node.args[0], _SERIALISERS)
        return call.node.func.value if made else None
    if where is None and call.name.startswith("?."):
        where = _WRITING_METHODS.get(call.method)
    if where is None and call.method in ("to_pickle", "to_dill"):
        where = _WRITING_METHODS[call.method]
    if where is None and call.method == "save" and call.name.startswith(_SAVERS):
        where = (0, ("file_name", "path", "filename"))
    if where is None or (call.name == "tarfile.open" and not _writes(module, call.node)):
        return None
    return call.argument_node(where[0], *where[1])


def _writes(module: Module, node: ast.Call) -> bool:
    """Whether `tarfile.open(path, mode)` makes an archive."""
    modes = [*node.args[1:2], *(k.value for k in node.keywords if k.arg == "mode")]
    return any(str(module.value(mode).literal)[:1] in ("w", "x", "a") for mode in modes)


def _target(module: Module, node: ast.expr, depth: int = _DEPTH) -> str:
    """What a path, an open file or a buffer is, as a text that is equal for equal ones."""
    if depth == 0:
        return ""
    if isinstance(node, ast.Call):
        inner = _opened(module, node)
        if inner is not None:
            return _target(module, inner, depth - 1)
        if module.name_of(node.func) in _BUFFERS:
            return f"buffer {node.lineno}:{node.col_offset}"
    elif isinstance(node, ast.Attribute) and node.attr in ("name", "buffer"):
        # tempfile.NamedTemporaryFile() as f; f.name
        return _target(module, node.value, depth - 1) or ast.unparse(node)
    elif isinstance(node, ast.Name | ast.Attribute):
        source = _bound(module, node)
        known = _target(module, source, depth - 1) if isinstance(source, ast.Call) else ""
        # A name stands for what was opened; of other calls each may give something else.
        if known.startswith("buffer") or (source and _opened(module, source) is not None):
            return known
    literal = module.value(node).literal
    return f"path {literal}" if isinstance(literal, str) else f"code {ast.unparse(node)}"


def _opened(module: Module, node: ast.expr) -> ast.expr | None:
    """What a call opens or wraps: `open(path)`, `path.open()`, `BytesIO(blob)`, `str(path)`."""
    if not isinstance(node, ast.Call):
        return None
    name = module.name_of(node.func)
    if name in (*_OPENERS, *_BUFFERS) and node.args:
        return node.args[0]
    if name in ("str", "pathlib.Path", "os.fspath") and len(node.args) == 1:
        return node.args[0]
    func = node.func
    if isinstance(func, ast.Attribute) and func.attr in ("open", "getvalue", "read"):
        return func.value
    return None


def _bound(module: Module, node: ast.expr) -> ast.expr | None:
    """What a name stands for: the ``with`` around it, or the last assignment before it."""
    wanted = ast.unparse(node)
    for outer in module.ancestors(node):
        if isinstance(outer, ast.With | ast.AsyncWith):
            for item in outer.items:
                if item.optional_vars is not None and ast.unparse(item.optional_vars) == wanted:
                    return item.context_expr
    return assigned(module, node)


def _made_of(module: Module, node: ast.expr, names: frozenset[str], depth: int = _DEPTH) -> bool:
    """Whether an expression is, or wraps, what one of the calls gave."""
    if depth == 0:
        return False
    value = module.value(node)
    if value.made_by in names:
        return True
    if isinstance(node, ast.Call):
        inner = [*node.args]
        if isinstance(node.func, ast.Attribute):
            inner.append(node.func.value)
        return module.name_of(node.func) in names or any(
            _made_of(module, each, names, depth - 1) for each in inner[:3]
        )
    if isinstance(node, ast.Name):
        source = _bound(module, node)
        return source is not None and _made_of(module, source, names, depth - 1)
    return False
