"""DPA and SS-DPA over quantum neural networks, as a scikit-learn estimator."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.defences.training.aggregation import PartitionAggregation
from bezoar.defences.training.votes import Votes, vote
from bezoar.models.archive import Arrays, array_of
from bezoar.models.qnn import QNNClassifier
from bezoar.models.training import Trained, predict_scores, train_many
from bezoar.models.watching import watched
from bezoar.quantum.ansatze.ansatz import Ansatz
from bezoar.quantum.encodings.encoding import Encoding
from bezoar.quantum.engines.gradients import Gradient
from bezoar.quantum.engines.plan import Precision, compile_circuit
from bezoar.quantum.engines.sampling import SamplerKind
from bezoar.quantum.noise import NoiseModel
from bezoar.quantum.state_encoder import StateEncoder


class PartitionAggregationClassifier(QNNClassifier):
    """An ensemble of `QNNClassifier` models that certifies its predictions against poisoning.

    See `bezoar.defences.training.aggregation.PartitionAggregation` for how the training set is
    partitioned, what a base learner sees and what the certificate promises. All base learners
    are trained in one call. The default is the setting of the QUID paper's Table 7.

    Features are scaled from the extremes of the training set, and the classes are those in it.
    Against label flips the certificate of `certify` holds as long as each class keeps a label;
    against inserted, deleted and changed samples (DPA) it holds only with ``scale=False``. The
    order of rows does not matter, but in SS-DPA for rows with the same features and other labels.

    Args:
        n_partitions: k; one is a plain model, trained on rows in sorted order.
        semi_supervised: SS-DPA, against label flips only; False for DPA.
        n_neighbors, alpha: of the label spreading in SS-DPA, see
            `bezoar.defences.training.spreading.spread_labels`.
        encoding, axes, n_qubits, ansatz, n_layers, noise, gradient, shots, sampler, epochs,
            batch_size, learning_rate, optimizer, scale, dtype, device, random_state, verbose: as
            in `QNNClassifier`. There is no early stopping: partitions have no labels to spare.

    Attributes:
        classes_, n_features_in_, circuit_, noise_: as in `QNNClassifier`.
        theta_: circuit parameters of each voter, radians, ``(voter, parameter)``; a partition
            without samples has no voter.
        weight_, bias_: their linear layers, ``(voter, qubit, class)`` and ``(voter, class)``.
        loss_curve_: mean training loss of each epoch, over voters.
        n_iter_: epochs that ran.
        best_epoch_: the epoch whose weights these are, the last.

    Source: Levine and Feizi, ICLR 2021 (arXiv 2006.14768); Kundu and Ghosh, arXiv 2411.14412,
    Table 7.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> y = np.arange(60) % 2
        >>> X = y[:, None] + rng.normal(0, 0.1, (60, 2))
        >>> y[:3] = 1 - y[:3]
        >>> model = PartitionAggregationClassifier(n_partitions=5, learning_rate=0.1,
        ...                                        random_state=0).fit(X, y)
        >>> model.predict([[0.0, 0.0], [1.0, 1.0]]).tolist()
        [0, 1]
        >>> model.certify([[0.0, 0.0], [1.0, 1.0]]).tolist()
        [2, 2]
    """

    def __init__(
        self,
        *,
        n_partitions: int = 3,
        semi_supervised: bool = True,
        n_neighbors: int = 10,
        alpha: float = 0.9,
        encoding: str | Encoding = "angle",
        axes: str = "XZ",
        n_qubits: int | None = None,
        ansatz: str | Ansatz = "sim-1",
        n_layers: int = 1,
        noise: str | NoiseModel | None = "none",
        gradient: str | Gradient = "exact",
        shots: int | None = None,
        sampler: SamplerKind = "auto",
        epochs: int = 30,
        batch_size: int = 32,
        learning_rate: float = 0.01,
        optimizer: str = "adam",
        scale: bool = True,
        dtype: Precision = "float32",
        device: str = "cpu",
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            encoding=encoding,
            axes=axes,
            n_qubits=n_qubits,
            ansatz=ansatz,
            n_layers=n_layers,
            noise=noise,
            gradient=gradient,
            shots=shots,
            sampler=sampler,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            optimizer=optimizer,
            scale=scale,
            dtype=dtype,
            device=device,
            random_state=random_state,
            verbose=verbose,
        )
        self.n_partitions = n_partitions
        self.semi_supervised = semi_supervised
        self.n_neighbors = n_neighbors
        self.alpha = alpha

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """The share of the votes, ``(sample, class)``, columns as in `classes_`.

        Raises:
            NotFittedError: before `fit`.
            InvalidData: features that are not finite numbers, or another number of them.
        """
        return super().predict_proba(X)

    def certify(self, X: npt.ArrayLike) -> IntArray:
        """How many partitions may be poisoned without changing `predict`, ``(sample,)``.

        For SS-DPA, as many labels may be flipped; for DPA see `PartitionAggregation`.

        Raises:
            NotFittedError: before `fit`.
            InvalidData: features that are not finite numbers, or another number of them.
        """
        angles = self._angles(X)
        return self._in_batches(lambda part: self._vote(part).radius, angles).astype(np.int64)

    def _learn(self, angles: FloatArray, codes: IntArray, seed: int) -> None:
        settings = self._training_settings()
        aggregation = PartitionAggregation(
            n_partitions=self.n_partitions,
            semi_supervised=self.semi_supervised,
            n_neighbors=self.n_neighbors,
            alpha=self.alpha,
        )
        data = Dataset(
            features=angles,
            labels=codes,
            ids=np.arange(len(codes)),
            class_names=tuple(str(name) for name in self.classes_),
        )
        encoder = StateEncoder(circuit=self.circuit_.encoding(), noise=self.noise_)
        sets = aggregation.base_sets(data, encoder)
        jobs = aggregation.jobs(sets, n_classes=data.n_classes, seed=seed)
        program = compile_circuit(self.circuit_, self.noise_, dtype=self.dtype, device=self.device)
        with watched(bool(self.verbose)) as progress:
            trained = train_many(program, angles, jobs, settings, progress=progress)
        self.theta_ = np.stack([t.theta for t in trained])
        self.weight_ = np.stack([t.weight for t in trained])
        self.bias_ = np.stack([t.bias for t in trained])
        self.loss_curve_ = np.mean([t.losses for t in trained], axis=0).tolist()
        self.n_iter_ = self.best_epoch_ = len(self.loss_curve_)

    def _decide(self, angles: FloatArray) -> FloatArray:
        return self._vote(angles).counts / len(self.theta_)

    def _vote(self, angles: FloatArray) -> Votes:
        program = compile_circuit(self.circuit_, self.noise_, dtype="float64", device=self.device)
        voters = [
            Trained(
                theta=theta, weight=weight, bias=bias, losses=np.empty(0), epoch=self.best_epoch_
            )
            for theta, weight, bias in zip(self.theta_, self.weight_, self.bias_, strict=True)
        ]
        scores = predict_scores(program, program.encode(angles), voters)
        return vote(scores.argmax(axis=2), len(self.classes_))

    def _relearn(self, arrays: Arrays) -> None:
        n_classes, n_qubits = len(self.classes_), self.circuit_.n_qubits
        self.theta_ = array_of(arrays, "theta", (None, self.circuit_.n_parameters))
        n_voters = len(self.theta_)
        self.weight_ = array_of(arrays, "weight", (n_voters, n_qubits, n_classes))
        self.bias_ = array_of(arrays, "bias", (n_voters, n_classes))
        self.loss_curve_ = array_of(arrays, "losses", (None,)).tolist()
        self.n_iter_ = len(self.loss_curve_)
        self.best_epoch_ = int(array_of(arrays, "best_epoch", (), "iu"))
