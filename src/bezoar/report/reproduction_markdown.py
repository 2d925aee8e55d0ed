"""A reproduced item, and the index of a study, as pages of GitHub-flavoured Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from bezoar.contracts.reproduction import ItemRecord, Row
from bezoar.report.markdown_text import escape
from bezoar.report.reproduction import (
    PLAN_HEADS,
    WORDS,
    Grid,
    answer,
    grids,
    plan_rows,
    provenance,
    study_title,
    warning,
)
from bezoar.report.reproduction_wording import (
    CLAIM_HEADS,
    MANY_CLAIMS,
    NUMBER_HEADS,
    claim_row,
    claim_text,
    claim_value,
    figure_table,
    judged,
    marked,
    number_row,
    our_text,
    paper_text,
    verdict_of,
)
from bezoar.report.wording import printable, sentence

# What starts a list, a rule or an underlined heading at the beginning of a line.
_OPENING = re.compile(r"^(\d*)([-+=.)])")


def item_markdown(item: ItemRecord) -> str:
    """The page of one item: answer, table, claims, figures, analysis, and how it was made.

    Figures are linked as ``NAME.svg`` and pictures as their files, beside the page. All text of
    the record is escaped: it shows as it is and can neither format, nor link, nor notify anyone.
    """
    item = printable(item)
    parts = [
        f"# {_line(item.title or item.item)}",
        _where(item),
        _warned(item),
        _line(item.question),
        f"**{escape(answer(item))}**",
        *_table_parts(item),
        *_claims(item),
        *_figures(item),
        *_pictures(item),
        *_paragraphs("Why", item.analysis),
        *_listing("Setting", item.setting),
        *_listing("How the verdicts follow", (*item.rules, *WORDS)),
        *_listing("Notes", item.notes),
        *_listing("What failed", item.failures),
        *_made(item),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def study_index(items: Sequence[ItemRecord], *, page: str = "README.md") -> str:
    """The index of a study: every claim with its verdict, and every item with its answer.

    Args:
        items: the records, in the order to list them.
        page: the name of each item's page in the folder that bears the item's name.
    """
    shown = [printable(item) for item in items]
    parts = [f"# {_line(study_title(shown))}", f"**{escape(answer(shown))}**"]
    warned = [
        f"{_link(item.title, item, page)}: {escape(warning(item))}"
        for item in shown
        if warning(item)
    ]
    if warned:
        parts.append("\n".join(f"> - {line}" for line in warned))
    claims = [
        [
            escape(marked(verdict_of(claim))),
            escape(claim_text(claim)),
            escape(f"{claim.quantity}: {claim_value(claim)}"),
            _link(item.item, item, page),
        ]
        for item in shown
        for claim in item.claims
    ]
    if shown:
        parts += ["## Items", _list(_entry(item, page) for item in shown)]
        parts += [_list(escape(word) for word in WORDS)]
    if claims:
        table = _rows(["verdict", "claim", "measured", "item"], claims)
        many = len(claims) > MANY_CLAIMS
        parts += ["## Claims", _folded(f"All {len(claims)} claims", table) if many else table]
    return "\n\n".join(parts) + "\n"


def _entry(item: ItemRecord, page: str) -> str:
    return f"{_link(item.title, item, page)}: {escape(item.question)} **{escape(answer(item))}**"


def _link(text: str, item: ItemRecord, page: str) -> str:
    return f"[{escape(text or item.item)}]({quote(item.item)}/{quote(page)})"


def _where(item: ItemRecord) -> str:
    return _line(", ".join(part for part in (item.source, item.paper) if part))


def _warned(item: ItemRecord) -> str:
    text = warning(item)
    return f"> **{escape(text)}**" if text else ""


def _table_parts(item: ItemRecord) -> list[str]:
    tables = grids(item)
    if not tables:
        return []
    parts = ["## The numbers"]
    for grid in tables:
        parts += [f"### {escape(grid.title)}"] if grid.title else []
        parts += [_line(grid.legend), _grid(grid)]
    numbers = _table(NUMBER_HEADS, [number_row(row) for row in item.rows])
    return [*parts, _folded("Every number with its intervals", numbers)]


def _grid(grid: Grid) -> str:
    body = [
        [
            escape(row),
            *("; ".join(_cell(one, grid) for one in grid.at(row, c)) for c in grid.columns),
        ]
        for row in grid.rows
    ]
    return _rows(["", *grid.columns], body)


def _cell(row: Row, grid: Grid) -> str:
    paper, mine = paper_text(row, grid.unit), our_text(row, grid.unit)
    shown = escape(f"{paper} \N{RIGHTWARDS ARROW} {mine}" if paper else mine)
    return f"{shown}<br>{marked(row.verdict)}" if judged(row) else shown


def _claims(item: ItemRecord) -> list[str]:
    if not item.claims:
        return []
    return ["## Claims", _table(CLAIM_HEADS, [claim_row(claim) for claim in item.claims])]


def _figures(item: ItemRecord) -> list[str]:
    parts = []
    for figure in item.figures:
        heads, rows = figure_table(figure)
        parts += [
            f"### {_line(figure.title or figure.name)}",
            f"![{escape(figure.title)}]({quote(figure.name)}.svg)",
            _folded("The numbers of this figure", _table(heads, rows)),
        ]
    return ["## Figures", *parts] if parts else []


def _pictures(item: ItemRecord) -> list[str]:
    parts = [f"![{escape(p.title)}]({quote(p.file)})\n\n{_line(p.title)}" for p in item.pictures]
    return ["## Pictures", *parts] if parts else []


def _made(item: ItemRecord) -> list[str]:
    parts = ["## How it was made"]
    if item.command:
        # The fence must be longer than any run of backticks inside.
        longest = max((len(run) for run in re.findall("`+", item.command)), default=0)
        fence = "`" * max(3, longest + 1)
        parts.append(f"{fence}sh\n{item.command}\n{fence}")
    parts.append(_list(escape(f"{sentence(name)}: {value}") for name, value in provenance(item)))
    plan = plan_rows(item)
    return [*parts, _folded("The plan", _table(PLAN_HEADS, plan))] if plan else parts


def _paragraphs(title: str, texts: Sequence[str]) -> list[str]:
    return [f"## {title}", *(_line(text) for text in texts)] if texts else []


def _listing(title: str, lines: Sequence[str]) -> list[str]:
    return [f"## {title}", _list(_line(line) for line in lines)] if lines else []


def _line(text: str) -> str:
    """Escaped text that can stand at the beginning of a line and stay a paragraph."""
    return _OPENING.sub(r"\1\\\2", escape(text.strip()))


def _folded(title: str, inner: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{inner}\n\n</details>"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return _rows(heads, [[escape(value) for value in row] for row in rows])


def _rows(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [[escape(head) for head in heads], ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
