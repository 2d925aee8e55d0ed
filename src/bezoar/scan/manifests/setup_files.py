"""``setup.py`` and ``setup.cfg``, read without running anything."""

from __future__ import annotations

import ast
import configparser
from collections.abc import Iterator

from bezoar.scan.manifests.pyproject import Pyproject
from bezoar.scan.manifests.requirement import Requirement, requirement

_LISTS = {
    "install_requires": "main",
    "setup_requires": "dev",
    "tests_require": "dev",
    "extras_require": "optional",
}


def read_setup_py(text: str) -> Pyproject:
    """Reads the call of ``setup``; of its arguments the constants alone.

    Lists may also be assigned to a name of the module first, as most projects do.

    Raises:
        SyntaxError: it is not Python.
    """
    tree = ast.parse(text)
    names = _assigned(tree)
    call = next((node for node in ast.walk(tree) if _is_setup(node)), None)
    if not isinstance(call, ast.Call):
        return Pyproject(requirements=())
    arguments = _arguments(call, names)
    found: list[Requirement] = []
    lines = text.splitlines()
    for key, group in _LISTS.items():
        if key in arguments:
            found.extend(_requirements(arguments[key], names, group, lines))
    return Pyproject(
        requirements=tuple(found),
        python_requires=_text(arguments.get("python_requires"), names),
        name=_text(arguments.get("name"), names) or ("?" if "name" in arguments else ""),
        is_package="name" in arguments,
    )


def read_setup_cfg(text: str) -> Pyproject:
    """Reads the declarative form.

    Raises:
        configparser.Error: it is no INI file.
    """
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(text)
    found: list[Requirement] = []
    for section, key, group in _cfg_lists(parser):
        found.extend(_cfg_requirements(text, section, key, group))
    name = parser.get("metadata", "name", fallback="")
    return Pyproject(
        requirements=tuple(found),
        python_requires=parser.get("options", "python_requires", fallback="").strip(),
        name=name.strip(),
        is_package=bool(name),
    )


def _cfg_lists(parser: configparser.ConfigParser) -> Iterator[tuple[str, str, str]]:
    for key, group in _LISTS.items():
        if parser.has_option("options", key):
            yield "options", key, group
    if parser.has_section("options.extras_require"):
        for extra in parser.options("options.extras_require"):
            yield "options.extras_require", extra, "optional"


def _cfg_requirements(text: str, section: str, key: str, group: str) -> Iterator[Requirement]:
    """The indented lines below ``key =`` of ``[section]``, each with its place."""
    current, inside = "", False
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        if bare.startswith("["):
            current, inside = bare.strip("[]").strip(), False
            continue
        if not line[:1].isspace():
            head, mark, bare = line.partition("=")
            inside = bool(mark) and current == section and head.strip().lower() == key
        if inside and bare.strip() and not bare.strip().startswith(("#", ";")):
            value = bare.partition(" #")[0].strip()
            found = requirement(value)
            if found is not None:
                yield found.at(number, line.find(value) + 1, len(value), group=group)


def _assigned(tree: ast.Module) -> dict[str, ast.expr]:
    """The values of the module's own names, the last one counting."""
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target, value = node.target, node.value
        else:
            continue
        if isinstance(target, ast.Name):
            found[target.id] = value
    return found


def _is_setup(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name == "setup"


def _arguments(call: ast.Call, names: dict[str, ast.expr]) -> dict[str, ast.expr]:
    """Keywords, and the entries of a dict that is passed with ``**``."""
    found: dict[str, ast.expr] = {}
    for keyword in call.keywords:
        if keyword.arg is not None:
            found[keyword.arg] = keyword.value
            continue
        value = _resolved(keyword.value, names)
        if isinstance(value, ast.Dict):
            for key, entry in zip(value.keys, value.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    found[key.value] = entry
    return found


def _requirements(
    node: ast.expr, names: dict[str, ast.expr], group: str, lines: list[str]
) -> Iterator[Requirement]:
    for constant in _constants(node, names, depth=4):
        for offset, line in enumerate(str(constant.value).splitlines()):
            found = requirement(line)
            if found is None:
                continue
            number = constant.lineno + offset
            column = len(line) - len(line.lstrip()) + 1
            length = len(line.strip())
            if offset == 0:  # with its quotes; the tree counts bytes
                before = lines[number - 1].encode()[: constant.col_offset]
                column, length = len(before.decode(errors="replace")) + 1, len(line) + 2
            yield found.at(number, column, length, group=group)


def _constants(node: ast.expr, names: dict[str, ast.expr], depth: int) -> Iterator[ast.Constant]:
    """The texts in a list, tuple, sum of lists, dict of lists, or a name for one of these."""
    node = _resolved(node, names)
    if depth == 0:
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node
    parts: list[ast.expr] = []
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        parts = list(node.elts)
    elif isinstance(node, ast.Dict):
        parts = list(node.values)
    elif isinstance(node, ast.BinOp):
        parts = [node.left, node.right]
    elif isinstance(node, ast.Starred):
        parts = [node.value]
    for part in parts:
        yield from _constants(part, names, depth - 1)


def _resolved(node: ast.expr, names: dict[str, ast.expr]) -> ast.expr:
    return names.get(node.id, node) if isinstance(node, ast.Name) else node


def _text(node: ast.expr | None, names: dict[str, ast.expr]) -> str:
    if node is None:
        return ""
    value = _resolved(node, names)
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""
