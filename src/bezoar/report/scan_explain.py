"""A rule explained: in the terminal for ``--explain``, in Markdown for its page.

Both take the rule's facts and its examples as plain text, because the report room does not know
the scanner.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

from bezoar.contracts.code_findings import RuleFacts
from bezoar.report.markdown_text import escape
from bezoar.report.scan_cwe import cwe_title, cwe_uri
from bezoar.report.scan_text import Paint, painter
from bezoar.report.scan_wording import address_of, markdown_of, paragraphs
from bezoar.report.wording import printable

#: An example: what it shows, its code, and the name of its file.
ExampleText = tuple[str, str, str]

_MARKER = "# <- here"
_PLACEHOLDER = re.compile(r"\{\{([a-z0-9-]+)\}\}")
_LINK = re.compile(r"\[([^\]]+)\]\((https?://[^)\s]+)\)")
_BLOCK = re.compile(r"\s*(?:[-*+] |\d+[.)] |#|>|\||```)")
_LANGUAGES = {
    ".py": "python",
    ".ipynb": "python",
    ".toml": "toml",
    ".yml": "yaml",
    ".yaml": "yaml",
    ".json": "json",
    ".qasm": "qasm",
}


def terminal(
    rule: RuleFacts,
    *,
    bad: Sequence[ExampleText],
    good: Sequence[ExampleText],
    look_alikes: Sequence[ExampleText] = (),
    references: Sequence[str] = (),
    colour: bool,
    width: int,
) -> str:
    """The rule as ``--explain`` prints it: why, the first bad and good example, what is not meant.

    Args:
        rule: its facts.
        bad, good, look_alikes: its examples as (name, code, file).
        references: where to read more, ``text <address>`` or an address.
        colour: whether to use ANSI colours.
        width: columns of the terminal.
    """
    paint = painter(colour=colour)
    width = max(width, 40)
    label = paint(rule.severity, f"{printable(rule.id)} {rule.severity}")
    lines = [
        f"{label}: {paint('bold', printable(rule.title))}",
        *textwrap.wrap(_facts(rule), width),
        "",
        *_prose(rule.why, width),
    ]
    for head, examples in (("Reported", bad[:1]), ("Mended", good[:1])):
        for example in examples:
            lines += [
                "",
                paint("bold", f"{head}: {printable(example[0])}"),
                *_indented(example, paint),
            ]
    if look_alikes:
        lines += ["", paint("bold", "Not reported:")]
        lines += [f"  - {printable(name)}" for name, _, _ in look_alikes]
    remedy = textwrap.wrap(f"help: {printable(rule.remedy)}", width, subsequent_indent="      ")
    lines += ["", *(line.replace("help:", paint("help", "help:"), 1) for line in remedy[:1])]
    lines += remedy[1:]
    if references:
        lines += ["", paint("bold", "Read more:")]
        lines += [f"  {' '.join(dict.fromkeys(filter(None, address_of(r))))}" for r in references]
    return "\n".join(lines) + "\n"


def markdown(
    rule: RuleFacts,
    *,
    bad: Sequence[ExampleText],
    good: Sequence[ExampleText],
    look_alikes: Sequence[ExampleText] = (),
    references: Sequence[str] = (),
) -> str:
    """The page of the rule in GitHub-flavoured Markdown, with all its examples.

    Args:
        rule: its facts; its `why` is Markdown already.
        bad, good, look_alikes: its examples as (name, code, file).
        references: where to read more, ``text <address>`` or an address.
    """
    weaknesses = ", ".join(f"[{escape(cwe_title(n))}]({cwe_uri(n)})" for n in rule.cwe)
    rows = {
        "Severity": rule.severity,
        "Confidence": rule.confidence,
        "Weakness": weaknesses,
        "Looks at": ", ".join(map(escape, map(_framework, rule.frameworks))),
    }
    if rule.tags:
        rows["Tags"] = ", ".join(escape(tag) for tag in rule.tags)
    parts = [
        f"# {rule.id}: {markdown_of(rule.title)}",
        "| | |\n| --- | --- |\n" + "\n".join(f"| {key} | {rows[key]} |" for key in rows),
        f"## Why it matters\n\n{paragraphs(rule.why).strip()}",
        f"## What to do\n\n{markdown_of(rule.remedy)}",
    ]
    for head, lead, examples in (
        ("Reported", f"Each line marked `{_MARKER}` is a finding.", bad),
        ("Mended", "", good),
        ("Not reported", "It looks alike and is not meant.", look_alikes),
    ):
        if examples:
            blocks = [_block(example) for example in examples]
            parts.append("\n\n".join(filter(None, (f"## {head}", lead, *blocks))))
    if references:
        parts.append("## Read more\n\n" + "\n".join(f"- {_reference(r)}" for r in references))
    parts.append(
        "## Silence one finding\n\n"
        f"```python\n...  # qsa: ignore[{rule.id}] reason=why this one is safe\n```"
    )
    return "\n\n".join(parts) + "\n"


def _facts(rule: RuleFacts) -> str:
    weaknesses = ", ".join(cwe_title(number) for number in rule.cwe)
    looks_at = ", ".join(map(_framework, rule.frameworks))
    return f"{weaknesses}. Confidence {rule.confidence}. Looks at {looks_at}."


def _framework(name: str) -> str:
    return "every framework" if name == "any" else printable(name)


def _prose(text: str, width: int) -> Iterator[str]:
    """Markdown as plain paragraphs: links show their address, lists and code stay as they are."""
    for index, part in enumerate(re.split(r"\n\s*\n", paragraphs(text).strip())):
        if index:
            yield ""
        lines = _LINK.sub(r"\1 (\2)", part).splitlines()
        if any(_BLOCK.match(line) or line.startswith("    ") for line in lines):
            yield from lines
        else:
            yield from textwrap.wrap(" ".join(lines), width, break_long_words=False)


def _code(text: str) -> list[str]:
    """The lines of an example; made-up secrets are shown as what they stand for."""
    shown = _PLACEHOLDER.sub(r"<\1>", textwrap.dedent(text).strip("\n"))
    return [printable(line.replace("\t", "    ")).rstrip() for line in shown.splitlines()]


def _indented(example: ExampleText, paint: Paint) -> Iterator[str]:
    for line in _code(example[1]):
        before, marker, after = line.partition(_MARKER)
        yield f"    {before}{paint('high', marker)}{after}".rstrip()


def _block(example: ExampleText) -> str:
    name, code, file = example
    lines = _code(code)
    ending = f".{file.rpartition('.')[2]}" if "." in file else ""
    # A fence longer than any run of backticks inside holds any text.
    longest = max((len(run) for run in re.findall("`+", "\n".join(lines))), default=0)
    fence = "`" * max(3, longest + 1)
    where = "" if file == "app.py" else f" (`{printable(file).replace('`', '')}`)"
    body = "\n".join((f"{fence}{_LANGUAGES.get(ending, '')}", *lines, fence))
    return f"**{markdown_of(name)}**{where}\n\n{body}"


def _reference(reference: str) -> str:
    text, address = address_of(reference)
    if not address:
        return escape(text)
    target = address.replace("(", "%28").replace(")", "%29").replace("<", "%3C")
    return f"[{escape(text)}]({target})" if text != address else f"<{target}>"
