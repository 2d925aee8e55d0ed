"""Finding parts by name. Ours and theirs register the same way: an entry point."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from bezoar.contracts.errors import BezoarError, UnknownName

KINDS = (
    "attacks",
    "triggers",
    "detectors",
    "encodings",
    "ansatze",
    "models",
    "datasets",
    "formats",
    "rules",
)


def names(kind: str) -> tuple[str, ...]:
    """The registered names of a kind, in natural order.

    Raises:
        UnknownName: no such kind.
    """
    return tuple(sorted((point.name for point in _points(kind)), key=_natural))


def load(kind: str, name: str) -> Any:
    """The object registered as `name`.

    Raises:
        UnknownName: no such kind or name; the message lists the known ones.
        BezoarError: two packages claim the name, or the part cannot be imported.
    """
    found = [point for point in _points(kind) if point.name == name]
    if not found:
        raise UnknownName(kind.removesuffix("s"), name, names(kind))
    if len({point.value for point in found}) > 1:
        claims = ", ".join(point.value for point in found)
        raise BezoarError(f"{kind} {name!r} is registered twice ({claims}); uninstall one")
    try:
        return found[0].load()
    except BezoarError:
        raise
    except Exception as error:  # whatever somebody else's module does at import
        raise BezoarError(
            f"{kind} {name!r} ({found[0].value}) cannot be loaded: {error}; "
            "reinstall the package that provides it"
        ) from error


def provider(kind: str, name: str) -> str:
    """The package and version that registers `name`, "" where nothing does."""
    found = [point.dist for point in _points(kind) if point.name == name]
    return f"{found[0].name} {found[0].version}" if found and found[0] is not None else ""


def _points(kind: str) -> list[EntryPoint]:
    if kind not in KINDS:
        raise UnknownName("kind", kind, KINDS)
    return list(_installed(entry_points, kind))


@functools.cache
def _installed(find: Callable[..., Iterable[EntryPoint]], kind: str) -> tuple[EntryPoint, ...]:
    """What is installed does not change while a process runs, and a scan takes milliseconds."""
    return tuple(find(group=f"bezoar.{kind}"))


def _natural(name: str) -> tuple[str, int]:
    stem = name.rstrip("0123456789")
    digits = name[len(stem) :]
    return stem, int(digits) if digits else -1
