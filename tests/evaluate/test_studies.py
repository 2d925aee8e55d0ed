"""Every reproduced paper is well formed: each number has a run that makes it."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from bezoar.contracts import plugins
from bezoar.evaluate.plan import AuditPlan
from bezoar.evaluate.studies import STUDIES
from bezoar.evaluate.study import Item, Pick, Study

# Studies of backdoors have plans of another kind, and tests of their own.
ITEMS = [
    (study, item)
    for study in STUDIES.values()
    for item in study.items
    if all(isinstance(plan, AuditPlan) for plan in item.runs.values())
]


def picks(item: Item) -> list[Pick]:
    """Every quantity that an item asks for, differences taken apart."""
    asked = [cell.pick for cell in item.table] + [s.pick for s in item.statements]
    asked += [
        what
        for plot in item.plots
        for line in plot.lines
        for _, what in line.points
        if isinstance(what, Pick)
    ]
    return asked + [pick.less for pick in asked if pick.less is not None]


@pytest.mark.parametrize(("study", "item"), ITEMS, ids=lambda part: part.name)
def test_every_quantity_has_its_run(study: Study, item: Item) -> None:
    for pick in picks(item):
        assert pick.run in item.runs
        plan = item.runs[pick.run]
        assert isinstance(plan, AuditPlan)
        tags = pick.tags
        assert tags.get("noise", plan.noise[0]) in plan.noise
        assert "noise" in tags or len(plan.noise) == 1
        if tags.get("attack", "none") != "none":
            assert tags["attack"] in plan.attacks
            assert tags["ratio"] in plan.ratios


@pytest.mark.parametrize(("study", "item"), ITEMS, ids=lambda part: part.name)
def test_every_run_is_used(study: Study, item: Item) -> None:
    assert {pick.run for pick in picks(item)} == set(item.runs)


@pytest.mark.parametrize(("study", "item"), ITEMS, ids=lambda part: part.name)
def test_no_place_in_a_table_is_taken_twice(study: Study, item: Item) -> None:
    places = Counter((cell.row, cell.column) for cell in item.table)
    assert max(places.values()) == 1


@pytest.mark.parametrize(("study", "item"), ITEMS, ids=lambda part: part.name)
def test_published_fractions_are_fractions(study: Study, item: Item) -> None:
    for cell in item.table:
        assert cell.paper is None or 0 <= cell.paper <= 1


@pytest.mark.parametrize(("study", "item"), ITEMS, ids=lambda part: part.name)
def test_the_analysis_names_cells_that_are_there(study: Study, item: Item) -> None:
    cells = {(cell.row, cell.column) for cell in item.table}
    for text in item.analysis:
        for row, column in re.findall(r"\{([^{}|]+)\|([^{}|]+)", text):
            assert (row, column) in cells
        # Nothing is left over that looks like a measured number typed by hand.
        assert not re.search(r"\d\.\d+ ?%", text)


@pytest.mark.parametrize(("study", "item"), ITEMS, ids=lambda part: part.name)
def test_data_sets_and_attacks_are_registered(study: Study, item: Item) -> None:
    for plan in item.runs.values():
        assert isinstance(plan, AuditPlan)
        assert plan.data in plugins.names("datasets")
        assert set(plan.attacks) <= set(plugins.names("attacks"))


def test_the_items_of_quid_are_those_of_the_paper() -> None:
    names = [item.name for item in STUDIES["quid"].items]
    assert len(set(names)) == len(names)
    assert [n for n in names if not n.startswith("extra")] == [
        *(f"table-{i}" for i in range(1, 8)),
        *(f"figure-{i}" for i in range(3, 6)),
    ]
