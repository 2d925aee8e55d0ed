"""How large an OpenQASM file becomes when its definitions and loops are written out.

Counts alone are computed, so that a few lines that stand for 10^30 operations cost nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from bezoar.scan.artefacts.issues import Issue, shown
from bezoar.scan.artefacts.limits import (
    OPENQASM_BITS,
    OPENQASM_NESTING,
    OPENQASM_OPERATIONS,
    OPENQASM_QUBITS,
    OPENQASM_RATIO,
)
from bezoar.scan.artefacts.openqasm_numbers import HUGE, loop_length, whole_number
from bezoar.scan.artefacts.openqasm_source import Source, Statement

_DEFINITION = re.compile(r"(?:gate|def)\s+([A-Za-z_]\w*)")
_CONSTANT = re.compile(r"const\s+\w+(?:\[[^\]]*\])?\s+([A-Za-z_]\w*)\s*=\s*(.+)", re.DOTALL)
_OLD_REGISTER = re.compile(r"(qreg|creg)\s+([A-Za-z_]\w*)\s*\[([^\]]*)\]")
_REGISTER = re.compile(r"(qubit|bit)\s*\[([^\]]*)\]\s*([A-Za-z_]\w*)")
_WIDTH = re.compile(r"(?:int|uint|float|angle)\s*\[([^\]]*)\]")
_ARRAY = re.compile(r"array\s*\[\s*\w+(?:\[[^\]]*\])?\s*,([^\]]*)\]")
_FOR = re.compile(r"for\s+(?:[a-z]\w*(?:\s*\[[^\]]*\])?\s+)?[A-Za-z_]\w*\s+in\b")
_MODIFIER = re.compile(r"\s*(ctrl|negctrl|inv|pow)\s*(?:\(([^()]*)\))?\s*@")
_OPERATION = re.compile(r"\s*([A-Za-z_]\w*)\s*")
# Bounded, so that a file of one endless name is read in one go.
_CALL = re.compile(r"\b([A-Za-z_]\w{0,255})\s{0,64}\(")

#: First words of statements that are no operations.
_NO_OPERATION = frozenset(
    (
        "OPENQASM include qreg creg qubit bit int uint float angle bool complex duration stretch "
        "array const input output let gate def opaque extern defcal cal defcalgrammar pragma "
        "#pragma return break continue end"
    ).split()
)
_BLOCKS = frozenset(("for", "while", "if", "else", "box", "switch", "case", "default"))


@dataclass(slots=True)
class _Definition:
    statement: Statement
    calls: tuple[str, ...]
    cost: int = 0
    depth: int = 0


@dataclass(slots=True)
class _Program:
    source: Source
    constants: dict[str, int] = field(default_factory=dict)
    registers: dict[str, int] = field(default_factory=dict)
    definitions: dict[str, _Definition] = field(default_factory=dict)

    def issue(self, statement: Statement, message: str) -> Issue:
        return Issue(
            topic="expansion",
            severity="high",
            message=message,
            where=self.source.where(statement.offset, statement.end),
        )


def expansion_issues(source: Source) -> Iterator[Issue]:
    """What in the file would fill a parser's memory or its time."""
    program = _Program(source)
    yield from _nesting(program)
    too_wide = list(_declarations(program))
    yield from too_wide
    cycles = _costs_of_definitions(program)
    if cycles is not None:
        yield program.issue(
            program.definitions[cycles].statement,
            f"the definition of {shown(cycles)} uses itself, directly or through others",
        )
    large = list(_large_definitions(program))
    yield from large
    # Operations on a register that is too wide are too many for that reason alone.
    if not large and not too_wide:
        yield from _large_program(program)


