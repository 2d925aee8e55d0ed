"""Every example of every rule: bad lines are reported, exactly those, and nothing else is."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import bezoar.scan.rules
from bezoar.contracts import plugins
from bezoar.scan.examples import reported_lines
from bezoar.scan.rule import Example, Rule
from bezoar.scan.rule_check import found_in

RULES: list[Rule] = [
    importlib.import_module(f"bezoar.scan.rules.{info.name}").RULE
    for info in pkgutil.iter_modules(bezoar.scan.rules.__path__)
    if info.name.startswith("qsa")
]
CASES = [
    pytest.param(rule, kind, example, id=f"{rule.id}-{kind}-{example.name.replace(' ', '-')}")
    for rule in RULES
    for kind in ("bad", "good", "look_alikes")
    for example in getattr(rule, kind)
]


@pytest.mark.parametrize(("rule", "kind", "example"), CASES)
def test_reports_exactly_the_marked_lines(rule: Rule, kind: str, example: Example) -> None:
    wanted = reported_lines(example)
    assert bool(wanted) is (kind == "bad"), "the markers do not fit the kind of example"
    assert found_in(example, rule) == wanted


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_is_told_and_shown(rule: Rule) -> None:
    if not rule.id.startswith("QSA9"):
        assert len(rule.bad) >= 3
        assert len(rule.look_alikes) >= 3
        assert rule.good
    assert rule.cwe
    assert rule.references
    assert len(rule.why.split()) >= 20
    assert not rule.title.endswith(".")


def test_every_rule_is_registered_under_its_id() -> None:
    assert {rule.id.lower() for rule in RULES} <= set(plugins.names("rules"))
    assert len([rule for rule in RULES if not rule.id.startswith("QSA9")]) == 47
