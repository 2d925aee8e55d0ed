"""The table of a device from any backend of Qiskit, the user's own included."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from typing import Any

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.adapters.qiskit import OURS
from bezoar.quantum.devices.calibration import DeviceGate, DeviceQubit
from bezoar.quantum.devices.device import Device
from bezoar.quantum.gates import GATES
from bezoar.quantum.noise import ReadoutError


def device_from_backend(backend: Any, *, name: str | None = None) -> Device:
    """The calibration of a Qiskit ``BackendV2``: its target, and its properties where it has them.

    Readout errors come from the properties (``prob_meas1_prep0``, ``prob_meas0_prep1``), which tell
    the two kinds of error apart. A backend without them has one error of its measurement, which
    counts for both. Gates that we do not have, resets, delays and control flow are left out.

    Args:
        backend: of a provider, or made by hand.
        name: for records; the backend's own by default.

    Raises:
        InvalidArgument: it has no target, the target has no qubits, or its gates have no places
            (an ideal simulator).

    Example:
        >>> from qiskit.providers.fake_provider import GenericBackendV2
        >>> device = device_from_backend(GenericBackendV2(3, coupling_map=[[0, 1], [1, 2]], seed=1))
        >>> device.coupling
        ((0, 1), (1, 2))
    """
    target = getattr(backend, "target", None)
    if target is None or not target.num_qubits:
        raise InvalidArgument(
            "backend", wanted="a Qiskit BackendV2 with a target", got=type(backend).__name__
        )
    properties = backend.properties() if callable(getattr(backend, "properties", None)) else None
    gates = tuple(_gates(target))
    if not gates:
        raise InvalidArgument(
            "backend",
            wanted="gates at places, with their errors",
            got=f"{backend.name}, which has none",
            mend="a simulator's noise comes in with from_aer_noise_model",
        )
    return Device(
        name=name or str(backend.name),
        calibrated="" if properties is None else properties.last_update_date.isoformat(),
        source=_source(backend),
        qubits=tuple(_qubit(target, properties, q) for q in range(target.num_qubits)),
        gates=gates,
    )


def _gates(target: Any) -> Iterator[DeviceGate]:
    for theirs in target.operation_names:
        ours = OURS.get(theirs)
        for qubits, properties in (target[theirs] if ours else {}).items():
            if ours and qubits is not None and len(qubits) == GATES[ours].n_wires:
                yield DeviceGate(
                    gate=ours,
                    qubits=tuple(qubits),
                    error=None if properties is None else properties.error,
                    duration=None if properties is None else properties.duration,
                )


def _qubit(target: Any, properties: Any, qubit: int) -> DeviceQubit:
    times = target.qubit_properties[qubit] if target.qubit_properties else None
    return DeviceQubit(
        t1=getattr(times, "t1", None),
        t2=getattr(times, "t2", None),
        readout=_readout(target, properties, qubit),
    )


def _readout(target: Any, properties: Any, qubit: int) -> ReadoutError | None:
    measured = {} if properties is None else {p.name: p.value for p in properties.qubits[qubit]}
    if "prob_meas1_prep0" in measured and "prob_meas0_prep1" in measured:
        return ReadoutError(p10=measured["prob_meas1_prep0"], p01=measured["prob_meas0_prep1"])
    one = target["measure"].get((qubit,)) if "measure" in target.operation_names else None
    if one is None or one.error is None:
        return None
    return ReadoutError(p10=one.error, p01=one.error)


def _source(backend: Any) -> str:
    """Class, package and version, as far as they are known."""
    package = type(backend).__module__.partition(".")[0]
    try:
        version = importlib.metadata.version(package.replace("_", "-"))
    except importlib.metadata.PackageNotFoundError:
        return type(backend).__name__
    return f"{type(backend).__name__} of {package.replace('_', '-')} {version}"
