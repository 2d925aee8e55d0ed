"""The record as a summary in GitHub-flavoured Markdown."""

from __future__ import annotations

import re

from bezoar.contracts.records import RunRecord
from bezoar.report import backdoor_markdown
from bezoar.report.accounts import account_of
from bezoar.report.markdown_text import bullets, escape, table
from bezoar.report.results import tables_of
from bezoar.report.story import (
    CELL_HEADS,
    Account,
    Statement,
    Story,
    cell_row,
    destinations,
    gaps,
    kernel_warning,
)
from bezoar.report.wording import (
    attack_name,
    duration,
    listed,
    moment,
    number,
    plan_value,
    sentence,
    with_interval,
)

_WEB_ADDRESS = re.compile(r"https://[\w./?=%+,;:-]+", re.ASCII)


def render(record: RunRecord) -> str:
    """The verdict, findings, numbers, threat models and how to repeat them, as Markdown.

    All text of the record is escaped: it shows as it is and can neither format, nor link, nor
    notify anyone.
    """
    account = account_of(record)
    parts = [
        *_verdict(account),
        *_findings(account),
        *_body(account),
        *_threats(account.record),
        *_how(account.record),
    ]
    return "\n\n".join(parts) + "\n"


def _body(account: Account) -> list[str]:
    """What only this kind of record has."""
    if isinstance(account, Story):
        return [*_numbers(account), *_labels(account), *_encoder(account)]
    return backdoor_markdown.body(account)


def _verdict(story: Account) -> list[str]:
    subject = f": {story.subject}" if story.subject else ""
    parts = [f"# {escape(story.title + subject)}"]
    if story.warning:
        outcome = sentence(story.record.outcome)
        parts.append(f"> **{escape(outcome)} run.** {escape(story.warning)}")
    parts.append(f"**{escape(story.headline)}**")
    if story.statements:
        parts.append(bullets(_statement(s) for s in story.statements))
    return parts


def _statement(statement: Statement) -> str:
    stop = "" if statement.topic.endswith("?") else "."
    return f"**{statement.topic}{stop}** {escape(statement.text)}"


def _findings(story: Account) -> list[str]:
    if not story.findings:
        return []
    rows = [
        [
            f.severity,
            f"{f.rule}: {f.subject}",
            f.message,
            f.remedy,
        ]
        for f in story.findings
    ]
    parts = ["## Findings", table(["severity", "what", "finding", "what to do"], rows)]
    read = dict.fromkeys(reference for f in story.findings for reference in f.references)
    if read:
        parts.append("Read more: " + "; ".join(_reference(reference) for reference in read))
    return parts


def _numbers(story: Story) -> list[str]:
    results = story.results
    parts = []
    for condition in results.conditions:
        rows = [
            cell_row(cell)
            for attack in ("none", *results.attacks)
            for cell in results.curve(condition, attack)
        ]
        if rows:
            parts += [f"### {escape(sentence(condition.label) or 'All')}", table(CELL_HEADS, rows)]
    missing = gaps(results)
    if missing:
        parts.append(bullets(escape(line) for line in missing))
    return ["## Accuracy against the share that is poisoned", *parts] if parts else []


def _labels(story: Story) -> list[str]:
    """Which label most samples of a class get, for each attack once: at its smallest ratio."""
    lines: dict[tuple[str, str], str] = {}
    for condition in story.results.conditions:
        for labels in tables_of(story.record, "label_destination", condition):
            attack = str(labels.tags.get("attack", ""))
            moved = [f"{listed(rows)} to {column}" for column, rows in destinations(labels)]
            if moved:
                text = f"{sentence(attack_name(attack))}, {condition.label}: {'; '.join(moved)}."
                lines.setdefault((attack, condition.label), escape(text))
    if not lines:
        return []
    return [
        "## Which label each class is given",
        "The label that more than half of a class's poisoned samples get:",
        bullets(lines.values()),
    ]


def _encoder(story: Story) -> list[str]:
    record, results = story.record, story.results
    kernel = record.select("kernel_variance")
    rows = [
        [
            f"nearest-class accuracy, {m.tags.get('distance', '')}",
            results.label_of(m.tags),
            with_interval(m),
        ]
        for m in record.select("nearest_class_accuracy")
    ]
    rows += [["kernel variance", results.label_of(m.tags), with_interval(m)] for m in kernel]
    if not rows:
        return []
    warnings = [
        f"> **Little to see, {escape(results.label_of(m.tags))}.** {escape(kernel_warning(m))}"
        for m in kernel
        if kernel_warning(m)
    ]
    return [
        "## What the encoder lets an attacker see",
        table(["measure", "condition", "value"], rows),
        *warnings,
    ]


def _threats(record: RunRecord) -> list[str]:
    if not record.threat_models:
        return []
    heads = ["attack", "wants", "knows", "changes", "budget", "answered by", "source"]
    rows = [
        [
            attack_name(name),
            t.goal,
            "; ".join(t.knows) or "nothing",
            "; ".join(t.changes) or "nothing",
            t.budget,
            t.answered_by,
            t.source,
        ]
        for name, t in record.threat_models.items()
    ]
    return ["## Threat model", table(heads, rows)]


def _how(record: RunRecord) -> list[str]:
    parts = ["## How it was made"]
    if record.command:
        # The fence must be longer than any run of backticks inside.
        longest = max((len(run) for run in re.findall("`+", record.command)), default=0)
        fence = "`" * max(3, longest + 1)
        parts.append(f"{fence}sh\n{record.command}\n{fence}")
    wall = number(record.wall_seconds)
    facts = [
        f"outcome {record.outcome}, started {moment(record.started)}"
        + ("" if wall is None else f", took {duration(wall)}"),
        (
            f"seeds {', '.join(str(seed) for seed in record.seeds) or 'none'}; "
            f"plan {record.plan_hash}; commit {record.commit or 'none (not in a git checkout)'}"
        ),
        "versions: " + ", ".join(f"{name} {v}" for name, v in record.versions.items()),
    ]
    parts.append(bullets(escape(sentence(fact)) for fact in facts))
    for title, lines in (("What failed", record.failures), ("Notes", record.notes)):
        if lines:
            parts += [f"### {title}", bullets(escape(line) for line in lines)]
    if record.plan:
        plan = table(["setting", "value"], [[k, plan_value(v)] for k, v in record.plan.items()])
        parts.append(f"<details><summary>The plan</summary>\n\n{plan}\n\n</details>")
    return parts


def _reference(text: str) -> str:
    return f"<{text}>" if _WEB_ADDRESS.fullmatch(text) else escape(text)
