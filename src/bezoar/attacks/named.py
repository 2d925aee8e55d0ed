"""Attacks by name, as the command line and the judge make them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any

from bezoar.attacks.poisoning.protected_release import ProtectedRelease
from bezoar.contracts import plugins
from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.protocols import Attack


def attack_named(name: str, *, ratio: float, **known: Any) -> Attack:
    """The registered attack with these settings.

    Args:
        name: see `bezoar list attacks`.
        ratio: share of the training samples, in [0, 1).
        known: what an attack may be told of the victim: ``encoder`` (its state preparation),
            ``metric`` (distance between states), ``source_classes`` (of a targeted attack),
            ``victim`` (the model, to differentiate and retrain), ``test_data``. Each attack gets
            those that it declares as fields; what it does not declare, it does not know.

    Raises:
        UnknownName: no such attack.
        InvalidArgument: a setting that the attack refuses, or ``source_classes`` for an attack
            that cannot be targeted.
    """
    attack_class: Any = plugins.load("attacks", name)
    declared = _declared(attack_class)
    check_targeted(name, known.get("source_classes", ()))
    extra = {key: value for key, value in known.items() if key in declared}
    return attack_class(ratio=ratio, **extra)


def attacks_white_box(name: str) -> bool:
    """Whether the registered attack needs a model to differentiate or retrain.

    Example:
        >>> attacks_white_box("quid")
        False
    """
    return "victim" in _declared(plugins.load("attacks", name))


def check_targeted(name: str, source_classes: Collection[str]) -> None:
    """Refuses classes to poison for an attack that cannot be targeted.

    Raises:
        UnknownName: no such attack.
        InvalidArgument: `source_classes` are given, and the attack does not declare them.
    """
    if source_classes and "source_classes" not in _declared(plugins.load("attacks", name)):
        raise InvalidArgument(
            "source_classes",
            wanted=f"none for {name}, which cannot be targeted",
            got=", ".join(source_classes),
        )


def releases_with_key(name: str) -> bool:
    """Whether the registered attack keeps a key that undoes it.

    Example:
        >>> releases_with_key("protected-release"), releases_with_key("quid")
        (True, False)
    """
    attack_class = plugins.load("attacks", name)
    return isinstance(attack_class, type) and issubclass(attack_class, ProtectedRelease)


def _declared(attack_class: Any) -> set[str]:
    is_record = dataclasses.is_dataclass(attack_class)
    return {f.name for f in dataclasses.fields(attack_class)} if is_record else set()
