"""The readings of Theorems 1 and 2 laid beside measured attack success."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidArgument
from bezoar.evaluate.backdoor_theory import (
    Assumption,
    TheoryCheck,
    as_numbers,
    smallest_strength,
    theorem_1_printed,
    theorem_1_two_sided,
    theorem_2_sentence,
    theorem_2_threshold,
)

_INDEPENDENT = Assumption(
    name="independent samples",
    holds=None,
    detail="Hoeffding's inequality needs samples that the network was not trained on; for its own "
    "training samples neither reading is proved.",
)


def check_theorem_1(
    *,
    n_triggered: npt.ArrayLike,
    error: npt.ArrayLike,
    training_error: npt.ArrayLike,
    strength: npt.ArrayLike = 0.0,
    training_strength: npt.ArrayLike | None = None,
    low: float = 0.0,
    high: float = 1.0,
    delta: float = 0.05,
    lipschitz: float = 0.0,
    network_lipschitz: float = 1.0,
    trigger_norm: float = 1.0,
    over: str = "triggered samples",
    assumptions: tuple[Assumption, ...] = (),
) -> tuple[TheoryCheck, TheoryCheck]:
    """Both readings of Theorem 1 at each measurement: two-sided, then as printed.

    For the rate itself give ``1 - ASR`` as the errors: a loss of 0 or 1, with the bounds 0 and 1.
    That loss is not continuous, so no Lipschitz constant belongs to it, and strengths must be the
    same in training and test.

    Args:
        n_triggered: triggered samples of each measurement; all arrays are broadcast together.
        error: mean loss on fresh triggered samples.
        training_error: mean loss on the n triggered training samples.
        strength: of the trigger on the fresh samples, e.
        training_strength: e'; None for the same.
        low, high, delta, lipschitz, network_lipschitz, trigger_norm: as in `theorem_1_two_sided`.
        over: ``triggered samples`` or ``trigger strength``: what the positions are.
        assumptions: conditions that were checked, see `backdoor_theory_constants`.

    Raises:
        InvalidArgument: arrays that do not fit each other, numbers out of range.

    Example:
        >>> sided, printed = check_theorem_1(
        ...     n_triggered=[10, 100], error=[0.3, 0.1], training_error=[0.2, 0.1], strength=0.5,
        ...     lipschitz=1.0)
        >>> sided.consistent, printed.consistent
        ((True, True), (True, False))
    """
    if over not in ("triggered samples", "trigger strength"):
        raise InvalidArgument(
            "over", wanted="triggered samples or trigger strength", got=repr(over)
        )
    there = strength if training_strength is None else training_strength
    n, measured, trained, now, then = _together(n_triggered, error, training_error, strength, there)
    allowed = theorem_1_two_sided(
        n,
        low=low,
        high=high,
        delta=delta,
        lipschitz=lipschitz,
        network_lipschitz=network_lipschitz,
        strength_gap=now - then,
        trigger_norm=trigger_norm,
    )
    constants = {
        "low": low,
        "high": high,
        "delta": delta,
        "lipschitz": lipschitz,
        "network_lipschitz": network_lipschitz,
        "trigger_norm": trigger_norm,
    }
    positions = tuple((n if over == "triggered samples" else now).tolist())
    printed = theorem_1_printed(
        trained, n, low=low, high=high, delta=delta, lipschitz=lipschitz, strength=now
    )
    seen = (*assumptions, _INDEPENDENT)
    return (
        TheoryCheck(
            theorem=1,
            reading="two-sided",
            statement="|E(e) - E_n(e')| <= (b - a) sqrt(ln(2/delta) / 2n) + K L_f |e - e'| ||t||",
            axis=over,
            positions=positions,
            measured=as_numbers(measured),
            low=as_numbers(trained - allowed),
            high=as_numbers(trained + allowed),
            unit="loss",
            constants=constants,
            assumptions=seen,
        ),
        TheoryCheck(
            theorem=1,
            reading="printed",
            statement="E(e) >= E_n - (b - a) sqrt(ln(2/delta) / 2n) + K e, which does not follow",
            axis=over,
            positions=positions,
            measured=as_numbers(measured),
            low=as_numbers(printed),
            high=(None,) * len(positions),
            unit="loss",
            constants=constants,
            assumptions=seen,
        ),
    )


def check_theorem_2(
    *,
    n_qubits: npt.ArrayLike,
    strengths: npt.ArrayLike,
    success: npt.ArrayLike,
    level: float = 0.5,
    delta: float = 0.05,
    eta: float = 2.0,
    assumptions: tuple[Assumption, ...] = (),
) -> tuple[TheoryCheck, TheoryCheck]:
    """Both readings of Theorem 2 beside the smallest strength that worked, by number of qubits.

    The theorem is of strengths of the features, the expectations of the circuit: give strengths in
    that unit, for example the mean change of the expectations that each trigger makes.

    Args:
        n_qubits: of each network, ``(network,)``.
        strengths: of triggers, ``(strength,)`` for all networks or ``(network, strength)``.
        success: measured attack success rates, ``(network, strength)``.
        level: from which rate on an attack counts as successful.
        delta, eta: as in `theorem_2_threshold`.
        assumptions: conditions that were checked.

    Returns:
        The concentration threshold, which falls with the dimension, and the paper's sentence. Each
        says that no smaller strength succeeds; where no strength reached the level nothing was
        measured.

    Raises:
        InvalidArgument: arrays that do not fit each other, numbers out of range.

    Example:
        >>> falls, grows = check_theorem_2(n_qubits=[4, 10], strengths=[0.5, 1.5],
        ...                                success=[[0.1, 0.9], [0.2, 0.8]])
        >>> falls.measured, [round(low, 2) for low in falls.low], falls.consistent
        ((1.5, 1.5), [11.34, 1.42], (False, True))
    """
    qubits = np.atleast_1d(np.asarray(n_qubits, dtype=np.float64))
    rates = np.asarray(success, dtype=np.float64)
    if qubits.ndim != 1 or rates.ndim != 2 or len(rates) != len(qubits) or not rates.size:
        raise InvalidArgument(
            "success",
            wanted="rates (network, strength), a row for each number of qubits",
            got=f"shape {rates.shape} for {qubits.shape}",
        )
    if not (qubits >= 1).all():
        raise InvalidArgument("n_qubits", wanted="1 or more", got=qubits.min())
    try:
        used = np.broadcast_to(np.asarray(strengths, dtype=np.float64), rates.shape)
    except ValueError as error:
        raise InvalidArgument(
            "strengths", wanted=f"({rates.shape[1]},) or {rates.shape}", got=np.shape(strengths)
        ) from error
    measured = as_numbers(
        [smallest_strength(row, rate, level=level) for row, rate in zip(used, rates, strict=True)]
    )
    dimension = 2.0**qubits
    return (
        _threshold(
            "concentration",
            "e >= alpha^-1(delta) = eta sqrt(9 pi^3 ln(2/delta) / 2D), which falls with D",
            theorem_2_threshold(delta, dimension=dimension, eta=eta),
            qubits,
            measured,
            {"delta": delta, "eta": eta, "level": level},
            assumptions,
        ),
        _threshold(
            "sentence",
            "the required strength grows exponentially with the qubits, as sqrt(D) here",
            theorem_2_sentence(delta, dimension=dimension, eta=eta),
            qubits,
            measured,
            {"delta": delta, "eta": eta, "level": level},
            assumptions,
        ),
    )


def _threshold(
    reading: str,
    statement: str,
    threshold: npt.NDArray[np.floating],
    qubits: npt.NDArray[np.floating],
    measured: tuple[float | None, ...],
    constants: dict[str, float],
    assumptions: tuple[Assumption, ...],
) -> TheoryCheck:
    return TheoryCheck(
        theorem=2,
        reading=reading,  # type: ignore[arg-type]
        statement=statement,
        axis="qubits",
        positions=tuple(qubits.tolist()),
        measured=measured,
        low=as_numbers(threshold),
        high=(None,) * len(qubits),
        unit="feature",
        constants=constants,
        assumptions=assumptions,
    )


def _together(*arrays: npt.ArrayLike) -> list[npt.NDArray[np.float64]]:
    try:
        found = np.broadcast_arrays(*(np.atleast_1d(np.asarray(a, dtype=float)) for a in arrays))
    except ValueError as error:
        raise InvalidArgument(
            "n_triggered, error, training_error and strengths",
            wanted="arrays of one length, or single numbers",
            got=", ".join(str(np.shape(a)) for a in arrays),
        ) from error
    if found[0].ndim != 1 or not all(np.isfinite(a).all() for a in found):
        raise InvalidArgument(
            "measurements", wanted="finite numbers in one row", got=f"shape {found[0].shape}"
        )
    return list(found)
