"""What a rule is: its text, its examples, and the function that looks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bezoar.contracts.code_findings import RuleFacts, Step
from bezoar.contracts.records import Confidence, Severity

if TYPE_CHECKING:
    import ast

    from bezoar.scan.code.module import Module
    from bezoar.scan.code.values import Value
    from bezoar.scan.documents import Document

Framework = Literal[
    "any", "qiskit", "pennylane", "cirq", "torchquantum", "braket", "tensorcircuit", "services"
]

#: The page of the main weakness: formats that want an address get one that exists.
HELP = "https://cwe.mitre.org/data/definitions/{cwe}.html"

_ID = re.compile(r"[A-Z]{2,5}[0-9]{3}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """What a rule reports.

    Attributes:
        where: the node it is about, or ``(line, column, end_line, end_column)``, lines from 1 and
            columns from 1 as in `Place`.
        message: one sentence with what was found here.
        severity, confidence: where they differ from the rule's own.
        remedy: where the mend differs from the rule's own.
        flow: the way of the data, from its source.
        secret: text in the line that no output may show; it is masked everywhere.
        source: the value that makes it a finding. Where all its origins are parameters for
            which every known caller passes constants, the finding is dropped.
        unless: facts; the finding is dropped where any file of the project states one of them.
    """

    where: ast.AST | tuple[int, int, int, int]
    message: str
    severity: Severity | None = None
    confidence: Confidence | None = None
    remedy: str | None = None
    flow: tuple[Step, ...] = ()
    secret: str = ""
    source: Value | None = None
    unless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """Code that a rule must or must not report: documentation and test at once.

    Attributes:
        name: what it shows, in a few words.
        code: the text. A line that must be reported ends with ``# <- here``. In notebooks, cells
            begin with ``# %%``. Further files of the same project begin with a line
            ``# file: NAME``. ``{{ibm-token}}``, ``{{ibm-cloud-key}}``, ``{{aws-key}}`` and
            ``{{aws-secret}}`` stand for made-up secrets of that form.
        file: the name of the (first) file, whose ending says how it is read.
        lines: for files without comments: the lines that must be reported.
    """

    name: str
    code: str
    file: str = "app.py"
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that the scanner knows to be wrong. A plug-in of the kind ``rules`` is one of
    these, registered under its id in lower case.

    Attributes:
        id: letters and three digits, ``QSA103``.
        title: its name, in one line, without a full stop.
        severity, confidence: the usual ones; a hit may say others.
        cwe: numbers of the weaknesses, the main one first.
        frameworks: what it looks at.
        why: why it matters for quantum machine learning; Markdown.
        remedy: the mend in one line.
        bad: what must be reported, the first one being shown first on the rule's page.
        good: the mended code; not reported.
        look_alikes: what a careless rule would report; not reported.
        references: where to read more, ``text <address>`` or an address.
        check: looks at one parsed Python module or notebook.
        check_document: looks at one other file: requirements, workflow, model, circuit.
        states: facts that one module states for the others, as `Hit.unless` names them.
        keywords: at least one of these texts is in every file in which `check` finds anything;
            empty for any file. They spare the time to look.
        tags: further classifications.
    """

    id: str
    title: str
    severity: Severity
    confidence: Confidence
    cwe: tuple[int, ...]
    frameworks: tuple[Framework, ...]
    why: str
    remedy: str
    bad: tuple[Example, ...]
    good: tuple[Example, ...]
    look_alikes: tuple[Example, ...]
    references: tuple[str, ...]
    check: Callable[[Module], Iterable[Hit]] | None = None
    check_document: Callable[[Document], Iterable[Hit]] | None = None
    states: Callable[[Module], Iterable[str]] | None = None
    keywords: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _ID.match(self.id):
            raise ValueError(f"id: wanted letters and three digits, got {self.id!r}")
        if self.check is None and self.check_document is None:
            raise ValueError(f"{self.id}: wanted check or check_document, got neither")

    @property
    def facts(self) -> RuleFacts:
        """The rule without its code, for reports."""
        return RuleFacts(
            id=self.id,
            title=self.title,
            severity=self.severity,
            confidence=self.confidence,
            cwe=self.cwe,
            frameworks=self.frameworks,
            why=self.why,
            remedy=self.remedy,
            help_uri=HELP.format(cwe=self.cwe[0]),
            tags=self.tags,
        )
