"""Writes the pages of the scanner's rules: ``python tools/rule_pages.py``.

A rule's text and examples are its page; nothing in ``docs/scan/rules`` is edited by hand, and a
test holds the pages to the rules.
"""

import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple

from bezoar.contracts.code_findings import RuleFacts
from bezoar.report import scan_explain
from bezoar.report.markdown_text import escape
from bezoar.report.scan_cwe import cwe_uri
from bezoar.report.scan_wording import markdown_of
from bezoar.scan.catalogue import all_rules
from bezoar.scan.own_rules import OWN_RULES
from bezoar.scan.rule import Example

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "scan" / "rules"
#: What the first digit of a rule's number stands for.
GROUPS = {
    "0": "The scan itself",
    "1": "Injection and parsing",
    "2": "Deserialisation",
    "3": "Credentials and transport",
    "4": "Encoding and data",
    "5": "Training and what it starts from",
    "6": "Execution",
    "7": "Supply chain",
    "8": "Services",
    "9": "Model and circuit files",
}
#: Findings about comments and about files that have none.
_WITHOUT_COMMENT = ("0", "9")
_LEAVE_OUT = """\
## Leave it out

No comment silences it. Name the files in `pyproject.toml`:

```toml
[tool.bezoar.scan]
per-file-ignores."{where}" = ["{id}"]
```
"""
_LEAD = """\
# Rules

Generated from the rules by `python tools/rule_pages.py`; edit the rule, not the page.
{n} rules. A finding may have another severity than its rule, and says so itself. In the terminal:
`bezoar scan --explain {first}`.
"""


class Page(NamedTuple):
    """A rule and its page."""

    facts: RuleFacts
    text: str


def pages() -> dict[str, str]:
    """File name to text, of every rule that comes with Bezoar and of the table of them."""
    rules = sorted([*_own(), *_registered()], key=lambda page: page.facts.id)
    texts = {_file(page.facts): page.text for page in rules}
    return {"README.md": _index([page.facts for page in rules]), **texts}


def _own() -> Iterator[Page]:
    """The findings about the scan, which have no examples."""
    for facts in OWN_RULES:
        yield Page(facts, _finished(facts, scan_explain.markdown(facts, bad=(), good=())))


def _registered() -> Iterator[Page]:
    """Rules of other packages have pages of their own."""
    entries = distribution("bezoar").entry_points
    ours = {entry.name for entry in entries if entry.group == "bezoar.rules"}
    for rule in all_rules():
        if rule.id.lower() in ours:
            text = scan_explain.markdown(
                rule.facts,
                bad=_texts(rule.bad),
                good=_texts(rule.good),
                look_alikes=_texts(rule.look_alikes),
                references=rule.references,
            )
            yield Page(rule.facts, _finished(rule.facts, text))


def _finished(facts: RuleFacts, text: str) -> str:
    if facts.id[3] not in _WITHOUT_COMMENT:
        return text
    kept = text.partition("## Silence one finding")[0]
    where = "models/*" if facts.id[3] == "9" else "generated/*"
    return kept + _LEAVE_OUT.format(id=facts.id, where=where)


def _texts(examples: Iterable[Example]) -> list[scan_explain.ExampleText]:
    return [(example.name, _marked(example), example.file) for example in examples]


def _marked(example: Example) -> str:
    """The code with markers also where the file itself has no comments to hold them."""
    lines = example.code.strip("\n").split("\n")
    for number in example.lines:
        lines[number - 1] += "  # <- here"
    return "\n".join(lines)


def _file(facts: RuleFacts) -> str:
    return f"{facts.id.lower()}.md"


def _index(rules: list[RuleFacts]) -> str:
    parts = [_LEAD.format(n=len(rules), first=next(r.id for r in rules if r.id[3] == "1"))]
    for digit, name in GROUPS.items():
        members = [facts for facts in rules if facts.id[3] == digit]
        if members:
            rows = ["| rule | | severity | weakness | looks at |", "|---|---|---|---|---|"]
            rows += [_row(facts) for facts in members]
            parts.append("\n".join((f"## {name}", "", *rows, "")))
    return "\n".join(parts)


def _row(facts: RuleFacts) -> str:
    weaknesses = ", ".join(f"[CWE-{number}]({cwe_uri(number)})" for number in facts.cwe)
    looks_at = "every framework" if "any" in facts.frameworks else ", ".join(facts.frameworks)
    cells = (
        f"[{facts.id}]({_file(facts)})",
        markdown_of(facts.title),
        facts.severity,
        weaknesses,
        escape(looks_at),
    )
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Writes all pages and removes those of rules that are gone; returns an exit code."""
    texts = pages()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for stale in {file.name for file in FOLDER.glob("*.md")} - texts.keys():
        (FOLDER / stale).unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")
    sys.stdout.write(f"{len(texts)} pages in {FOLDER}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
