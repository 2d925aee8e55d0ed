"""What a trigger is, and triggers by name."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from bezoar.attacks.backdoors.spec import Spec, Value, read_spec
from bezoar.contracts import plugins
from bezoar.contracts.dataset import Dataset, FloatArray
from bezoar.contracts.errors import BezoarError, InvalidArgument, UnknownName


@runtime_checkable
class Trigger(Protocol):
    """A change of inputs that a backdoored model answers with the attacker's class.

    A frozen object made from keyword settings; the same settings always make the same change.
    """

    @property
    def name(self) -> str:
        """The registered name."""
        ...

    @property
    def spec(self) -> str:
        """Canonical text that `trigger_named` reads back into an equal trigger."""
        ...

    @property
    def source(self) -> str:
        """Paper, with section or equation."""
        ...

    @property
    def answered_by(self) -> str:
        """Which defences answer it, in general terms."""
        ...

    def apply(self, images: FloatArray) -> FloatArray:
        """The triggered inputs: a new array of the same shape.

        Args:
            images: ``(sample, channel, height, width)`` in [0, 1], and so is the result; float32
                and float64 stay what they are. A trigger for tables takes ``(sample, feature)``
                and does not clip.

        Raises:
            InvalidData: inputs that this trigger cannot change.
        """
        ...


@runtime_checkable
class CoveringTrigger(Trigger, Protocol):
    """A trigger with its own cover samples: nearly triggered inputs that keep their label."""

    def cover(self, images: FloatArray, *, seeds: Sequence[int]) -> FloatArray:
        """The cover version of each input.

        Args:
            images: as for `apply`.
            seeds: one for each image; the same seed and image give the same cover.
        """
        ...


@runtime_checkable
class FittedTrigger(Trigger, Protocol):
    """A trigger that is measured on the training data before use."""

    def fitted(self, data: Dataset) -> Self:
        """The trigger for this training set."""
        ...


def trigger_named(text: str) -> Trigger:
    """The trigger that a text describes.

    The text is ``name``, ``name:value,...`` or ``name:key=value,...``; bare values are the first
    fields of the trigger in their order, see `bezoar.attacks.backdoors.spec.read_spec`. A trigger
    from another package is registered in the entry point group ``bezoar.triggers``, as a class that
    takes its settings as keyword arguments.

    Raises:
        UnknownName: no such trigger, or no such setting of it.
        InvalidArgument: the text cannot be read, or a setting is missing or refused.

    Example:
        >>> trigger_named("patch:3,place=top-left").spec
        'patch:3,place=top-left'
        >>> trigger_named("qcolor:1.2,1,0.8").spec
        'qcolor:1.2,1,0.8'
    """
    spec = read_spec(text)
    made_by: Any = plugins.load("triggers", spec.name)
    settings = _settings(spec, made_by)
    try:
        return made_by(**settings)
    except BezoarError:
        raise
    except (TypeError, ValueError) as error:  # a plug-in may refuse in its own words
        raise InvalidArgument(
            "trigger", wanted=f"settings that {spec.name} takes", got=repr(text), mend=str(error)
        ) from error


def describe_trigger(trigger: Trigger) -> Mapping[str, object]:
    """Everything that a trigger is made of, as JSON values, its defaults included."""
    known = dataclasses.fields(trigger) if dataclasses.is_dataclass(trigger) else ()
    values = {field.name: _plain(getattr(trigger, field.name)) for field in known if field.repr}
    return {**values, "name": trigger.name, "spec": trigger.spec, "source": trigger.source}


def _plain(value: object) -> object:
    """A JSON value; what is none is given as text."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if value is None or isinstance(value, int | float | str) else str(value)


def _settings(spec: Spec, made_by: Any) -> dict[str, Value]:
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(made_by).parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    if len(spec.positional) > len(parameters):
        raise InvalidArgument(
            "trigger",
            wanted=f"at most {len(parameters)} values for {spec.name}",
            got=f"{len(spec.positional)}",
            mend=f"its settings are {', '.join(parameters)}" if parameters else "",
        )
    settings = dict(zip(parameters, spec.positional, strict=False))
    for key, value in spec.keyed.items():
        if key not in parameters:
            raise UnknownName(f"setting of trigger {spec.name}", key, parameters)
        if key in settings:
            raise InvalidArgument(
                "trigger",
                wanted=f"{key} only once",
                got=f"{settings[key]!r} by its place and {value!r} by its key",
            )
        settings[key] = value
    missing = [
        name
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty and name not in settings
    ]
    if missing:
        raise InvalidArgument(
            "trigger",
            wanted=f"values for {', '.join(missing)} of {spec.name}",
            got="none",
            mend=f'write them as in "{spec.name}:{",".join(f"{name}=..." for name in missing)}"',
        )
    return settings