def _nesting(program: _Program) -> Iterator[Issue]:
    if program.source.too_deep is not None:
        place = program.source.too_deep
        yield Issue(
            topic="expansion",
            severity="high",
            message=f"blocks lie in each other more than {OPENQASM_NESTING} deep",
            where=program.source.where(place, place + 1),
        )
    for statement in program.source.every():
        if statement.code.count("(") <= OPENQASM_NESTING:
            continue
        depth = deepest = 0
        for character in statement.code:
            depth += (character == "(") - (character == ")")
            deepest = max(deepest, depth)
        if deepest > OPENQASM_NESTING:
            yield program.issue(statement, f"parentheses lie in each other {deepest} deep")
            return


def _declarations(program: _Program) -> Iterator[Issue]:
    """Reads constants, registers and definitions, and tells the registers that are too large."""
    qubits = 0
    for statement in program.source.every():
        word, code = statement.word, statement.code
        if word in ("gate", "def") and statement.block is not None:
            match = _DEFINITION.match(code)
            if match:
                calls = tuple(_names_used(statement))
                program.definitions.setdefault(match.group(1), _Definition(statement, calls))
        elif word == "const":
            _keep_constant(program, code)
        elif word not in ("qreg", "creg", "qubit", "bit", "int", "uint", "float", "angle", "array"):
            continue
        else:
            size, is_quantum = _size(program, code)
            limit = OPENQASM_QUBITS if is_quantum else OPENQASM_BITS
            before = qubits if is_quantum else 0
            if before <= limit < before + size:
                kind = "quantum bits" if is_quantum else "classical bits or elements"
                message = f"it declares {_number(before + size)} {kind}; {limit} are usual at most"
                yield program.issue(statement, message)
            qubits += size if is_quantum else 0


def _keep_constant(program: _Program, code: str) -> None:
    match = _CONSTANT.match(code)
    value = whole_number(match.group(2), program.constants) if match else None
    if match and value is not None:
        program.constants[match.group(1)] = value


def _size(program: _Program, code: str) -> tuple[int, bool]:
    """How many elements a declaration makes, and whether they are quantum bits."""
    for pattern, kind, name, size in ((_OLD_REGISTER, 1, 2, 3), (_REGISTER, 1, 3, 2)):
        match = pattern.match(code)
        if match:
            count = whole_number(match.group(size), program.constants) or 1
            program.registers[match.group(name)] = count
            return count, match.group(kind) in ("qreg", "qubit")
    match = _WIDTH.match(code)
    if match:
        return whole_number(match.group(1), program.constants) or 1, False
    match = _ARRAY.match(code)
    total = 1
    for part in match.group(1).split(",") if match else ():
        total = min(HUGE, total * (whole_number(part, program.constants) or 1))
    return total, code.startswith("qubit")


def _names_used(statement: Statement) -> Iterator[str]:
    """Names that a definition's body may call."""
    waiting = list(statement.block or ())
    while waiting:
        inner = waiting.pop()
        waiting.extend(inner.block or ())
        yield from (match.group(1) for match in _CALL.finditer(inner.code))
        name, _, _ = _operation(inner.code, {})
        if name:
            yield name


def _costs_of_definitions(program: _Program) -> str | None:
    """Computes what each definition stands for; the name of one that uses itself, or None."""
    definitions = program.definitions
    done: set[str] = set()
    open_: set[str] = set()
    cycle: str | None = None
    for root in definitions:
        waiting = [(root, iter(definitions[root].calls))] if root not in done else []
        open_.update(name for name, _ in waiting)
        while waiting:
            name, calls = waiting[-1]
            following = next((c for c in calls if c in definitions and c not in done), None)
            if following is None:
                waiting.pop()
                open_.discard(name)
                done.add(name)
                _settle(program, definitions[name])
            elif following in open_:
                cycle = cycle or following
            else:
                open_.add(following)
                waiting.append((following, iter(definitions[following].calls)))
    return cycle


def _settle(program: _Program, definition: _Definition) -> None:
    known = (program.definitions[c].depth for c in definition.calls if c in program.definitions)
    definition.depth = 1 + max(known, default=0)
    definition.cost = _cost(program, definition.statement.block or [])


