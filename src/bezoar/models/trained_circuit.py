"""A trained circuit with its linear layer: what is delivered, and what can be exchanged in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from bezoar.contracts.dataset import FloatArray, IntArray
from bezoar.contracts.errors import InvalidArgument
from bezoar.models.qnn import QNNClassifier
from bezoar.models.training import Trained, predict_scores
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.engines.plan import compile_circuit
from bezoar.quantum.noise import NoiseModel
from bezoar.quantum.synthesis import ApproximateSynthesis


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedCircuit:
    """``p(class | x) = softmax(W^T z + b)`` with ``z_w`` the expectation of Z on wire w.

    What `QNNClassifier` learns, without scaling and labels: samples are angles, classes are codes.

    Attributes:
        circuit: encoding and trained part.
        theta: ``(parameter,)``, radians.
        weight: ``(qubit, class)``.
        bias: ``(class,)``.
        noise: of gates and readout, or None.

    Raises:
        InvalidArgument: shapes that do not fit the circuit or each other, numbers not finite.

    Example:
        >>> from bezoar.quantum.circuit import Feature, Operation
        >>> line = Circuit(1, (Operation("RX", (0,), (Feature((0,)),)),))
        >>> model = TrainedCircuit(circuit=line, theta=np.empty(0),
        ...                        weight=np.array([[1.0, -1.0]]), bias=np.zeros(2))
        >>> model.predict([[0.0], [np.pi]]).tolist()
        [0, 1]
    """

    circuit: Circuit
    theta: FloatArray
    weight: FloatArray
    bias: FloatArray
    noise: NoiseModel | None = None

    def __post_init__(self) -> None:
        for name in ("theta", "weight", "bias"):
            own = np.array(getattr(self, name), dtype=np.float64)
            if not np.isfinite(own).all():
                raise InvalidArgument(name, wanted="finite numbers", got="NaN or infinity")
            own.setflags(write=False)
            object.__setattr__(self, name, own)
        n_classes = len(self.bias) if self.bias.ndim == 1 else -1
        wanted = ((self.circuit.n_parameters,), (self.circuit.n_qubits, n_classes), (n_classes,))
        got = (self.theta.shape, self.weight.shape, self.bias.shape)
        if got != wanted:
            raise InvalidArgument(
                "theta, weight and bias", wanted=f"shapes {wanted} for this circuit", got=got
            )

    @classmethod
    def of(cls, model: QNNClassifier) -> Self:
        """What a fitted classifier has learnt.

        Raises:
            NotFittedError: before `fit`.
        """
        check_is_fitted(model)
        return cls(
            circuit=model.circuit_,
            theta=model.theta_,
            weight=model.weight_,
            bias=model.bias_,
            noise=model.noise_,
        )

    @property
    def n_classes(self) -> int:
        """How many classes it tells apart."""
        return len(self.bias)

    def probabilities(self, angles: npt.ArrayLike) -> FloatArray:
        """Class probabilities ``(sample, class)`` of ``(sample, feature)``, exact expectations.

        Raises:
            InvalidArgument, InvalidData: features that the circuit cannot encode.
        """
        program = compile_circuit(self.circuit, self.noise, dtype="float64")
        trained = Trained(
            theta=self.theta, weight=self.weight, bias=self.bias, losses=np.empty(0), epoch=0
        )
        return predict_scores(program, program.encode(angles), [trained])[0]

    def predict(self, angles: npt.ArrayLike) -> IntArray:
        """The most probable class code of each sample, ``(sample,)``."""
        return self.probabilities(angles).argmax(axis=1)

    def synthesised(self, synthesis: ApproximateSynthesis) -> Self:
        """The model after approximate synthesis of its circuit; the linear layer stays."""
        found = synthesis.apply(self.circuit, self.theta)
        return replace(self, circuit=found.circuit, theta=found.theta)
