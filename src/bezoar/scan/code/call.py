"""One call as rules see it."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from bezoar.scan.code.declarations import Function
from bezoar.scan.code.values import Value


@dataclass(slots=True, eq=False)
class Call:
    """A call with what is known of its parts.

    Attributes:
        node: the call.
        name: canonical name of what is called: ``torch.load``, ``eval``; a method with its
            receiver's class, ``qiskit.QuantumCircuit.rx``, or ``?.rx`` where that is not known;
            ``app/io.py:load`` for a function of the project; "" for what has no name.
        method: its last component.
        receiver: the value left of the last dot, None where there is none.
        args, keywords: values of the arguments.
        has_star: it has ``*args`` or ``**kwargs``, so arguments may be hidden.
        function: the function around it.
        result: the value of the whole call.
    """

    node: ast.Call
    name: str
    method: str
    receiver: Value | None
    args: tuple[Value, ...]
    keywords: dict[str, Value]
    has_star: bool
    function: Function | None
    result: Value

    def argument(self, position: int | None, *names: str) -> Value | None:
        """The value of an argument by keyword or position, None where it is not given."""
        for name in names:
            if name in self.keywords:
                return self.keywords[name]
        if position is not None and position < self._n_plain:
            return self.args[position]
        return None

    def argument_node(self, position: int | None, *names: str) -> ast.expr | None:
        """The expression of an argument by keyword or position, None where it is not given."""
        for keyword in self.node.keywords:
            if keyword.arg in names:
                return keyword.value
        if position is not None and position < self._n_plain:
            return self.node.args[position]
        return None

    @property
    def _n_plain(self) -> int:
        """Positional arguments before the first ``*args``, whose positions are known."""
        for index, argument in enumerate(self.node.args):
            if isinstance(argument, ast.Starred):
                return index
        return len(self.node.args)
