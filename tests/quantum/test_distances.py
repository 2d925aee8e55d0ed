from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from random_states import (
    all_distances,
    as_dense,
    bloch_states,
    dense_states,
    from_matrices,
    matrices_of,
)

from bezoar.contracts.errors import InvalidArgument, UnknownName
from bezoar.quantum.distances import (
    METRICS,
    class_distances,
    class_overlaps,
    distance_matrix,
    gram,
    is_available,
    needs_decomposition,
    overlap_moments,
)
from bezoar.quantum.states import EncodedStates

seeds = st.integers(0, 2**32 - 1)
kinds = st.sampled_from(["product", "pure product", "mixed", "pure"])
metrics = st.sampled_from(METRICS)

# In double precision a squared distance is off by about 1e-15, a distance near 0 by its root.
CLOSE = 1e-7


def make(kind: str, rng: np.random.Generator, n: int, n_qubits: int) -> EncodedStates:
    if "product" in kind:
        return bloch_states(rng, n, n_qubits, pure="pure" in kind)
    return dense_states(rng, n, n_qubits, rank=1 if kind == "pure" else None)


def loop_means(
    distances: npt.NDArray[np.float64],
    labels: npt.NDArray[np.integer],
    n_classes: int,
    *,
    exclude_self: bool = False,
) -> npt.NDArray[np.float64]:
    result = np.full((len(distances), n_classes), np.nan)
    for i, row in enumerate(distances):
        for c in range(n_classes):
            of_class = [
                j for j in range(len(row)) if labels[j] == c and not exclude_self * (i == j)
            ]
            if of_class:
                result[i, c] = np.mean(row[of_class])
    return result


# Against the definitions -----------------------------------------------------------------------


@given(seeds, st.integers(1, 4), kinds, kinds, metrics)
@settings(max_examples=150)
def test_every_form_agrees_with_the_definition(
    seed: int, n_qubits: int, kind_a: str, kind_b: str, metric: str
):
    rng = np.random.default_rng(seed)
    a, b = make(kind_a, rng, 3, n_qubits), make(kind_b, rng, 4, n_qubits)
    expected = all_distances(a, b, metric)
    np.testing.assert_allclose(distance_matrix(a, b, metric), expected, atol=CLOSE)


@pytest.mark.parametrize("n_qubits", [1, 2, 3, 4])
def test_fidelity_is_uhlmanns_with_matrix_square_roots(n_qubits: int):
    rng = np.random.default_rng(n_qubits)
    a, b = dense_states(rng, 2, n_qubits), dense_states(rng, 2, n_qubits)
    found = distance_matrix(a, b, "fidelity")
    for i, rho in enumerate(matrices_of(a)):
        for j, sigma in enumerate(matrices_of(b)):
            half = scipy.linalg.sqrtm(rho)
            inner = scipy.linalg.sqrtm(half @ sigma @ half)
            assert found[i, j] == pytest.approx(1 - np.trace(inner).real ** 2, abs=1e-9)


@given(seeds, st.integers(1, 4), kinds)
def test_gram_is_the_trace_of_the_product(seed: int, n_qubits: int, kind: str):
    rng = np.random.default_rng(seed)
    a, b = make(kind, rng, 3, n_qubits), make(kind, rng, 2, n_qubits)
    expected = np.einsum("iab,jba->ij", matrices_of(a), matrices_of(b)).real
    np.testing.assert_allclose(gram(a, b), expected, atol=1e-13)


@given(seeds, st.integers(1, 5), st.booleans(), metrics)
def test_product_form_equals_dense_form(seed: int, n_qubits: int, pure: bool, metric: str):
    rng = np.random.default_rng(seed)
    a, b = bloch_states(rng, 3, n_qubits, pure=pure), bloch_states(rng, 4, n_qubits, pure=pure)
    expected = distance_matrix(as_dense(a), as_dense(b), metric)
    np.testing.assert_allclose(distance_matrix(a, b, metric), expected, atol=CLOSE)
    np.testing.assert_allclose(distance_matrix(as_dense(a), b, metric), expected, atol=CLOSE)


@given(seeds, st.integers(1, 4), kinds, metrics)
def test_single_precision_keeps_the_promised_digits(
    seed: int, n_qubits: int, kind: str, metric: str
):
    rng = np.random.default_rng(seed)
    a = make(kind, rng, 5, n_qubits)
    single = distance_matrix(a, a.take(slice(None)), metric, dtype=np.float32)
    double = distance_matrix(a, a, metric)
    # Coinciding states: the root of the rounding of a squared distance, 5e-4 as documented.
    np.testing.assert_allclose(single, double, atol=5e-4)
    apart = double > 0.1
    np.testing.assert_allclose(single[apart], double[apart], atol=2e-6)


