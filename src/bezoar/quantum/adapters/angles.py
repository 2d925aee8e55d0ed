"""What the adapters share: the value of an angle, in numbers or in another library's symbols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.quantum.circuit import Angle, Circuit, Feature, Operation, Parameter

Floats = npt.NDArray[np.float64]


def value(angle: Angle, feature: Callable[[int], Any], parameter: Callable[[int], Any]) -> Any:
    """The angle made of ``feature(i)`` and ``parameter(i)``, which may be numbers or symbols."""
    if isinstance(angle, Parameter):
        theta = parameter(angle.index)
        return theta if angle.scale == 1 else angle.scale * theta
    if not isinstance(angle, Feature):
        return angle
    product: Any = angle.scale if angle.scale != 1 or not angle.indices else None
    for index in angle.indices:
        factor = feature(index)
        if angle.offset:
            factor = factor - angle.offset
        product = factor if product is None else product * factor
    return product


def vectors(
    circuit: Circuit, features: npt.ArrayLike, parameters: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """One sample's features and the parameters as vectors of floats, checked.

    Raises:
        InvalidArgument: not vectors, or too short for the circuit.
        InvalidData: NaN or infinity among them.
    """
    x = _vector("features", features, circuit.n_features)
    theta = _vector("parameters", parameters, circuit.n_parameters)
    return x, theta


def amplitudes(operation: Operation, x: Floats) -> Floats:
    """The normalised amplitudes ``(2**k,)`` of a ``STATE`` operation on k wires.

    Raises:
        InvalidData: they are all zero.
    """
    psi = np.zeros(2 ** len(operation.wires))
    psi[: len(operation.features)] = x[list(operation.features)]
    norm = float(np.linalg.norm(psi))
    if norm == 0:
        raise InvalidData("features", wanted="a non-zero vector of amplitudes", got="all zeros")
    return psi / norm


def _vector(name: str, values: npt.ArrayLike, least: int) -> Floats:
    try:
        vector = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise InvalidArgument(name, wanted="a vector of numbers", got=str(error)) from error
    if vector.ndim != 1 or len(vector) < least:
        raise InvalidArgument(
            name, wanted=f"shape ({least},) or longer, as the circuit needs", got=vector.shape
        )
    if not np.isfinite(vector).all():
        raise InvalidData(name, wanted="finite numbers", got="NaN or infinity")
    return vector
