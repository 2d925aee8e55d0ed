"""Every example of every rule: bad lines are reported, exactly those, and nothing else is."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from pathlib import Path

import pytest

import bezoar.scan.rules
from bezoar.scan.code.project import Knowledge, ModuleIndex
from bezoar.scan.documents import Document
from bezoar.scan.examination import Examined, examine_code, examine_document
from bezoar.scan.examples import files_of, reported_lines
from bezoar.scan.manifests.facts import project_facts
from bezoar.scan.manifests.kinds import document_kind
from bezoar.scan.ordering import imported_files
from bezoar.scan.rounds import examined_project
from bezoar.scan.rule import Example, Rule

RULES: list[Rule] = [
    module.RULE
    for info in pkgutil.iter_modules(bezoar.scan.rules.__path__)
    if info.name.startswith("qsa")
    for module in [importlib.import_module(f"bezoar.scan.rules.{info.name}")]
]
CASES = [
    pytest.param(rule, kind, example, id=f"{rule.id}-{kind}-{example.name.replace(' ', '-')}")
    for rule in RULES
    for kind in ("bad", "good", "look_alikes")
    for example in getattr(rule, kind)
]


def found_in(example: Example, rule: Rule, folder: Path) -> set[tuple[str, int]]:
    """(file, line) of everything that the rule says of an example."""
    files = files_of(example)
    kinds = {name: document_kind(Path(name).name, Path(name).parent.parts) for name in files}
    facts = project_facts(
        [(name, kind, files[name]) for name, kind in kinds.items() if kind is not None]
    )
    code = [name for name in files if name.endswith((".py", ".ipynb"))]
    index = ModuleIndex(code)

    def examine(work: Sequence[tuple[str, Knowledge]]) -> list[Examined]:
        return [
            examine_code(name, files[name], [rule], project=facts, index=index, knowledge=knowledge)
            for name, knowledge in work
        ]

    dependencies = {name: imported_files(name, files[name], index) for name in code}
    results = list(examined_project(code, examine, dependencies).values())
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        kind = kinds[name]
        if name in code:
            continue
        if kind is None:
            kind = "artefact"
        document = Document(path=name, kind=kind, text=text, file=folder / name, project=facts)
        results.append(examine_document(document, [rule]))
    for result in results:
        assert all(each.finding.rule == rule.id for each in result.found), result.found
    return {(result.path, each.line) for result in results for each in result.found}


@pytest.mark.parametrize(("rule", "kind", "example"), CASES)
def test_reports_exactly_the_marked_lines(
    rule: Rule, kind: str, example: Example, tmp_path: Path
) -> None:
    wanted = reported_lines(example)
    assert bool(wanted) is (kind == "bad"), "the markers do not fit the kind of example"
    assert found_in(example, rule, tmp_path) == wanted


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_is_told_and_shown(rule: Rule) -> None:
    if not rule.id.startswith("QSA9"):
        assert len(rule.bad) >= 3
        assert len(rule.look_alikes) >= 3
        assert rule.good
    assert rule.cwe
    assert rule.references
    assert len(rule.why.split()) >= 20
    assert not rule.title.endswith(".")
