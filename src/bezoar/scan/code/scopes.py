"""Names of one block of code and what they stand for while it is read."""

from __future__ import annotations

from bezoar.scan.code.values import Value, joined


class Scope:
    """Variables and aliases of a module, class, function or comprehension.

    An alias is a name for something imported or declared: module, class or function; a variable
    holds a value. `variables` may also hold ``self.x`` and ``job['shots']``, by their text.
    """

    __slots__ = ("aliases", "falls_back", "inner", "outer_names", "parent", "variables")

    def __init__(self, parent: Scope | None = None) -> None:
        """An empty scope inside of `parent`."""
        self.parent = parent
        self.variables: dict[str, Value] = {}
        self.aliases: dict[str, str] = {}
        self.outer_names: set[str] = set()
        # Keys of attributes and items: what goes when their owner gets another value.
        self.inner: set[str] = set()
        #: While it is set, what is imported already stays: `except ImportError: qiskit = None`.
        self.falls_back = False

    def find(self, key: str) -> Value | str | None:
        """The variable's value or the alias's canonical name, from the innermost scope out."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.variables.get(key)
            if found is not None:
                return found
            alias = scope.aliases.get(key)
            if alias is not None:
                return alias
            scope = scope.parent
        return None

    def assign(self, key: str, value: Value) -> None:
        """Gives a variable a value; what was known of its attributes and items is forgotten."""
        scope = self._home(key)
        if scope.aliases:
            # `joblib = None` where it could not be imported: the rest means the real one.
            if key in scope.aliases and (self.falls_back or value.literal is None):
                return
            scope.aliases.pop(key, None)
        if key in scope.variables and scope.inner:
            for each in [e for e in scope.inner if e.startswith((f"{key}.", f"{key}["))]:
                scope.variables.pop(each, None)
                scope.inner.discard(each)
        scope.keep(key, value)

    def keep(self, key: str, value: Value) -> None:
        """Remembers a value under its text: of a name, an attribute or an item."""
        if "." in key or "[" in key:
            self.inner.add(key)
        self.variables[key] = value

    def alias(self, key: str, name: str) -> None:
        """Makes `key` stand for a thing that is imported or declared."""
        scope = self._home(key)
        if self.falls_back and key in scope.aliases:
            return
        scope.variables.pop(key, None)
        scope.aliases[key] = name

    def _home(self, key: str) -> Scope:
        if key in self.outer_names:
            scope = self
            while scope.parent is not None:
                scope = scope.parent
            return scope
        return self

    def copy_variables(self) -> dict[str, Value]:
        """The variables as they are now."""
        return dict(self.variables)

    def meet(self, one: dict[str, Value], other: dict[str, Value]) -> None:
        """Continues where two ways of the program, with these variables, meet."""
        if one is other:
            self.variables = one
            return
        result = dict(other)
        for key, value in one.items():
            theirs = other.get(key)
            if theirs is not value:
                result[key] = joined(value, theirs)
        self.variables = result
