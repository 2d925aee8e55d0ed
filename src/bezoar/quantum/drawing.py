"""Circuits as text and as a picture.

Both share one layout: gates move to the left as far as their wires allow, and every column can be
read without doubt. A control stands directly above or below its partner, or ``|`` joins them; so
one-qubit gates keep one row away from gates of several qubits in their column.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

_TEXT_WIDTH = 100

_CONTROLLED = {"CX": "X", "CZ": "Z", "CRX": "RX", "CRY": "RY", "CRZ": "RZ", "CP": "P"}
# Gates that treat their wires alike need no numbers on them.
_SYMMETRIC = {"RXX", "RYY", "RZZ"}

_PICTURE_WIDTH = 960.0
_ROW, _GAP, _LABEL, _MARGIN = 40.0, 14.0, 28.0, 8.0
_BOX_HEIGHT, _BOX_PADDING, _CHARACTER = 26.0, 8.0, 7.3
_DOT, _TARGET, _CROSS = 4.0, 9.0, 5.0


@dataclass(frozen=True, slots=True)
class Symbol:
    """What one operation looks like: its gate name, its wires, and its angles as text."""

    gate: str
    wires: tuple[int, ...]
    angles: tuple[str, ...] = ()


@dataclass(slots=True)
class _Column:
    symbols: list[Symbol] = field(default_factory=list)
    lone: set[int] = field(default_factory=set)
    joined: set[int] = field(default_factory=set)

    def holds(self, symbol: Symbol) -> bool:
        """Whether there is room for the symbol, at a distance that keeps the column readable."""
        low, high = min(symbol.wires), max(symbol.wires)
        near = set(range(low - 1, high + 2))
        rows = set(range(low, high + 1))
        if len(symbol.wires) == 1:
            return not (rows & self.lone or near & self.joined)
        return not (near & self.lone or rows & self.joined)

    def add(self, symbol: Symbol) -> None:
        rows = range(min(symbol.wires), max(symbol.wires) + 1)
        (self.lone if len(symbol.wires) == 1 else self.joined).update(rows)
        self.symbols.append(symbol)


def as_text(n_qubits: int, symbols: list[Symbol]) -> str:
    """One line per qubit, time from left to right, wrapped to blocks of 100 characters.

    ``*`` is a control and ``x`` an end of a SWAP; ``|`` crosses a wire that takes no part. A gate
    of several wires that does not treat them alike numbers them: ``ECR[0]`` is on its first wire.
    """
    grids = [_cells(column) for column in _packed(n_qubits, symbols)]
    widths = [max(map(len, cells.values())) for cells in grids]
    label = len(str(n_qubits - 1))
    room = _TEXT_WIDTH - label - len(": -")
    blocks = []
    for columns in _wrapped([width + 1 for width in widths], room):
        lines = []
        for row in range(n_qubits):
            cells = "".join(grids[c].get(row, "").ljust(widths[c], "-") + "-" for c in columns)
            lines.append(f"{row:>{label}}: -{cells}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def as_svg(n_qubits: int, symbols: list[Symbol]) -> str:
    """An SVG picture in the surrounding text colour, readable on light and dark pages."""
    columns = _packed(n_qubits, symbols)
    widths = [max(_box_width(_faces(s)[w]) for s in column for w in s.wires) for column in columns]
    room = _PICTURE_WIDTH - _LABEL - 2 * _MARGIN - _GAP
    blocks = _wrapped([width + _GAP for width in widths], room)
    drawn: list[str] = []
    longest = 0.0
    block_height = n_qubits * _ROW
    for number, block in enumerate(blocks):
        top = _MARGIN + number * (block_height + _ROW / 2)
        length = _draw_block(
            drawn, [columns[c] for c in block], [widths[c] for c in block], n_qubits, top
        )
        longest = max(longest, length)
    width = longest + _MARGIN
    height = 2 * _MARGIN + len(blocks) * block_height + (len(blocks) - 1) * _ROW / 2
    return "\n".join([*_head(n_qubits, symbols, width, height), *drawn, "</g>", "</svg>"])


def _packed(n_qubits: int, symbols: list[Symbol]) -> list[list[Symbol]]:
    """The symbols in columns, each as far left as what came before on its wires allows."""
    columns: list[_Column] = []
    free = [0] * n_qubits
    for symbol in symbols:
        place = max(free[wire] for wire in symbol.wires)
        while place < len(columns) and not columns[place].holds(symbol):
            place += 1
        if place == len(columns):
            columns.append(_Column())
        columns[place].add(symbol)
        for wire in symbol.wires:
            free[wire] = place + 1
    return [column.symbols for column in columns]


def _faces(symbol: Symbol) -> dict[int, str]:
    """What stands on each wire: a label, ``*`` for a control, ``x`` for an end of a SWAP."""
    angles = f"({','.join(symbol.angles)})" if symbol.angles else ""
    if symbol.gate in _CONTROLLED:
        control, target = symbol.wires
        return {control: "*", target: _CONTROLLED[symbol.gate] + angles}
    if symbol.gate == "SWAP":
        return dict.fromkeys(symbol.wires, "x")
    label = symbol.gate + angles
    if len(symbol.wires) == 1 or symbol.gate in _SYMMETRIC:
        return dict.fromkeys(symbol.wires, label)
    return {wire: f"{symbol.gate}[{i}]{angles}" for i, wire in enumerate(symbol.wires)}


def _cells(column: list[Symbol]) -> dict[int, str]:
    cells: dict[int, str] = {}
    for symbol in column:
        cells |= dict.fromkeys(range(min(symbol.wires), max(symbol.wires)), "|")
        cells |= _faces(symbol)
    return cells


def _wrapped(widths: list[float] | list[int], room: float) -> list[list[int]]:
    """Column numbers in blocks whose widths sum to at most `room`; a wider one stands alone."""
    blocks: list[list[int]] = [[]]
    used = 0.0
    for column, width in enumerate(widths):
        if blocks[-1] and used + width > room:
            blocks.append([])
            used = 0.0
        blocks[-1].append(column)
        used += width
    return blocks


def _head(n_qubits: int, symbols: list[Symbol], width: float, height: float) -> Iterator[str]:
    title = f"Quantum circuit, {_count(n_qubits, 'qubit')}, {_count(len(symbols), 'gate')}"
    gates = "; ".join(
        f"{s.gate}{'(' + ', '.join(s.angles) + ')' if s.angles else ''} "
        f"on {', '.join(map(str, s.wires))}"
        for s in symbols
    )
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" style="max-width:100%;height:auto" '
        f'role="img" aria-label={quoteattr(title)}>'
    )
    yield f"<title>{escape(title)}</title>"
    yield f"<desc>{escape(gates)}</desc>"
    yield (
        '<g fill="none" stroke="currentColor" stroke-width="1.2" '
        'font-family="ui-monospace, monospace" font-size="12" text-anchor="middle">'
    )


def _draw_block(
    drawn: list[str], columns: list[list[Symbol]], widths: list[float], n_qubits: int, top: float
) -> float:
    """Adds one block of columns from `top` down; returns where its wires end."""
    middles = [top + (row + 0.5) * _ROW for row in range(n_qubits)]
    # Wires stop at boxes, so that boxes need no background.
    ends = [_LABEL] * n_qubits
    left = _LABEL + _GAP
    for column, width in zip(columns, widths, strict=True):
        centre = left + width / 2
        for symbol in column:
            faces = _faces(symbol)
            _draw_links(drawn, faces, centre, middles, dots=symbol.gate == "CZ")
            for wire, face in faces.items():
                half = 0.0
                if _is_box(symbol, face):
                    half = _box_width(face) / 2
                    drawn.append(_line(ends[wire], middles[wire], centre - half, middles[wire]))
                    ends[wire] = centre + half
                drawn.append(_mark(symbol, face, centre, middles[wire]))
        left += width + _GAP
    for wire, middle in enumerate(middles):
        drawn.append(_text(str(wire), _LABEL / 2, middle))
        drawn.append(_line(ends[wire], middle, left, middle))
    return left


def _draw_links(
    drawn: list[str], faces: dict[int, str], x: float, middles: list[float], *, dots: bool
) -> None:
    """Vertical lines between the wires of a gate, from edge to edge."""
    wires = sorted(faces)
    for upper, lower in itertools.pairwise(wires):
        start = middles[upper] + _half_height(faces[upper], dots=dots)
        end = middles[lower] - _half_height(faces[lower], dots=dots)
        drawn.append(_line(x, start, x, end))


def _half_height(face: str, *, dots: bool) -> float:
    return 0.0 if dots or face in ("*", "x", "X") else _BOX_HEIGHT / 2


def _is_box(symbol: Symbol, face: str) -> bool:
    return face not in ("*", "x") and symbol.gate not in ("CX", "CZ")


def _mark(symbol: Symbol, face: str, x: float, y: float) -> str:
    if face == "*" or symbol.gate == "CZ":
        return f'<circle cx="{x:g}" cy="{y:g}" r="{_DOT:g}" fill="currentColor"/>'
    if face == "x":
        return _line(x - _CROSS, y - _CROSS, x + _CROSS, y + _CROSS) + _line(
            x - _CROSS, y + _CROSS, x + _CROSS, y - _CROSS
        )
    if symbol.gate == "CX":
        circle = f'<circle cx="{x:g}" cy="{y:g}" r="{_TARGET:g}"/>'
        return circle + _line(x, y - _TARGET, x, y + _TARGET)
    width = _box_width(face)
    return (
        f'<rect x="{x - width / 2:g}" y="{y - _BOX_HEIGHT / 2:g}" width="{width:g}" '
        f'height="{_BOX_HEIGHT:g}" rx="3"/>' + _text(face, x, y)
    )


def _box_width(face: str) -> float:
    return max(_BOX_HEIGHT, len(face) * _CHARACTER + 2 * _BOX_PADDING)


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"/>'


def _text(text: str, x: float, y: float) -> str:
    # 4 below the middle centres capitals of 12 without relying on dominant-baseline.
    return f'<text x="{x:g}" y="{y + 4:g}" fill="currentColor" stroke="none">{escape(text)}</text>'


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
