"""QUID against hand calculation and against the definition, one density matrix at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from poisoning_cases import CLASSES, angle, entangling, samples

from bezoar.attacks.poisoning.quid import QUID
from bezoar.contracts.dataset import Dataset
from bezoar.quantum.circuit import Circuit, Feature, Operation
from bezoar.quantum.distances import METRICS, Metric
from bezoar.quantum.engines.reference import density_matrix
from bezoar.quantum.noise import NoiseModel, ad_dep
from bezoar.quantum.state_encoder import StateEncoder

TURN = StateEncoder(circuit=Circuit(1, (Operation("RX", (0,), (Feature((0,)),)),)))


def on_a_circle(low: list[float], middle: list[float], high: list[float]) -> Dataset:
    """Pure qubits RX(x)|0>, whose Frobenius distance is ``sqrt(2) |sin((x - x') / 2)|``."""
    angles = [*low, *middle, *high]
    return Dataset(
        features=np.array(angles)[:, None],
        labels=np.repeat([0, 1, 2], [len(low), len(middle), len(high)]),
        ids=np.arange(len(angles)),
        class_names=("low", "middle", "high"),
    )


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("middle", "farthest"), [(1.4, 2), (1.7, 0)])
def test_the_farther_pole_is_the_new_label(metric: Metric, middle: float, farthest: int) -> None:
    # The middle sample is the only one of its class, so its own class has no reference. All
    # metrics grow with the angle between pure qubits: 1.4 is nearer to 0, 1.7 nearer to pi.
    data = on_a_circle([0.0], [middle], [np.pi])
    attack = QUID(ratio=0.34, encoder=TURN, metric=metric, source_classes=("middle",))
    poisoned = attack.poison(data, rng=np.random.default_rng(0))
    assert poisoned.truth.poisoned_ids.tolist() == [1]
    assert poisoned.data.labels.tolist() == [0, farthest, 2]


def test_the_mean_over_the_class_decides_and_not_its_nearest_or_farthest_sample() -> None:
    # From 1.5: low has sin(.75) and sin(.05), mean .366; high has sin(.45) = .435. The farthest
    # single sample is in low, the nearest too.
    data = on_a_circle([0.0, 1.6], [1.5], [2.4])
    attack = QUID(ratio=0.25, encoder=TURN, source_classes=("middle",))
    assert attack.poison(data, rng=np.random.default_rng(0)).data.labels[2] == 2


def test_the_farthest_class_may_be_the_own_one_and_the_sample_is_listed_all_the_same() -> None:
    # From the "low" sample that is poisoned, the other "low" is opposite and "middle" is near.
    data = on_a_circle([0.0, 3.0], [1.5, 1.5], [])
    attack = QUID(ratio=0.25, encoder=TURN, source_classes=("low",))
    poisoned = attack.poison(data, rng=np.random.default_rng(0))
    assert len(poisoned.truth.poisoned_ids) == 1
    assert poisoned.data.labels.tolist() == data.labels.tolist()


def test_a_class_without_clean_samples_is_no_candidate() -> None:
    data = on_a_circle([0.0, 3.1], [1.5, 1.6], [])
    attack = QUID(ratio=0.5, encoder=TURN, source_classes=("low",))
    poisoned = attack.poison(data, rng=np.random.default_rng(0))
    assert poisoned.data.labels.tolist() == [1, 1, 1, 1]


def frobenius(rho: np.ndarray, sigma: np.ndarray) -> float:
    return float(np.linalg.norm(rho - sigma))


def hilbert_schmidt(rho: np.ndarray, sigma: np.ndarray) -> float:
    return 1 - abs(np.trace(sigma.conj().T @ rho)) / len(rho)


def trace(rho: np.ndarray, sigma: np.ndarray) -> float:
    return float(np.abs(np.linalg.eigvalsh(rho - sigma)).sum())


def root(rho: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(rho)
    return vectors * np.sqrt(values.clip(0)) @ vectors.conj().T


def fidelity(rho: np.ndarray, sigma: np.ndarray) -> float:
    return 1 - float(np.linalg.svd(root(rho) @ root(sigma), compute_uv=False).sum()) ** 2


def bures(rho: np.ndarray, sigma: np.ndarray) -> float:
    return float(np.sqrt(max(0.0, 2 - 2 * np.sqrt(1 - fidelity(rho, sigma)))))


DEFINITIONS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "frobenius": frobenius,
    "hilbert-schmidt": hilbert_schmidt,
    "trace": trace,
    "fidelity": fidelity,
    "bures": bures,
}


def algorithm_1(
    data: Dataset, poisoned_ids: list[int], encoder: StateEncoder, metric: str
) -> tuple[list[int], float]:
    """The new labels as the paper's loops say, and the smallest lead of a farthest class."""
    states = {
        int(i): density_matrix(encoder.circuit, x, noise=encoder.noise)
        for i, x in zip(data.ids, data.features, strict=True)
    }
    clean = [int(i) for i in data.ids if i not in poisoned_ids]
    label_of = dict(zip(data.ids.tolist(), data.labels.tolist(), strict=True))
    labels, leads = [], []
    for i in poisoned_ids:
        means = []
        for c in range(data.n_classes):
            of_class = [
                DEFINITIONS[metric](states[i], states[j]) for j in clean if label_of[j] == c
            ]
            means.append(np.mean(of_class))
        labels.append(int(np.argmax(means)))
        leads.append(np.diff(sorted(means)[-2:]).item())
    return labels, min(leads)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("make", "noise"),
    list(itertools.product((angle, entangling), (None, ad_dep(0.05), ad_dep(0.15)))),
)
def test_agrees_with_the_loops_of_algorithm_1(
    metric: Metric, make: Callable[[NoiseModel | None], StateEncoder], noise: NoiseModel | None
) -> None:
    encoder = make(noise)
    data = samples([0, 1, 2] * 6, seed=1)
    poisoned = QUID(ratio=0.4, encoder=encoder, metric=metric).poison(
        data, rng=np.random.default_rng(0)
    )
    ids = poisoned.truth.poisoned_ids.tolist()
    wanted, lead = algorithm_1(data, ids, encoder, metric)
    # No label hangs on rounding: the engines agree to 1e-10, distances to 1e-7.
    assert lead > 1e-6
    assert poisoned.data.labels[data.positions(ids)].tolist() == wanted


