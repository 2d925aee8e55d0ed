"""Training that survives poisoned data."""

from bezoar.defences.training.aggregation import BaseSet, PartitionAggregation, ensemble_named
from bezoar.defences.training.classifier import PartitionAggregationClassifier
from bezoar.defences.training.votes import Votes, vote

__all__ = [
    "BaseSet",
    "PartitionAggregation",
    "PartitionAggregationClassifier",
    "Votes",
    "ensemble_named",
    "vote",
]
