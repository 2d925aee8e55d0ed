"""What a reproduced paper is made of: plans, its published numbers, and what they claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bezoar.evaluate.backdoors.plan import BackdoorPlan
from bezoar.evaluate.plan import AuditPlan

Plan = AuditPlan | BackdoorPlan
Tags = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """One quantity of one run, seed by seed.

    Attributes:
        run: name of the run in its item.
        metric: as in `Measurement`.
        tags: which of that metric, for example ``{"attack": "quid", "ratio": 0.5}``.
        less: another quantity to subtract, seed by seed.
    """

    run: str
    metric: str = "accuracy"
    tags: Tags = field(default_factory=dict)
    less: Pick | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A cell of a table of the paper.

    Attributes:
        row, column: where it stands.
        paper: what the paper says; None where it gives no number.
        pick: the same quantity here.
    """

    row: str
    column: str
    paper: float | None
    pick: Pick


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A claim of the paper, or a question of ours, that the measurements answer.

    Attributes:
        text: the claim in our words.
        source: where the paper makes it; "" for a question of ours.
        quantity: what is measured, for people.
        pick: the quantity; for a comparison, a difference.
        kind: how it is judged. ``positive``: the quantity is above 0. ``below``,
            ``above``: it is on that side of `bound`. ``within``: it is no further than `margin`
            from `bound`. ``apart``: the intervals of `pick` without ``less``, and of ``less``, do
            not touch, the first above. ``question``: it is only measured.
        bound, margin: see `kind`.
    """

    text: str
    source: str
    quantity: str
    pick: Pick
    kind: Literal["positive", "below", "above", "within", "apart", "question"]
    bound: float = 0.0
    margin: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series of a plot.

    Attributes:
        name: for the legend.
        points: position, and what stands there: a quantity of ours or a number of the paper.
    """

    name: str
    points: tuple[tuple[float | str, Pick | float | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A figure to draw; attributes as in `bezoar.contracts.reproduction.Figure`."""

    name: str
    title: str
    kind: Literal["lines", "bars"]
    x_title: str
    y_title: str
    lines: tuple[Line, ...]
    unit: str = "fraction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A table or figure to reproduce.

    Attributes:
        name: on the command line.
        title, source, question, setting: as in `bezoar.contracts.reproduction.ItemRecord`.
        runs: the plans by name.
        table, statements, plots: what to make of them.
        reconstructions: data sets whose autoencoder's reconstructions are shown, with the number of
            latent features.
        shows: names of the runs' exhibits that are written as pictures, for example ``trigger``.
        analysis: paragraphs on the outcome. ``{row|column}`` stands for our number in that cell and
            ``{row|column|paper}`` for the paper's, so that no number is typed.
    """

    name: str
    title: str
    source: str
    question: str
    setting: tuple[str, ...]
    runs: Mapping[str, Plan]
    table: tuple[Published, ...]
    statements: tuple[Statement, ...] = ()
    plots: tuple[Plot, ...] = ()
    reconstructions: tuple[tuple[str, int], ...] = ()
    shows: tuple[str, ...] = ()
    analysis: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A paper.

    Attributes:
        name: on the command line.
        paper: its authors, title and number.
        items: in the order of the paper.
        scale: which of several sizes of the study this is; "" where there is one.
        analysed_seeds: the analyses were written for runs with so many seeds; fewer may well say
            something else, and are shown without.
    """

    name: str
    paper: str
    items: tuple[Item, ...]
    scale: str = ""
    analysed_seeds: int = 10