def test_every_metric_has_a_definition_here() -> None:
    assert set(DEFINITIONS) == set(METRICS)


def test_noise_can_change_labels_and_is_the_encoders() -> None:
    data = samples([0, 1, 2] * 20)
    results = [
        QUID(ratio=0.5, encoder=angle(noise)).poison(data, rng=np.random.default_rng(0))
        for noise in (None, ad_dep(0.0), ad_dep(0.4))
    ]
    none, idle, strong = (result.data.labels for result in results)
    assert np.array_equal(none, idle)
    assert not np.array_equal(none, strong)


def test_touches_source_classes_alone() -> None:
    data = samples([0, 1, 2] * 20)
    attack = QUID(ratio=0.2, encoder=angle(), source_classes=("ant", "cow"))
    poisoned = attack.poison(data, rng=np.random.default_rng(0))
    assert len(poisoned.truth.poisoned_ids) == 12
    assert set(poisoned.truth.original_labels.tolist()) <= {0, 2}
    changed = poisoned.data.labels != data.labels
    assert set(data.labels[changed].tolist()) <= {0, 2}


def test_a_cap_on_references_draws_from_the_stream_and_a_loose_one_changes_nothing() -> None:
    data = samples([0, 1, 2] * 20)

    def labels(cap: int | None, seed: int = 0) -> np.ndarray:
        attack = QUID(ratio=0.5, encoder=angle(), max_references=cap)
        return attack.poison(data, rng=np.random.default_rng(seed)).data.labels

    assert np.array_equal(labels(None), labels(1000))
    assert np.array_equal(labels(1), labels(1))
    assert not np.array_equal(labels(None), labels(1))


def test_the_truth_holds_every_setting_in_words() -> None:
    attack = QUID(ratio=0.5, encoder=angle(ad_dep(0.05)), source_classes=("ant",))
    settings = attack.poison(samples([0, 1] * 4), rng=np.random.default_rng(0)).truth.settings
    assert settings["metric"] == "frobenius"
    assert settings["source_classes"] == ["ant"]
    encoder = settings["encoder"]
    assert isinstance(encoder, dict)
    assert encoder["circuit"].startswith("0: -RX(x0)")
    assert encoder["noise"]["active"] is True


def test_class_names_are_the_datas() -> None:
    data = samples([0, 1] * 4)
    poisoned = QUID(ratio=0.5, encoder=angle()).poison(data, rng=np.random.default_rng(0))
    assert poisoned.data.class_names == CLASSES
