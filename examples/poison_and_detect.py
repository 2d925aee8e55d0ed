"""Poison a data set with QUID, find the wrong labels by state similarity, and train without them.

python examples/poison_and_detect.py
"""

from __future__ import annotations

import numpy as np

from bezoar.attacks import QUID
from bezoar.contracts.dataset import Dataset
from bezoar.data import AngleScaler, load, make_reducer, split
from bezoar.defences.detectors.state_similarity import StateSimilarityGap
from bezoar.models import QNNClassifier
from bezoar.quantum.encodings import AngleEncoding
from bezoar.quantum.noise import parse_noise
from bezoar.quantum.state_encoder import StateEncoder

NOISE = "ad-dep:0.05"
RATIO = 0.3


def main() -> None:
    """Compares a model of clean, of poisoned and of cleaned digits."""
    parts = split(load("digits", classes=["0", "1", "2", "3"]), rng=np.random.default_rng(0))
    reducer = make_reducer("pca", 8).fit(parts.train.features, seed=0)
    scaler = AngleScaler().fit(reducer.transform(parts.train.features))
    train, test = (
        part.with_features(scaler.transform(reducer.transform(part.features)))
        for part in (parts.train, parts.test)
    )

    # The attacker knows the encoding circuit and its noise, the detector does too.
    circuit = AngleEncoding().circuit(n_features=8, n_qubits=4)
    encoder = StateEncoder(circuit=circuit, noise=parse_noise(NOISE))
    attack = QUID(ratio=RATIO, encoder=encoder)
    poisoned = attack.poison(train, rng=np.random.default_rng(1))

    # Above 0 a sample's state is nearer to another class than to that of its label.
    suspicion = StateSimilarityGap(encoder=encoder).inspect(poisoned.data)
    suspects = suspicion.ids[suspicion.scores > 0]
    kept = poisoned.data.take(suspicion.ids[suspicion.scores <= 0])

    # Only a judge may look at the truth; here that is us.
    hits = np.isin(suspects, poisoned.truth.poisoned_ids).sum()
    print(f"{len(poisoned.truth.poisoned_ids)} of {len(train)} labels poisoned")
    print(f"{len(suspects)} suspects, {hits} of them poisoned")
    for name, data in (("clean", train), ("poisoned", poisoned.data), ("cleaned", kept)):
        print(f"{name:9} accuracy {accuracy(data, test):.2f}")


def accuracy(train: Dataset, test: Dataset) -> float:
    """Test accuracy of a model trained on `train`; one seed, so no more than an illustration."""
    model = QNNClassifier(noise=NOISE, random_state=0).fit(train.features, train.labels)
    return float(model.score(test.features, test.labels))


if __name__ == "__main__":
    main()
