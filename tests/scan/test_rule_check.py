"""`check_rule` accepts rules that keep their word and names what is wrong with others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bezoar.scan.code.module import Module
from bezoar.scan.documents import Document
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rule_check import BrokenRule, check_rule, found_in


def check(module: Module) -> Iterator[Hit]:
    for call in module.calls_to("lab.explode"):
        yield Hit(where=call.node, message="it explodes")


def check_document(document: Document) -> Iterator[Hit]:
    for number, line in enumerate(document.lines, 1):
        if "explode" in line:
            yield Hit(where=(number, 1, number, 2), message="it explodes")


def fails(module: Module) -> Iterator[Hit]:
    raise KeyError(module.path)
    yield


RULE = Rule(
    id="LAB001",
    title="It explodes",
    severity="low",
    confidence="high",
    cwe=(20,),
    frameworks=("any",),
    why="Because.",
    remedy="Do not.",
    bad=(
        Example(name="alias", code="from lab import explode as e\n\ne()  # <- here\n"),
        Example(
            name="notebook",
            file="x.ipynb",
            code="# %%\nimport lab\n# %%\nlab.explode()  # <- here\n",
        ),
        Example(
            name="two files",
            file="a.py",
            code="x = 1\n# file: deep/b.py\nimport lab\nlab.explode()  # <- here\n",
        ),
        Example(name="settings", file="conf/x.json", code='{\n "explode": 1\n}\n', lines=(2,)),
    ),
    good=(Example(name="none", code="import lab\n"),),
    look_alikes=(Example(name="method", code="import bomb\nbomb.explode()\n"),),
    references=(),
    check=check,
    check_document=check_document,
)


def test_a_rule_that_keeps_its_word_passes() -> None:
    check_rule(RULE)
    assert found_in(RULE.bad[2], RULE) == {("deep/b.py", 2)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"look_alikes": ()}, "LAB001: has no look_alikes example"),
        (
            {"good": (Example(name="bad", code="import lab\nlab.explode()\n"),)},
            "LAB001, good example 'bad': reports app.py:2 instead of no line",
        ),
        (
            {"bad": (Example(name="missed", code="x = 1\nexplode()  # <- here\n"),)},
            "LAB001, bad example 'missed': reports no line instead of app.py:2",
        ),
        (
            {"bad": (Example(name="unmarked", code="import lab\nlab.explode()\n"),)},
            "LAB001, bad example 'unmarked': marks no line",
        ),
        (
            {"look_alikes": (Example(name="marked", code="x = 1  # <- here\n"),)},
            "LAB001, look_alikes example 'marked': marks app.py:1",
        ),
        (
            {"good": (Example(name="broken", code="def f(:\n"),)},
            "LAB001, example 'broken': this file is not valid Python: ",
        ),
        (
            {"check": fails},
            "LAB001, example 'alias': this file could not be shown to LAB001 (KeyError: 'app.py')",
        ),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(BrokenRule) as caught:
        check_rule(replace(RULE, **changes))  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)
