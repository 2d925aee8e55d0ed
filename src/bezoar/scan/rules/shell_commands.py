"""Command lines that Python code and notebooks hand to a shell: `!wget URL`, `os.system(...)`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.scan.rules.literals import leading_text

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

Place = tuple[int, int, int, int]

_RUNNERS = frozenset(
    {
        "os.system",
        "os.popen",
        "subprocess.run",
        "subprocess.call",
        "subprocess.check_call",
        "subprocess.check_output",
        "subprocess.Popen",
        "subprocess.getoutput",
        "subprocess.getstatusoutput",
    }
)
#: Programs that fetch a file and write it to the disk.
_FETCHES = re.compile(
    r"(?:^|[\s!|;&(/])(?:wget|aria2c|axel|curl\b(?=.*(?:\s-[a-zA-Z]*[oO]\b|\s--output|\s--remote-name|>)))"
)
_URL = re.compile(r"(?:https?|ftp|s3|gs)://[^\s\"'\\]+")
_CHECKS = re.compile(r"(?:sha\d*|md5|b2)sum\b[^|;&\n]*(?:-c\b|--check|\s)")


def shell_commands(module: Module) -> Iterator[tuple[ast.AST | Place, str]]:
    """Where a command line is, and its text as far as it is known."""
    for line, text in module.magics:
        yield (line, 1, line, len(text) + 1), text
    for call in module.calls:
        if call.name in _RUNNERS and call.node.args:
            yield call.node, _command(module, call)


def _command(module: Module, call: Call) -> str:
    """The words of a list of arguments, or the text; what is not known is left out."""
    first = call.node.args[0]
    if isinstance(first, ast.List | ast.Tuple):
        return " ".join(leading_text(module, each) or "?" for each in first.elts)
    if isinstance(first, ast.JoinedStr):
        return "".join(
            str(part.value)
            if isinstance(part, ast.Constant)
            else leading_text(module, getattr(part, "value", None)) or "?"
            for part in first.values
        )
    return leading_text(module, first)


def fetched_url(command: str) -> str:
    """The URL that a command line fetches to a file, "" for none.

    Example:
        >>> fetched_url("!wget -q https://a.org/x.zip"), fetched_url("curl https://a.org/status")
        ('https://a.org/x.zip', '')
    """
    if not _FETCHES.search(command):
        return ""
    match = _URL.search(command)
    return match.group() if match else ""


def checks_sums(module: Module) -> bool:
    """Whether any command of the file compares a check sum."""
    return any(_CHECKS.search(text) for _, text in shell_commands(module))
