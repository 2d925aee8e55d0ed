"""Inspection of a trained model: does it hold a backdoor, and for which class."""

from bezoar.defences.inspection.anomaly import anomaly_index
from bezoar.defences.inspection.neural_cleanse import NeuralCleanse

__all__ = ["NeuralCleanse", "anomaly_index"]
