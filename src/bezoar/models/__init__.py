"""What learns and predicts: quantum classifiers as scikit-learn estimators, trained one or many."""

from bezoar.models.kernel import QuantumKernelClassifier
from bezoar.models.qnn import QNNClassifier
from bezoar.models.training import Job, Trained, TrainingSettings, train_many

__all__ = [
    "Job",
    "QNNClassifier",
    "QuantumKernelClassifier",
    "Trained",
    "TrainingSettings",
    "train_many",
]
