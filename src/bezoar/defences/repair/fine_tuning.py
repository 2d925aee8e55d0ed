"""A little more training on clean data."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.contracts.seeds import generator
from bezoar.defences.detectors.inference import check_model, logits_in
from bezoar.models.circuits import whole_number
from bezoar.models.hybrid.scoring import as_tensor, batches, device_of, in_evaluation


def fine_tune(
    model: nn.Module,
    data: Dataset,
    *,
    epochs: int,
    learning_rate: float,
    batch_size: int,
    seed: int,
) -> None:
    """Trains all parameters of `model` in place with Adam on the cross entropy.

    Training mode, so batch norms take new statistics and dropouts drop; each submodule gets its own
    mode back. Batches are drawn at random in sizes that differ by one at most, since a batch of
    one has no statistics. Torch's own random state is left as it was.

    Args:
        model: changed. Frozen parameters are trained too.
        data: what to learn, features as the model takes them.
        epochs, learning_rate, batch_size: how. `batch_size` is the largest.
        seed: of the run.

    Raises:
        InvalidArgument: a number out of range, or a model that does not take the data.
        InvalidData: fewer than two samples, or training that ends in NaN or infinity.
    """
    check_tuning(epochs, learning_rate, batch_size)
    if epochs and len(data) < 2:
        raise InvalidData("data", wanted="two samples or more to fine-tune on", got=len(data))
    check_model(model)
    device = device_of(model)
    features = as_tensor(data.features).to(device)
    labels = torch.tensor(data.labels, device=device)
    wanted = {name: each.requires_grad for name, each in model.named_parameters()}
    rng = generator(seed, "fine-tuning")
    own_stream = torch.random.fork_rng([device] if device.type == "cuda" else [])
    # Leaving `in_evaluation` gives each submodule its own mode back.
    with in_evaluation(model), own_stream:
        torch.manual_seed(int(rng.integers(2**31)))
        model.train().requires_grad_(requires_grad=True)
        optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate)
        for _ in range(epochs):
            for rows in _batches(len(data), batch_size, rng):
                optimiser.zero_grad()
                logits = logits_in(model, features[rows], "float32")
                nn.functional.cross_entropy(logits, labels[rows]).backward()
                optimiser.step()
        optimiser.zero_grad()
    for name, each in model.named_parameters():
        each.requires_grad_(wanted[name])


def check_tuning(epochs: int, learning_rate: float, batch_size: int) -> None:
    """Checks the settings of a fine-tuning; 0 epochs are none.

    Raises:
        InvalidArgument: a number out of range.
    """
    whole_number("epochs", epochs, least=0)
    whole_number("batch_size", batch_size, least=2)
    if not math.isfinite(learning_rate) or learning_rate <= 0:
        raise InvalidArgument("learning_rate", wanted="a number above 0", got=learning_rate)


def accuracy_of(
    model: nn.Module, data: Dataset, *, batch_size: int = 256, precision: str = "float32"
) -> float:
    """The share of samples that the model predicts right.

    Args:
        model: from features to logits.
        data: with features ``(sample, ...)`` as the model takes them.
        batch_size: samples in one forward pass, at most.
        precision: see `bezoar.defences.detectors.inference.run`.

    Raises:
        InvalidArgument: a model that does not take the data.
        InvalidData: no samples, or logits that are not finite.

    Example:
        >>> data = Dataset(features=[[0.0, 1.0], [1.0, 0.0]], labels=[1, 1], ids=[0, 1],
        ...                class_names=("a", "b"))
        >>> accuracy_of(nn.Identity(), data)
        0.5
    """
    check_model(model)
    if not len(data):
        raise InvalidData("data", wanted="samples", got="none")
    device = device_of(model)
    with in_evaluation(model), torch.no_grad():
        predictions = [
            logits_in(model, batch.to(device), precision).argmax(dim=1)
            for batch in batches(data.features, batch_size)
        ]
    return float(np.mean(torch.cat(predictions).cpu().numpy() == data.labels))


def _batches(n_samples: int, batch_size: int, rng: np.random.Generator) -> list[torch.Tensor]:
    n_batches = math.ceil(n_samples / batch_size)
    return [torch.tensor(rows) for rows in np.array_split(rng.permutation(n_samples), n_batches)]
