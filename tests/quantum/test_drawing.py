"""Drawings: golden pages, and properties that make them readable."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bezoar.quantum.ansatze import SimCircuit
from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter, unitary
from bezoar.quantum.drawing import Symbol, as_svg, as_text
from bezoar.quantum.encodings import IQPEncoding
from bezoar.quantum.gates import GATES

SVG = "{http://www.w3.org/2000/svg}"

ZOO = Circuit(
    5,
    (
        Operation("H", (0,)),
        Operation("CX", (3, 0)),
        Operation("RX", (1,), (0.5,)),
        Operation("SWAP", (1, 2)),
        Operation("ECR", (4, 3)),
        Operation("RZZ", (0, 2), (Parameter(3),)),
        Operation("CZ", (4, 0)),
        Operation("U", (2,), (1.0, 2.0, Feature((0,)))),
        unitary([[0, 1], [1, 0]], (4,)),
        unitary(np.eye(8), (0, 4, 2)),
        Operation("CP", (1, 0), (Parameter(0, scale=-2.0),)),
        Operation("X", (3,)),
        Operation("STATE", (0, 1), features=(0, 1, 2)),
    ),
)


def faces(symbol: Symbol) -> dict[int, str]:
    """What must stand on each wire, written out once more."""
    angle = f"({','.join(symbol.angles)})" if symbol.angles else ""
    if symbol.gate[0] == "C":
        return {symbol.wires[0]: "*", symbol.wires[1]: symbol.gate[1:] + angle}
    if symbol.gate == "SWAP":
        return dict.fromkeys(symbol.wires, "x")
    alike = len(symbol.wires) == 1 or symbol.gate in ("RXX", "RYY", "RZZ")
    number = {w: "" if alike else f"[{i}]" for i, w in enumerate(symbol.wires)}
    return {w: symbol.gate + number[w] + angle for w in symbol.wires}


@st.composite
def pictures(draw: st.DrawFn) -> tuple[int, list[Symbol]]:
    n = draw(st.integers(1, 6))
    symbols = []
    for _ in range(draw(st.integers(0, 25))):
        gate = draw(st.sampled_from([g for g in GATES.values() if g.n_wires <= n]))
        wires = draw(st.permutations(range(n)))[: gate.n_wires]
        angles = tuple(f"t{draw(st.integers(0, 99))}" for _ in range(gate.n_angles))
        symbols.append(Symbol(gate.name, tuple(wires), angles))
    return n, symbols


def columns_of(text: str) -> list[list[str]]:
    """The text cut where every line has a dash, as columns of labels; '' where a wire is idle."""
    columns = []
    for block in text.split("\n\n"):
        rows = [line.split(": ")[1] for line in block.splitlines()]
        cut = [all(row[i] == "-" for row in rows) for i in range(len(rows[0]))]
        edges = [i for i, flat in enumerate(cut) if flat]
        for left, right in itertools.pairwise(edges):
            if right > left + 1:
                columns.append([row[left + 1 : right].rstrip("-") for row in rows])
    return columns


def gates_of(column: list[str]) -> list[dict[int, str]]:
    """Reads a column as a person would, from the top."""
    found: list[dict[int, str]] = []
    row = 0
    while row < len(column):
        label = column[row]
        # A label stands alone if nothing that could be its partner is next to it.
        lower = row + 1
        while lower < len(column) and column[lower] == "|":
            lower += 1
        pairs = "*" in (label, column[lower] if lower < len(column) else "")
        pairs = pairs or label == "x" or label.startswith(("RXX", "RYY", "RZZ", "ECR"))
        if label and pairs:
            found.append({row: label, lower: column[lower]})
            row = lower + 1
            continue
        assert label != "|"
        if label:
            found.append({row: label})
        row += 1
    return found


@given(pictures())
def test_a_drawing_says_what_the_circuit_does(picture: tuple[int, list[Symbol]]):
    n, symbols = picture
    drawn = [gate for column in columns_of(as_text(n, symbols)) for gate in gates_of(column)]
    expected = [faces(s) for s in symbols]
    assert sorted(map(str, (dict(sorted(g.items())) for g in drawn))) == sorted(
        map(str, (dict(sorted(g.items())) for g in expected))
    )
    # In time order on every wire.
    for wire in range(n):
        assert [g[wire] for g in drawn if wire in g] == [g[wire] for g in expected if wire in g]


@given(pictures())
def test_lines_are_aligned_and_short(picture: tuple[int, list[Symbol]]):
    text = as_text(*picture)
    assert text.isascii()
    for block in text.split("\n\n"):
        lines = block.splitlines()
        assert len(lines) == picture[0]
        assert len(set(map(len, lines))) == 1
        assert len(lines[0]) <= 100


@given(pictures())
def test_svg_is_well_formed_and_complete(picture: tuple[int, list[Symbol]]):
    n, symbols = picture
    root = ET.fromstring(as_svg(n, symbols))  # noqa: S314 - our own text
    assert root.attrib["role"] == "img"
    assert f"{n} qubit" in root.attrib["aria-label"]
    title = root.find(f"{SVG}title")
    assert title is not None
    assert title.text == root.attrib["aria-label"]
    texts = [element.text for element in root.iter(f"{SVG}text")]
    boxes = [
        face
        for s in symbols
        for face in faces(s).values()
        if face not in ("*", "x") and s.gate not in ("CX", "CZ")
    ]
    # The wires' numbers come once per block.
    assert sorted(t for t in texts if t and not t.isdigit()) == sorted(boxes)
    dots = [e for e in root.iter(f"{SVG}circle") if e.attrib.get("fill") == "currentColor"]
    controls = sum(1 + (s.gate == "CZ") for s in symbols if s.gate[0] == "C")
    assert len(dots) == controls


def test_golden_text():
    assert ZOO.draw() == (
        "0: -H-------X--------RZZ(t3)-Z-----------UNITARY[0]-P(-2*t0)-STATE[0]-\n"
        "1: -RX(0.5)-|-x------|-------|-----------|----------*--------STATE[1]-\n"
        "2: ---------|-x------RZZ(t3)-|-U(1,2,x0)-UNITARY[2]-------------------\n"
        "3: ---------*-ECR[1]---------|-X---------|----------------------------\n"
        "4: -----------ECR[0]---------*-UNITARY---UNITARY[1]-------------------"
    )


def test_a_gate_next_to_a_control_cannot_be_taken_for_its_target():
    circuit = Circuit(3, (Operation("CX", (1, 0)), Operation("X", (2,))))
    assert circuit.draw() == "0: -X---\n1: -*---\n2: ---X-"
    apart = Circuit(4, (Operation("CX", (1, 0)), Operation("X", (3,))))
    assert apart.draw() == "0: -X-\n1: -*-\n2: ---\n3: -X-"


def test_circuit_eight_of_sim():
    assert SimCircuit(number=8).circuit(4, 1).draw() == (
        "0: -RX(t0)-RZ(t4)-RX(t8)-RX(t10)-RZ(t14)---------\n"
        "1: -RX(t1)-RZ(t5)-*------RX(t11)-RZ(t15)-RX(t18)-\n"
        "2: -RX(t2)-RZ(t6)-RX(t9)-RX(t12)-RZ(t16)-*-------\n"
        "3: -RX(t3)-RZ(t7)-*------RX(t13)-RZ(t17)---------"
    )


def test_wide_circuits_wrap():
    text = IQPEncoding().circuit(4, 4).draw()
    assert text.count("\n\n") == 3
    svg = ET.fromstring(IQPEncoding().circuit(4, 4).draw_svg())  # noqa: S314
    assert float(svg.attrib["width"]) <= 960


@pytest.mark.parametrize(("n", "expected"), [(1, "0: -"), (2, "0: -\n1: -")])
def test_an_empty_circuit_is_bare_wires(n: int, expected: str):
    assert Circuit(n, ()).draw() == expected
    assert "0 gates" in Circuit(n, ()).draw_svg()


def test_numbers_of_many_wires_are_aligned():
    lines = Circuit(11, (Operation("H", (10,)),)).draw().splitlines()
    assert lines[0] == " 0: ---"
    assert lines[10] == "10: -H-"


def test_svg_escapes_labels():
    svg = as_svg(1, [Symbol("<script>", (0,), ('"&',))])
    assert "<script>" not in svg
    ET.fromstring(svg)  # noqa: S314


def test_svg_takes_the_colour_of_the_page():
    svg = ZOO.draw_svg()
    assert set(re.findall(r'(?:fill|stroke)="([^"]*)"', svg)) == {"none", "currentColor"}
    assert ZOO._repr_svg_() == svg
