"""States as an attacker learns them on a device: estimated from a finite number of shots."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Protocol

import numpy as np

from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.seeds import generator
from bezoar.quantum.density import check_states
from bezoar.quantum.states import EncodedStates
from bezoar.quantum.tomography_protocols import (
    ClassicalShadows,
    PauliTomography,
    ProductTomography,
    RandomizedOverlaps,
)

__all__ = [
    "ClassicalShadows",
    "PauliTomography",
    "ProductTomography",
    "RandomizedOverlaps",
    "Tomography",
    "check_seed",
    "measure",
    "parse_tomography",
]


class Tomography(Protocol):
    """A measurement protocol: which settings, how many shots, and what is made of the outcomes."""

    @property
    def shots(self) -> int:
        """State preparations per sample, over all settings together."""
        ...

    @property
    def name(self) -> str:
        """The short name that `parse_tomography` reads."""
        ...

    def estimate(
        self,
        states: EncodedStates,
        *,
        rngs: Sequence[np.random.Generator],
        common: np.random.Generator,
        progress: Progress = silent,
    ) -> EncodedStates:
        """Estimates of `states`.

        Args:
            states: the exact ones.
            rngs: one stream for each sample, for all that is drawn for it alone.
            common: what is drawn once for all samples.
            progress: told of samples done.

        Raises:
            InvalidArgument: the protocol does not fit these states.
        """
        ...

    def describe(self) -> dict[str, object]:
        """Every setting, and what is made of the outcomes, as JSON values."""
        ...


def parse_tomography(text: str) -> Tomography | None:
    """A measurement protocol from its short name; None for ``exact``.

    ``pauli:SHOTS`` is `PauliTomography`, ``shadows:SHOTS`` `ClassicalShadows`, ``bloch:SHOTS``
    `ProductTomography`, ``overlap:SHOTS`` and ``overlap:SHOTS:PER_SETTING`` `RandomizedOverlaps`.
    SHOTS is always the total per sample.

    Raises:
        InvalidArgument: another form, or too few or too many shots.

    Example:
        >>> parse_tomography("shadows:1000"), parse_tomography("exact")
        (ClassicalShadows(shots=1000), None)
    """
    if text == "exact":
        return None
    name, *numbers = text.split(":")
    most = 2 if name == "overlap" else 1
    plain = all(number.isascii() and number.isdigit() and len(number) < 20 for number in numbers)
    if name not in _PROTOCOLS or not plain or not 1 <= len(numbers) <= most:
        raise InvalidArgument(
            "tomography",
            wanted=f"exact or NAME:SHOTS with NAME one of {', '.join(_PROTOCOLS)}",
            got=repr(text),
            mend="for example shadows:1000",
        )
    return _PROTOCOLS[name](*map(int, numbers))


def measure(
    states: EncodedStates,
    tomography: Tomography,
    *,
    seed: int,
    keys: Sequence[str] | None = None,
    progress: Progress = silent,
) -> EncodedStates:
    """Estimates of `states` from simulated measurements.

    A sample's outcomes depend on `seed`, the protocol's name and the sample's key, and on nothing
    else: not on the other samples, their order or their number. Settings that all samples share
    depend on `seed` and the name.

    Args:
        states: the exact, noisy states, ``S`` of them.
        tomography: the protocol.
        seed: 0 or more.
        keys: one text for each sample; samples with equal keys share random numbers. None for the
            positions ``0 ... S - 1``.
        progress: told of samples done.

    Returns:
        Estimates, not projected: see `EncodedStates.estimate`.

    Raises:
        InvalidArgument: the protocol does not fit these states, these are none or already
            estimates, `seed` is negative, or there is not one key for each sample.

    Example:
        >>> up = EncodedStates(n_qubits=1, bloch=np.array([[[0, 0, 1.0]]]))
        >>> measure(up, PauliTomography(30), seed=1).pauli.round(2).tolist()
        [[1.0, 0.4, -0.2, 1.0]]
    """
    check_seed(seed)
    if states.estimate is not None:
        raise InvalidArgument("states", wanted="exact states", got="estimates")
    check_states(states, "states")
    names = [str(row) for row in range(len(states))] if keys is None else keys
    if len(names) != len(states):
        raise InvalidArgument("keys", wanted=f"{len(states)}, one for each sample", got=len(names))
    return tomography.estimate(
        states,
        rngs=[generator(seed, "tomography", tomography.name, "sample", name) for name in names],
        common=generator(seed, "tomography", tomography.name, "settings"),
        progress=progress,
    )


def check_seed(seed: object) -> None:
    """Refuses what is no whole number of 0 or more.

    Raises:
        InvalidArgument: as said.
    """
    if not isinstance(seed, Integral) or isinstance(seed, bool) or seed < 0:
        raise InvalidArgument("seed", wanted="a whole number of 0 or more", got=repr(seed))


_PROTOCOLS = {
    "pauli": PauliTomography,
    "shadows": ClassicalShadows,
    "bloch": ProductTomography,
    "overlap": RandomizedOverlaps,
}