def _large_definitions(program: _Program) -> Iterator[Issue]:
    for name, definition in program.definitions.items():
        written = max(1, len(definition.statement.block or ()))
        if definition.cost > OPENQASM_OPERATIONS and definition.cost > OPENQASM_RATIO * written:
            message = f"{shown(name)} stands for {_number(definition.cost)} operations"
            yield program.issue(definition.statement, message)
            return
    for name, definition in program.definitions.items():
        if definition.depth > OPENQASM_NESTING:
            message = (
                f"{shown(name)} uses definitions that use definitions, {definition.depth} deep"
            )
            yield program.issue(definition.statement, message)
            return


def _large_program(program: _Program) -> Iterator[Issue]:
    total, written = 0, sum(1 for _ in program.source.every())
    for statement in program.source.statements:
        if statement.word == "while" and _never_ends(statement):
            yield program.issue(statement, "its loop never ends: the condition is always true")
            return
        total = min(HUGE, total + _statement_cost(program, statement))
        if total > max(OPENQASM_OPERATIONS, OPENQASM_RATIO * written):
            message = f"written out, the file has {_number(total)} operations or more by here"
            yield program.issue(statement, message)
            return


def _never_ends(statement: Statement) -> bool:
    if not re.match(r"while\s*\(\s*(?:true|1)\s*\)", statement.code):
        return False
    return not re.search(r"\b(?:break|end|return)\b", " ".join(_codes(statement)))


def _codes(statement: Statement) -> Iterator[str]:
    yield statement.code
    for inner in statement.block or ():
        yield from _codes(inner)


def _cost(program: _Program, block: list[Statement]) -> int:
    return min(HUGE, sum(_statement_cost(program, statement) for statement in block))


def _statement_cost(program: _Program, statement: Statement) -> int:
    word = statement.word
    if word in _NO_OPERATION or word == "def":
        return 0
    if word == "for":
        return _loop_cost(program, statement)
    if statement.block is not None:
        return _cost(program, statement.block)
    return _code_cost(program, statement.code)


def _loop_cost(program: _Program, statement: Statement) -> int:
    match = _FOR.match(statement.code)
    if match is None:
        return _cost(program, statement.block or [])
    times, rest = loop_length(statement.code[match.end() :], program.constants)
    if statement.block is not None:
        inner = _cost(program, statement.block)
    else:
        inner = _statement_cost(program, Statement(rest.strip(), 0, 0)) if rest.strip() else 0
    return min(HUGE, times * inner)


def _code_cost(program: _Program, code: str) -> int:
    called = [m.group(1) for m in _CALL.finditer(code) if m.group(1) in program.definitions]
    name, times, operands = _operation(code, program.constants)
    if name in program.definitions and name not in called:
        called.append(name)
    if name in _BLOCKS:
        # ``if (c == 1) x q;``: one operation behind the condition.
        times = 1
    inner = sum(program.definitions[c].cost for c in called) if called else 1
    return min(HUGE, times * inner * _width(program, operands))


def _operation(code: str, constants: dict[str, int]) -> tuple[str, int, str]:
    """The name of an operation, how often it is done, and its operands."""
    times, at = 1, 0
    while match := _MODIFIER.match(code, at):
        if match.group(1) == "pow":
            exponent = whole_number(match.group(2) or "", constants)
            times = min(HUGE, times * max(1, abs(exponent or 1)))
        at = match.end()
    match = _OPERATION.match(code, at)
    if match is None:
        return "", times, ""
    rest = code[match.end() :]
    if rest.startswith("("):
        rest = rest[rest.rfind(")") + 1 :]
    return match.group(1), times, rest


def _width(program: _Program, operands: str) -> int:
    """An operation on whole registers is done once for each of their elements."""
    sizes = (program.registers.get(part.strip(), 1) for part in operands.split(","))
    return max(sizes, default=1)


def _number(value: int) -> str:
    return str(value) if value < HUGE else "more than 10^30"
