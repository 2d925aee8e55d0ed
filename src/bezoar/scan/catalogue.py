"""The rules there are, and the ones that are asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bezoar.contracts import plugins
from bezoar.contracts.errors import BezoarError, InvalidArgument
from bezoar.scan.own_rules import OWN_RULES
from bezoar.scan.rule import Rule


def all_rules() -> tuple[Rule, ...]:
    """Every registered rule, by id.

    Raises:
        BezoarError: one cannot be loaded, or is no rule.
    """
    found = []
    for name in plugins.names("rules"):
        rule = plugins.load("rules", name)
        if not isinstance(rule, Rule) or rule.id.lower() != name:
            raise BezoarError(
                f"rules {name!r} is not a Rule with that id; reinstall the package that provides it"
            )
        found.append(rule)
    return tuple(sorted(found, key=lambda rule: rule.id))


def selected(
    rules: Sequence[Rule], select: Collection[str] = (), ignore: Collection[str] = ()
) -> tuple[Rule, ...]:
    """The rules whose id begins with one of `select` (all, where it is empty) and none of
    `ignore`.

    Raises:
        InvalidArgument: an entry names no rule.
    """
    known = [rule.id for rule in rules] + [rule.id for rule in OWN_RULES]
    for argument, entries in (("select", select), ("ignore", ignore)):
        for entry in entries:
            if not entry or not any(each.startswith(entry.upper()) for each in known):
                raise InvalidArgument(
                    argument,
                    wanted="ids of rules or how they begin, like QSA103 or QSA1",
                    got=repr(entry),
                    mend="bezoar list rules shows them",
                )
    return tuple(rule for rule in rules if is_selected(rule.id, select, ignore))


def is_selected(rule_id: str, select: Collection[str], ignore: Collection[str]) -> bool:
    """Whether a rule is asked for."""
    wanted = not select or any(rule_id.startswith(entry.upper()) for entry in select)
    return wanted and not any(rule_id.startswith(entry.upper()) for entry in ignore)
