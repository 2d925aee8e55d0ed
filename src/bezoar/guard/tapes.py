"""The numbers in PennyLane's tapes, and watching them as they are made."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from bezoar.guard.patches import Patch
from bezoar.guard.readings import Reading, Watch

# Modules whose operators take angles; all else of PennyLane takes matrices, coefficients and times.
_ANGLED = (
    "pennylane.ops.qubit.parametric_ops",
    "pennylane.ops.qubit.qchem_ops",
    "pennylane.ops.op_math.controlled_ops",
    "pennylane.templates.embeddings",
    "pennylane.templates.layers",
)
_EMBEDDINGS = {
    "AngleEmbedding",
    "IQPEmbedding",
    "QAOAEmbedding",
    "DisplacementEmbedding",
    "SqueezingEmbedding",
}

# State preparations whose raw features were checked while the tape was made; None outside of that.
_CHECKED: ContextVar[set[int] | None] = ContextVar("bezoar.guard state preparations", default=None)


def read_tape(tape: Any, *, leave_out: set[int] | None = None) -> Iterator[Reading]:
    """The numbers of all operations of a tape.

    Args:
        tape: a ``QuantumScript``.
        leave_out: identities of operations that were checked already.
    """
    for index, operation in enumerate(tape.operations):
        if leave_out is None or id(operation) not in leave_out:
            yield from _of_operation(operation, f"operation {index}")


def _of_operation(operation: Any, where: str) -> Iterator[Reading]:
    qml = sys.modules["pennylane"]
    place = f"{operation.name} on wires {operation.wires.tolist()}, {where}"
    base = operation
    while isinstance(getattr(base, "base", None), qml.operation.Operator):
        # An exponential has a coefficient of its own, beside the data of what it is of.
        for values in base.data if len(base.data) > len(base.base.data) else ():
            yield Reading(place=place, values=values, kind="matrix")
        base = base.base
    if hasattr(base, "operands"):
        for operand in base.operands:
            yield from _of_operation(operand, where)
        return
    module = type(base).__module__
    for position, values in enumerate(base.data):
        if isinstance(base, qml.StatePrep):
            yield Reading(place=place, values=values, kind="state")
        elif module.startswith("pennylane.") and not module.startswith(_ANGLED):
            yield Reading(place=place, values=values, kind="matrix")
        elif position == 0 and type(base).__name__ in _EMBEDDINGS:
            yield Reading(place=place, values=values, kind="features")
        else:
            yield Reading(place=place, values=values, kind="angle")


def patches(watches: Callable[[], tuple[Watch, ...]]) -> Iterator[Patch]:
    """What to put into PennyLane so that all watches see its tapes."""
    qml = sys.modules["pennylane"]
    construct, prepare, execute = qml.QNode.construct, qml.StatePrep.__init__, qml.execute

    @functools.wraps(construct)
    def watched_construct(self: Any, args: Any, kwargs: Any) -> Any:
        active = watches()
        if not active:
            return construct(self, args, kwargs)
        checked: set[int] = set()
        token = _CHECKED.set(checked)
        try:
            tape = construct(self, args, kwargs)
        finally:
            _CHECKED.reset(token)
        readings = list(read_tape(tape, leave_out=checked))
        for watch in active:
            watch.check(readings, f"QNode {getattr(self, '__name__', '')}".rstrip())
        return tape

    @functools.wraps(prepare)
    def watched_prepare(self: Any, state: Any, *args: Any, **kwargs: Any) -> None:
        checked = _CHECKED.get()
        if checked is not None:
            reading = Reading(place=type(self).__name__, values=state, kind="amplitudes")
            for watch in watches():
                watch.check([reading], type(self).__name__)
            checked.add(id(self))
        prepare(self, state, *args, **kwargs)

    @functools.wraps(execute)
    def watched_execute(tapes: Any, *args: Any, **kwargs: Any) -> Any:
        for watch in watches():
            for index, tape in enumerate(tapes):
                watch.check(read_tape(tape), f"tape {index}")
        return execute(tapes, *args, **kwargs)

    yield Patch(owner=qml.QNode, name="construct", new=watched_construct)
    yield Patch(owner=qml.StatePrep, name="__init__", new=watched_prepare)
    yield Patch(owner=qml, name="execute", new=watched_execute)
