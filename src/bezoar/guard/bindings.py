"""The numbers in Qiskit's circuits and parameter bindings, and watching them as they are given."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from numbers import Number
from typing import Any

import numpy as np

from bezoar.guard.patches import Patch
from bezoar.guard.readings import Reading, Watch


def read_circuit(circuit: Any, within: str = "") -> Iterator[Reading]:
    """The numbers of all instructions, those of blocks and of composite gates too.

    Parameters that are not bound are left out.

    Args:
        circuit: a ``QuantumCircuit``.
        within: the outermost instruction that the circuit lies in, for messages.
    """
    yield from _of_parameter(circuit.global_phase, f"global phase{within}", "angle")
    for index, instruction in enumerate(circuit.data):
        operation = instruction.operation
        wires = [circuit.find_bit(qubit).index for qubit in instruction.qubits]
        place = f"{operation.name} on qubits {wires}, instruction {index}"
        yield from _of_operation(operation, place, within)


def _of_operation(operation: Any, place: str, within: str) -> Iterator[Reading]:
    from qiskit.circuit import ControlFlowOp, ControlledGate, Gate, Instruction
    from qiskit.circuit.library import Initialize, StatePreparation

    inner = within or f" of {place}"
    place += within
    if isinstance(operation, ControlFlowOp):
        for block in operation.blocks:
            yield from read_circuit(block, inner)
    elif isinstance(operation, Initialize | StatePreparation):
        # From a label or a number it has no amplitudes.
        if len(operation.params) == 2**operation.num_qubits:
            yield Reading(place=place, values=list(operation.params), kind="state")
    elif hasattr(operation, "base_op"):
        yield from _of_operation(operation.base_op, place, "")
    elif type(operation) in (Gate, Instruction) and operation.definition is not None:
        yield from read_circuit(operation.definition, inner)
    elif type(operation) is ControlledGate:
        yield from _of_operation(operation.base_gate, place, "")
    else:
        # The numbers of instructions are durations and the like, and a time goes with an operator.
        angled = isinstance(operation, Gate) and operation.name != "PauliEvolution"
        for parameter in getattr(operation, "params", ()):
            yield from _of_parameter(parameter, place, "angle" if angled else "matrix")


def _of_parameter(parameter: Any, place: str, kind: Any) -> Iterator[Reading]:
    from qiskit.circuit import ParameterExpression

    if isinstance(parameter, ParameterExpression):
        if not parameter.parameters:
            yield Reading(place=place, values=parameter.numeric(), kind=kind)
    elif isinstance(parameter, np.ndarray | complex | np.complexfloating):
        yield Reading(place=place, values=parameter, kind="matrix")
    elif isinstance(parameter, Number) and not isinstance(parameter, bool):
        yield Reading(place=place, values=parameter, kind=kind)


def read_bindings(circuit: Any, parameters: Any) -> Iterator[Reading]:
    """The numbers that ``assign_parameters`` or Aer's ``parameter_binds`` bind.

    Args:
        circuit: a ``QuantumCircuit``.
        parameters: numbers by parameter, vector or name; or one for each parameter in order.
    """
    if isinstance(parameters, Mapping):
        pairs = ((getattr(key, "name", str(key)), value) for key, value in parameters.items())
    else:
        names = [parameter.name for parameter in circuit.parameters]
        # Too many or too few are Qiskit's to refuse.
        pairs = zip(names, parameters, strict=False)
    for name, value in pairs:
        if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim):
            for index, each in enumerate(value):
                yield from _of_bound(each, f"{name}[{index}]")
        else:
            yield from _of_bound(value, name)


def _of_bound(value: Any, place: str) -> Iterator[Reading]:
    from qiskit.circuit import ParameterExpression

    if isinstance(value, ParameterExpression):
        yield from _of_parameter(value, place, "angle")
    else:
        yield Reading(place=place, values=value, kind="angle")


def patches(watches: Callable[[], tuple[Watch, ...]], paused: Callable[[], Any]) -> Iterator[Patch]:
    """What to put into Qiskit so that all watches see bindings, pubs and circuits that run."""
    from qiskit.circuit import QuantumCircuit
    from qiskit.primitives.containers.estimator_pub import EstimatorPub
    from qiskit.primitives.containers.sampler_pub import SamplerPub
    from qiskit.providers.basic_provider import BasicSimulator

    assign = QuantumCircuit.assign_parameters

    @functools.wraps(assign)
    def watched_assign(self: Any, parameters: Any, *args: Any, **kwargs: Any) -> Any:
        active = watches()
        if active:
            if not isinstance(parameters, Mapping | np.ndarray):
                # It may be an iterator, which gives its values once.
                parameters = list(parameters)
            readings = list(read_bindings(self, parameters))
            for watch in active:
                watch.check(readings, f"assign_parameters of {self.name}")
        with paused():
            return assign(self, parameters, *args, **kwargs)

    yield Patch(owner=QuantumCircuit, name="assign_parameters", new=watched_assign)
    for pub in (SamplerPub, EstimatorPub):
        yield Patch(owner=pub, name="coerce", new=_watched_coerce(pub, watches, paused))
    yield _watched_run(BasicSimulator, watches, paused)


def aer_patches(
    watches: Callable[[], tuple[Watch, ...]], paused: Callable[[], Any]
) -> Iterator[Patch]:
    """What to put into Aer, which binds parameters by itself."""
    from qiskit_aer.backends.aerbackend import AerBackend

    yield _watched_run(AerBackend, watches, paused)


def _watched_coerce(
    pub: Any, watches: Callable[[], tuple[Watch, ...]], paused: Callable[[], Any]
) -> Any:
    # A class method as it is in the class, not bound to it.
    coerce = vars(pub)["coerce"].__func__

    @functools.wraps(coerce)
    def watched(cls: Any, *args: Any, **kwargs: Any) -> Any:
        active = watches()
        with paused():
            made = coerce(cls, *args, **kwargs)
        if active:
            circuit = made.circuit
            readings = list(read_circuit(circuit))
            names = [parameter.name for parameter in circuit.parameters]
            for watch in active:
                watch.check(readings, f"circuit {circuit.name}")
                if names:
                    values = made.parameter_values.as_array(circuit.parameters)
                    watch.check_bindings(values, names, f"parameter values of {circuit.name}")
        return made

    return classmethod(watched)


def _watched_run(
    backend: Any, watches: Callable[[], tuple[Watch, ...]], paused: Callable[[], Any]
) -> Patch:
    run = backend.run
    signature = inspect.signature(run)

    @functools.wraps(run)
    def watched(*args: Any, **kwargs: Any) -> Any:
        active = watches()
        if active:
            given = signature.bind(*args, **kwargs).arguments
            circuits = next(given[name] for name in ("circuits", "run_input") if name in given)
            every = circuits if isinstance(circuits, list | tuple) else [circuits]
            binds = given.get("parameter_binds") or ()
            for index, circuit in enumerate(every):
                # Aer takes a mapping of lists of values for each circuit.
                bound = read_bindings(circuit, binds[index]) if index < len(binds) else ()
                readings = [*read_circuit(circuit), *bound]
                for watch in active:
                    watch.check(readings, f"circuit {circuit.name}")
        with paused():
            return run(*args, **kwargs)

    return Patch(owner=backend, name="run", new=watched)
