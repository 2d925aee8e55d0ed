"""The victim: its data, split, reduced and scaled; its circuit; what an attacker knows of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bezoar.attacks.named import attack_named
from bezoar.contracts.dataset import Dataset, FloatArray
from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.protocols import Attack
from bezoar.contracts.seeds import generator
from bezoar.data import load, make_reducer, split
from bezoar.data.autoencoder import FittedAutoencoder
from bezoar.data.latent import pool_reducer
from bezoar.data.reduce import Reducer
from bezoar.data.scale import AngleScaler, FittedAngleScaler
from bezoar.data.split import stratified_positions
from bezoar.evaluate.cells import Cell
from bezoar.evaluate.plan import AuditPlan
from bezoar.models.circuits import build_ansatz, build_circuit, build_encoding, encoding_circuit
from bezoar.models.white_box import WhiteBoxVictim
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.devices.device import DeviceCircuit
from bezoar.quantum.devices.tables import device_named, is_device
from bezoar.quantum.encodings.encoding import Encoding
from bezoar.quantum.engines.gradients import Exact
from bezoar.quantum.engines.plan import Program, compile_circuit
from bezoar.quantum.noise import NoiseModel, parse_noise
from bezoar.quantum.state_encoder import StateEncoder
from bezoar.quantum.tomography import parse_tomography

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Repetition:
    """The data of one seed as the model sees it; features in the range of the encoding."""

    train: Dataset
    test: Dataset


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """The victim under one noise.

    Attributes:
        circuit: of the model; on a device, as transpiled.
        noise: of its gates and readout.
        encoder: its state preparation.
        program: the compiled circuit.
        note: what a record must say of it; "" for nothing.
    """

    circuit: Circuit
    noise: NoiseModel | None
    encoder: StateEncoder
    program: Program
    note: str = ""


def load_data(
    plan: AuditPlan, *, folder: Path | str | None = None, progress: Progress = silent
) -> Dataset:
    """The plan's data set; `folder` and `progress` as in `bezoar.data.load`.

    Raises:
        BezoarError: as `bezoar.data.load`.
        UnknownName: `source_classes` that the data does not have.
        InvalidData: fewer than two classes with samples.
    """
    data = load(
        plan.data,
        label=plan.label,
        classes=plan.classes,
        n_samples=None if plan.fresh_samples else plan.samples,
        all_samples=plan.fresh_samples,
        folder=folder,
        progress=progress,
    )
    if plan.fresh_samples and (plan.samples or 0) > len(data):
        raise InvalidArgument(
            "samples",
            wanted=f"at most {len(data)}, from which each seed draws afresh",
            got=plan.samples,
        )
    for name in plan.source_classes:
        if name not in data.class_names:
            raise UnknownName("source_classes", name, data.class_names)
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


def pool(
    plan: AuditPlan,
    data: Dataset,
    *,
    folder: Path | str | None = None,
    progress: Progress = silent,
) -> FittedAutoencoder | None:
    """The reduction that is fitted once for all seeds, without labels; None if there is none.

    `folder` as in `bezoar.data.load`.

    Raises:
        BezoarError: as `bezoar.data.latent.pool_reducer`.
    """
    if plan.reduce != "pool-autoencoder":
        return None
    return pool_reducer(
        plan.data, n_features(plan, data), label=plan.label, folder=folder, progress=progress
    )


def fit_pipeline(
    plan: AuditPlan,
    train: Dataset,
    *,
    seed: int,
    fitted: Reducer | None = None,
    progress: Progress = silent,
) -> FeaturePipeline:
    """Fits reduction and scaling on training samples.

    Args:
        plan, train, seed: what to fit, on what, from which seed.
        fitted: the reduction, if it is not to be fitted here, see `pool`.
        progress: told while an autoencoder trains.

    Raises:
        InvalidArgument, InvalidData: more features than the data gives, and as the parts say.
    """
    built = encoding(plan)
    reducer = fitted or pool(plan, train, progress=progress)
    if reducer is None:
        reduction = make_reducer(plan.reduce, n_features(plan, train))
        reducer = reduction.fit(train.features, seed=seed, progress=progress)
    scaler = None
    if built.feature_range is not None:
        low, high = built.feature_range
        scaler = AngleScaler(low, high).fit(reducer.transform(train.features))
    return FeaturePipeline(reducer=reducer, scaler=scaler, encoding=built)


def repeat(
    plan: AuditPlan,
    data: Dataset,
    seed: int,
    *,
    fitted: Reducer | None = None,
    progress: Progress = silent,
) -> Repetition:
    """The samples of one seed: drawn, split, reduced and scaled; `fitted` as in `fit_pipeline`.

    Raises:
        InvalidData: a class that would vanish from a part.
    """
    if plan.fresh_samples:
        rng = generator(seed, "data", "n_samples")
        data = data.take(data.ids[stratified_positions(data.labels, plan.samples or 0, rng=rng)])
    parts = split(data, test=plan.test, rng=generator(seed, "split"))
    pipeline = fit_pipeline(plan, parts.train, seed=seed, fitted=fitted, progress=progress)
    return Repetition(
        train=parts.train.with_features(pipeline.transform(parts.train.features)),
        test=parts.test.with_features(pipeline.transform(parts.test.features)),
    )


def encoding(plan: AuditPlan) -> Encoding:
    """The plan's encoding."""
    return build_encoding(plan.encoding, plan.axes)


