"""The statistics of batch norm: of weights that came folded, and of a network in training.

A file with folded weights has convolutions with biases. ``set_folded`` makes batch norm the
identity plus that bias, exact in evaluation. In training, where statistics of the batch take the
place of the stored ones, such a network would be another one; ``calibrate`` therefore sets the
statistics to those of real images and the affine part so that the outputs stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # the kin of all dimensions


def set_folded(network: nn.Module) -> None:
    """Makes each batch norm the identity, but for its bias, and marks it as to be calibrated."""
    for norm in _norms([network]):
        norm.weight.data.fill_(1)
        _statistics(norm, torch.zeros_like(norm.bias), torch.full_like(norm.bias, 1 - norm.eps))


def is_folded(norm: nn.BatchNorm2d) -> bool:
    """Whether `set_folded` left it so, and nothing was calibrated or trained since."""
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        return False
    mark = torch.full_like(variance, 1 - norm.eps)
    return not mean.any() and torch.equal(variance, mark)


@torch.no_grad()
def calibrate(stages: Iterable[nn.Module], x: Tensor) -> Tensor:
    """Gives folded batch norms the statistics of `x`, outputs unchanged to rounding (5e-7).

    With mean m and variance v of what comes in, weight w and bias b become w sqrt(v + eps) and
    b + w m, where (w, b) was the function before.

    Args:
        stages: run in order, in evaluation.
        x: what the first takes, ``(batch, channel, height, width)``.

    Returns:
        What the last gives.
    """
    for stage in stages:
        hooks = [n.register_forward_pre_hook(_take_over) for n in _norms([stage]) if is_folded(n)]
        try:
            x = stage(x)
        finally:
            for hook in hooks:
                hook.remove()
    return x


@torch.no_grad()
def renew_statistics(
    modules: Iterable[nn.Module], run: Callable[[Tensor], object], x: Iterable[Tensor]
) -> None:
    """Sets the stored statistics to their mean over batches, all with the weights as they are.

    The moving average of training lags behind weights that still move, far enough to cost most of
    the accuracy after a few fast epochs; see Wu and Johnson (2021, arXiv 2105.07576, section 3).

    Args:
        modules: whose batch norms are renewed; those that are in evaluation mode stay.
        run: a forward pass through them.
        x: batches.
    """
    norms = [n for m in modules for n in m.modules() if isinstance(n, _BatchNorm) and n.training]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean of all batches
    try:
        for batch in x:
            run(batch)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def _take_over(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    assert isinstance(norm, nn.BatchNorm2d)  # noqa: S101 - hooked on such alone
    variance, mean = torch.var_mean(inputs[0].float(), dim=(0, 2, 3), correction=0)
    norm.bias.data += norm.weight.data * mean
    norm.weight.data *= (variance + norm.eps).sqrt()
    _statistics(norm, mean, variance)


def _statistics(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    assert norm.running_mean is not None  # noqa: S101 - ours track them
    assert norm.running_var is not None  # noqa: S101
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)


def _norms(modules: Iterable[nn.Module]) -> list[nn.BatchNorm2d]:
    return [m for module in modules for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
