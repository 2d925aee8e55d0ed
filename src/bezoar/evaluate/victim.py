"""The victim's pipeline: split, reduce, scale, encode. Fitted on the training part alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from bezoar.contracts.dataset import Dataset, FloatArray, Split
from bezoar.contracts.errors import InvalidData
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.seeds import generator
from bezoar.data import load, make_reducer, split
from bezoar.data.reduce import Reducer
from bezoar.data.scale import AngleScaler, FittedAngleScaler
from bezoar.evaluate.plan import AuditPlan
from bezoar.models.circuits import build_ansatz, build_circuit, build_encoding, encoding_circuit
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.encodings.encoding import Encoding
from bezoar.quantum.noise import NoiseModel, parse_noise
from bezoar.quantum.state_encoder import StateEncoder

_DEFAULT_FEATURES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturePipeline:
    """Raw features to what the encoding takes, as fitted on a training part."""

    reducer: Reducer
    scaler: FittedAngleScaler | None
    encoding: Encoding

    def transform(self, features: FloatArray) -> FloatArray:
        """``(sample, latent feature)``, in the range of the encoding.

        Raises:
            InvalidData: features that the encoding cannot hold.
        """
        latent = self.reducer.transform(features)
        scaled = latent if self.scaler is None else self.scaler.transform(latent)
        self.encoding.check(scaled)
        return scaled


def load_data(plan: AuditPlan) -> Dataset:
    """The plan's data set.

    Raises:
        BezoarError: as `bezoar.data.load`.
        InvalidData: fewer than two classes with samples.
    """
    data = load(plan.data, label=plan.label, classes=plan.classes, n_samples=plan.samples)
    present = int((data.counts() > 0).sum())
    if present < 2:
        raise InvalidData(
            "data",
            wanted="samples of two classes or more",
            got=f"{len(data)} samples of {present} class{'' if present == 1 else 'es'}",
        )
    # Lone surrogates can be in an npz archive and in a path, and in no UTF-8 file that we write.
    for subject, text in (("data", plan.data), *(("class_names", n) for n in data.class_names)):
        if text.encode(errors="replace").decode() != text:
            raise InvalidData(subject, wanted="text that UTF-8 can hold", got=ascii(text))
    return data


def fingerprint(data: Dataset) -> str:
    """A hash of the samples, their labels, ids and class names."""
    digest = hashlib.sha256()
    for array in (data.features, data.labels, data.ids):
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update("\x1f".join(data.class_names).encode())
    return digest.hexdigest()[:16]


def n_features(plan: AuditPlan, data: Dataset) -> int:
    """How many latent features the plan's model sees."""
    if plan.features is not None:
        return plan.features
    return data.n_features if plan.reduce == "none" else min(_DEFAULT_FEATURES, data.n_features)


def fit_pipeline(
    plan: AuditPlan, train: Dataset, *, seed: int, progress: Progress = silent
) -> FeaturePipeline:
    """Fits reduction and scaling on training samples.

    Raises:
        InvalidArgument, InvalidData: more features than the data gives, and as the parts say.
    """
    encoding = build_encoding(plan.encoding, plan.axes)
    reduction = make_reducer(plan.reduce, n_features(plan, train))
    reducer = reduction.fit(train.features, seed=seed, progress=progress)
    scaler = None
    if encoding.feature_range is not None:
        low, high = encoding.feature_range
        scaler = AngleScaler(low, high).fit(reducer.transform(train.features))
    return FeaturePipeline(reducer=reducer, scaler=scaler, encoding=encoding)


def model_circuit(plan: AuditPlan, data: Dataset) -> Circuit:
    """Encoding and ansatz.

    Raises:
        InvalidArgument: more features than the qubits hold, and as the parts say.
    """
    return build_circuit(
        build_encoding(plan.encoding, plan.axes),
        build_ansatz(plan.ansatz),
        n_features(plan, data),
        plan.qubits,
        plan.layers,
    )


def noise_model(plan: AuditPlan, name: str) -> NoiseModel | None:
    """The noise of that name, on the encoding as the plan says."""
    noise = parse_noise(name)
    return None if noise is None else replace(noise, on_encoding=plan.noise_on_encoding)


def state_encoder(plan: AuditPlan, data: Dataset, noise: str) -> StateEncoder:
    """What an attacker knows of the victim: its encoding circuit and the device's noise."""
    encoding = build_encoding(plan.encoding, plan.axes)
    circuit = encoding_circuit(encoding, n_features(plan, data), plan.qubits)
    return StateEncoder(circuit=circuit, noise=noise_model(plan, noise))


def split_data(plan: AuditPlan, data: Dataset, seed: int) -> Split:
    """Train and test parts of one repetition.

    Raises:
        InvalidData: a class that would vanish from a part.
    """
    return split(data, test=plan.test, rng=generator(seed, "split"))
