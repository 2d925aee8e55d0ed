"""What stored results are found by: all that they depend on, and nothing that they do not."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bezoar._version import __version__
from bezoar.contracts import plugins
from bezoar.contracts.records import hash_of
from bezoar.data.autoencoder import FittedAutoencoder
from bezoar.evaluate.cells import Cell
from bezoar.evaluate.plan import AuditPlan
from bezoar.evaluate.victim import Target
from bezoar.quantum.noise import describe

# Raise the number when the same key comes to mean another result.
_VERSION = f"3-{__version__}"

# What attackers do does not touch a training on clean data.
_OF_ATTACKS = ("metric", "source_classes", "attacker_noise", "attacker_states", "with_key")

# All that the states of the training samples depend on, beside data and noise.
_OF_STATES = (
    "samples", "fresh_samples", "features", "reduce", "encoding", "axes", "qubits",
    "noise_on_encoding", "test",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellKeys:
    """Keys of the results of one plan, JSON values.

    Attributes:
        plan: the settings.
        fingerprint: of the data.
        pool: hash of a reduction that the cells do not fit themselves, see `weights_of`.
        devices: hash of the transpiled circuit for each noise that is a device, see `transpiled`.
    """

    plan: AuditPlan
    fingerprint: str
    pool: str
    devices: Mapping[str, str]
    # A plan has hundreds of cells, and each look-up reads the installed packages.
    _provider: Callable[[str, str], str] = field(
        default_factory=lambda: functools.cache(plugins.provider)
    )

    def training(self, cell: Cell) -> dict[str, Any]:
        """Of a training and what was measured of it."""
        settings = self.plan.cell_settings()
        noises = [cell.noise]
        what: dict[str, Any] = {}
        if cell.attack == "none":
            settings = {k: v for k, v in settings.items() if k not in _OF_ATTACKS}
        else:
            noises += [self.plan.attacker_noise] if self.plan.attacker_noise else []
            what["from"] = self._provider("attacks", cell.attack)
            what["detectors"] = {
                name: self._provider("detectors", name) for name in self.plan.detectors
            }
        return self._key(
            "train",
            settings,
            noises,
            ansatz=self._provider("ansatze", self.plan.ansatz),
            noise=cell.noise,
            attack=cell.attack,
            ratio=cell.ratio,
            seed=cell.seed,
            **what,
        )

    def states(self, noise: str, seed: int) -> dict[str, Any]:
        """Of a comparison of the clean states."""
        every = self.plan.cell_settings()
        return self._key(
            "similarity",
            {name: every[name] for name in _OF_STATES},
            [noise],
            noise=noise,
            seed=seed,
            distances=list(self.plan.distances),
        )

    def _key(
        self, kind: str, settings: dict[str, Any], noises: list[str], **what: Any
    ) -> dict[str, Any]:
        return {
            "version": _VERSION,
            "kind": kind,
            "data": self.fingerprint,
            "pool": self.pool,
            "settings": settings,
            "encoding": self._provider("encodings", self.plan.encoding),
            "devices": [self.devices[noise] for noise in noises if noise in self.devices],
            **what,
        }


def weights_of(pool: FittedAutoencoder | None) -> str:
    """A hash of all that its latent features depend on; "" for none."""
    if pool is None:
        return ""
    digest = hashlib.sha256()
    weights = (tensor.numpy() for tensor in pool.encoder.state_dict().values())
    for array in (pool.low, pool.span, *weights):
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def transpiled(target: Target) -> str:
    """A hash of a device's circuit and noise: its file may change, and so may the transpiler."""
    return hash_of({"circuit": repr(target.circuit), "noise": describe(target.noise)})
