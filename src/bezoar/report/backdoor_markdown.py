"""What only backdoor runs have in the Markdown summary."""

from __future__ import annotations

from bezoar.report.backdoor_circuits import CircuitStory, circuit_row
from bezoar.report.backdoor_results import BackdoorResults
from bezoar.report.backdoor_rows import (
    ANSWER_HEADS,
    CELL_HEADS,
    MATCHED_HEADS,
    answer_rows,
    cell_row,
    likeness_columns,
    matched_rows,
    trigger_row,
)
from bezoar.report.backdoor_rules import rules
from bezoar.report.backdoor_search import SearchStory, factors_of, factors_text
from bezoar.report.backdoor_search_html import candidate_heads, candidate_row
from bezoar.report.backdoor_story import BackdoorStory, gaps
from bezoar.report.backdoor_wording import head_label, metric_label
from bezoar.report.markdown_text import bullets, escape, table
from bezoar.report.story import Account
from bezoar.report.wording import number, with_interval


def body(account: Account) -> list[str]:
    """The sections between the verdict and the threat model."""
    if isinstance(account, BackdoorStory):
        return _backdoors(account)
    if isinstance(account, SearchStory):
        return _search(account)
    return _circuits(account) if isinstance(account, CircuitStory) else []


def _backdoors(story: BackdoorStory) -> list[str]:
    results = story.results
    parts = []
    if results.cells:
        parts += ["## Attack success", table(CELL_HEADS, _cells(results))]
    missing = gaps(results)
    if missing:
        parts.append(bullets(escape(line) for line in missing))
    if results.triggers and likeness_columns(results):
        heads = ["trigger", "setting", *map(metric_label, likeness_columns(results))]
        rows = [trigger_row(results, trigger) for trigger in results.triggers]
        parts += ["## Triggers", table(heads, rows)]
    matched = matched_rows(results)
    if matched:
        parts += ["## Robust, or slower to train?", table(MATCHED_HEADS, matched)]
    found = answer_rows(results)
    if found:
        parts += ["## Defences", table(ANSWER_HEADS, found)]
    parts += _matrices(results)
    if parts:
        parts += ["### What the words mean", bullets(escape(rule) for rule in rules(results))]
    return parts


def _cells(results: BackdoorResults) -> list[list[str]]:
    return [cell_row(results, cell) for cell in results.cells]


def _matrices(results: BackdoorResults) -> list[str]:
    parts = []
    for matrix in results.record.tables_named("defence_matrix"):
        head = head_label(str(matrix.tags.get("head", "all")))
        heads = [escape(text) for text in (matrix.row_title, *matrix.columns)]
        rows = [
            [
                results.trigger_label.get(row, row),
                *("" if (v := number(raw)) is None else f"{v:.2f}" for raw in values),
            ]
            for row, values in zip(matrix.rows, matrix.values, strict=False)
        ]
        measure = str(matrix.tags.get("measure", ""))
        title = f"### Defences against triggers, head {escape(head)}"
        parts += [title, *([escape(measure)] if measure else []), table(heads, rows)]
    return parts


def _search(story: SearchStory) -> list[str]:
    parts = []
    if story.verified:
        rows = [[metric_label(m.metric), with_interval(m)] for m in story.verified]
        factors = factors_text(factors_of(story.verified))
        parts += ["## The chosen factors, trained in full"]
        parts += [f"Factors of red, green and blue: {escape(factors)}."] if factors else []
        parts.append(table(["measure", "value"], rows))
    if story.front:
        rows = [candidate_row(story, candidate) for candidate in story.front]
        parts += ["## The front", table(candidate_heads(story), rows)]
    return parts


def _circuits(story: CircuitStory) -> list[str]:
    if not story.rows:
        return []
    heads = ["attack", "state", *(escape(metric_label(m)) for m in story.metrics), "seeds"]
    rows = [circuit_row(story, attack, state) for attack, state in story.rows]
    return ["## At rest and armed", table(heads, rows)]
