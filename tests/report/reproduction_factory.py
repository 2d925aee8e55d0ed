"""Reproduced items with made-up numbers: a wide table, epoch curves, bars, nothing to compare."""

from __future__ import annotations

import dataclasses
import math
import struct
import zlib

from bezoar.contracts.records import Outcome
from bezoar.contracts.reproduction import (
    Claim,
    Figure,
    ItemRecord,
    Picture,
    Row,
    Series,
    Verdict,
)

SEEDS = tuple(range(10))
ITEM = ItemRecord(
    study="quid",
    item="table-9",
    title="Table 9: accuracy over the share of poisoned labels",
    paper="An example paper (0000.00000)",
    source="Table 9, section 5.2",
    question="How much accuracy do QUID's labels cost, and does the circuit matter?",
    setting=("700 training and 300 test samples; 30 epochs of Adam at 0.01.",),
    rules=("Reproduced: the paper's number lies in the 95 % interval of one more run.",),
    rows=(),
    claims=(),
    analysis=("The paper ran each cell once. A standard deviation over seeds is 2 to 13 points.",),
    plan={
        "PQC-1": {"qubits": 4, "circuit": 1, "noise": ["ad-dep:0.05"]},
        "PQC-8": {"qubits": 4, "circuit": 8, "noise": ["ad-dep:0.05"]},
    },
    plan_hash="0123abcd",
    seeds=SEEDS,
    command="bezoar reproduce quid --item table-9 --seeds 10",
    versions={"bezoar": "0.1", "numpy": "2.0"},
    commit="abc1234",
    started="2025-03-04T09:12:44+00:00",
    wall_seconds=283.0,
)


def row(
    name: str,
    column: str,
    paper: float | None,
    value: float | None,
    half: float = 0.03,
    verdict: Verdict = "measured",
    *,
    metric: str = "accuracy",
    unit: str = "fraction",
) -> Row:
    """A number with an interval of half the width `half`, and three times that for one more run."""
    known = value is not None
    return Row(
        row=name,
        column=column,
        metric=metric,
        paper=paper,
        value=value,
        low=value - half if known else None,
        high=value + half if known else None,
        spread_low=value - 3 * half if known else None,
        spread_high=value + 3 * half if known else None,
        n=10 if known else 0,
        seeds=SEEDS if known else (),
        unit=unit,
        verdict=verdict,
    )


def claim(text: str, value: float | None, verdict: Verdict, source: str = "section 5.2") -> Claim:
    """A claim about a difference of two accuracies."""
    return Claim(
        text=text,
        source=source,
        quantity="accuracy, QUID less random",
        value=value,
        low=None if value is None else value - 0.05,
        high=None if value is None else value + 0.05,
        n=10,
        unit="fraction difference",
        verdict=verdict,
        rule="Reproduced if the whole interval lies below 0; contradicts if it lies above.",
    )


PUBLISHED = {
    "MNIST-4, PQC-1 (low)": (0.933, 0.930, 0.926, 0.923, 0.823, 0.899, 0.316, 0.533, 0.0099),
    "MNIST-4, PQC-8 (mid)": (0.813, 0.806, 0.773, 0.776, 0.693, 0.746, 0.209, 0.406, 0.0563),
    "MNIST-4, PQC-6 (high)": (0.726, 0.543, 0.469, 0.433, 0.213, 0.523, 0.209, 0.336, 0.209),
    "Fashion-4, PQC-1": (0.870, 0.863, 0.829, 0.870, 0.763, 0.829, 0.079, 0.753, 0.0066),
    "Kuzushiji-4, PQC-1": (0.776, 0.763, 0.273, 0.769, 0.706, 0.720, 0.273, 0.353, 0.0066),
    "Letters-4, PQC-1": (0.843, 0.833, 0.816, 0.813, 0.613, 0.756, 0.126, 0.389, 0.0199),
}
COLUMNS = (
    "0 %, baseline",
    "10 %, random",
    "10 %, QUID",
    "30 %, random",
    "30 %, QUID",
    "50 %, random",
    "50 %, QUID",
    "70 %, random",
    "70 %, QUID",
)