# At any number of qubits -----------------------------------------------------------------------


@pytest.mark.parametrize("n_qubits", [64, 433])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_of_many_mixed_qubits_keep_their_digits(n_qubits: int, dtype: type):
    rng = np.random.default_rng(0)
    a, b = bloch_states(rng, 3, n_qubits), bloch_states(rng, 4, n_qubits)
    assert a.bloch is not None
    assert b.bloch is not None

    def product(x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> float:
        return math.prod((1 + np.einsum("wp,wp->w", x, y)) / 2)

    expected = [
        [math.sqrt(product(x, x) + product(y, y) - 2 * product(x, y)) for y in b.bloch]
        for x in a.bloch
    ]
    found = class_distances(a, b, np.arange(4), 4, "frobenius", dtype=dtype)
    # 433 factors, each rounded to 6e-8 (1e-16); the values are about 1e-27 and 1e-90.
    np.testing.assert_allclose(found, expected, rtol=1e-4 if dtype is np.float32 else 1e-11)


def test_fidelity_of_many_qubits_is_the_product_of_the_qubits_fidelities():
    rng = np.random.default_rng(0)
    a = bloch_states(rng, 2, 40)
    assert a.bloch is not None
    near = EncodedStates(n_qubits=40, bloch=a.bloch * 0.95)
    expected = 1 - math.prod(
        1
        - distance_matrix(
            EncodedStates(n_qubits=1, bloch=a.bloch[:1, w : w + 1]),
            EncodedStates(n_qubits=1, bloch=near.bloch[:1, w : w + 1]),  # type: ignore[index]
            "fidelity",
        )[0, 0]
        for w in range(40)
    )
    assert distance_matrix(a, near, "fidelity")[0, 0] == pytest.approx(expected, abs=1e-12)


def test_orthogonal_pure_states_of_many_qubits():
    up = np.zeros((1, 100, 3))
    up[:, :, 2] = 1
    down = up.copy()
    down[:, 57, 2] = -1
    a = EncodedStates(n_qubits=100, bloch=up, pure=True)
    b = EncodedStates(n_qubits=100, bloch=down, pure=True)
    found = {m: distance_matrix(a, b, m)[0, 0] for m in METRICS if is_available(a, m)}
    root2 = math.sqrt(2)
    expected = {"frobenius": root2, "trace": 2, "fidelity": 1, "bures": root2}
    assert found == pytest.approx(expected, abs=1e-12)


def test_hilbert_schmidt_between_the_linear_and_the_refused_sizes():
    states = bloch_states(np.random.default_rng(0), 6, 8, pure=True)
    labels = [0, 1, 0, 1, 1, 0]
    expected = loop_means(1 - gram(states, states) / 2**8, np.array(labels), 2, exclude_self=True)
    found = class_distances(
        states, states, labels, 2, "hilbert-schmidt", exclude_self=True, dtype=np.float64
    )
    np.testing.assert_allclose(found, expected, atol=1e-14)
    overlaps = class_overlaps(states, states, labels, 2, exclude_self=True, dtype=np.float64)
    np.testing.assert_allclose(1 - overlaps / 2**8, expected, atol=1e-14)


# Properties of a distance ----------------------------------------------------------------------


@given(seeds, st.integers(1, 3), kinds, metrics)
def test_symmetric_and_zero_on_self(seed: int, n_qubits: int, kind: str, metric: str):
    states = make(kind, np.random.default_rng(seed), 4, n_qubits)
    found = distance_matrix(states, states, metric)
    np.testing.assert_allclose(found, found.T, atol=CLOSE)
    assert (found >= 0).all()
    if metric != "hilbert-schmidt":
        assert (np.diag(found) == 0).all()
        again = distance_matrix(states, states.take(slice(None)), metric)
        np.testing.assert_allclose(again, found, atol=CLOSE)


@given(seeds, st.integers(1, 3), kinds, st.sampled_from(["frobenius", "trace", "bures"]))
def test_triangle_inequality(seed: int, n_qubits: int, kind: str, metric: str):
    states = make(kind, np.random.default_rng(seed), 5, n_qubits)
    d = distance_matrix(states, states, metric)
    assert (d[:, None, :] <= d[:, :, None] + d[None, :, :] + CLOSE).all()


@given(seeds, st.integers(1, 3), kinds, metrics)
def test_no_unitary_changes_a_distance(seed: int, n_qubits: int, kind: str, metric: str):
    rng = np.random.default_rng(seed)
    states = make(kind, rng, 4, n_qubits)
    size = 2**n_qubits
    gauss = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
    unitary = np.linalg.qr(gauss)[0]
    turned = from_matrices(unitary @ matrices_of(states) @ unitary.conj().T, pure=states.pure)
    np.testing.assert_allclose(
        distance_matrix(turned, turned, metric),
        distance_matrix(states, states, metric),
        atol=CLOSE,
    )


@given(seeds, st.integers(1, 3))
def test_fuchs_van_de_graaf_ties_trace_to_fidelity(seed: int, n_qubits: int):
    rng = np.random.default_rng(seed)
    a, b = dense_states(rng, 3, n_qubits), dense_states(rng, 3, n_qubits)
    half = distance_matrix(a, b, "trace") / 2
    infidelity = distance_matrix(a, b, "fidelity")
    assert (1 - np.sqrt(1 - infidelity) <= half + CLOSE).all()
    assert (half <= np.sqrt(infidelity) + CLOSE).all()


# Means over classes ----------------------------------------------------------------------------


@given(seeds, st.integers(1, 3), kinds, metrics, st.booleans(), st.sampled_from([None, 1, 3, 7]))
@settings(max_examples=150)
def test_class_means_are_loops(
    seed: int, n_qubits: int, kind: str, metric: str, exclude_self: bool, tile: int | None
):
    rng = np.random.default_rng(seed)
    states = make(kind, rng, 9, n_qubits)
    labels = rng.integers(0, 4, 9)
    distances = all_distances(states, states, metric)
    found = class_distances(
        states,
        states,
        labels,
        5,
        metric,
        exclude_self=exclude_self,
        tile=tile,
        dtype=np.float64,
    )
    expected = loop_means(distances, labels, 5, exclude_self=exclude_self)
    np.testing.assert_allclose(found, expected, atol=CLOSE)


@given(seeds, st.integers(1, 3), kinds, kinds, metrics, st.sampled_from([None, 1, 4]))
def test_class_means_against_other_states_are_loops(
    seed: int, n_qubits: int, kind_a: str, kind_b: str, metric: str, tile: int | None
):
    rng = np.random.default_rng(seed)
    a, b = make(kind_a, rng, 5, n_qubits), make(kind_b, rng, 8, n_qubits)
    labels = rng.integers(0, 3, 8)
    found = class_distances(a, b, labels, 3, metric, tile=tile, dtype=np.float64)
    expected = loop_means(all_distances(a, b, metric), labels, 3)
    np.testing.assert_allclose(found, expected, atol=CLOSE)


@given(seeds, kinds, metrics)
def test_order_of_samples_and_references_does_not_matter(seed: int, kind: str, metric: str):
    rng = np.random.default_rng(seed)
    a, b = make(kind, rng, 6, 2), make(kind, rng, 7, 2)
    labels = rng.integers(0, 3, 7)
    p, r = rng.permutation(6), rng.permutation(7)
    found = class_distances(a, b, labels, 3, metric, dtype=np.float64)
    moved = class_distances(a.take(p), b.take(r), labels[r], 3, metric, dtype=np.float64)
    np.testing.assert_allclose(moved, found[p], atol=CLOSE)


@pytest.mark.parametrize("kind", ["product", "mixed"])
def test_many_tiles_equal_one(kind: str):
    rng = np.random.default_rng(5)
    a, b = make(kind, rng, 1300, 2), make(kind, rng, 1200, 2)
    labels = rng.integers(0, 7, 1200)
    whole = class_distances(a, b, labels, 7, "frobenius", tile=2000)
    parts = class_distances(a, b, labels, 7, "frobenius")
    # Sums of hundreds of float32 numbers in another order.
    np.testing.assert_allclose(parts, whole, atol=1e-6)
    with_self = class_distances(b, b, labels, 7, "frobenius", exclude_self=True, tile=2000)
    tiled = class_distances(b, b, labels, 7, "frobenius", exclude_self=True)
    np.testing.assert_allclose(tiled, with_self, atol=1e-6)


def test_large_states_are_worked_on_in_blocks():
    rng = np.random.default_rng(5)
    bloch = bloch_states(rng, 40, 9)
    dense = as_dense(bloch)
    labels = np.arange(40) % 3
    # 40 Pauli vectors of 9 qubits are 80 MiB in double precision, a block is 64 MiB.
    for other in (dense, dense.take(slice(None))):
        found = class_distances(dense, other, labels, 3, "frobenius", dtype=np.float64)
        expected = class_distances(bloch, bloch, labels, 3, "frobenius", dtype=np.float64)
        np.testing.assert_allclose(found, expected, atol=CLOSE)


def test_capped_references_are_a_sample_of_each_class():
    rng = np.random.default_rng(2)
    states = dense_states(rng, 40, 2)
    labels = np.repeat([0, 1], [37, 3])
    distances = all_distances(states, states, "trace")
    found = class_distances(
        states, states, labels, 2, "trace", max_references=5, rng=np.random.default_rng(9)
    )
    again = class_distances(
        states, states, labels, 2, "trace", max_references=5, rng=np.random.default_rng(9)
    )
    np.testing.assert_array_equal(found, again)
    np.testing.assert_allclose(found[:, 1], distances[:, 37:].mean(axis=1), atol=1e-6)
    chosen = np.sort(np.random.default_rng(9).choice(37, 5, replace=False))
    np.testing.assert_allclose(found[:, 0], distances[:, chosen].mean(axis=1), atol=1e-6)


def test_cap_with_exclude_self_leaves_out_only_sampled_selves():
    states = dense_states(np.random.default_rng(2), 12, 2)
    labels = np.zeros(12, dtype=int)
    chosen = np.sort(np.random.default_rng(9).choice(12, 4, replace=False))
    distances = all_distances(states, states, "frobenius")
    expected = [distances[i, chosen[chosen != i]].mean() for i in range(12)]
    found = class_distances(
        states,
        states,
        labels,
        1,
        "frobenius",
        exclude_self=True,
        max_references=4,
        rng=np.random.default_rng(9),
        dtype=np.float64,
    )
    np.testing.assert_allclose(found[:, 0], expected, atol=CLOSE)


def test_self_distance_is_exactly_zero_in_single_precision():
    states = dense_states(np.random.default_rng(0), 5, 3)
    found = class_distances(states, states, np.arange(5), 5, "frobenius")
    assert (np.diag(found) == 0).all()


def test_progress_ends_at_the_total():
    seen: list[tuple[str, int, int]] = []
    states = dense_states(np.random.default_rng(0), 10, 2)
    class_distances(
        states,
        states,
        np.zeros(10, dtype=int),
        1,
        "trace",
        tile=3,
        progress=lambda task, done, total: seen.append((task, done, total)),
    )
    done = [count for _, count, _ in seen]
    assert done == sorted(done)
    assert seen[-1][1] == seen[-1][2]


# The kernel's moments --------------------------------------------------------------------------


@given(seeds, st.integers(1, 3), kinds, st.sampled_from([None, 2, 5]))
def test_moments_are_those_of_the_off_diagonal(
    seed: int, n_qubits: int, kind: str, tile: int | None
):
    states = make(kind, np.random.default_rng(seed), 8, n_qubits)
    entries = gram(states, states)[~np.eye(8, dtype=bool)]
    mean, variance = overlap_moments(states, tile=tile, dtype=np.float64)
    assert mean == pytest.approx(entries.mean(), abs=1e-12)
    assert variance == pytest.approx(entries.var(), abs=1e-12)


def test_moments_of_tiny_overlaps_do_not_vanish():
    states = bloch_states(np.random.default_rng(0), 30, 100, pure=True)
    entries = gram(states, states)[~np.eye(30, dtype=bool)]
    mean, variance = overlap_moments(states)
    assert 0 < mean < 1e-20
    # 100 factors in single precision.
    assert mean == pytest.approx(entries.mean(), rel=1e-4)
    assert variance == pytest.approx(entries.var(), rel=1e-4)


# What is refused, and the edges ----------------------------------------------------------------


def test_empty_classes_are_nan_and_empty_sets_are_clean():
    states = bloch_states(np.random.default_rng(0), 3, 2)
    nothing = states.take(slice(0))
    found = class_distances(states, states, [0, 0, 2], 4, "frobenius")
    assert np.isnan(found).all(axis=0).tolist() == [False, True, False, True]
    for metric in METRICS:
        none: list[int] = []
        assert class_distances(nothing, states, [0, 0, 1], 2, metric).shape == (0, 2)
        assert np.isnan(class_distances(states, nothing, none, 2, metric)).all()
        assert distance_matrix(nothing, states, metric).shape == (0, 3)
        assert is_available(nothing, metric)
    assert gram(states, nothing).shape == (3, 0)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["product", "mixed"])
