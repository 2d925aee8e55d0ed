"""What the engine knows of values, seen through a rule that reports every call of `sink`."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bezoar.contracts.code_findings import Step
from bezoar.scan.code.module import Module
from bezoar.scan.code.project import Knowledge, ModuleIndex
from bezoar.scan.code.values import UNKNOWN_LITERAL
from bezoar.scan.examination import Examined, examine_code
from bezoar.scan.ordering import imported_files
from bezoar.scan.project_facts import ProjectFacts
from bezoar.scan.rounds import examined_project
from bezoar.scan.rule import Hit, Rule
from bezoar.scan.source import Source

KINDS = ("request", "network", "cli", "env", "file", "error", "result", "parameter")
UNKNOWN = "(unknown)"


@dataclass(frozen=True)
class Sight:
    """What came to one `sink(value)`: kinds of origins, marks, constant, class and the way."""

    path: str
    line: int
    kinds: frozenset[str]
    marks: frozenset[str]
    literal: object
    fixed: bool
    type: str
    flow: tuple[Step, ...]

    @property
    def way(self) -> list[tuple[str, int]]:
        """Path and line of each station."""
        return [(step.place.path, step.place.line) for step in self.flow]

    @property
    def lines(self) -> list[int]:
        """Line of each station."""
        return [step.place.line for step in self.flow]


def _look(module: Module) -> Iterator[Hit]:
    for call in module.calls:
        if call.method != "sink" or not (call.args or call.keywords):
            continue
        value = call.args[0] if call.args else next(iter(call.keywords.values()))
        unknown = value.literal is UNKNOWN_LITERAL
        told = {
            "kinds": sorted({origin.kind for origin in value.origins}),
            "marks": sorted(value.marks),
            "literal": UNKNOWN if unknown else repr(value.literal),
            "fixed": value.fixed,
            "type": value.type,
        }
        flow = module.flow(value, KINDS, call.node, "sunk")
        yield Hit(where=call.node, message=json.dumps(told), flow=flow, source=value)


PROBE = Rule(
    id="TST001",
    title="Something comes to a sink",
    severity="low",
    confidence="low",
    cwe=(20,),
    frameworks=("any",),
    why="It is a probe.",
    remedy="none",
    bad=(),
    good=(),
    look_alikes=(),
    references=(),
    check=_look,
)


def module(text: str, path: str = "app.py") -> Module:
    """One file on its own."""
    text = textwrap.dedent(text)
    return Module(Source(path=path, text=text, shown=text.split("\n")))


def names(text: str) -> list[str]:
    """The canonical names of all calls, in order."""
    return [call.name for call in module(text).calls]


def sights(files: Mapping[str, str] | str, *, rule: Rule = PROBE) -> list[Sight]:
    """What comes to the sinks of a project, by path and line; as a scan would report it."""
    given = {"app.py": files} if isinstance(files, str) else files
    texts = {path: textwrap.dedent(text).lstrip("\n") for path, text in given.items()}
    index = ModuleIndex(texts)

    def examine(work: Sequence[tuple[str, Knowledge]]) -> list[Examined]:
        return [
            examine_code(
                path,
                texts[path],
                [rule],
                project=ProjectFacts(),
                index=index,
                knowledge=knowledge,
            )
            for path, knowledge in work
        ]

    dependencies = {path: imported_files(path, text, index) for path, text in texts.items()}
    results = examined_project(list(texts), examine, dependencies)
    findings = [finding for result in results.values() for finding in result.findings]
    assert all(each.rule == rule.id for each in findings), findings
    found = []
    for finding in sorted(findings, key=lambda each: (each.place.path, each.place.line)):
        told = json.loads(finding.message)
        found.append(
            Sight(
                path=finding.place.path,
                line=finding.place.line,
                kinds=frozenset(told["kinds"]),
                marks=frozenset(told["marks"]),
                literal=told["literal"] if told["literal"] == UNKNOWN else eval_(told["literal"]),
                fixed=told["fixed"],
                type=told["type"],
                flow=finding.flow,
            )
        )
    return found


def eval_(text: str) -> object:
    """A constant from its text."""
    import ast

    return ast.literal_eval(text)


def sight(files: Mapping[str, str] | str) -> Sight:
    """What comes to the one sink of a project."""
    (found,) = sights(files)
    return found
