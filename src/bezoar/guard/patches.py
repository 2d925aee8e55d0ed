"""Putting functions into other packages for a while, and taking them out again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A new attribute of a class or module.

    Attributes:
        owner: the class or module.
        name: the attribute.
        new: what it becomes.
    """

    owner: Any
    name: str
    new: Any


class Patches:
    """Patches by group, in place while at least one user needs them.

    The attributes are those of the whole process, so users of all threads share them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._groups: set[str] = set()
        self._undo: list[tuple[Patch, Any]] = []

    @property
    def groups(self) -> frozenset[str]:
        """The groups that are in place."""
        return frozenset(self._groups)

    def acquire(self, groups: dict[str, Callable[[], Iterable[Patch]]]) -> None:
        """Count a user, and put in place what is not yet."""
        with self._lock:
            self._users += 1
            try:
                for group, make in groups.items():
                    if group not in self._groups:
                        for patch in make():
                            self._put(patch)
                        self._groups.add(group)
            except BaseException:
                self._release()
                raise

    def release(self) -> None:
        """Count a user off, and take all out after the last."""
        with self._lock:
            self._release()

    def _put(self, patch: Patch) -> None:
        self._undo.append((patch, vars(patch.owner)[patch.name]))
        setattr(patch.owner, patch.name, patch.new)

    def _release(self) -> None:
        self._users -= 1
        if self._users:
            return
        for patch, old in reversed(self._undo):
            # What somebody else has put on top of ours is theirs to take off; beneath it ours only
            # passes calls on.
            if vars(patch.owner).get(patch.name) is patch.new:
                setattr(patch.owner, patch.name, old)
        self._undo.clear()
        self._groups.clear()
