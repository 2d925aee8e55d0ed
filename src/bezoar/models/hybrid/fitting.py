"""Training a hybrid network: the head alone first, then the trunk from a stage on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bezoar.contracts.dataset import FloatArray, IntArray
from bezoar.contracts.errors import InvalidData, UnknownName
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.seeds import generator
from bezoar.models.circuits import whole_number
from bezoar.models.hybrid.batch_norm import calibrate, renew_statistics
from bezoar.models.hybrid.feature_cache import cached_features
from bezoar.models.hybrid.fit_settings import FitSettings, History
from bezoar.models.hybrid.frozen import BATCH, Rows, frozen_maps
from bezoar.models.hybrid.heads import Head
from bezoar.models.hybrid.network import HybridNetwork
from bezoar.models.hybrid.precision import autocast, computing_dtype, device_named
from bezoar.models.hybrid.scoring import (
    batches,
    checked_images,
    checked_labels,
    device_of,
    logits_of,
)
from bezoar.models.hybrid.trunk import StagedTrunk
from bezoar.models.quantum_layer import QuantumLayer

__all__ = ["FitSettings", "History", "fit_network", "logits_of"]

# Told the epoch, from 0 and warm-up included, and the network in evaluation.
EpochHook = Callable[[int, HybridNetwork], None]

# Images that statistics of batch norm are taken from.
_CALIBRATION = 256
_RENEWAL = 512


def fit_network(
    network: HybridNetwork,
    images: FloatArray,
    labels: IntArray,
    settings: FitSettings | None = None,
    *,
    seed: int,
    progress: Progress = silent,
    after_epoch: EpochHook | None = None,
) -> History:
    """Trains a network in place by Adam on the mean cross entropy.

    First the head alone, on features that are computed once; then head and trunk together, from
    the stage ``train_from`` on. What lies below is computed once, in evaluation, and kept in
    memory up to 1 GiB, beyond that in a file; with ``train_from="head"`` the features are kept in
    our cache folder from one call to the next.

    Batch norm: frozen stages keep their statistics. Trained stages use those of the batch; the
    stored ones are taken anew from up to 512 of the samples before the hook sees the network and
    at the end, see `batch_norm.renew_statistics`. Weights that came folded are first calibrated on
    256 images, which leaves the outputs as they were.

    No draw of ours comes from torch's global stream: equal arguments give equal weights on one
    machine with one number of threads. A circuit with shots draws from a stream of its own, also
    when a hook runs it.

    Args:
        network: trained in place, on its device again at the end, in evaluation mode. An error
            or an interruption leaves it trained in part.
        images: ``(sample, channel, height, width)`` in [0, 1], or ``(sample, feature)``.
        labels: ``(sample,)`` class codes.
        settings: None for the defaults.
        seed: of the order of the samples.
        progress: told of steps.
        after_epoch: called after each epoch with its number, from 0, and the network in
            evaluation.

    Raises:
        InvalidData: images or labels that do not fit the network; fewer than two samples or
            classes; a loss that is not finite.
        UnknownName: ``train_from`` is no stage.
        InvalidArgument: a seed or a device that is none.

    Example:
        >>> from bezoar.models.hybrid.network import NetworkSettings, build_network
        >>> network = build_network(NetworkSettings(n_classes=2, head="tanh"), seed=0)
        >>> images = np.zeros((8, 3, 32, 32), np.float32)
        >>> images[4:] = 1
        >>> codes = np.repeat([0, 1], 4)
        >>> history = fit_network(network, images, codes, FitSettings(epochs=1), seed=0)
        >>> history.losses.shape
        (6, 8)
    """
    settings = settings or FitSettings()
    seed = whole_number("seed", seed, least=0)
    images = checked_images(network, images)
    parts = _Parts(network.trunk, settings.train_from)
    device, home = device_named(settings.device), device_of(network)
    codes = checked_labels(network, images, labels)
    if len(np.unique(codes)) < 2:
        raise InvalidData(
            "labels", wanted="samples of two classes or more", got=f"{len(codes)} of one class"
        )
    try:
        # Before the optimiser, which must hold the weights that the device has.
        network.to(device).eval()
        training = _Training(network, parts, codes, settings, seed, device, progress, after_epoch)
        if parts.above:
            with frozen_maps(training.below(), images, progress=progress) as rows:
                training.calibrate(rows)
                if settings.warm_up:
                    training.warm_up(_rows_of(training.features(rows)))
                training.run(rows, joint=True)
        else:
            features = _rows_of(training.frozen_features(images))
            training.warm_up(features)
            training.run(features, joint=False)
    finally:
        network.to(home).eval()
    return History(losses=training.losses, n_warm_up=settings.warm_up)


class _Parts:
    """A trunk in two: what stays as it is, and what is trained."""

    def __init__(self, trunk: nn.Module, train_from: str) -> None:
        self.trunk = trunk
        if isinstance(trunk, StagedTrunk):
            self._below, self._above = trunk.parted(train_from)
            self.below = [trunk.get_submodule(name) for name in self._below]
            self.above = [trunk.get_submodule(name) for name in self._above]
        elif train_from in ("stem", "head"):
            # A trunk of the user's has no stages that we know: all of it or nothing.
            self.below, self.above = ([], [trunk]) if train_from == "stem" else ([trunk], [])
        else:
            raise UnknownName("train_from", train_from, ("stem", "head"))

    def maps(self, images: Tensor) -> Tensor:
        """What the frozen stages give."""
        trunk = self.trunk
        return trunk.run(images, self._below) if isinstance(trunk, StagedTrunk) else trunk(images)

    def features(self, maps: Tensor) -> Tensor:
        """Features of what the frozen stages gave."""
        trunk = self.trunk
        if isinstance(trunk, StagedTrunk):
            return trunk.pool(trunk.run(maps, self._above))
        return trunk(maps) if self.above else maps


class _Training:
    """The state of one training."""

    def __init__(
        self,
        network: HybridNetwork,
        parts: _Parts,
        codes: IntArray,
        settings: FitSettings,
        seed: int,
        device: torch.device,
        progress: Progress,
        after_epoch: EpochHook | None,
    ) -> None:
        self._network, self._parts, self._settings = network, parts, settings
        self._codes, self._device = torch.from_numpy(codes), device
        self._progress, self._after_epoch = progress, after_epoch
        self._order = generator(seed, "hybrid", "shuffle")
        # Mixed, as samples often come sorted by class.
        mixed = generator(seed, "hybrid", "statistics").permutation(len(codes))
        self._some = mixed[:_RENEWAL]
        self._epoch = 0
        self._adam = _adam_over(network.head, settings, device)
        shape = (settings.warm_up + settings.epochs, len(codes))
        self.losses = np.full(shape, np.nan, np.float32)

    def below(self) -> Callable[[Tensor], Tensor] | None:
        """The frozen stages as a function; None if there are none."""
        if not self._parts.below:
            return None
        return self._without_gradient(self._parts.maps)

    def calibrate(self, rows: Rows) -> None:
        """Makes batch norm of folded weights ready for training."""
        if isinstance(self._parts.trunk, StagedTrunk):
            x = rows(self._some[:_CALIBRATION]).to(self._device)
            if not self._parts.below:
                x = self._parts.trunk.prepare(x)
            calibrate(self._parts.above, x.float())

    def features(self, rows: Rows) -> Tensor:
        """Features of all samples before the trunk is trained, ``(sample, feature)``."""
        run = self._without_gradient(self._parts.features)
        everyone = np.arange(len(self._codes))
        pieces = [everyone[i : i + BATCH] for i in range(0, len(everyone), BATCH)]
        return torch.cat([run(rows(piece)).float() for piece in pieces])

    def frozen_features(self, images: FloatArray) -> Tensor:
        """Features of all samples under a trunk that stays as it is, from disk if they are there.

        Only of trunks of ours: what else decides over the output of another we cannot know.
        """
        run = self._without_gradient(self._network.trunk)

        def compute() -> FloatArray:
            parts = []
            for part in batches(images, BATCH):
                parts.append(run(part).float().cpu())
                self._progress("frozen stages", sum(map(len, parts)), len(images))
            return torch.cat(parts).numpy()

        trunk = self._network.trunk
        if not isinstance(trunk, StagedTrunk) or not trunk.stage_names:
            return torch.from_numpy(compute())
        dtype = computing_dtype(self._settings.precision, self._device)
        where = f"{dtype} {self._device.type}"
        return torch.from_numpy(cached_features(trunk, images, compute, precision=where))

    def warm_up(self, features: Rows) -> None:
        """Trains the head alone, on rows of features."""
        for _ in range(self._settings.warm_up):
            self._one_epoch(features, joint=False)

    def run(self, rows: Rows, *, joint: bool) -> None:
        """Trains head and trunk on rows of what the trained stages take, or the head on features.

        This is where the rates fall.
        """
        if joint:
            weights = [p for stage in self._parts.above for p in stage.parameters()]
            self._adam.add_param_group({"params": weights, "lr": self._settings.learning_rate})
        for epoch in range(self._settings.epochs):
            if epoch and epoch % self._settings.decay_every == 0:
                for group in self._adam.param_groups:
                    group["lr"] *= self._settings.decay
            self._one_epoch(rows, joint=joint)

    def _one_epoch(self, rows: Rows, *, joint: bool) -> None:
        self._train(rows, joint=joint)
        # Training does not look at what is stored, so it need not be renewed unless seen.
        last = self._epoch + 1 in (self._settings.warm_up, len(self.losses))
        if self._after_epoch is not None or last:
            self._renew(rows, joint=joint)
        self._network.eval()
        if self._after_epoch is not None:
            self._after_epoch(self._epoch, self._network)
        self._epoch += 1

    def _train(self, rows: Rows, *, joint: bool) -> None:
        self._network.head.train()
        for stage in self._parts.above if joint else ():
            stage.train()
        order = self._order.permutation(len(self._codes))
        pieces = _pieces(order, self._settings.batch_size)
        total = len(self.losses) * len(pieces)
        for step, positions in enumerate(pieces):
            logits = self._network.head(self._head_inputs(rows(positions), joint=joint))
            labels = self._codes[positions].to(self._device)
            losses = cross_entropy(logits, labels, reduction="none")
            self._note(positions, losses.detach().cpu().numpy())
            self._adam.zero_grad()
            losses.mean().backward()
            self._adam.step()
            self._progress("train", self._epoch * len(pieces) + step + 1, total)

    def _head_inputs(self, x: Tensor, *, joint: bool) -> Tensor:
        x = x.to(self._device)
        if joint:
            with autocast(self._settings.precision, self._device):
                x = self._parts.features(x)
        return x.float()

    def _renew(self, rows: Rows, *, joint: bool) -> None:
        """Stored statistics of batch norm as the weights now are, over some of the samples."""
        head = self._network.head
        # Not through the circuit: with shots that would draw.
        end = head.normalize if isinstance(head, Head) else head
        renew_statistics(
            [end, *(self._parts.above if joint else ())],
            lambda x: end(self._head_inputs(x, joint=joint)),
            (rows(piece) for piece in _pieces(self._some, self._settings.batch_size)),
        )

    def _note(self, positions: IntArray, losses: FloatArray) -> None:
        if not np.isfinite(losses).all():
            raise InvalidData(
                "training",
                wanted="finite losses",
                got=f"NaN or infinity in epoch {self._epoch + 1}",
                mend="lower the learning rates, or set precision float32",
            )
        self.losses[self._epoch, positions] = losses

    def _without_gradient(self, run: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def quietly(x: Tensor) -> Tensor:
            with torch.no_grad(), autocast(self._settings.precision, self._device):
                return run(x.to(self._device))

        return quietly


def _adam_over(head: nn.Module, settings: FitSettings, device: torch.device) -> torch.optim.Adam:
    angles = [m.weights for m in head.modules() if isinstance(m, QuantumLayer)]
    rest = [p for p in head.parameters() if all(p is not angle for angle in angles)]
    groups = [
        {"params": rest, "lr": settings.head_learning_rate},
        {"params": angles, "lr": settings.theta_learning_rate},
    ]
    # One pass over the weights; elsewhere torch may not have it.
    fused = device.type in ("cpu", "cuda")
    return torch.optim.Adam([group for group in groups if group["params"]], fused=fused)


def _rows_of(features: Tensor) -> Rows:
    return lambda positions: features[torch.from_numpy(positions)]


def _pieces(order: IntArray, size: int) -> list[IntArray]:
    """Batches of `order`; a last sample alone, of which batch norm can make nothing, joins."""
    starts = list(range(0, len(order), size))
    if len(starts) > 1 and len(order) - starts[-1] == 1:
        starts.pop()
    return np.split(order, starts[1:])
