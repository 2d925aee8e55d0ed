"""The block that watches: what it changes, and that nothing of it stays."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pennylane as qml
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.providers.basic_provider import BasicSimulator
from qiskit_aer.backends.aerbackend import AerBackend

from bezoar.contracts.errors import InvalidArgument, MissingExtra, UnknownName
from bezoar.guard import GuardError, GuardLog, GuardWarning, Limits, guarding
from bezoar.guard.patches import Patch, Patches

ANGLE = Parameter("angle")
PATCHED: list[tuple[Any, str]] = [
    (qml.QNode, "construct"),
    (qml.StatePrep, "__init__"),
    (qml, "execute"),
    (QuantumCircuit, "assign_parameters"),
    (SamplerPub, "coerce"),
    (EstimatorPub, "coerce"),
    (BasicSimulator, "run"),
    (AerBackend, "run"),
]


def attributes() -> list[Any]:
    return [vars(owner)[name] for owner, name in PATCHED]


def circuit() -> QuantumCircuit:
    made = QuantumCircuit(1, name="encoder")
    made.rx(ANGLE, 0)
    return made


def bind(angle: float) -> QuantumCircuit:
    return circuit().assign_parameters({ANGLE: angle})


def test_nothing_stays_behind() -> None:
    before = attributes()
    with guarding():
        assert not any(ours is theirs for ours, theirs in zip(attributes(), before, strict=True))
        with guarding():
            pass
        with pytest.raises(GuardError):
            bind(99.0)
    assert attributes() == before
    with pytest.raises(ZeroDivisionError), guarding():
        raise ZeroDivisionError
    assert attributes() == before
    bind(99.0)


def test_all_blocks_hold() -> None:
    with guarding(Limits.angle(max_abs=10.0)):
        with guarding(Limits.angle(max_abs=1.0)):
            with pytest.raises(GuardError, match="from -1 to 1"):
                bind(5.0)
            with pytest.raises(GuardError, match="from -10 to 10"):
                bind(50.0)
        bind(5.0)
        with pytest.raises(GuardError):
            bind(50.0)


def test_what_others_put_on_top_is_left() -> None:
    ours = QuantumCircuit.assign_parameters
    try:
        with guarding():
            watched = QuantumCircuit.assign_parameters

            def theirs(self: Any, *args: Any, **kwargs: Any) -> Any:
                return watched(self, *args, **kwargs)

            QuantumCircuit.assign_parameters = theirs
        assert QuantumCircuit.assign_parameters is theirs
        bind(99.0)
    finally:
        QuantumCircuit.assign_parameters = ours


def test_log_tells_once_a_call_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "bezoar.guard"), GuardLog() as log:
        with guarding(action="log"):
            assert bind(99.0).num_parameters == 0
        with pytest.warns(GuardWarning), guarding(action="warn"):
            bind(99.0)
    assert len(caplog.records) == 1
    assert log.n_refused == 2
    with pytest.raises(UnknownName), guarding(action="loud"):  # pyright: ignore[reportArgumentType]
        pass


def test_other_threads_are_watched_only_with_the_context() -> None:
    outcomes: list[str] = []

    def work() -> None:
        try:
            bind(99.0)
            outcomes.append("bound")
        except GuardError:
            outcomes.append("refused")

    with guarding():
        for target in (work, lambda: contextvars.copy_context().run(work)):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(work,))
        thread.start()
        thread.join()
    assert outcomes == ["bound", "bound", "refused"]


def test_threads_that_open_and_close_blocks_leave_nothing() -> None:
    before = attributes()
    failures: list[BaseException] = []

    def work(limit: float) -> None:
        try:
            for _ in range(10):
                with guarding(Limits.angle(max_abs=limit)):
                    bind(limit)
                    with pytest.raises(GuardError, match=f"from -{limit:g} to {limit:g}"):
                        bind(limit + 1)
        except BaseException as failure:  # noqa: BLE001 - told below
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(float(i + 1),)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert attributes() == before


def test_asyncio_tasks_keep_their_own_limits() -> None:
    async def work(limit: float) -> None:
        with guarding(Limits.angle(max_abs=limit)):
            await asyncio.sleep(0.001)
            bind(limit)
            with pytest.raises(GuardError, match=f"from -{limit:g} to {limit:g}"):
                bind(limit + 1)
            await asyncio.sleep(0.001)

    async def every() -> None:
        await asyncio.gather(*(work(float(i + 1)) for i in range(5)))

    before = attributes()
    asyncio.run(every())
    assert attributes() == before


def test_what_are_no_limits_is_told_before_the_block() -> None:
    wrong: Any = 4
    with pytest.raises(InvalidArgument, match="angles: wanted Limits, got 4"), guarding(wrong):
        pytest.fail("the block began")


def test_patches_that_cannot_all_be_made_are_taken_out() -> None:
    def make() -> Iterator[Patch]:
        yield Patch(owner=QuantumCircuit, name="assign_parameters", new=None)
        raise ImportError

    before = attributes()
    patches = Patches()
    with pytest.raises(ImportError):
        patches.acquire({"qiskit": make})
    assert attributes() == before
    assert patches.groups == frozenset()


def test_it_decorates_functions() -> None:
    @guarding(Limits.angle(max_abs=1.0))
    def train(angle: float) -> QuantumCircuit:
        return bind(angle)

    train(0.5)
    for _ in range(2):
        with pytest.raises(GuardError):
            train(2.0)


def test_a_framework_that_comes_late_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    aer = sys.modules["qiskit_aer"]
    monkeypatch.delitem(sys.modules, "qiskit_aer")
    with pytest.raises(GuardError, match="qiskit_aer imported in it, and not watched"), guarding():
        sys.modules["qiskit_aer"] = aer
    with guarding():
        pass


def test_without_either_framework_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pennylane", "qiskit", "qiskit_aer"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=r"bezoar\[pennylane\]"), guarding():
        pass


def test_one_of_two_frameworks_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    before = attributes()
    monkeypatch.setitem(sys.modules, "pennylane", None)
    with guarding(), pytest.raises(GuardError):
        bind(99.0)
    assert attributes() == before
