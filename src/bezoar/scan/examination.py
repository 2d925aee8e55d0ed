"""One file: parsed, read, shown to every rule."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from bezoar.contracts.code_findings import CodeFinding, Place
from bezoar.scan.code.module import Module
from bezoar.scan.code.project import Exports, Knowledge, ModuleIndex
from bezoar.scan.code.values import Value
from bezoar.scan.documents import Document
from bezoar.scan.framing import excerpt, finding_of, frame, masked
from bezoar.scan.notebooks import read_notebook, without_broken_cells, without_magics
from bezoar.scan.own_rules import UNREADABLE
from bezoar.scan.project_facts import ProjectFacts
from bezoar.scan.rule import Hit, Rule
from bezoar.scan.source import Source
from bezoar.scan.suppressions import Suppression, suppressions_in

#: Python's own limit is too low for generated code; pure Python calls do not use the C stack.
_RECURSION = 12_000
#: Kinds of documents that are no manifests: other modules say what is wrong with them.
_FREE_FORM = frozenset({"settings", "artefact"})

#: (function, parameter) pairs that a finding rests on.
Parameters = tuple[tuple[str, str], ...]
_Said = TypeVar("_Said")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A finding, and what may still speak against it.

    Attributes:
        finding: what is told.
        line: the line of the file's text that it is on; in a notebook counted over its cells.
        rests_on: it is none where all known callers pass constants as these parameters.
        unless: it is none where any file states one of these facts.
    """

    finding: CodeFinding
    line: int
    rests_on: Parameters = ()
    unless: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Examined:
    """What came of one file.

    Attributes:
        path: the file.
        found: what the rules said.
        suppressions: its suppression comments; lines are lines of the text.
        suppression_places: where they are.
        n_lines: how many lines were read.
        exports, references, passed, stated: what other files want to know of it, and it of them.
    """

    path: str
    found: list[Found] = field(default_factory=list)
    suppressions: tuple[Suppression, ...] = ()
    suppression_places: tuple[Place, ...] = ()
    n_lines: int = 0
    stated: frozenset[str] = frozenset()
    exports: Exports = field(default_factory=Exports)
    references: frozenset[str] = frozenset()
    passed: dict[str, dict[str, tuple[int, int, Value | None]]] = field(default_factory=dict)

    @property
    def findings(self) -> list[CodeFinding]:
        """The findings alone."""
        return [each.finding for each in self.found]


def examine_code(
    path: str,
    text: str,
    rules: Sequence[Rule],
    *,
    project: ProjectFacts,
    index: ModuleIndex,
    knowledge: Knowledge,
    within: str = "",
) -> Examined:
    """Examines a Python module or a notebook; what cannot be parsed is a finding.

    Args:
        path: the file, relative to the root of the scan.
        text: its text.
        rules: the rules that are asked.
        project: facts of the project around it.
        index: finds modules of the project.
        knowledge: what is known of the project's other files.
        within: the path within the folder that was named for the scan; `path` without.
    """
    result = Examined(path=path)
    try:
        source = replace(_source(path, text), within=within)
    except ValueError as error:
        _unreadable(result, str(error), 1, text)
        return result
    result.n_lines = source.text.count("\n")
    searched = _searched(source, text)
    with _deep_recursion():
        try:
            module = _module(source, result, project=project, index=index, knowledge=knowledge)
            asked = [rule for rule in rules if _worth(rule, searched)]
            hits = [
                (rule, hit)
                for rule in asked
                if rule.check is not None
                for hit in _asked(rule, rule.check, module, result)
            ]
            result.stated = frozenset(
                fact
                for rule in asked
                if rule.states is not None
                for fact in _asked(rule, rule.states, module, result)
            )
        except SyntaxError as error:
            _unreadable(
                result, f"is not valid Python: {error.msg}", error.lineno or 1, text, source
            )
            return result
        except (RecursionError, MemoryError):
            _unreadable(result, "is nested too deeply to be read", 1, text, source)
            return result
        except ValueError as error:
            _unreadable(result, f"is not valid Python: {error}", 1, text, source)
            return result
        except Exception as error:  # noqa: BLE001 - one strange file must not end the scan
            reason = f"could not be analysed ({type(error).__name__}: {error}); please report this"
            _unreadable(result, reason, 1, text, source)
            return result
        result.exports = module.exports
        result.references = module.references
        result.passed = {
            name: {param: (p.n_calls, p.n_fixed, p.value) for param, p in params.items()}
            for name, params in module.passed.items()
        }
        secrets = [hit.secret for _, hit in hits if hit.secret]
        for rule, hit in hits:
            _add(result, rule, hit, source, _place(module, source, hit), secrets)
    result.suppressions = suppressions_in(module.text, is_python=True)
    result.suppression_places = tuple(
        source.place(each.line, each.column, each.line, each.column + 1)
        for each in result.suppressions
    )
    return result


