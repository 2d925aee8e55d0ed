"""What happens when values do not keep to their limits."""

from __future__ import annotations

import logging
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextvars import ContextVar, Token
from typing import Any, Literal, Self, TypeVar, get_args

from bezoar.contracts.errors import BezoarWarning, InvalidArgument, InvalidData, UnknownName
from bezoar.guard.checking import Violation, find_violations
from bezoar.guard.limits import Limits

Action = Literal["raise", "log", "warn"]

_T = TypeVar("_T")

_LOGGER = logging.getLogger("bezoar.guard")


class GuardError(InvalidData):
    """Values that may not go into an encoding.

    Attributes:
        subject: the argument or circuit.
        violations: all limits that were broken.
    """

    def __init__(self, subject: str, violations: tuple[Violation, ...]) -> None:
        self.subject = subject
        self.violations = violations
        super().__init__(
            subject,
            wanted=" and ".join(dict.fromkeys(violation.wanted for violation in violations)),
            got=" and ".join(violation.got for violation in violations),
            mend="; ".join(dict.fromkeys(violation.mend for violation in violations)),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Worker processes send errors home; the message alone could not be made anew.
        return type(self), (self.subject, self.violations)


class GuardWarning(BezoarWarning):
    """Values that may not go into an encoding, and went."""


class GuardLog:
    """Collects what guards refuse in a ``with`` block, whatever their action.

    It sees the guards of its own thread or task.

    Attributes:
        n_refused: how many calls were refused.

    Args:
        keep: how many of the last refusals to keep, so that a service cannot be filled up.

    Example:
        >>> with GuardLog() as log:
        ...     for x in ([0.1, 0.2], [0.1, float("inf")]):
        ...         try:
        ...             values = check(x, Limits.angle(2))
        ...         except GuardError:
        ...             pass
        >>> [refusal.violations[0].rule for refusal in log]
        ['finite']
    """

    def __init__(self, *, keep: int = 1000) -> None:
        if keep < 1:
            raise InvalidArgument("keep", wanted="at least 1", got=keep)
        self.n_refused = 0
        self._kept: deque[GuardError] = deque(maxlen=keep)
        self._tokens: list[Token[tuple[GuardLog, ...]]] = []

    def __enter__(self) -> Self:
        self._tokens.append(_LOGS.set((*_LOGS.get(), self)))
        return self

    def __exit__(self, *exception: object) -> None:
        _LOGS.reset(self._tokens.pop())

    def __iter__(self) -> Iterator[GuardError]:
        return iter(tuple(self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, refusal: GuardError) -> None:
        """Note a refusal."""
        self.n_refused += 1
        self._kept.append(refusal)


_LOGS: ContextVar[tuple[GuardLog, ...]] = ContextVar("bezoar.guard logs", default=())


def check(
    values: _T,
    limits: Limits,
    name: str = "x",
    *,
    action: Action = "raise",
    places: Sequence[str] = (),
) -> _T:
    """The values, untouched, if they keep to the limits.

    Args:
        values: numbers, nested lists, or arrays and tensors of numpy, torch, autograd or jax.
        limits: what they must keep to.
        name: what the message calls them.
        action: ``raise``, or ``log`` or ``warn`` and go on.
        places: names of the features, for messages.

    Raises:
        GuardError: they do not, and ``action`` is ``raise``.
        UnknownName: no such action.

    Example:
        >>> check([0.1, 0.2], Limits.angle(2))
        [0.1, 0.2]
        >>> check([[0.1, 0.2], [0.3, float("nan")]], Limits.angle(2))
        Traceback (most recent call last):
            ...
        bezoar.guard.refusing.GuardError: x: wanted finite numbers, got nan at sample 1, feature 1 \
(1 of 2 samples: 1); leave these samples out, or mend what made them
    """
    known_action(action)
    violations = find_violations(values, limits, places=places)
    if violations:
        refuse(GuardError(name, violations), action)
    return values


def refuse(error: GuardError, action: Action) -> None:
    """Raise, log or warn, after noting it in every open `GuardLog`."""
    for log in _LOGS.get():
        log.add(error)
    if action == "raise":
        raise error
    if action == "log":
        _LOGGER.warning("%s", error)
    else:
        warnings.warn(GuardWarning(str(error)), stacklevel=3)


def known_action(action: str) -> None:
    """Raise `UnknownName` for what is no action."""
    if action not in get_args(Action):
        raise UnknownName("action", action, get_args(Action))
