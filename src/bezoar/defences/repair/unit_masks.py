"""Units of a network's layers: how active they are, and how they are switched off."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bezoar.contracts.dataset import FloatArray, IntArray
from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName
from bezoar.defences.detectors.inference import check_model, logits_in
from bezoar.models.hybrid.scoring import batches, device_of, in_evaluation

_BUFFER = "pruned_units"


def mean_activations(
    model: nn.Module,
    layers: Sequence[str],
    features: FloatArray,
    *,
    batch_size: int = 256,
    precision: str = "float32",
) -> dict[str, FloatArray]:
    """The mean absolute output of each unit of each layer over samples and positions.

    A unit is a channel of an output ``(sample, channel, height, width)`` or of an `nn.Conv1d`'s
    ``(sample, channel, length)``, and the last axis of any other ``(sample, ..., unit)``.

    Args:
        model: as it is: submodules that are pruned already count with zeros.
        layers: submodule names, as `nn.Module.get_submodule` takes them.
        features: what the model takes, ``(sample, ...)``.
        batch_size: samples in one forward pass, at most.
        precision: see `bezoar.defences.detectors.inference.run`.

    Returns:
        ``(unit,)`` for each layer.

    Raises:
        UnknownName: there is no such layer; the message lists those that are.
        InvalidArgument: a layer has no units to count, or the model does not use it.
        InvalidData: no samples, or outputs that are not finite.

    Example:
        >>> layer = nn.Linear(2, 2, bias=False).requires_grad_(False)
        >>> layer.weight[:] = torch.tensor([[1.0, 0.0], [0.0, -2.0]])
        >>> mean_activations(nn.Sequential(layer), ["0"], np.array([[1.0, 1.0], [3.0, 1.0]]))
        {'0': array([2., 2.])}
    """
    check_model(model)
    if not len(features):
        raise InvalidData("data", wanted="samples", got="none")
    outputs: dict[str, list[Any]] = {name: [] for name in layers}
    sums: dict[str, FloatArray] = {}
    counts = dict.fromkeys(layers, 0)
    with contextlib.ExitStack() as stack:
        for name in layers:
            handle = submodule(model, name).register_forward_hook(_keep_in(outputs[name]))
            stack.callback(handle.remove)
        stack.enter_context(in_evaluation(model))
        stack.enter_context(torch.no_grad())
        for batch in batches(features, batch_size):
            logits_in(model, batch.to(device_of(model)), precision)
            for name in layers:
                total, count = _sum_of_units(name, submodule(model, name), outputs[name])
                sums[name] = sums.get(name, 0.0) + total
                counts[name] += count
                outputs[name].clear()
    means: dict[str, FloatArray] = {name: sums[name] / counts[name] for name in layers}
    if not all(np.isfinite(values).all() for values in means.values()):
        raise InvalidData("activations", wanted="finite numbers", got="NaN or infinity")
    return means


def prune(model: nn.Module, units: Mapping[str, IntArray], sizes: Mapping[str, int]) -> None:
    """Switches units off, in place: from now on their outputs are 0.

    Each layer gets a boolean buffer ``pruned_units`` and a forward hook that sets the outputs it
    marks to zero. Weights stay as they are, so a normalisation after the layer, or a shared
    layer, changes nothing else. The hook goes along in `copy.deepcopy`, and the buffer into
    `state_dict`: to load such a state into a fresh network, call `prune` on it first (with empty
    `units` and the same layers). A layer that is pruned already keeps its pruned units.

    Args:
        model: changed.
        units: for each layer, the positions of the units to switch off.
        sizes: for each layer, how many units it has.

    Raises:
        UnknownName: there is no such layer.
        InvalidArgument: a position that is no unit.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid())
        >>> prune(model, {"1": np.array([0, 2])}, {"1": 3})
        >>> (model(torch.ones(1, 2)) == 0).tolist(), "1.pruned_units" in model.state_dict()
        ([[True, False, True]], True)
    """
    for name, positions in units.items():
        module = submodule(model, name)
        chosen = torch.zeros(sizes[name], dtype=torch.bool)
        where = torch.tensor(np.asarray(positions, dtype=np.int64))
        if len(where) and not bool(((where >= 0) & (where < sizes[name])).all()):
            raise InvalidArgument(
                "units", wanted=f"positions from 0 to {sizes[name] - 1} in {name!r}", got=positions
            )
        chosen[where] = True
        if _BUFFER in dict(module.named_buffers(recurse=False)):
            before = module.get_buffer(_BUFFER)
            before |= chosen.to(before.device)
            continue
        module.register_buffer(_BUFFER, chosen.to(device_of(model)))
        module.register_forward_hook(_silence)


def submodule(model: nn.Module, name: str) -> nn.Module:
    """The layer called `name`.

    Raises:
        UnknownName: there is none; the message lists the layers.
    """
    known = dict(model.named_modules())
    if name not in known or not name:
        raise UnknownName("layers", name, (each for each in known if each))
    return known[name]


def _keep_in(outputs: list[Any]) -> Callable[[nn.Module, Any, Any], None]:
    def keep(_: nn.Module, __: Any, output: Any) -> None:
        outputs.append(output)

    return keep


def _sum_of_units(name: str, module: nn.Module, outputs: list[Any]) -> tuple[FloatArray, int]:
    """Absolute outputs summed for each unit ``(unit,)``, and how many each sum has."""
    if not outputs:
        raise InvalidArgument(
            "layers", wanted="modules that the model calls", got=f"{name!r}, which it does not"
        )
    axes = [_unit_axis(name, module, output) for output in outputs]
    rows = [out.movedim(axis, -1).flatten(0, -2) for out, axis in zip(outputs, axes, strict=True)]
    if len({row.shape[1] for row in rows}) > 1:
        raise InvalidArgument(
            "layers",
            wanted="modules with the same units at each use",
            got=f"{name!r}, used with several sizes",
        )
    together = torch.cat(rows).abs().double()
    return together.sum(dim=0).cpu().numpy(), len(together)


def _silence(module: nn.Module, _: Any, output: Tensor) -> Tensor:
    """A plain function that reads its module: a copy of the module has its own buffer."""
    axis = _unit_axis("a pruned layer", module, output)
    marks = module.get_buffer(_BUFFER)
    shape = [1] * output.ndim
    shape[axis] = len(marks)
    return output.masked_fill(marks.view(shape), 0.0)


def _unit_axis(name: str, module: nn.Module, output: object) -> int:
    if not isinstance(output, Tensor) or output.ndim < 2:
        raise InvalidArgument(
            "layers",
            wanted="modules whose output is a tensor (sample, ..., unit)",
            got=f"{name!r}, a {type(module).__name__} with another output",
        )
    return 1 if output.ndim == 4 or isinstance(module, nn.Conv1d) else output.ndim - 1
