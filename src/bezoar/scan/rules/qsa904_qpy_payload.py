"""QSA904: a QPY file whose expressions old Qiskit evaluates, or that holds a pickle."""

from __future__ import annotations

from collections.abc import Iterator

from bezoar.scan.documents import Document
from bezoar.scan.rule import Hit, Rule

#: The first release that parses SymPy texts instead of evaluating them (CVE-2025-2000).
_MENDED = "1.4.2"


def check_document(document: Document) -> Iterator[Hit]:
    """Reports QPY files of versions below 13 with symbolic expressions."""
    from bezoar.scan.artefacts.hits import hits

    is_mended = document.project.excludes_below("qiskit", _MENDED)
    for hit in hits(document, "qpy"):
        if hit.severity == "medium" and is_mended:
            # Plain SymPy expressions, and no Qiskit that would evaluate them.
            continue
        yield hit


RULE = Rule(
    id="QSA904",
    title="QPY circuit whose expressions are evaluated when it is loaded",
    severity="high",
    confidence="high",
    cwe=(502, 95),
    frameworks=("qiskit",),
    why="""\
QPY is Qiskit's binary form of circuits. Below version 13 it writes symbolic parameters as SymPy
texts or, in versions 10 to 12, as symengine archives; byte 7 of the file is the version, byte 19
says which of the two. `qpy.load` of Qiskit 0.18.0 to 1.4.1 hands the texts to SymPy's parser, which
evaluates them as Python (CVE-2025-2000, 9.8 of 10; mended in 1.4.2 and 2.0.0rc2).

- A text that is no expression of numbers, symbols and the functions that Qiskit writes: critical.
- A pickle inside a symengine archive that calls something dangerous: critical. Newer releases of
  Qiskit parse the texts themselves, and still hand archives to symengine where it is installed.
- Plain SymPy expressions: medium, and nothing where the project's requirements exclude Qiskit
  below 1.4.2.
- Symengine archives: low, because they can hold pickles.

Files without symbolic parameters and files of version 13 and newer are not reported.""",
    remedy="load it with Qiskit 1.4.2 or newer where you trust its source, and write it again",
    bad=(),
    good=(),
    look_alikes=(),
    references=(
        "CVE-2025-2000 <https://nvd.nist.gov/vuln/detail/CVE-2025-2000>",
        "GHSA-6m2c-76ff-6vrf <https://github.com/advisories/GHSA-6m2c-76ff-6vrf>",
        "QPY's format <https://quantum.cloud.ibm.com/docs/api/qiskit/qpy>",
    ),
    check_document=check_document,
)
