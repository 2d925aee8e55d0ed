"""Reproduced items of every shape that the types allow, for properties."""

from __future__ import annotations

from hypothesis import strategies as st
from record_strategies import NUMBERS, PLANS, TEXTS

from bezoar.contracts.reproduction import Claim, Figure, ItemRecord, Picture, Row, Series

PLACES = st.one_of(st.floats(), st.floats(0, 30), TEXTS)
SERIES = st.builds(
    Series,
    name=TEXTS,
    of=st.sampled_from(["paper", "ours"]),
    x=st.lists(PLACES, max_size=5).map(tuple),
    y=st.lists(NUMBERS, max_size=5).map(tuple),
    low=st.lists(NUMBERS, max_size=5).map(tuple),
    high=st.lists(NUMBERS, max_size=5).map(tuple),
)
FIGURES = st.builds(
    Figure,
    name=TEXTS,
    title=TEXTS,
    kind=st.sampled_from(["lines", "bars"]),
    x_title=TEXTS,
    y_title=TEXTS,
    unit=st.sampled_from(["fraction", "", "seconds", "fraction difference"]),
    series=st.lists(SERIES, max_size=4).map(tuple),
)
VERDICTS = st.sampled_from(["reproduced", "differs", "contradicts", "measured"])
UNITS = st.sampled_from(["fraction", "seconds", "", "shots", "fraction difference"])
SEEDS = st.lists(st.integers(0, 9), max_size=3).map(tuple)
ROWS = st.builds(
    Row,
    row=TEXTS,
    column=TEXTS,
    metric=st.one_of(TEXTS, st.just("accuracy")),
    paper=NUMBERS,
    value=NUMBERS,
    low=NUMBERS,
    high=NUMBERS,
    spread_low=NUMBERS,
    spread_high=NUMBERS,
    n=st.integers(0, 9),
    seeds=SEEDS,
    unit=UNITS,
    verdict=VERDICTS,
)
CLAIMS = st.builds(
    Claim,
    text=TEXTS,
    source=TEXTS,
    quantity=TEXTS,
    value=NUMBERS,
    low=NUMBERS,
    high=NUMBERS,
    n=st.integers(0, 9),
    unit=UNITS,
    verdict=VERDICTS,
    rule=TEXTS,
)
LINES = st.lists(TEXTS, max_size=2).map(tuple)
ITEMS = st.builds(
    ItemRecord,
    study=TEXTS,
    item=TEXTS,
    title=TEXTS,
    paper=TEXTS,
    source=TEXTS,
    question=TEXTS,
    setting=LINES,
    rules=LINES,
    rows=st.lists(ROWS, max_size=5).map(tuple),
    claims=st.lists(CLAIMS, max_size=3).map(tuple),
    figures=st.lists(FIGURES, max_size=2).map(tuple),
    pictures=st.lists(st.builds(Picture, file=TEXTS, title=TEXTS), max_size=2).map(tuple),
    analysis=LINES,
    notes=LINES,
    failures=LINES,
    plan=PLANS,
    plan_hash=TEXTS,
    seeds=SEEDS,
    outcome=st.sampled_from(["complete", "partial", "failed"]),
    command=TEXTS,
    versions=st.dictionaries(TEXTS, TEXTS, max_size=2),
    commit=TEXTS,
    started=TEXTS,
    wall_seconds=st.floats(0, 1e6),
    quick=st.booleans(),
)