def test_one_sample_alone(metric: str, kind: str):
    one = make(kind, np.random.default_rng(0), 1, 2)
    assert class_distances(one, one, [0], 1, metric).shape == (1, 1)
    assert np.isnan(class_distances(one, one, [0], 1, metric, exclude_self=True)).all()


def test_states_that_are_read_only_are_welcome():
    states = bloch_states(np.random.default_rng(0), 3, 1)
    assert states.bloch is not None
    states.bloch.flags.writeable = False
    dense = as_dense(states)
    assert dense.pauli is not None
    dense.pauli.flags.writeable = False
    for each in (states, dense):
        for metric in METRICS:
            distance_matrix(each, each, metric)


def test_misfits_are_refused():
    rng = np.random.default_rng(0)
    a, b = bloch_states(rng, 3, 2), bloch_states(rng, 3, 3)
    labels = [0, 1, 1]
    with pytest.raises(InvalidArgument, match="2 qubits"):
        distance_matrix(a, b, "frobenius")
    with pytest.raises(UnknownName, match="did you mean 'frobenius'"):
        distance_matrix(a, a, "frobenious")
    with pytest.raises(InvalidArgument, match=r"shape \(3,\)"):
        class_distances(a, a, [0, 1], 2, "frobenius")
    with pytest.raises(InvalidArgument, match="integers"):
        class_distances(a, a, [0.0, 1.0, 1.0], 2, "frobenius")
    with pytest.raises(InvalidArgument, match="0 to 1"):
        class_distances(a, a, [0, 1, 2], 2, "frobenius")
    with pytest.raises(InvalidArgument, match="n_classes"):
        class_distances(a, a, labels, 0, "frobenius")
    with pytest.raises(InvalidArgument, match="same object"):
        class_distances(a, a.take(slice(None)), labels, 2, "frobenius", exclude_self=True)
    with pytest.raises(InvalidArgument, match="max_references"):
        class_distances(a, a, labels, 2, "frobenius", max_references=0, rng=rng)
    with pytest.raises(InvalidArgument, match="rng"):
        class_distances(a, a, labels, 2, "frobenius", max_references=1)
    with pytest.raises(InvalidArgument, match="tile"):
        distance_matrix(a, a, "frobenius", tile=0)
    with pytest.raises(InvalidArgument, match="float32 or float64"):
        distance_matrix(a, a, "frobenius", dtype=np.float16)
    with pytest.raises(InvalidArgument, match="three samples"):
        overlap_moments(a.take(slice(2)))


