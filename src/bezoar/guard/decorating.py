"""Guards around functions, QNodes and torch modules."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from bezoar.contracts.errors import InvalidArgument
from bezoar.guard.limits import Limits
from bezoar.guard.refusing import Action, check, known_action

_F = TypeVar("_F", bound=Callable[..., Any])


def guard(
    limits: Limits, *, argument: str | Sequence[str] | None = None, action: Action = "raise"
) -> Callable[[_F], _F]:
    """A decorator that checks an argument before each call.

    Of a function, a method, a coroutine function or any callable with a signature it makes a
    function with the same signature. Of a PennyLane QNode it makes a QNode that shares device,
    transforms and settings, so drawing, gradients, ``qml.set_shots`` and ``TorchLayer`` work. To a
    torch module it adds a hook as `guard_module` does, and gives the same module back.

    Arguments go on as they came: gradients and graphs of autograd, torch and jax are not touched.
    Values that are not known yet, as under ``jax.jit``, are refused rather than let through.

    Args:
        limits: what the argument must keep to.
        argument: its name, or several; None is the first. Of ``*angles`` every value is checked.
            Defaults are not.
        action: ``raise``, or ``log`` or ``warn`` and call all the same.

    Raises:
        InvalidArgument: no such argument, or nothing that can be guarded so.
        GuardError: from the guarded function.

    Example:
        >>> @guard(Limits.angle(2), argument="x")
        ... def encode(x, weights):
        ...     return [("RX", angle) for angle in x]
        >>> encode([0.1, 0.2], None)
        [('RX', 0.1), ('RX', 0.2)]
        >>> encode([0.1, 0.2, 0.3], None)
        Traceback (most recent call last):
            ...
        bezoar.guard.refusing.GuardError: x of encode: wanted 2 features in each sample, got 3; \
reduce or pad the features on purpose: an encoder may cut off what has no qubit
    """
    known_action(action)
    Limits.known("limits", limits)

    def decorate(function: Any) -> Any:
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(function, torch.nn.Module):
            guard_module(function, limits, argument=argument, action=action)
            return function
        qml = sys.modules.get("pennylane")
        if qml is not None and isinstance(function, qml.QNode):
            return _guarded_qnode(function, decorate(function.func))
        if not callable(function) or isinstance(function, (type, staticmethod, classmethod)):
            raise InvalidArgument(
                "function",
                wanted="a function, a QNode or a torch module",
                got=repr(function),
                mend=(
                    "guard objects rather than their class, put the guard below @staticmethod "
                    "and @classmethod, and give circuits to check_circuit"
                ),
            )
        of = getattr(function, "__name__", type(function).__name__)
        return _guarded(function, _Check.made(function, limits, argument, action, of))

    return decorate


def guard_module(
    module: Any,
    limits: Limits,
    *,
    argument: str | Sequence[str] | None = None,
    action: Action = "raise",
) -> Any:
    """Check an argument of a torch module before each forward pass.

    The hook is kept by ``copy.deepcopy`` and ``torch.save`` of the module, and left out of its
    ``state_dict``. Under ``torch.compile`` it runs uncompiled; ``fullgraph=True`` and
    ``torch.export`` refuse that.

    Args:
        module: a ``torch.nn.Module``.
        limits: what the argument must keep to.
        argument: its name in ``forward``, or several; None is the first.
        action: ``raise``, or ``log`` or ``warn`` and call all the same.

    Returns:
        Torch's handle: ``remove()`` takes the guard off, as does leaving it as a context.

    Raises:
        InvalidArgument: no module, or no such argument.
        GuardError: from the module.

    Example:
        >>> import torch
        >>> layer = torch.nn.Linear(2, 1)
        >>> with guard_module(layer, Limits.angle(2)):
        ...     layer(torch.tensor([0.1, float("nan")]))
        Traceback (most recent call last):
            ...
        bezoar.guard.refusing.GuardError: input of Linear: wanted finite numbers, got nan at \
feature 1; leave these samples out, or mend what made them
    """
    known_action(action)
    Limits.known("limits", limits)
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(module, torch.nn.Module):
        raise InvalidArgument("module", wanted="a torch.nn.Module", got=repr(module))
    before = _Check.made(module.forward, limits, argument, action, type(module).__name__)
    return module.register_forward_pre_hook(_Hook(check=before), prepend=True, with_kwargs=True)


class _Argument(NamedTuple):
    """Where a checked argument is in a call."""

    name: str
    position: int | None
    starred: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    """The check before a call."""

    limits: Limits
    action: Action
    of: str
    arguments: tuple[_Argument, ...]

    @classmethod
    def made(
        cls,
        function: Any,
        limits: Limits,
        argument: str | Sequence[str] | None,
        action: Action,
        of: str,
    ) -> _Check:
        try:
            parameters = inspect.signature(function).parameters
        except (TypeError, ValueError):
            raise InvalidArgument(
                "function",
                wanted="a function whose signature can be read",
                got=repr(function),
                mend="wrap it in one",
            ) from None
        if argument is None:
            names = [name for name in parameters if name not in ("self", "cls")][:1]
        else:
            names = [argument] if isinstance(argument, str) else list(argument)
        if not names:
            raise InvalidArgument("argument", wanted="a name of an argument", got="none")
        arguments = tuple(_find(name, parameters, of) for name in names)
        return cls(limits=limits, action=action, of=of, arguments=arguments)

    def __call__(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        for name, value in self._passed(args, kwargs):
            check(value, self.limits, f"{name} of {self.of}", action=self.action)

    def _passed(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, position, starred in self.arguments:
            if starred and position is not None:
                for index, value in enumerate(args[position:]):
                    yield f"{name}[{index}]", value
            elif name in kwargs:
                yield name, kwargs[name]
            elif position is not None and position < len(args):
                yield name, args[position]


def _find(name: str, parameters: Mapping[str, inspect.Parameter], of: str) -> _Argument:
    named = [p.name for p in parameters.values() if p.kind is not p.VAR_KEYWORD]
    if name not in named:
        raise InvalidArgument(
            "argument", wanted=f"one of {', '.join(named) or 'none'}, those of {of}", got=repr(name)
        )
    parameter = parameters[name]
    position = None if parameter.kind is parameter.KEYWORD_ONLY else named.index(name)
    starred = parameter.kind is parameter.VAR_POSITIONAL
    return _Argument(name=name, position=position, starred=starred)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hook:
    """What torch calls before a forward pass; a class, so that a module with it can be copied."""

    check: _Check

    def __call__(self, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.check(args, kwargs)


def _guarded(function: Callable[..., Any], before: _Check) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def later(*args: Any, **kwargs: Any) -> Any:
            before(args, kwargs)
            return await function(*args, **kwargs)

        return later

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        before(args, kwargs)
        return function(*args, **kwargs)

    return call


def _guarded_qnode(qnode: Any, function: Callable[..., Any]) -> Any:
    # PennyLane calls this function to build each tape, with the arguments of the QNode as they are.
    guarded = qnode.update(func=function)
    # What was set after the QNode was made is not among what it was made with.
    guarded.interface = qnode.interface
    return guarded
