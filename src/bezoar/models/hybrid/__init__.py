"""Hybrid networks: a classical trunk, a quantum head, and the classical twins beside them."""

from bezoar.models.hybrid.archive import LoadedNetwork, load_network, save_network
from bezoar.models.hybrid.classifier import HybridImageClassifier
from bezoar.models.hybrid.fit_settings import FitSettings, History
from bezoar.models.hybrid.fitting import fit_network
from bezoar.models.hybrid.heads import LinearHead, QuantumHead, TanhHead
from bezoar.models.hybrid.network import HybridNetwork, NetworkSettings, build_network
from bezoar.models.hybrid.scoring import logits_of

__all__ = [
    "FitSettings",
    "History",
    "HybridImageClassifier",
    "HybridNetwork",
    "LinearHead",
    "LoadedNetwork",
    "NetworkSettings",
    "QuantumHead",
    "TanhHead",
    "build_network",
    "fit_network",
    "load_network",
    "logits_of",
    "save_network",
]