def make_table() -> ItemRecord:
    """A table as wide as the paper's widest, with every verdict and a missing number."""
    verdicts: tuple[Verdict, ...] = ("reproduced", "reproduced", "differs", "contradicts")
    rows = []
    for i, (name, published) in enumerate(PUBLISHED.items()):
        for j, (column, paper) in enumerate(zip(COLUMNS, published, strict=True)):
            value = None if (i, j) == (3, 8) else max(0.012, paper - 0.02 * ((i + j) % 4))
            rows.append(row(name, column, paper, value, 0.011 * (1 + j % 3), verdicts[(i + j) % 4]))
    return dataclasses.replace(
        ITEM,
        rows=tuple(rows),
        claims=(
            claim(
                "At a ratio of 0.5, QUID costs more accuracy than random flips.",
                -0.41,
                "reproduced",
            ),
            claim("At 0.1 hardly any accuracy is lost.", -0.08, "differs"),
            claim("PQC-6 is poisoned as deeply as PQC-1 above 0.5.", 0.2, "contradicts"),
            claim("How much of the loss is a renaming?", 0.31, "measured", source=""),
        ),
        figures=(make_bars(),),
        notes=("Kuzushiji's training file holds its first 6,284 images.",),
        failures=("Fashion-4, QUID at 0.7, seed 3: the loss was not finite.",),
    )


def make_bars() -> Figure:
    """Bars of the paper beside ours, for six settings."""
    names = tuple(PUBLISHED)
    at = {"random": 5, "QUID": 6}
    series = []
    for name, column in at.items():
        paper = tuple(values[column] for values in PUBLISHED.values())
        ours = tuple(value - 0.03 for value in paper)
        nothing = (None,) * len(names)
        series += [
            Series(name=name, of="paper", x=names, y=paper, low=nothing, high=nothing),
            Series(
                name=name,
                of="ours",
                x=names,
                y=ours,
                low=tuple(y - 0.04 for y in ours),
                high=tuple(y + 0.04 for y in ours),
            ),
        ]
    return Figure(
        name="ratio-half",
        title="Accuracy after half of the labels were poisoned",
        kind="bars",
        x_title="data set and circuit",
        y_title="test accuracy",
        unit="fraction",
        series=tuple(series),
    )


def make_curves() -> ItemRecord:
    """Two figures over 30 epochs, with a gap, and a picture."""
    figures = []
    for name, unit, title in (
        ("accuracy", "fraction", "test accuracy (%)"),
        ("loss", "", "test loss (cross entropy)"),
    ):
        series = [
            epochs(attack, name, end)
            for attack, end in (("baseline", 0.7), ("random", 0.55), ("QUID", 0.15))
        ]
        paper = Series(
            name="QUID",
            of="paper",
            x=(1.0, 10.0, 20.0, 30.0),
            y=(0.12, 0.17, 0.2, 0.21) if unit else (2.4, 2.31, 2.2, 2.1),
            low=(None,) * 4,
            high=(None,) * 4,
        )
        figures.append(
            Figure(
                name=f"figure-9-{name}",
                title=f"{name.capitalize()} on the test set while the model learns poisoned labels",
                kind="lines",
                x_title="epoch",
                y_title=title,
                unit=unit,
                series=(*series, paper),
            )
        )
    return dataclasses.replace(
        ITEM,
        item="figure-9",
        title="Figure 9: eight qubits, two layers",
        source="Figure 9",
        question="Does QUID also work on a larger model?",
        rows=(
            row("additional degradation", "accuracy", 0.41, 0.35, 0.06, "reproduced"),
            row("additional loss", "loss", 0.4, 0.52, 0.1, "reproduced", metric="loss", unit=""),
        ),
        claims=(claim("QUID costs about 41 points more than random flips.", -0.35, "reproduced"),),
        figures=tuple(figures),
        pictures=(Picture(file="reconstructions.png", title="Images before and after coding"),),
        outcome="partial",
    )


