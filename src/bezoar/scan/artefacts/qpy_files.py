"""Circuits that Qiskit wrote in QPY: the header, and the symbolic expressions of old versions.

Layout and versions are those of Qiskit's own description (`qiskit.qpy`). Up to version 9
expressions are SymPy texts, in 10 to 12 the header says whether they are SymPy texts or symengine
archives, from 13 on they are Qiskit's own records. SymPy texts went through SymPy's parser, which
evaluates them as Python, until Qiskit 1.4.2 and 2.0.0rc2 (CVE-2025-2000). A symengine archive can
hold a pickle, which symengine's Python wrapper loads (`load_basic` in its pywrapper.cpp).
"""

from __future__ import annotations

import ast
import io
import re
import struct
import zlib
from collections.abc import Iterator
from itertools import islice

from bezoar.scan.artefacts.allowance import Allowance
from bezoar.scan.artefacts.byte_stream import ByteStream
from bezoar.scan.artefacts.issues import Issue, shown
from bezoar.scan.artefacts.limits import (
    MIB,
    QPY_BYTES,
    QPY_EXPRESSION_BYTES,
    QPY_EXPRESSIONS,
)
from bezoar.scan.artefacts.pickle_issues import issues_of
from bezoar.scan.artefacts.pickles import read_pickles
from bezoar.scan.artefacts.python_text import NotPython, parsed

MAGIC = b"QISKIT"
#: The first version whose expressions are neither evaluated nor unpickled.
SAFE_VERSION = 13
_FIRST_WITH_ENCODING = 10
_FIRST_WITH_KIND = 5
_NEWEST_VERSION = 18
_SYMPY, _SYMENGINE = b"p", b"e"
_SCHEDULE = b"s"

#: Two 64-bit counts, neither beyond 16 million, and then the expression: how QPY writes one.
_EXPRESSION = re.compile(rb"(?=\x00{5}...(\x00{5}...)[^\x00-\x08\x0e-\x1f])", re.DOTALL)
_COUNTS_BYTES = 16
_TEXT = re.compile(rb"[^\x00-\x08\x0e-\x1f\x7f]+")

#: An expression that is a symengine archive: byte order, then symengine's version, 0.6 or later.
_ARCHIVE = re.compile(rb"\x00{5}...\x00{5}...\x01\x00\x00[\x06-\x20]\x00", re.DOTALL)

_DEFLATED = re.compile(rb"\x78[\x01\x5e\x9c\xda]")

_PICKLE = re.compile(rb"\x80[\x02-\x05]")

#: What SymPy's `srepr` writes for the expressions that Qiskit allows, and for pulse envelopes.
_SYMPY_NAMES = frozenset(
    (
        "Abs Add And BooleanFalse BooleanTrue Complex Div Eq Equality ExprCondPair Float "
        "GreaterThan I ImaginaryUnit Integer Lambda LessThan Mul Ne Not Or Piecewise Pow Rational "
        "StrictGreaterThan StrictLessThan Sub Symbol Tuple Unequality acos asin atan conjugate cos "
        "cosh erf exp false im log pi re sec sech sign sin sinh sqrt tan tanh true zoo oo nan E Pi "
        "Exp1 One Zero NegativeOne Half"
    ).split()
)
_KEYWORDS = frozenset(("precision", "real", "positive", "integer", "evaluate", "complex"))

_REMEDY = (
    "load it with Qiskit 1.4.2 or newer after checking where it comes from, and write it again"
)


def qpy_issues(stream: ByteStream) -> Iterator[Issue]:
    """What is wrong with a QPY file."""
    data = stream.up_to(QPY_BYTES)
    cut = bool(stream.peek(1))
    problem = _header_problem(data)
    if problem:
        yield Issue(topic="malformed", severity="medium", message=problem)
        return
    version = data[6]
    if version > _NEWEST_VERSION:
        message = f"it is of QPY version {version}; versions up to {_NEWEST_VERSION} are known here"
        yield Issue(topic="unreadable", severity="low", message=message)
    elif version < SAFE_VERSION:
        yield from _old_version(data, version)
        if cut:
            message = f"only its first {QPY_BYTES // MIB} MiB were looked at"
            yield Issue(topic="unreadable", severity="medium", message=message)


def _header_problem(data: bytes) -> str:
    size = 18 + (data[6:7] >= b"\x0a")
    if len(data) < size:
        return "the QPY header ends early"
    (programs,) = struct.unpack_from("!Q", data, 10)
    if data[6] == 0:
        return "it names a QPY version that does not exist (0)"
    if data[6] >= _FIRST_WITH_ENCODING and data[18:19] not in (_SYMPY, _SYMENGINE):
        return f"it names an unknown encoding of symbols ({shown(repr(data[18:19]))})"
    # A program has a header of 21 bytes at least.
    if programs * 21 > len(data) and len(data) < QPY_BYTES:
        return f"the header promises {programs} circuits, more than {len(data)} bytes can hold"
    return ""


