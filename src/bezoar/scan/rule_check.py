"""Whether a rule does what its own examples say; for rules of other packages as for ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from bezoar.contracts.errors import BezoarError
from bezoar.scan.code.project import Knowledge, ModuleIndex
from bezoar.scan.documents import Document, DocumentKind
from bezoar.scan.examination import Examined, examine_code, examine_document
from bezoar.scan.examples import files_of, reported_lines
from bezoar.scan.manifests.facts import project_facts
from bezoar.scan.manifests.kinds import document_kind
from bezoar.scan.ordering import imported_files
from bezoar.scan.project_facts import ProjectFacts
from bezoar.scan.rounds import examined_project
from bezoar.scan.rule import Example, Rule

#: File and line of its text.
Line = tuple[str, int]


class BrokenRule(BezoarError, AssertionError):
    """A rule does not do what its examples say; the message says which one."""


def check_rule(rule: Rule) -> None:
    """Checks that a rule reports exactly the marked lines of its examples, and no others.

    Every bad example has a marked line, no other example has one, and there is a bad, a good
    and a look-alike example at least. No test framework is needed.

    Raises:
        BrokenRule: one does not; the first that is found.
    """
    for kind in ("bad", "good", "look_alikes"):
        examples: tuple[Example, ...] = getattr(rule, kind)
        if not examples:
            raise BrokenRule(f"{rule.id}: has no {kind} example")
        for example in examples:
            where = f"{rule.id}, {kind} example {example.name!r}"
            wanted = reported_lines(example)
            if bool(wanted) is not (kind == "bad"):
                raise BrokenRule(f"{where}: marks {_told(wanted)}")
            found = found_in(example, rule)
            if found != wanted:
                raise BrokenRule(f"{where}: reports {_told(found)} instead of {_told(wanted)}")


def found_in(example: Example, rule: Rule) -> set[Line]:
    """What a rule reports of an example, whose files are examined as one project.

    Raises:
        BrokenRule: a file of the example cannot be read, or the rule fails.
    """
    files = files_of(example)
    kinds: dict[str, DocumentKind | None] = {
        name: document_kind(PurePosixPath(name).name, _above(name)) for name in files
    }
    facts = project_facts(
        [(name, kind, files[name]) for name, kind in kinds.items() if kind is not None]
    )
    code = [name for name in files if name.endswith((".py", ".ipynb"))]
    results = _code(code, files, rule, facts)
    with TemporaryDirectory() as folder:
        for name, text in files.items():
            if name not in code:
                file = Path(folder, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
                kind: DocumentKind = kinds[name] or "artefact"
                document = Document(
                    path=name,
                    kind=kind,
                    text=text,
                    file=file,
                    project=facts,
                )
                results.append(examine_document(document, [rule]))
    for result in results:
        for finding in result.findings:
            if finding.rule != rule.id:
                raise BrokenRule(f"{rule.id}, example {example.name!r}: {finding.message}")
    return {(result.path, each.line) for result in results for each in result.found}


def _code(
    names: Sequence[str], files: dict[str, str], rule: Rule, facts: ProjectFacts
) -> list[Examined]:
    index = ModuleIndex(names)

    def examine(work: Sequence[tuple[str, Knowledge]]) -> list[Examined]:
        return [
            examine_code(name, files[name], [rule], project=facts, index=index, knowledge=knowledge)
            for name, knowledge in work
        ]

    dependencies = {name: imported_files(name, files[name], index) for name in names}
    return list(examined_project(names, examine, dependencies).values())


def _above(name: str) -> tuple[str, ...]:
    return PurePosixPath(name).parent.parts


def _told(lines: set[Line]) -> str:
    return ", ".join(f"{name}:{line}" for name, line in sorted(lines)) or "no line"
