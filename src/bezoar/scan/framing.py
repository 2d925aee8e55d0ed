"""From a rule's hit to a finding: place, lines of code, fingerprint, masked secrets."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bezoar.contracts.code_findings import CodeFinding, Place, Step
from bezoar.scan.rule import Hit, Rule
from bezoar.scan.rules.credentials import looks_random, tokens_in

#: Lines of code before and after the place that a finding carries.
_BEFORE, _AFTER = 2, 1
#: Longest line that is carried whole; a longer one is cut around the place.
_MAX_LINE = 400
#: So much of it is shown before the place.
_LEFT = 80
_MARGIN = 500
_SPACE = re.compile(r"\s+")
#: What a token, or a piece of one in a line of its own, is made of.
_RUN = re.compile(r"[A-Za-z0-9_\-+=~]{8,}")
_LONG_RUN = re.compile(r"[A-Za-z0-9_\-+/=~]{20}")
#: Shorter runs are no tokens; they are looked at where one is known alone.
_MIN_TOKEN = 20


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` with the first four characters of every secret, and stars for the others.

    Its length stays, so that columns do. Besides `secrets` and their pieces, whatever looks like
    a token is masked: a line that is shown for one reason may hold what another rule, or none,
    would have found.

    Example:
        >>> masked("token='abcdefghijkl'", ["abcdefghijkl"])
        "token='abcd********'"
    """
    secrets = [each for each in secrets if each]
    if not secrets and not _LONG_RUN.search(text):
        return text
    for secret in sorted(secrets, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, stars(secret))
    for run in {match[0] for match in _RUN.finditer(text)}:
        piece = any(run in secret for secret in secrets)
        if piece or (len(run) >= _MIN_TOKEN and looks_random(run)):
            text = text.replace(run, stars(run))
    if len(text) >= _MIN_TOKEN:
        for token in {token for _, token, _ in tokens_in(text, text)}:
            text = text.replace(token, stars(token))
    return text


def stars(secret: str) -> str:
    """The first four characters of a secret, and as many stars as there are others."""
    return secret[:4] + "*" * (len(secret) - 4)


def frame(shown: Sequence[str], first: int, last: int, line: int) -> tuple[int, tuple[str, ...]]:
    """The lines around `line`, within `first` to `last`, and the number of the first of them."""
    start = max(first, line - _BEFORE)
    end = min(last, line + _AFTER, len(shown))
    return start, tuple(shown[start - 1 : end])


def finding_of(
    rule: Rule,
    hit: Hit,
    place: Place,
    code_line: int,
    code: Sequence[str],
    secrets: Iterable[str],
) -> CodeFinding:
    """The finding for a hit, still without fingerprint."""
    secrets = tuple(secrets)
    lines, code_column = excerpt(code, code_line, place, secrets)
    return CodeFinding(
        rule=rule.id,
        severity=hit.severity or rule.severity,
        confidence=hit.confidence or rule.confidence,
        subject=str(place),
        message=masked(hit.message, secrets),
        remedy=masked(hit.remedy or rule.remedy, secrets),
        references=rule.references,
        place=place,
        code=lines,
        code_line=code_line,
        code_column=code_column,
        flow=tuple(_masked_step(step, secrets) for step in hit.flow),
    )


def _masked_step(step: Step, secrets: Sequence[str]) -> Step:
    return replace(
        step,
        message=masked(step.message, secrets),
        code=_beginning(step.code, secrets),
    )


def excerpt(
    code: Sequence[str], code_line: int, place: Place, secrets: Sequence[str] = ()
) -> tuple[tuple[str, ...], int]:
    """Lines of code without secrets, those of minified files cut, and the column where the
    place's own line begins.

    Example:
        >>> place = Place(path="a.py", line=1, column=1001, end_line=1, end_column=1006)
        >>> (line,), column = excerpt([" " * 1000 + "x = 1" + " " * 1000], 1, place)
        >>> line[place.column - column :][:5], len(line)
        ('x = 1', 402)
    """
    lines = [_beginning(line, secrets) for line in code]
    at = place.line - code_line
    start = place.column - _LEFT
    if not 0 <= at < len(code) or len(code[at]) <= _MAX_LINE or start < _MAX_LINE // 2:
        return tuple(lines), 1
    # More is masked than is shown: half a token is not known as one.
    left = min(start, _MARGIN)
    wide = masked(code[at][start - left : start + _MAX_LINE + _MARGIN], secrets)
    lines[at] = f"…{wide[left : left + _MAX_LINE]}…"
    return tuple(lines), start


def _beginning(line: str, secrets: Sequence[str]) -> str:
    if len(line) <= _MAX_LINE:
        return masked(line, secrets)
    return f"{masked(line[: _MAX_LINE + _MARGIN], secrets)[:_MAX_LINE]}…"


def fingerprinted(findings: Sequence[CodeFinding]) -> list[CodeFinding]:
    """The findings with fingerprints: rule, file, surroundings and text, not the line number.

    Equal texts in one function are told apart by their order.
    """
    seen: dict[str, int] = {}
    result = []
    for finding in findings:
        line = _line_of(finding)
        text = "\x00".join(
            (finding.rule, finding.place.path, finding.place.symbol, _SPACE.sub(" ", line.strip()))
        )
        count = seen[text] = seen.get(text, 0) + 1
        digest = hashlib.sha256(f"{text}\x00{count}".encode(errors="replace")).hexdigest()
        result.append(replace(finding, fingerprint=digest[:32]))
    return result


def _line_of(finding: CodeFinding) -> str:
    offset = finding.place.line - finding.code_line
    return finding.code[offset] if 0 <= offset < len(finding.code) else finding.message
