"""What may go into a quantum encoding."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bezoar.contracts.errors import InvalidArgument

# Neighbouring doubles are 1.5e-8 apart at 1e8. Beyond it a transpiler that rewrites a gate changes
# its angle by more than any shot noise hides: RX(1e16) becomes another gate.
LARGEST_ANGLE = 1e8

_KINDS = {"b": "booleans", "i": "integers", "u": "integers", "f": "floats", "c": "complex numbers"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the values of an encoding must keep to; a limit that is ``None`` is not checked.

    The last axis of an array holds the features of a sample, all axes before it count samples. A
    vector is one sample, a number one sample of one feature.

    Attributes:
        finite: neither NaN nor infinite.
        low, high: bounds of each real value, both allowed; complex values are refused.
        max_abs: bound of each absolute value, allowed itself.
        min_norm, max_norm: bounds of the Euclidean norm of each sample.
        length: exact number of features of a sample.
        whole: whole numbers.
        kinds: numpy's letters of the kinds of numbers that are allowed: b, i, u, f, c.
        max_samples: most samples in one call.

    Raises:
        InvalidArgument: limits that nothing can keep to.

    Example:
        >>> Limits(low=0.0, high=1.0, length=3).length
        3
        >>> Limits.angle(4).max_abs == 4 * math.pi
        True
    """

    finite: bool = True
    low: float | None = None
    high: float | None = None
    max_abs: float | None = None
    min_norm: float | None = None
    max_norm: float | None = None
    length: int | None = None
    whole: bool = False
    kinds: str = "iuf"
    max_samples: int | None = None

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            value = getattr(self, name)
            if value is not None and math.isnan(value):
                raise InvalidArgument(name, wanted="a number", got="NaN")
        for name in ("max_abs", "min_norm", "max_norm"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise InvalidArgument(name, wanted="a number of at least 0", got=value)
        for name in ("length", "max_samples"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise InvalidArgument(name, wanted="a whole number of at least 1", got=value)
        for below, above in (("low", "high"), ("min_norm", "max_norm")):
            bottom, top = getattr(self, below), getattr(self, above)
            if bottom is not None and top is not None and bottom > top:
                raise InvalidArgument(below, wanted=f"at most {above}, {top}", got=bottom)
        if not self.kinds or not set(self.kinds) <= set(_KINDS):
            raise InvalidArgument("kinds", wanted="letters of 'biufc'", got=repr(self.kinds))

    @classmethod
    def angle(
        cls,
        n_qubits: int | None = None,
        *,
        max_abs: float = 4 * math.pi,
        max_samples: int | None = None,
    ) -> Limits:
        """One angle for each qubit, in radians.

        Angles 4 pi apart make the same gate and those 2 pi apart the same probabilities, so values
        from -4 pi to 4 pi are still not all told apart: give ``max_abs=math.pi`` for that.

        Args:
            n_qubits: exact number of features; None allows any.
            max_abs: largest absolute value, at most 1e8.
            max_samples: most samples in one call.

        Raises:
            InvalidArgument: ``max_abs`` above 1e8, where neighbouring numbers are too far apart to
                be angles.

        Example:
            >>> Limits.angle(4, max_abs=math.pi).length
            4
        """
        if not max_abs <= LARGEST_ANGLE:
            raise InvalidArgument(
                "max_abs",
                wanted=f"at most {LARGEST_ANGLE:g} radians",
                got=max_abs,
                mend="scale the features to angles",
            )
        return cls(max_abs=max_abs, length=n_qubits, max_samples=max_samples)

    @classmethod
    def amplitude(
        cls,
        n_qubits: int | None = None,
        *,
        n_features: int | None = None,
        min_norm: float = 1e-6,
        max_norm: float = 1e6,
        max_samples: int | None = None,
    ) -> Limits:
        """Amplitudes, real or complex, before they are normalised.

        Normalising makes NaN of zeros and forgets the norm, so ``x`` and ``1000 x`` become one
        state. Give the norms that your training data has.

        Args:
            n_qubits: the features are 2**n_qubits; None allows any number.
            n_features: exact number of features where they are padded, at most 2**n_qubits.
            min_norm, max_norm: bounds of the norm of each sample.
            max_samples: most samples in one call.

        Raises:
            InvalidArgument: more features than amplitudes, or bounds that cross.

        Example:
            >>> Limits.amplitude(3).length
            8
        """
        length = n_features
        if n_qubits is not None:
            length = 2**n_qubits if n_features is None else n_features
            if length > 2**n_qubits:
                raise InvalidArgument(
                    "n_features", wanted=f"at most 2**{n_qubits} = {2**n_qubits}", got=n_features
                )
        return cls(
            min_norm=min_norm,
            max_norm=max_norm,
            length=length,
            kinds="iufc",
            max_samples=max_samples,
        )

    @classmethod
    def basis(cls, n_qubits: int | None = None, *, max_samples: int | None = None) -> Limits:
        """One bit for each qubit: 0 or 1, of any kind of number but complex.

        Example:
            >>> Limits.basis(8).whole
            True
        """
        return cls(
            low=0, high=1, whole=True, kinds="biuf", length=n_qubits, max_samples=max_samples
        )

    @classmethod
    def known(cls, name: str, limits: object) -> Limits:
        """The limits themselves, or `InvalidArgument` for what is none."""
        if isinstance(limits, cls):
            return limits
        raise InvalidArgument(
            name, wanted="Limits", got=repr(limits), mend="write Limits.angle(n_qubits)"
        )

    def kinds_in_words(self) -> str:
        """The kinds of numbers that are allowed.

        Example:
            >>> Limits().kinds_in_words()
            'integers or floats'
        """
        return " or ".join(dict.fromkeys(_KINDS[kind] for kind in self.kinds))