def test_trace_of_large_mixed_products_and_hilbert_schmidt_of_many_qubits_are_refused():
    rng = np.random.default_rng(0)
    mixed, pure = bloch_states(rng, 2, 7), bloch_states(rng, 2, 7, pure=True)
    many = bloch_states(rng, 2, 31)
    with pytest.raises(InvalidArgument, match="no product form"):
        distance_matrix(mixed, mixed, "trace")
    assert not is_available(mixed, "trace")
    assert is_available(pure, "trace")
    with pytest.raises(InvalidArgument, match="class_overlaps"):
        distance_matrix(many, many, "hilbert-schmidt")
    assert not is_available(many, "hilbert-schmidt")
    assert is_available(many, "frobenius")


def test_work_that_would_take_hours_or_too_much_memory_is_refused_first():
    states = EncodedStates(n_qubits=4, bloch=np.zeros((20_000, 4, 3)))
    labels = np.zeros(20_000, dtype=int)
    with pytest.raises(InvalidArgument, match="max_references"):
        class_distances(states, states.take(slice(None)), labels, 1, "trace")
    with pytest.raises(InvalidArgument, match=r"3\.0 GiB"):
        gram(states, states)
    with pytest.raises(InvalidArgument, match="GiB"):
        class_distances(states, states, labels, 10**6, "frobenius")


def test_which_metrics_cost_a_decomposition():
    rng = np.random.default_rng(0)

    def slow(states: EncodedStates) -> set[str]:
        return {metric for metric in METRICS if needs_decomposition(states, metric)}

    assert slow(dense_states(rng, 2, 2)) == {"trace", "fidelity", "bures"}
    assert slow(bloch_states(rng, 2, 2)) == {"trace"}
    assert slow(dense_states(rng, 2, 2, rank=1)) == set()
    assert slow(dense_states(rng, 2, 1)) == set()