def model_circuit(plan: AuditPlan, data: Dataset) -> Circuit:
    """Encoding and ansatz, before any device.

    Raises:
        InvalidArgument: more features than the qubits hold, and as the parts say.
    """
    return build_circuit(
        encoding(plan),
        build_ansatz(plan.ansatz),
        n_features(plan, data),
        plan.qubits,
        plan.layers,
    )


def model_name(plan: AuditPlan, data: Dataset) -> str:
    """The model for people."""
    n_qubits = model_circuit(plan, data).n_qubits
    qubits = "1 qubit" if n_qubits == 1 else f"{n_qubits} qubits"
    if plan.model == "quantum-kernel":
        return f"quantum kernel, {qubits}"
    layers = "1 layer" if plan.layers == 1 else f"{plan.layers} layers"
    name = f"{plan.ansatz}, {layers}, {qubits}"
    return name if plan.ensemble == "none" else f"{name}, {plan.ensemble}"


def noise_model(plan: AuditPlan, name: str) -> NoiseModel | None:
    """The noise of that short name, on the encoding as the plan says.

    Raises:
        InvalidArgument: a device, whose noise belongs to a transpiled circuit.
    """
    noise = parse_noise(name)
    return None if noise is None else replace(noise, on_encoding=plan.noise_on_encoding)


def target(plan: AuditPlan, data: Dataset, noise: str) -> Target:
    """The victim under this noise.

    Raises:
        InvalidArgument: a circuit that is too large, and as the parts say.
    """
    circuit = model_circuit(plan, data)
    if is_device(noise):
        there = device_named(noise).transpile(circuit, layout=plan.device_qubits or None)
        circuit, prepared = there.circuit, there.encoding()
        model = replace(there.noise, on_encoding=plan.noise_on_encoding)
        note = _told(there)
    else:
        prepared, model, note = circuit.encoding(), noise_model(plan, noise), ""
    return Target(
        circuit=circuit,
        noise=model,
        encoder=StateEncoder(circuit=prepared, noise=model),
        note=note,
        program=compile_circuit(
            circuit,
            model,
            dtype=plan.dtype,  # type: ignore[arg-type]
            device=plan.device,
        ),
    )


def _told(there: DeviceCircuit) -> str:
    layout = "given" if there.layout_given else "chosen by the transpiler"
    gates = ", ".join(
        f"{n} {gate}"
        for gate, n in Counter(
            operation.gate for operation in there.circuit.operations
        ).most_common()
    )
    return (
        f"{there.device}, calibrated {there.calibrated}: qubits "
        f"{', '.join(map(str, there.qubits))} ({layout}), "
        f"{'a' if there.barrier else 'no'} barrier between encoding and ansatz, {gates}; "
        f"{there.transpiler}, level {there.optimization_level}, seed {there.seed}."
    )


def state_encoder(plan: AuditPlan, data: Dataset, noise: str) -> StateEncoder:
    """What an attacker knows of the victim: its encoding circuit and the noise, see `target`."""
    if is_device(noise):
        return target(plan, data, noise).encoder
    circuit = encoding_circuit(encoding(plan), n_features(plan, data), plan.qubits)
    return StateEncoder(circuit=circuit, noise=noise_model(plan, noise))


def measured_encoder(plan: AuditPlan, encoder: StateEncoder, *, seed: int) -> StateEncoder:
    """`encoder` as the plan's attackers know its states; `seed` is of their measurements."""
    return replace(encoder, tomography=parse_tomography(plan.attacker_states), seed=seed)


def attack(
    plan: AuditPlan,
    cell: Cell,
    repetition: Repetition,
    target_of: Callable[[str], Target],
    *,
    exact: bool = False,
) -> Attack:
    """The cell's attack with what it may know of the victim.

    Args:
        plan, cell: what is asked for.
        repetition: the cell's data; the test part is for attacks that declare to know it.
        target_of: the victim under a noise.
        exact: whether the states are known exactly, whatever the plan says.

    Raises:
        UnknownName, InvalidArgument: as `attack_named`.
    """
    known = target_of(plan.attacker_noise or cell.noise)
    encoder = known.encoder if exact else measured_encoder(plan, known.encoder, seed=cell.seed)
    return attack_named(
        cell.attack,
        ratio=cell.ratio,
        encoder=encoder,
        metric=plan.metric,
        source_classes=plan.source_classes,
        victim=WhiteBoxVictim(
            circuit=known.circuit,
            noise=known.noise,
            training=replace(plan.training(), gradient=Exact(), shots=None),
            dtype=plan.dtype,  # type: ignore[arg-type]
            device=plan.device,
        ),
        test_data=repetition.test,
    )
