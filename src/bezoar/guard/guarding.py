"""Circuits: checking one, and watching all that are made in a block."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any

from bezoar.contracts.errors import InvalidArgument, MissingExtra
from bezoar.guard import bindings, tapes
from bezoar.guard.checking import Violation
from bezoar.guard.limits import Limits
from bezoar.guard.patches import Patch, Patches
from bezoar.guard.readings import Watch
from bezoar.guard.refusing import Action, GuardError, refuse

_WATCHES: ContextVar[tuple[Watch, ...]] = ContextVar("bezoar.guard watches", default=())

# What is patched belongs to the process, so the count of who needs it does too.
_PATCHES = Patches()


def check_circuit(
    circuit: Any, limits: Limits | None = None, name: str = "circuit", *, action: Action = "raise"
) -> Any:
    """The circuit, untouched, if its numbers keep to the limits.

    Looked at are the angles of all instructions, in blocks and composite gates too, and the
    amplitudes of state preparations, which must have norm 1. Matrices, coefficients and times need
    only be finite. Limits of whole samples (length, norms, number) hold for the angle embeddings of
    PennyLane; single gates have none. Parameters of Qiskit that are not bound yet are left out.

    Args:
        circuit: a ``qiskit.QuantumCircuit``, or a tape of PennyLane.
        limits: of angles; None is ``Limits.angle()``.
        name: what the message calls it.
        action: ``raise``, or ``log`` or ``warn`` and go on.

    Raises:
        InvalidArgument: no circuit.
        GuardError: a number beyond the limits, and ``action`` is ``raise``.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.rx(float("nan"), 1)
        >>> check_circuit(circuit)
        Traceback (most recent call last):
            ...
        bezoar.guard.refusing.GuardError: circuit: wanted finite numbers, got nan at rx on qubits \
[1], instruction 0; leave these samples out, or mend what made them
    """
    watch = Watch(
        angles=Limits.angle() if limits is None else limits,
        amplitudes=Limits.amplitude(),
        action=action,
    )
    qiskit, qml = sys.modules.get("qiskit"), sys.modules.get("pennylane")
    if qiskit is not None and isinstance(circuit, qiskit.QuantumCircuit):
        watch.check(bindings.read_circuit(circuit), name)
    elif qml is not None and isinstance(circuit, qml.tape.QuantumScript):
        watch.check(tapes.read_tape(circuit), name)
    else:
        raise InvalidArgument(
            "circuit",
            wanted="a qiskit.QuantumCircuit or a tape of PennyLane",
            got=f"a {type(circuit).__name__}",
            mend="guard functions and QNodes with guard(limits)",
        )
    return circuit


@contextlib.contextmanager
def guarding(
    angles: Limits | None = None, *, amplitudes: Limits | None = None, action: Action = "raise"
) -> Iterator[None]:
    """Watch the circuits of PennyLane and Qiskit in a ``with`` block.

    - PennyLane: each call of a QNode, with what goes into state preparations before it is
      normalised; ``qml.execute``.
    - Qiskit: ``assign_parameters``; circuits and values given to V2 primitives; ``run`` of Aer and
      of ``BasicSimulator``.

    The limits hold for every angle there, weights too; those of whole samples (length, norms,
    number) hold for angle embeddings. To check features alone, use `guard`.

    Blocks nest, and the limits of all hold. A block watches its own thread or asyncio task; start
    other threads with ``contextvars.copy_context().run``. To watch, functions of the frameworks are
    replaced, and put back when the last block of the process ends.

    Args:
        angles: limits of angles; None is ``Limits.angle()``.
        amplitudes: limits of PennyLane's ``AmplitudeEmbedding`` and ``StatePrep``; None is
            ``Limits.amplitude()``.
        action: ``raise``, or ``log`` or ``warn`` and go on.

    Raises:
        MissingExtra: neither PennyLane nor Qiskit is installed.
        GuardError: a number beyond the limits; or, at the end of the block, a framework that was
            imported in it and so not watched.

    Example:
        >>> from qiskit.circuit import Parameter, QuantumCircuit
        >>> angle = Parameter("angle")
        >>> circuit = QuantumCircuit(1, name="encoder")
        >>> _ = circuit.rx(angle, 0)
        >>> with guarding(Limits.angle()):
        ...     bound = circuit.assign_parameters({angle: 100.0})
        Traceback (most recent call last):
            ...
        bezoar.guard.refusing.GuardError: assign_parameters of encoder: wanted values from \
-12.5664 to 12.5664, got 100 at angle; scale the features to the range, with bounds learnt from \
training data
    """
    watch = Watch(
        angles=Limits.angle() if angles is None else angles,
        amplitudes=Limits.amplitude() if amplitudes is None else amplitudes,
        action=action,
    )
    if not any(map(_installed, ("pennylane", "qiskit"))):
        raise MissingExtra("PennyLane or Qiskit", "pennylane", "bezoar.guard.guarding")
    _PATCHES.acquire({name: make for name, make in _MAKERS.items() if sys.modules.get(name)})
    token = _WATCHES.set((*_WATCHES.get(), watch))
    try:
        yield
        _refuse_unwatched(action)
    finally:
        _WATCHES.reset(token)
        _PATCHES.release()


@contextlib.contextmanager
def _paused() -> Iterator[None]:
    """What a framework does inside a call that was checked is its own."""
    token = _WATCHES.set(())
    try:
        yield
    finally:
        _WATCHES.reset(token)


def _installed(name: str) -> bool:
    return sys.modules.get(name) is not None or importlib.util.find_spec(name) is not None


def _refuse_unwatched(action: Action) -> None:
    late = [name for name in _MAKERS if sys.modules.get(name) and name not in _PATCHES.groups]
    if not late:
        return
    violation = Violation(
        rule="unwatched",
        wanted="frameworks that were imported before the block",
        got=f"{' and '.join(late)} imported in it, and not watched",
        mend="import them first",
    )
    refuse(GuardError("guarding", (violation,)), action)


_MAKERS: dict[str, Callable[[], Iterable[Patch]]] = {
    "pennylane": functools.partial(tapes.patches, _WATCHES.get),
    "qiskit": functools.partial(bindings.patches, _WATCHES.get, _paused),
    "qiskit_aer": functools.partial(bindings.aer_patches, _WATCHES.get, _paused),
}
