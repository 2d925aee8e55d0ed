"""Examples of rules as files that can be scanned, with the lines that must be reported."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

from bezoar.scan.rule import Example

_MARK = re.compile(r"\s*#\s*<- here\s*$")
_FILE = re.compile(r"#\s*file:\s*(\S+)\s*$")
_CELL = re.compile(r"#\s*%%(?P<markdown>\s*\[markdown\])?\s*$")
_PLACEHOLDER = re.compile(r"\{\{([a-z0-9-]+)\}\}")


def filled(text: str) -> str:
    """The text with made-up secrets in place of ``{{ibm-token}}`` and its kin.

    They are drawn from a hash, so they look random, stay the same, and are nobody's.

    Example:
        >>> len(filled("{{ibm-token}}")), len(filled("{{ibm-cloud-key}}"))
        (128, 44)
    """
    return _PLACEHOLDER.sub(lambda match: _made_up(match[1]), text)


def files_of(example: Example) -> dict[str, str]:
    """The files of an example by name, markers taken out."""
    return {name: text for name, (text, _) in _parsed(example).items()}


def reported_lines(example: Example) -> set[tuple[str, int]]:
    """The (file, line of that file's text) pairs that must be reported.

    In a notebook the line is counted over its code cells, as in `Source.text`.
    """
    found = {(name, line) for name, (_, lines) in _parsed(example).items() for line in lines}
    return found | {(example.file, line) for line in example.lines}


def _parsed(example: Example) -> dict[str, tuple[str, list[int]]]:
    return {
        name: _notebook(lines) if name.endswith(".ipynb") else _plain(lines)
        for name, lines in _split(example).items()
    }


def _split(example: Example) -> dict[str, list[str]]:
    name = example.file
    found: dict[str, list[str]] = {name: []}
    for line in filled(example.code).strip("\n").split("\n"):
        match = _FILE.match(line)
        if match:
            name = match[1]
            if not any(each.strip() for each in found.get(example.file, ())):
                found.pop(example.file, None)
            found[name] = []
        else:
            found[name].append(line)
    return found


def _plain(lines: list[str]) -> tuple[str, list[int]]:
    marked = [number for number, line in enumerate(lines, 1) if _MARK.search(line)]
    return "\n".join(_MARK.sub("", line) for line in lines) + "\n", marked


def _notebook(lines: list[str]) -> tuple[str, list[int]]:
    cells: list[tuple[str, list[str]]] = []
    for line in lines:
        match = _CELL.match(line)
        if match:
            cells.append(("markdown" if match["markdown"] else "code", []))
        else:
            if not cells:
                cells.append(("code", []))
            cells[-1][1].append(line)
    marked: list[int] = []
    number = 0
    written: list[Mapping[str, object]] = []
    for kind, content in cells:
        while content and not content[-1].strip():
            content.pop()
        if kind == "code":
            for line in content:
                number += 1
                if _MARK.search(line):
                    marked.append(number)
        source = [f"{_MARK.sub('', line)}\n" for line in content]
        if source:
            source[-1] = source[-1].rstrip("\n")
        else:
            number += kind == "code"
        cell: dict[str, object] = {"cell_type": kind, "metadata": {}, "source": source}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        written.append(cell)
    notebook = {"cells": written, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1) + "\n", marked


def _made_up(kind: str) -> str:
    digest = hashlib.sha512(f"bezoar example {kind}".encode()).hexdigest()
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
    mixed = "".join(letters[int(digest[i : i + 2], 16) % 62] for i in range(0, 128, 2))
    kinds = {
        "ibm-token": digest,
        "ibm-cloud-key": f"{mixed[:20]}_{mixed[20:43]}",
        "aws-key": "AKIA" + re.sub("[^A-Z0-9]", "", mixed.upper())[:16],
        "aws-secret": mixed[:40],
        "hex-32": digest[:32],
        "hex-40": digest[:40],
        "hex-64": digest[:64],
    }
    if kind not in kinds:
        raise ValueError(f"placeholder: wanted one of {', '.join(kinds)}, got {kind!r}")
    return kinds[kind]
