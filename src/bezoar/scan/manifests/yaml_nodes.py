"""YAML as nodes with places; nothing is constructed and no alias is expanded."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node, ScalarNode

#: Longer files are no settings that people write; they are told as not examined.
LONGEST = 2_000_000
#: No workflow or environment is nested like this.
DEEPEST = 100


class YamlProblem(ValueError):
    """A text that is no YAML, or more than is read; `line` is where, from 1."""

    def __init__(self, reason: str, line: int = 1) -> None:
        self.line = line
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Entry:
    """One ``key: value`` of a mapping."""

    key: str
    key_node: Node
    value: Node


def documents(text: str) -> tuple[Node, ...]:
    """The root nodes of a YAML text.

    Raises:
        YamlProblem: it is no YAML, too long or too deep.
    """
    if len(text) > LONGEST:
        raise YamlProblem(f"is longer than {LONGEST} characters")
    return _documents(text)


@functools.lru_cache(maxsize=8)
def _documents(text: str) -> tuple[Node, ...]:
    import yaml

    try:
        _check_depth(text)
        nodes = tuple(yaml.compose_all(text, Loader=_loader()))
    except YamlProblem:
        raise
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise YamlProblem(str(reason), mark.line + 1 if mark is not None else 1) from None
    return tuple(node for node in nodes if node is not None)


def _check_depth(text: str) -> None:
    """Composing nodes recurses, in C without any limit: too deep a text would end the process."""
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=_loader()):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise YamlProblem("is nested too deeply", event.start_mark.line + 1)


def kind_of(node: Node) -> str:
    """``mapping``, ``sequence`` or ``scalar``."""
    return getattr(node, "id", "")


def entries(node: Node | None) -> Iterator[Entry]:
    """The entries of a mapping; none for anything else."""
    if node is None or kind_of(node) != "mapping":
        return
    for key, value in node.value:
        if kind_of(key) == "scalar":
            yield Entry(key.value, key, value)


def items(node: Node | None) -> Iterator[Node]:
    """The elements of a sequence; a lone value counts as a sequence of one."""
    if node is None:
        return
    if kind_of(node) == "sequence":
        yield from node.value
    else:
        yield node


def value_of(node: Node | None, *keys: str) -> Node | None:
    """The value below a way of keys, None where there is none."""
    for key in keys:
        node = next((entry.value for entry in entries(node) if entry.key == key), None)
    return node


def scalar(node: Node | None) -> str:
    """The text of a scalar, "" for anything else."""
    return node.value if node is not None and kind_of(node) == "scalar" else ""


def mappings(roots: tuple[Node, ...]) -> Iterator[MappingNode]:
    """Every mapping below `roots` once, however many aliases lead to it."""
    seen: set[int] = set()
    waiting: list[Node] = list(reversed(roots))
    while waiting:
        node = waiting.pop()
        if id(node) in seen or kind_of(node) == "scalar":
            continue
        seen.add(id(node))
        if kind_of(node) == "mapping":
            yield node  # type: ignore[misc]
            children = [part for pair in node.value for part in pair]
        else:
            children = list(node.value)
        waiting.extend(reversed(children))


def where(node: Node) -> tuple[int, int, int, int]:
    """The place of a node; of one over several lines its first line."""
    start, end = node.start_mark, node.end_mark
    line, column = start.line + 1, start.column + 1
    if end.line == start.line:
        return line, column, line, end.column + 1
    return line, column, line, column + 1


def script(text: str, node: ScalarNode | Node) -> tuple[str, int]:
    """The shell text of a scalar with all its columns kept, and its first line's number.

    What stands before it on its line, and the ``|`` or ``>`` of a block, is blanked.
    """
    lines = text.splitlines()
    first, last = node.start_mark.line, node.end_mark.line
    style: Any = getattr(node, "style", None)
    if style in ("|", ">"):
        return "\n".join(["", *_block(lines[first + 1 :])]), first + 1
    kept = lines[first : last + 1]
    if not kept:
        return "", first + 1
    quote = 1 if style in ("'", '"') else 0
    skipped = node.start_mark.column + quote
    if last == first:
        kept[0] = kept[0][: node.end_mark.column - quote]
    kept[0] = " " * skipped + kept[0][skipped:]
    return "\n".join(kept), first + 1


def _block(lines: list[str]) -> list[str]:
    """The lines of a block scalar: those not indented less than the first of them."""
    indent = next((len(line) - len(line.lstrip()) for line in lines if line.strip()), 0)
    for count, line in enumerate(lines):
        if line.strip() and len(line) - len(line.lstrip()) < indent:
            return lines[:count]
    return lines


def _loader() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)
