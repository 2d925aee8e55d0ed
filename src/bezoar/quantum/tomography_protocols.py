"""Four protocols that estimate states or their overlaps from local Pauli measurements.

A setting measures each qubit in X, Y or Z, and tells the expectation of all ``2**n`` Pauli strings
that agree with it or are the identity on each qubit. Outcomes are drawn from their exact joint
distribution in the noisy state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.progress import Progress, silent
from bezoar.quantum.pauli_settings import Doubles, coverage, shares, signed_sums, supports
from bezoar.quantum.states import EncodedStates

MOST_DENSE_QUBITS = 10
"""Protocols that estimate whole Pauli vectors stop here; `ProductTomography` does not."""

_MOST_SHOTS = 10**12


@dataclass(frozen=True, slots=True)
class PauliTomography:
    """Pauli tomography: all ``3**n`` local Pauli settings, by linear inversion.

    The estimate of ``Tr(P rho)`` is the mean of the product of P's outcomes over all shots whose
    setting covers P: ``3**(n - k)`` settings for a string on k qubits. It is unbiased for every
    number of shots, and for each string its variance is ``(1 - Tr(P rho)**2) / shots on it``.

    Attributes:
        shots: state preparations per sample in total, at least one per setting. Settings get
            equal shares; what is left over goes to settings drawn at random.

    Raises:
        InvalidArgument: `shots` is not a whole number from 1 to 10**12.

    Source: James, Kwiat, Munro and White, Phys. Rev. A 64, 052312 (2001), whose linear inversion
    uses the least number of settings; using all, and every string that each covers, is the usual
    overcomplete form.

    Example:
        >>> from bezoar.quantum.tomography import measure
        >>> plus = EncodedStates(n_qubits=1, bloch=np.array([[[1.0, 0.0, 0.0]]]))
        >>> measure(plus, PauliTomography(3000), seed=0).pauli_vectors().round(2).tolist()
        [[1.0, 1.0, -0.04, 0.02]]
    """

    shots: int

    def __post_init__(self) -> None:
        _check_shots(self.shots)

    @property
    def name(self) -> str:
        """``pauli:SHOTS``."""
        return f"pauli:{self.shots}"

    def estimate(
        self,
        states: EncodedStates,
        *,
        rngs: Sequence[np.random.Generator],
        common: np.random.Generator,  # noqa: ARG002
        progress: Progress = silent,
    ) -> EncodedStates:
        """Estimated Pauli vectors.

        Raises:
            InvalidArgument: more than 10 qubits, or fewer shots than settings.
        """
        n = states.n_qubits
        vectors = _dense(states, self.name)
        if self.shots < 3**n:
            raise InvalidArgument(
                "shots",
                wanted=f"{3**n} or more, one for each Pauli setting of {n} qubits",
                got=self.shots,
                mend="take shadows or overlap, which draw settings at random",
            )
        used = np.arange(3**n)
        found = np.empty_like(vectors)
        for row, rng in enumerate(rngs):
            counts = shares(self.shots, 3**n, rng)
            sums = signed_sums(vectors[row], n, used, counts, rng)
            found[row] = sums / coverage(n, used, counts)
            progress("measure", row + 1, len(rngs))
        return EncodedStates(n_qubits=n, pauli=found, estimate="state")

    def describe(self) -> dict[str, object]:
        """Every setting as JSON values."""
        return _told(
            self.name,
            self.shots,
            settings="all local Pauli settings",
            estimator="means over covering shots",
        )


@dataclass(frozen=True, slots=True)
class ClassicalShadows:
    """Classical shadows: a local Pauli setting drawn anew, uniformly, for every shot.

    ``Tr(P rho)`` for a string P on k qubits is estimated by ``3**k / shots`` times the sum of the
    products of P's outcomes over the shots whose setting covers P: the mean over shots of the
    inverted measurement channel, the tensor product of ``3 |s_w><s_w| - 1`` over qubits.
    Unbiased for every number of shots; variance ``(3**k - Tr(P rho)**2) / shots``.

    Attributes:
        shots: state preparations per sample in total.

    Raises:
        InvalidArgument: `shots` is not a whole number from 1 to 10**12.

    Source: Huang, Kueng and Preskill, Nature Physics 16, 1050 (2020), arXiv 2002.08953. Plain
    means, no median of means: that guards many single predictions and is not linear in the state,
    while distances want one estimate of the whole state.

    Example:
        >>> from bezoar.quantum.tomography import measure
        >>> plus = EncodedStates(n_qubits=1, bloch=np.array([[[1.0, 0.0, 0.0]]]))
        >>> measure(plus, ClassicalShadows(3000), seed=0).pauli_vectors().round(2).tolist()
        [[1.0, 1.03, 0.02, -0.04]]
    """

    shots: int

    def __post_init__(self) -> None:
        _check_shots(self.shots)

    @property
    def name(self) -> str:
        """``shadows:SHOTS``."""
        return f"shadows:{self.shots}"

    def estimate(
        self,
        states: EncodedStates,
        *,
        rngs: Sequence[np.random.Generator],
        common: np.random.Generator,  # noqa: ARG002
        progress: Progress = silent,
    ) -> EncodedStates:
        """Estimated Pauli vectors.

        Raises:
            InvalidArgument: more than 10 qubits.
        """
        n = states.n_qubits
        vectors = _dense(states, self.name)
        uniform = np.full(3**n, 3.0**-n)
        weights = 3.0 ** supports(n) / self.shots
        found = np.empty_like(vectors)
        for row, rng in enumerate(rngs):
            counts = rng.multinomial(self.shots, uniform)
            used = np.flatnonzero(counts)
            found[row] = weights * signed_sums(vectors[row], n, used, counts[used], rng)
            progress("measure", row + 1, len(rngs))
        return EncodedStates(n_qubits=n, pauli=found, estimate="state")

    def describe(self) -> dict[str, object]:
        """Every setting as JSON values."""
        return _told(
            self.name,
            self.shots,
            settings="a local Pauli setting drawn for every shot",
            estimator="inverted measurement channel, mean over shots",
        )


@dataclass(frozen=True, slots=True)
class ProductTomography:
    """Single-qubit tomography of product states: three settings, ``X..X``, ``Y..Y``, ``Z..Z``.

    Each qubit's Bloch vector is estimated by the means of its outcomes, all qubits at once, so the
    number of shots for a given error of a qubit does not depend on how many there are. Unbiased
    for every number of shots, and so is any product over qubits: outcomes of different qubits
    are independent.

    Attributes:
        shots: state preparations per sample in total, three or more. Settings get equal shares;
            what is left over goes to settings drawn at random.

    Raises:
        InvalidArgument: `shots` is not a whole number from 3 to 10**12.

    Example:
        >>> from bezoar.quantum.tomography import measure
        >>> plus = EncodedStates(n_qubits=1, bloch=np.array([[[1.0, 0.0, 0.0]]]))
        >>> measure(plus, ProductTomography(3000), seed=0).bloch.round(2).tolist()
        [[[1.0, 0.03, -0.01]]]
    """

    shots: int

    def __post_init__(self) -> None:
        _check_shots(self.shots, least=3)

    @property
    def name(self) -> str:
        """``bloch:SHOTS``."""
        return f"bloch:{self.shots}"

    def estimate(
        self,
        states: EncodedStates,
        *,
        rngs: Sequence[np.random.Generator],
        common: np.random.Generator,  # noqa: ARG002
        progress: Progress = silent,
    ) -> EncodedStates:
        """Estimated Bloch vectors.

        Raises:
            InvalidArgument: states that are not known to be products.
        """
        if states.bloch is None:
            raise InvalidArgument(
                "tomography",
                wanted="an encoding whose gates each touch one qubit, for bloch",
                got="an encoding that may entangle",
                mend="take pauli, shadows or overlap",
            )
        up = np.clip((1 + states.bloch.astype(np.float64)) / 2, 0, 1)
        found = np.empty_like(up)
        for row, rng in enumerate(rngs):
            counts = shares(self.shots, 3, rng)
            found[row] = 2 * rng.binomial(counts, up[row]) / counts - 1
            progress("measure", row + 1, len(rngs))
        return EncodedStates(n_qubits=states.n_qubits, bloch=found, estimate="state")

    def describe(self) -> dict[str, object]:
        """Every setting as JSON values."""
        return _told(
            self.name, self.shots, settings="X..X, Y..Y and Z..Z", estimator="means of each qubit"
        )


@dataclass(frozen=True, slots=True)
class RandomizedOverlaps:
    """Overlaps from randomised measurements: few random settings, the same for all samples.

    For the settings u of a set U of local Pauli settings and outcome frequencies f, g of two
    states, ``Tr(rho sigma) ~ 2**n mean_u sum_{s,s'} (-2)**-D(s,s') f_u(s) g_u(s')`` with the
    Hamming distance D. In expectations that is ``2**-n mean_u sum_P 3**k f_u(P) g_u(P)`` over the
    strings P that u covers, on k qubits each: an inner product. So a state is represented by

    ``v_P = sqrt(3**k h_P / |U|) f(P)``

    with h_P the number of settings that cover P and f(P) the mean over all their shots, and
    ``v . w / 2**n`` estimates the overlap. Its mean over outcomes and settings is the exact one,
    for two samples that are measured independently. The vector is no state: Frobenius,
    Hilbert-Schmidt and overlaps can be had from it, density matrices, trace norm and fidelity
    cannot.

    Attributes:
        shots: state preparations per sample in total, in equal shares over
            ``min(3**n, ceil(shots / shots_per_setting))`` different settings drawn uniformly.
            With all ``3**n`` of them this is `PauliTomography`.
        shots_per_setting: how many on each setting while there are settings left; None for
            ``2**n``.

    Raises:
        InvalidArgument: a number of shots is not a whole number from 1 to 10**12.

    Source: Elben et al., Phys. Rev. Lett. 124, 010504 (2020), arXiv 1909.01282, and Phys. Rev. A
    99, 052323 (2019), arXiv 1812.02624. There the local bases are drawn from the
    Haar measure or another 2-design; Pauli bases are one. We differ in that outcomes of all
    settings that cover a string are pooled before they are multiplied: for given settings that has
    the same mean, and it makes a vector of ``4**n`` entries.

    Example:
        >>> from bezoar.quantum.tomography import measure
        >>> two = EncodedStates(n_qubits=1, bloch=np.array([[[1.0, 0, 0]], [[0.6, 0.8, 0]]]))
        >>> found = measure(two, RandomizedOverlaps(3000), seed=0).pauli_vectors()
        >>> float((found[0] @ found[1] / 2).round(2))
        0.81
    """

    shots: int
    shots_per_setting: int | None = None

    def __post_init__(self) -> None:
        _check_shots(self.shots)
        if self.shots_per_setting is not None:
            _check_shots(self.shots_per_setting, "shots_per_setting")

    @property
    def name(self) -> str:
        """``overlap:SHOTS``, with ``:PER_SETTING`` where that is not the usual number."""
        tail = "" if self.shots_per_setting is None else f":{self.shots_per_setting}"
        return f"overlap:{self.shots}{tail}"

    def estimate(
        self,
        states: EncodedStates,
        *,
        rngs: Sequence[np.random.Generator],
        common: np.random.Generator,
        progress: Progress = silent,
    ) -> EncodedStates:
        """Vectors whose inner products over ``2**n`` estimate overlaps.

        Raises:
            InvalidArgument: more than 10 qubits.
        """
        n = states.n_qubits
        vectors = _dense(states, self.name)
        wanted = math.ceil(self.shots / (self.shots_per_setting or 2**n))
        n_settings = min(wanted, 3**n)
        used = np.sort(common.choice(3**n, n_settings, replace=False))
        shots = shares(self.shots, n_settings, common)
        covering = coverage(n, used, np.ones_like(used))
        weights = np.sqrt(3.0 ** supports(n) * covering / n_settings)
        weights /= np.maximum(coverage(n, used, shots), 1)
        found = np.empty_like(vectors)
        for row, rng in enumerate(rngs):
            found[row] = weights * signed_sums(vectors[row], n, used, shots, rng)
            progress("measure", row + 1, len(rngs))
        return EncodedStates(n_qubits=n, pauli=found, estimate="overlap")

    def describe(self) -> dict[str, object]:
        """Every setting as JSON values."""
        return _told(
            self.name,
            self.shots,
            settings="random local Pauli settings, common to all samples",
            estimator="randomised overlaps, outcomes pooled over settings",
        ) | {"shots_per_setting": self.shots_per_setting}


def _dense(states: EncodedStates, name: str) -> Doubles:
    if states.n_qubits > MOST_DENSE_QUBITS:
        raise InvalidArgument(
            "tomography",
            wanted=f"bloch, for {states.n_qubits} qubits",
            got=f"{name}, which estimates 4**{states.n_qubits} Pauli strings per sample",
        )
    return states.pauli_vectors().astype(np.float64, copy=False)


def _check_shots(shots: object, argument: str = "shots", least: int = 1) -> None:
    whole = isinstance(shots, int | np.integer) and not isinstance(shots, bool)
    if not whole or not least <= cast("int", shots) <= _MOST_SHOTS:
        raise InvalidArgument(
            argument, wanted=f"a whole number from {least} to {_MOST_SHOTS}", got=repr(shots)
        )


def _told(name: str, shots: int, *, settings: str, estimator: str) -> dict[str, object]:
    return {
        "name": name,
        "shots": int(shots),
        "settings": settings,
        "estimator": estimator,
    }