def examine_document(document: Document, rules: Sequence[Rule]) -> Examined:
    """Examines a file that is not Python."""
    result = Examined(path=document.path)
    hits = [
        (rule, hit)
        for rule in rules
        if rule.check_document is not None
        for hit in _asked(rule, rule.check_document, document, result)
    ]
    secrets = [hit.secret for _, hit in hits if hit.secret]
    source = Source(path=document.path, text=document.text, shown=document.lines)
    result.n_lines = len(source.shown)
    if document.kind not in _FREE_FORM:
        from bezoar.scan.manifests.reading import read_manifest

        problem = read_manifest(document.path, document.kind, document.text).problem
        if problem is not None:
            reason = problem.reason
            reason = reason if reason.startswith("is ") else f"cannot be parsed: {reason}"
            _unreadable(result, reason, problem.line, document.text, source)
    for rule, hit in hits:
        _add(result, rule, hit, source, _place(None, source, hit), secrets)
    if not document.path.endswith(".json"):
        # JSON has no comments: what looks like one is a text about them.
        result.suppressions = suppressions_in(document.text, is_python=False)
    result.suppression_places = tuple(
        source.place(each.line, each.column, each.line, each.column + 1)
        for each in result.suppressions
    )
    return result


def _module(
    source: Source,
    result: Examined,
    *,
    project: ProjectFacts,
    index: ModuleIndex,
    knowledge: Knowledge,
) -> Module:
    """The parsed module; of a notebook without the cells that cannot be parsed, each of which is
    a finding.

    Raises:
        SyntaxError, ValueError, RecursionError: nothing of it can be read.
    """
    try:
        return Module(source, project=project, index=index, knowledge=knowledge)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        script = without_magics(source)
        if script is not None:
            return Module(script, project=project, index=index, knowledge=knowledge)
        whole, broken = without_broken_cells(source)
        if not broken:
            raise
    for line, reason in broken:
        _unreadable(result, f"has a cell that is not valid Python: {reason}", line, "", source)
    return Module(whole, project=project, index=index, knowledge=knowledge)


def _asked(
    rule: Rule, check: Callable[[Any], Iterable[_Said]], subject: object, result: Examined
) -> list[_Said]:
    """What a rule says; one that fails is told as a finding and stops nothing."""
    try:
        return list(check(subject))
    except (RecursionError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - one rule's mistake must not hide the others' work
        reason = f"could not be shown to {rule.id} ({type(error).__name__}: {error})"
        _unreadable(result, reason, 1, "")
        return []


def unreadable(path: str, reason: str) -> Examined:
    """The result for a file that could not even be opened or decoded."""
    result = Examined(path=path)
    _unreadable(result, reason, 1, "")
    return result


def _source(path: str, text: str) -> Source:
    if Path(path).suffix == ".ipynb":
        return read_notebook(path, text)
    return Source(path=path, text=text, shown=text.split("\n"))


def _searched(source: Source, text: str) -> str:
    """Where the keywords of rules are looked for: of a notebook not in its pictures."""
    if not source.is_notebook:
        return text
    return "\n".join((source.text, *(each for _, each in (*source.magics, *source.outputs))))


def _worth(rule: Rule, text: str) -> bool:
    return not rule.keywords or any(keyword in text for keyword in rule.keywords)


def _place(module: Module | None, source: Source, hit: Hit) -> Place:
    if isinstance(hit.where, tuple):
        return source.place(*hit.where)
    if module is None:
        raise TypeError("a rule for documents gave a node of Python code")
    return module.place(hit.where, module.symbol_of(hit.where))


def _add(
    result: Examined, rule: Rule, hit: Hit, source: Source, place: Place, secrets: Sequence[str]
) -> None:
    line = hit.where[0] if isinstance(hit.where, tuple) else getattr(hit.where, "lineno", 1)
    first, last, offset = source.block(line)
    start, code = frame(source.shown, first, last, line)
    finding = finding_of(rule, hit, place, start - offset, code, secrets)
    if any(
        known.rule == finding.rule
        and known.place.line == place.line
        and known.place.cell == place.cell
        for known in (each.finding for each in result.found)
    ):
        return
    result.found.append(
        Found(finding=finding, line=line, rests_on=_parameters(hit.source), unless=hit.unless)
    )


def _parameters(value: Value | None) -> Parameters:
    if value is None or not value.origins:
        return ()
    if any(origin.kind != "parameter" for origin in value.origins):
        return ()
    return tuple(sorted((origin.function, origin.name) for origin in value.origins))


def _unreadable(
    result: Examined, reason: str, line: int, text: str, source: Source | None = None
) -> None:
    shown = source.shown if source else text.split("\n")[:3]
    if source is not None and source.cells:
        place = source.place(line, 1, line, 1)
        first, last, offset = source.block(line)
    else:
        place = Place(path=result.path, line=line, file_line=line, end_line=line)
        first, last, offset = 1, len(shown), 0
    start, code = frame(shown, first, last, line)
    lines, code_column = excerpt(code, start - offset, place)
    finding = CodeFinding(
        rule=UNREADABLE.id,
        severity=UNREADABLE.severity,
        confidence=UNREADABLE.confidence,
        subject=str(place),
        message=masked(f"this file {reason}"),
        remedy=UNREADABLE.remedy,
        place=place,
        code=lines,
        code_line=start - offset,
        code_column=code_column,
    )
    result.found.append(Found(finding=finding, line=line))


@contextmanager
def _deep_recursion() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _RECURSION))
    try:
        with warnings.catch_warnings():
            # Python's own remarks on odd escapes are not about what is asked here.
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.setrecursionlimit(before)
