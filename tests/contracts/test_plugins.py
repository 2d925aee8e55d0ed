"""Finding parts by name, ours and others'."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from bezoar.contracts import plugins
from bezoar.contracts.errors import BezoarError, MissingExtra, UnknownName


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    points: list[EntryPoint] = []
    monkeypatch.setattr(plugins, "entry_points", lambda **_: points)
    return points


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group="bezoar.attacks")


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_every_kind_has_names_and_all_of_them_load(kind: str) -> None:
    names = plugins.names(kind)
    assert names
    assert all(plugins.load(kind, name) is not None for name in names)


def test_numbers_in_names_sort_as_numbers(registered: list[EntryPoint]) -> None:
    registered += [point(name, "math:pi") for name in ("sim-10", "sim-2", "b", "sim-1", "sim-")]
    assert plugins.names("attacks") == ("b", "sim-", "sim-1", "sim-2", "sim-10")


def test_lists_and_suggests_names(registered: list[EntryPoint]) -> None:
    registered += [point("quid", "math:pi"), point("random", "math:e")]
    with pytest.raises(
        UnknownName, match=r"attack: .*quid, random, got 'qid'; did you mean 'quid'"
    ):
        plugins.load("attacks", "qid")
    with pytest.raises(UnknownName, match=r"kind: wanted one of attacks.* did you mean 'attacks'"):
        plugins.names("attack")


def test_one_name_from_two_packages_is_refused(registered: list[EntryPoint]) -> None:
    registered += [point("quid", "math:pi"), point("quid", "math:e")]
    with pytest.raises(BezoarError, match=r"registered twice \(math:pi, math:e\); uninstall one"):
        plugins.load("attacks", "quid")


def test_the_same_part_found_twice_is_fine(registered: list[EntryPoint]) -> None:
    registered += [point("quid", "math:pi"), point("quid", "math:pi")]
    assert plugins.load("attacks", "quid") == pytest.approx(3.14159, abs=1e-5)


@pytest.mark.parametrize("value", ["no_such_module_anywhere:x", "math:no_such_name"])
def test_a_part_that_cannot_be_imported_is_one_line(
    registered: list[EntryPoint], value: str
) -> None:
    registered.append(point("broken", value))
    with pytest.raises(BezoarError, match=r"'broken' \(.*\) cannot be loaded: .*reinstall"):
        plugins.load("attacks", "broken")


def test_a_missing_extra_keeps_its_own_words(
    registered: list[EntryPoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Point:
        name, value = "needy", "math:pi"

        def load(self) -> None:
            raise MissingExtra("qiskit", "qiskit", "this part")

    monkeypatch.setattr(plugins, "entry_points", lambda **_: [Point()])
    with pytest.raises(MissingExtra, match="this part needs qiskit"):
        plugins.load("attacks", "needy")
