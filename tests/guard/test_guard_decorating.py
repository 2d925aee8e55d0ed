"""Guards around functions and torch modules."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
from typing import Any

import numpy as np
import pytest
import torch

from bezoar.contracts.errors import InvalidArgument
from bezoar.guard import GuardError, GuardLog, Limits, check, guard, guard_module

NAN = float("nan")
TWO = Limits.angle(2)


def encode(x: Any, weights: Any = (), *, shift: Any = 0.0) -> float:
    return float(np.sum(x)) + len(weights) + shift


def test_a_loop_over_qubits_cuts_features_off_and_the_guard_tells() -> None:
    def angles(features: Any, n_qubits: int) -> list[float]:
        return [features[i] for i in range(min(len(features), n_qubits))]

    assert angles([0.1, 0.2, 0.3], 2) == [0.1, 0.2]
    with pytest.raises(GuardError, match="features of angles: wanted 2 features in each sample"):
        guard(TWO)(angles)([0.1, 0.2, 0.3], 2)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [(([NAN, 0.0],), {}), ((), {"x": [NAN, 0.0]}), (([NAN, 0.0], [1.0]), {"shift": 1.0})],
)
def test_the_argument_is_found_however_it_is_passed(args: Any, kwargs: Any) -> None:
    for guarded in (guard(TWO)(encode), guard(TWO, argument="x")(encode)):
        with pytest.raises(GuardError, match="x of encode: wanted finite"):
            guarded(*args, **kwargs)
        assert guarded([0.1, 0.2], [1.0], shift=1.0) == pytest.approx(2.3)
        assert inspect.signature(guarded) == inspect.signature(encode)
        assert guarded.__name__ == "encode"


def test_several_arguments_and_keyword_only_ones() -> None:
    guarded = guard(Limits(), argument=("x", "shift"))(encode)
    with pytest.raises(GuardError, match="shift of encode"):
        guarded([0.1], shift=NAN)
    stacked = guard(TWO, argument="x")(guard(Limits(), argument="weights")(encode))
    with pytest.raises(GuardError, match="weights of encode"):
        stacked([0.1, 0.2], [NAN])


def test_defaults_are_left_alone_and_missing_arguments_are_the_functions_to_refuse() -> None:
    guarded = guard(Limits(), argument=("x", "weights"))(encode)
    assert guarded([1.0]) == 1.0
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        guarded()  # pyright: ignore[reportCallIssue]


def test_star_arguments_methods_and_static_ones() -> None:
    @guard(Limits())
    def gates(*angles: float) -> float:
        return sum(angles)

    assert gates(0.5, 0.5) == 1.0
    with pytest.raises(GuardError, match=r"angles\[1\] of gates"):
        gates(0.5, NAN)

    class Encoder:
        @guard(TWO)
        def encode(self, x: Any) -> Any:
            return x

        @staticmethod
        @guard(TWO)
        def plain(x: Any) -> Any:
            return x

        @classmethod
        @guard(TWO)
        def of(cls, x: Any) -> Any:
            return x

    for call in (Encoder().encode, Encoder.plain, Encoder().plain, Encoder.of):
        assert call([0.1, 0.2]) == [0.1, 0.2]
        with pytest.raises(GuardError):
            call([0.1])


def test_coroutines_are_checked_when_awaited() -> None:
    @guard(TWO)
    async def serve(x: Any) -> Any:
        await asyncio.sleep(0)
        return x

    assert inspect.iscoroutinefunction(serve)
    assert asyncio.run(serve([0.1, 0.2])) == [0.1, 0.2]
    with pytest.raises(GuardError):
        asyncio.run(serve([0.1, NAN]))


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (encode, {"argument": "y"}),
        (encode, {"argument": ()}),
        (lambda: None, {}),
        (lambda **kwargs: kwargs, {"argument": "kwargs"}),
        (3, {}),
        (dict, {}),
        (staticmethod(encode), {}),
        (torch.nn.Linear, {}),
        (np.sin, {"argument": "x1"}),
    ],
)
def test_what_cannot_be_guarded_is_refused_at_once(function: Any, options: Any) -> None:
    with pytest.raises(InvalidArgument):
        guard(TWO, **options)(function)


def test_forgetting_the_limits_is_told() -> None:
    with pytest.raises(InvalidArgument, match=r"write Limits.angle\(n_qubits\)"):
        guard(encode)  # pyright: ignore[reportArgumentType]


def test_torch_modules_are_checked_and_their_gradients_are_not_touched() -> None:
    torch.manual_seed(0)
    plain = torch.nn.Linear(2, 1)
    guarded = copy.deepcopy(plain)
    assert guard(TWO)(guarded) is guarded
    gradients = []
    for layer in (plain, guarded):
        x = torch.tensor([[0.1, 0.2], [0.3, 0.4]], requires_grad=True)
        layer(x).sum().backward()
        assert x.grad is not None
        assert layer.weight.grad is not None
        gradients.append((x.grad, layer.weight.grad))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    assert plain(torch.tensor([0.1, NAN])).isnan()
    for call in (guarded, lambda x: guarded(input=x)):
        with pytest.raises(GuardError, match="input of Linear: wanted finite"):
            call(torch.tensor([0.1, NAN]))


def test_the_hook_of_a_module_travels_and_comes_off() -> None:
    layer = torch.nn.Linear(2, 1)
    handle = guard_module(layer, TWO)
    bad = torch.tensor([0.1, NAN])
    assert list(layer.state_dict()) == ["weight", "bias"]
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):  # noqa: S301 - ours
        with pytest.raises(GuardError):
            other(bad)
    handle.remove()
    assert layer(bad).isnan()
    with pytest.raises(InvalidArgument, match=r"module: wanted a torch\.nn\.Module"):
        guard_module(encode, TWO)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_tensors_of_all_precisions_are_read(dtype: torch.dtype) -> None:
    check(torch.full((2,), 12.5, dtype=dtype), TWO)
    with pytest.raises(GuardError):
        check(torch.tensor([0.1, NAN], dtype=dtype), TWO)


def test_odd_tensors_are_read() -> None:
    amplitudes = torch.tensor([1j, 0.5]).conj()
    check(amplitudes, Limits.amplitude(1))
    check(torch.tensor([0.1, 0.2]).to_sparse(), TWO)
    check([torch.tensor(0.1, requires_grad=True), torch.tensor(0.2)], TWO)
    check(torch.full((2,), 4 * np.pi), TWO)


def test_functional_gradients_are_checked_with_their_values() -> None:
    guarded = guard(TWO)(lambda x: (x * x).sum())
    x = torch.tensor([0.1, 0.2])
    torch.testing.assert_close(torch.func.grad(guarded)(x), 2 * x)
    with pytest.raises(GuardError, match="finite"):
        torch.func.grad(guarded)(torch.tensor([0.1, NAN]))


def test_values_that_are_not_known_are_refused() -> None:
    guarded = guard(TWO)(lambda x: (x * x).sum())
    batch = torch.ones(3, 2)
    with pytest.raises(GuardError, match="put the guard outside of"):
        torch.func.vmap(guarded)(batch)
    with pytest.raises(GuardError, match="values are not known"):
        check(torch.ones(2, device="meta"), TWO)
    outside = guard(TWO, argument="x")(lambda x: torch.func.vmap(lambda row: row.sum())(x) + 0)
    torch.testing.assert_close(outside(batch), batch.sum(1))


def test_compiled_modules_are_checked_each_time() -> None:
    layer = torch.nn.Linear(2, 1)
    guard(TWO)(layer)
    compiled = torch.compile(layer, backend="eager")
    good = torch.tensor([0.1, 0.2])
    for _ in range(2):
        torch.testing.assert_close(compiled(good), layer(good))
        with pytest.raises(GuardError, match="finite"):
            compiled(torch.tensor([0.1, NAN]))


def test_a_log_sees_the_guards_of_functions() -> None:
    guarded = guard(TWO)(encode)
    with GuardLog() as log:
        for x in ([0.1, 0.2], [0.1], [NAN, 0.1]):
            try:
                guarded(x)
            except GuardError:
                continue
    assert [refusal.violations[0].rule for refusal in log] == ["length", "finite"]