def _old_version(data: bytes, version: int) -> Iterator[Issue]:
    qiskit = ".".join(str(part) for part in data[7:10])
    symengine = version >= _FIRST_WITH_ENCODING and data[18:19] == _SYMENGINE
    made = f"QPY version {version}, written by Qiskit {qiskit}"
    texts = _texts(data)
    for offset, text in texts:
        if not is_expression(text):
            yield Issue(
                topic="qpy",
                severity="critical",
                message=(
                    f"{made}: where an expression is expected stands {shown(text)!r}, which Qiskit "
                    "before 1.4.2 evaluates as Python"
                ),
                offset=offset,
            )
            return
    if symengine:
        yield from _symengine(data, made)
    elif texts:
        count = len(texts)
        yield Issue(
            topic="qpy",
            severity="medium",
            message=(
                f"{made}: it holds {count} SymPy {'text' if count == 1 else 'texts'}, which Qiskit "
                "before 1.4.2 evaluates as Python; these are plain expressions"
            ),
            remedy=_REMEDY,
        )
    if version >= _FIRST_WITH_KIND and data[_kind_at(version)] == _SCHEDULE[0]:
        message = f"{made}: it holds pulse schedules, which Qiskit 2 no longer reads"
        yield Issue(topic="unreadable", severity="low", message=message)


def _kind_at(version: int) -> int:
    return 19 if version >= _FIRST_WITH_ENCODING else 18


def _symengine(data: bytes, made: str) -> Iterator[Issue]:
    """Pickles in symengine's archives."""
    allowance = Allowance()
    for match in islice(_PICKLE.finditer(data), QPY_EXPRESSIONS):
        content = data[match.start() : match.start() + QPY_EXPRESSION_BYTES]
        found = read_pickles(ByteStream(io.BytesIO(content).read), allowance=allowance)
        for issue in issues_of(found):
            if issue.topic == "dangerous-pickle" and found.called():
                yield Issue(
                    topic="qpy",
                    severity="critical",
                    message=f"{made}: it holds a pickle for symengine; {issue.message}",
                    offset=match.start(),
                )
                return
    if allowance.opcodes < 0:
        message = f"{made}: not all that looks like a pickle in it was followed"
        yield Issue(topic="unreadable", severity="medium", message=message)
    if _ARCHIVE.search(data):
        yield Issue(
            topic="qpy",
            severity="low",
            message=f"{made}: its expressions are symengine archives, which can hold pickles",
            remedy=_REMEDY,
        )


def _texts(data: bytes) -> list[tuple[int, str]]:
    """Texts that stand where QPY has expressions, also packed ones of pulse envelopes."""
    found: list[tuple[int, str]] = []
    start = 0
    for match in _EXPRESSION.finditer(data):
        if len(found) >= QPY_EXPRESSIONS:
            break
        if match.start() < start:
            continue
        begin = match.start() + _COUNTS_BYTES
        text = _as_text(data, begin, int.from_bytes(match.group(1), "big"))
        if text:
            found.append((begin, text))
            start = begin
    for match in islice(_DEFLATED.finditer(data), QPY_EXPRESSIONS):
        inflated = _inflate(data, match.start())
        text = _as_text(inflated, 0, len(inflated))
        if text:
            found.append((match.start(), text))
    return found


def _as_text(data: bytes, begin: int, size: int) -> str:
    """A part of the data where all of it is text, "" otherwise."""
    if not 0 < size <= min(QPY_EXPRESSION_BYTES, len(data) - begin):
        return ""
    # Stops at the first byte that is no text, so that no byte is looked at often.
    match = _TEXT.match(data, begin, begin + size)
    if match is None or match.end() < begin + size:
        return ""
    try:
        return match.group().decode("utf-8")
    except UnicodeDecodeError:
        return ""


def _inflate(data: bytes, at: int) -> bytes:
    machine = zlib.decompressobj()
    try:
        out = machine.decompress(data[at : at + QPY_EXPRESSION_BYTES], QPY_EXPRESSION_BYTES)
    except zlib.error:
        return b""
    return out if machine.eof else b""


def is_expression(text: str) -> bool:
    """Whether a SymPy text is made of numbers, symbols and the functions that Qiskit writes.

    Example:
        >>> is_expression("Add(Symbol('theta'), Float('1.5', precision=53))")
        True
        >>> is_expression("__import__('os').system('id')"), is_expression("[].append(1)")
        (False, False)
    """
    try:
        tree = parsed(text)
    except NotPython:
        # Not Python, but SymPy's parser knows more than Python: "5!" is one. Without a call it
        # is a label that happens to stand behind two counts.
        return "__" not in text and "(" not in text
    return all(_is_allowed(node) for node in ast.walk(tree))


def _is_allowed(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in _SYMPY_NAMES
    if isinstance(node, ast.keyword):
        return node.arg in _KEYWORDS
    if isinstance(node, ast.Name):
        return node.id in _SYMPY_NAMES or "__" not in node.id
    return isinstance(
        node,
        (
            ast.Expression,
            ast.Constant,
            ast.Load,
            ast.UnaryOp,
            ast.BinOp,
            ast.operator,
            ast.unaryop,
            ast.Tuple,
            ast.Compare,
            ast.cmpop,
        ),
    )
