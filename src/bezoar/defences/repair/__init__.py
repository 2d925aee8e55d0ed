"""Mending a trained model with clean data."""

from bezoar.defences.repair.fine_pruning import SHARES, FinePruning, PruningCurve, Repaired
from bezoar.defences.repair.unlearning import unlearn

__all__ = ["SHARES", "FinePruning", "PruningCurve", "Repaired", "unlearn"]
