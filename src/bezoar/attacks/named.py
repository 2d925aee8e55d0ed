"""Attacks by name, as the command line and the judge make them."""

from __future__ import annotations

import dataclasses
from typing import Any

from bezoar.contracts import plugins
from bezoar.contracts.protocols import Attack
from bezoar.quantum.state_encoder import StateEncoder


def attack_named(name: str, *, ratio: float, encoder: StateEncoder, metric: str) -> Attack:
    """The registered attack with these settings.

    Args:
        name: see `bezoar list attacks`.
        ratio: share of the training samples, in [0, 1).
        encoder: the victim's state preparation, for attacks with a field ``encoder``.
        metric: distance between states, for attacks with a field ``metric``.

    Raises:
        UnknownName: no such attack.
        InvalidArgument: a setting that the attack refuses.
    """
    attack_class: Any = plugins.load("attacks", name)
    is_record = dataclasses.is_dataclass(attack_class)
    declared = {f.name for f in dataclasses.fields(attack_class)} if is_record else set()
    offered: dict[str, Any] = {"encoder": encoder, "metric": metric}
    extra = {key: value for key, value in offered.items() if key in declared}
    return attack_class(ratio=ratio, **extra)
