"""Text, lists and tables in GitHub-flavoured Markdown that no text can break out of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#|~&$]|:(?=//)|(?<=www)\.|:(?=\w+:)", re.IGNORECASE)


def escape(text: str) -> str:
    """The text so that Markdown shows it literally, also inside a table.

    Example:
        >>> print(escape("a|b <i> *c*"))
        a\\|b \\<i\\> \\*c\\*
    """
    escaped = _SPECIAL.sub(lambda match: "\\" + match.group(), text)
    # GitHub notifies people named after an @ in the finished text; a zero-width space stops it.
    return escaped.replace("@", "@&#8203;")


def bullets(lines: Iterable[str]) -> str:
    """A list of lines that are Markdown already."""
    return "\n".join(f"- {line}" for line in lines)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are plain text and escaped, its heads are Markdown already."""
    lines = [heads, ["---"] * len(heads), *([escape(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
