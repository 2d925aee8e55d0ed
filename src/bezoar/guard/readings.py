"""The numbers of a circuit, and their comparison with limits."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bezoar.guard.checking import Violation, find_violations, unreadable
from bezoar.guard.limits import Limits
from bezoar.guard.refusing import Action, GuardError, known_action, refuse
from bezoar.guard.values import Unreadable, concrete

# Frameworks normalise while a circuit is built, so what is in it should have norm 1.
_STATE = Limits(kinds="biufc", min_norm=0.99, max_norm=1.01)
_FINITE = Limits(kinds="biufc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Numbers found in a circuit.

    Attributes:
        place: where, in words; for bindings, what is bound.
        values: the numbers.
        kind: ``angle``, single angles; ``features``, whole samples of angles; ``amplitudes``, whole
            samples before they are normalised; ``state``, after; ``matrix``, anything else.
    """

    place: str
    values: Any
    kind: Literal["angle", "features", "amplitudes", "state", "matrix"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What circuits must keep to.

    Attributes:
        angles: limits of each angle, and of the samples of angle embeddings.
        amplitudes: limits of samples that are about to be normalised.
        action: what happens to those that do not keep to them.
    """

    angles: Limits
    amplitudes: Limits
    action: Action

    def __post_init__(self) -> None:
        known_action(self.action)
        Limits.known("angles", self.angles)
        Limits.known("amplitudes", self.amplitudes)

    def check(self, readings: Iterable[Reading], name: str) -> None:
        """Refuse readings beyond the limits, all of them in one error.

        Raises:
            GuardError: with ``action="raise"``.
        """
        readings = list(readings)
        found = [
            *_of_angles([r for r in readings if r.kind == "angle"], self.each_angle),
            *(v for r in readings if r.kind != "angle" for v in self._of_samples(r)),
        ]
        if found:
            refuse(GuardError(name, tuple(found)), self.action)

    def check_bindings(self, values: Any, names: list[str], name: str) -> None:
        """Refuse rows of parameter values, ``(..., parameter)``, beyond the limits of angles.

        Raises:
            GuardError: with ``action="raise"``.
        """
        found = find_violations(values, self.each_angle, places=names)
        if found:
            refuse(GuardError(name, found), self.action)

    @property
    def each_angle(self) -> Limits:
        """The limits of angles that do not speak of whole samples."""
        return dataclasses.replace(
            self.angles, length=None, min_norm=None, max_norm=None, max_samples=None
        )

    def _of_samples(self, reading: Reading) -> Iterator[Violation]:
        limits = {
            "features": self.angles,
            "amplitudes": self.amplitudes,
            "state": _STATE,
            "matrix": _FINITE,
        }[reading.kind]
        for violation in find_violations(reading.values, limits):
            yield dataclasses.replace(violation, got=f"{violation.got} of {reading.place}")


def _of_angles(readings: list[Reading], limits: Limits) -> Iterator[Violation]:
    """Of all angles at once, each compared in its own precision: 4 pi in float32 is above 4 pi."""
    by_type: dict[Any, list[tuple[str, npt.NDArray[Any]]]] = {}
    for reading in readings:
        try:
            array = concrete(reading.values).reshape(-1)
        except Unreadable as error:
            violation = unreadable(error, limits)
            yield dataclasses.replace(violation, got=f"{violation.got} at {reading.place}")
            continue
        by_type.setdefault(array.dtype, []).append((reading.place, array))
    for parts in by_type.values():
        places = [place for place, array in parts for _ in range(len(array))]
        yield from find_violations(np.concatenate([a for _, a in parts]), limits, places=places)
