"""Findings about the scan itself: what could not be read, and comments that silence wrongly."""

from __future__ import annotations

from bezoar.contracts.code_findings import RuleFacts

_CWE = "https://cwe.mitre.org/data/definitions/{}.html"

UNREADABLE = RuleFacts(
    id="QSA001",
    title="File could not be examined",
    severity="medium",
    confidence="high",
    cwe=(1076,),
    frameworks=("any",),
    why=(
        "A file that cannot be parsed is not examined at all: whatever is wrong in it stays "
        "unseen. That is said, and never passed over in silence."
    ),
    remedy="mend the file, or exclude it in [tool.bezoar.scan] so that this is a decision",
    help_uri=_CWE.format(1076),
)
BAD_SUPPRESSION = RuleFacts(
    id="QSA002",
    title="Suppression comment without rule or reason",
    severity="low",
    confidence="high",
    cwe=(1116,),
    frameworks=("any",),
    why=(
        "A comment silences a finding for everybody who comes later. Without a rule it would "
        "silence what nobody has seen yet, without a reason nobody can tell whether it still holds."
    ),
    remedy="write # qsa: ignore[QSA103] reason=why it is safe here",
    help_uri=_CWE.format(1116),
)
UNUSED_SUPPRESSION = RuleFacts(
    id="QSA003",
    title="Suppression comment that silences nothing",
    severity="low",
    confidence="high",
    cwe=(1116,),
    frameworks=("any",),
    why="The code that it was written for has gone; left in place it silences the next mistake.",
    remedy="delete the comment",
    help_uri=_CWE.format(1116),
)
OWN_RULES = (UNREADABLE, BAD_SUPPRESSION, UNUSED_SUPPRESSION)