def epochs(attack: str, kind: str, end: float) -> Series:
    """A learning curve of 30 epochs; one of its values is missing."""
    xs = tuple(float(epoch) for epoch in range(1, 31))
    level = [0.1 + (end - 0.1) * (1 - math.exp(-x / 8)) for x in xs]
    ys = level if kind == "accuracy" else [2.4 - 1.5 * y for y in level]
    half = 0.04 if kind == "accuracy" else 0.08
    shown = [None if attack == "random" and x == 17 else y for x, y in zip(xs, ys, strict=True)]
    return Series(
        name=attack,
        of="ours",
        x=xs,
        y=tuple(shown),
        low=tuple(None if y is None else y - half for y in shown),
        high=tuple(None if y is None else y + half for y in shown),
    )


def make_measured(outcome: Outcome = "complete") -> ItemRecord:
    """A table of the paper without numbers: ours in several units, as a quick try-out."""
    rows = []
    for i, attack in enumerate(("loss-maximising flips", "Gradient Canceling", "QUID")):
        rows += [
            row(attack, "accuracy left", None, 0.8 - 0.2 * i),
            row(attack, "accuracy left under noise", None, 0.78 - 0.2 * i),
            row(attack, "trainings", None, 40.0 - 19 * i, 0, metric="trainings", unit="trainings"),
            row(attack, "time", None, 75.0 / (i + 1), 3.2, metric="seconds", unit="seconds"),
        ]
    shots = (10.0, 100.0, 1000.0, 10000.0)
    error = (0.4, 0.13, 0.041, 0.012)
    figure = Figure(
        name="shots",
        title="Error against shots",
        kind="lines",
        x_title="shots",
        y_title="error of the distance",
        unit="",
        series=(
            Series(
                name="shadows",
                of="ours",
                x=shots,
                y=error,
                low=tuple(e * 0.8 for e in error),
                high=tuple(e * 1.2 for e in error),
            ),
        ),
    )
    return dataclasses.replace(
        ITEM,
        item="table-8",
        title="Table 8: classical attacks beside QUID",
        source="Table 8",
        question="What does each attack cost, and what is left of it under noise?",
        rows=tuple(rows),
        claims=(claim("Is any of them cheaper?", None, "measured", source=""),),
        figures=(figure,),
        analysis=(),
        plan={},
        quick=True,
        outcome=outcome,
    )


HOSTILE = (
    '</title><script>alert(1)</script>|`*_[x](javascript:x) <b>&amp; "q" \x00\u202e\ud800\n- 1. #'
)


def make_hostile() -> ItemRecord:
    """A record in which every text tries to be markup."""
    base = make_curves()
    figures = tuple(
        dataclasses.replace(
            figure,
            name=HOSTILE,
            title=HOSTILE,
            x_title=HOSTILE,
            y_title=HOSTILE,
            series=tuple(dataclasses.replace(s, name=HOSTILE + s.name) for s in figure.series),
        )
        for figure in (*base.figures, make_bars())
    )
    return dataclasses.replace(
        base,
        **dict.fromkeys(("study", "item", "title", "paper", "source", "question"), HOSTILE),
        **dict.fromkeys(
            ("setting", "rules", "analysis", "notes", "failures"), (HOSTILE, "- x", "")
        ),
        rows=(row(HOSTILE, HOSTILE, 0.5, 0.4, 0.1, "differs", metric=HOSTILE, unit=HOSTILE),),
        claims=(claim(HOSTILE, 0.1, "contradicts", HOSTILE),),
        figures=figures,
        pictures=(Picture(file=HOSTILE, title=HOSTILE),),
        plan={HOSTILE: {HOSTILE: HOSTILE}},
        command=HOSTILE,
        versions={HOSTILE: HOSTILE},
        commit=HOSTILE,
    )


def png(width: int = 24, height: int = 12) -> bytes:
    """A grey picture."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    lines = b"".join(b"\0" + bytes(8 * (x % 32) for x in range(width)) for _ in range(height))
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
