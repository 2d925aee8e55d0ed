"""In which order files are read: what is imported comes before what imports it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from bezoar.scan.code.project import ModuleIndex

#: Import statements by their look alone; in a notebook they stand in texts of JSON. A wrong guess
#: costs a second reading, nothing else.
_IMPORT = re.compile(
    r"^[ \t]*\"?[ \t]*(?:"
    r"from[ \t]+(?P<dots>\.*)(?P<base>[\w.]*)[ \t]+import[ \t]+(?P<names>[^#\n]*)"
    r"|import[ \t]+(?P<modules>\w[\w., \t]*))",
    re.MULTILINE,
)
_NAME = re.compile(r"[A-Za-z_]\w*")


def imported_files(path: str, text: str, index: ModuleIndex) -> frozenset[str]:
    """The files of the project that the module at `path` seems to import.

    Example:
        >>> index = ModuleIndex(["app/main.py", "app/io.py", "app/__init__.py"])
        >>> sorted(imported_files("app/main.py", "from .io import load\\nimport os", index))
        ['app/io.py']
    """
    found: set[str] = set()
    for match in _IMPORT.finditer(text):
        if match["modules"]:
            for module in match["modules"].split(","):
                found.add(index.find(module.split()[0] if module.split() else "", path))
            continue
        base, level = match["base"], len(match["dots"])
        if base or level:
            found.add(index.find(base, path, level))
        for name in _NAME.findall(match["names"])[:40]:
            found.add(index.find(f"{base}.{name}" if base else name, path, level))
    return frozenset(found - {"", path})


def in_layers(paths: Sequence[str], dependencies: Mapping[str, Collection[str]]) -> list[list[str]]:
    """The paths in layers: a file's dependencies lie in earlier ones, but for circles.

    Example:
        >>> in_layers(["a", "b", "c"], {"a": ["b"], "b": ["c"]})
        [['c'], ['b'], ['a']]
    """
    depth: dict[str, int] = {}
    for path in paths:
        _measure(path, dependencies, depth)
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for path in paths:
        layers[depth[path]].append(path)
    return [layer for layer in layers if layer]


def _measure(
    start: str, dependencies: Mapping[str, Collection[str]], depth: dict[str, int]
) -> None:
    """Sets the depth of `start` and of all below it; a circle is cut where it closes."""
    if start in depth:
        return
    open_: dict[str, list[str]] = {start: sorted(dependencies.get(start, ()))}
    way = [start]
    lowest = {start: 0}
    while way:
        here = way[-1]
        if open_[here]:
            following = open_[here].pop()
            if following in depth:
                lowest[here] = max(lowest[here], depth[following] + 1)
            elif following not in open_:
                open_[following] = sorted(dependencies.get(following, ()))
                lowest[following] = 0
                way.append(following)
            continue
        way.pop()
        depth[here] = lowest[here]
        if way:
            lowest[way[-1]] = max(lowest[way[-1]], depth[here] + 1)
