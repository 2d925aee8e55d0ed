"""Estimates from finite shots against the states they estimate."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_states import as_dense, bloch_states, dense_states, from_matrices

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.density import density_matrices
from bezoar.quantum.distances import class_overlaps, distance_matrix, gram, is_available
from bezoar.quantum.similarity import state_similarity
from bezoar.quantum.states import EncodedStates, Floats
from bezoar.quantum.tomography import (
    ClassicalShadows,
    PauliTomography,
    ProductTomography,
    RandomizedOverlaps,
    Tomography,
    measure,
    parse_tomography,
)

NAMES = ["pauli:200", "shadows:50", "bloch:20", "overlap:30"]
seeds = st.integers(0, 2**32 - 1)


def protocol(name: str) -> Tomography:
    found = parse_tomography(name)
    assert found is not None
    return found


def copies(states: EncodedStates, count: int, which: int = 0) -> EncodedStates:
    """One of these states, many times: each is measured on its own."""
    return states.take(np.full(count, which))


def bell() -> EncodedStates:
    matrix = np.zeros((1, 4, 4), dtype=complex)
    matrix[0, [0, 0, 3, 3], [0, 3, 0, 3]] = 0.5
    return from_matrices(matrix, pure=True)


def supports(n: int) -> np.ndarray:
    return np.array([sum(word) for word in itertools.product((0, 1, 1, 1), repeat=n)])


# Bias and spread -----------------------------------------------------------------------------


@pytest.mark.parametrize("n_qubits", [1, 3])
@pytest.mark.parametrize("name", ["pauli:27", "pauli:100", "shadows:1", "shadows:20"])
@pytest.mark.parametrize("rank", [None, 1])
def test_estimates_of_states_are_unbiased(name: str, n_qubits: int, rank: int | None) -> None:
    states = dense_states(np.random.default_rng(n_qubits), 1, n_qubits, rank=rank)
    found = measure(copies(states, 2000), protocol(name), seed=3).pauli_vectors()
    errors = found.std(axis=0) / np.sqrt(len(found))
    # Four standard errors for each of up to 63 strings: once in 250 draws one is beyond.
    gaps = np.abs(found.mean(axis=0) - states.pauli_vectors()[0])
    assert (gaps <= 4 * errors + 1e-12).all()


@pytest.mark.parametrize("shots", [3, 4, 50])
def test_estimated_bloch_vectors_and_their_products_are_unbiased(shots: int) -> None:
    states = bloch_states(np.random.default_rng(0), 1, 3)
    found = measure(copies(states, 2000), ProductTomography(shots), seed=0)
    assert found.is_product
    for estimate, exact in [
        (found.bloch, states.bloch),
        (found.pauli_vectors(), states.pauli_vectors()),
    ]:
        assert estimate is not None
        assert exact is not None
        errors = estimate.std(axis=0) / np.sqrt(len(estimate))
        assert (np.abs(estimate.mean(axis=0) - exact[0]) <= 4 * errors + 1e-12).all()


@pytest.mark.parametrize("name", ["overlap:1", "overlap:6:2", "overlap:7:3", "overlap:40"])
@pytest.mark.parametrize("rank", [None, 1])
def test_estimated_overlaps_are_unbiased_over_settings_and_outcomes(
    name: str, rank: int | None
) -> None:
    states = dense_states(np.random.default_rng(5), 2, 2, rank=rank)
    exact = gram(states, states)[0, 1]
    found = np.array(
        [gram(m, m)[0, 1] for m in (measure(states, protocol(name), seed=s) for s in range(1000))]
    )
    assert abs(found.mean() - exact) < 4 * found.std() / np.sqrt(len(found))


@pytest.mark.parametrize("name", ["pauli:45", "shadows:10", "bloch:10"])
def test_overlaps_of_estimated_states_are_unbiased(name: str) -> None:
    states = bloch_states(np.random.default_rng(5), 2, 2)
    exact = gram(states, states)[0, 1]
    a, b = (measure(copies(states, 3000, i), protocol(name), seed=i) for i in (0, 1))
    products = np.einsum("sp,sp->s", a.pauli_vectors(), b.pauli_vectors()) / 4
    assert abs(products.mean() - exact) < 4 * products.std() / np.sqrt(len(products))


def test_the_variances_are_those_of_the_outcomes() -> None:
    n, shots = 2, 90
    states = dense_states(np.random.default_rng(2), 1, n)
    squares = states.pauli_vectors()[0] ** 2
    weight = 3.0 ** supports(n)
    expected = {
        # Each setting has 10 shots, and 3**(n - k) settings cover a string on k qubits.
        "pauli": (1 - squares) / (shots / weight),
        "shadows": (weight - squares) / shots,
    }
    for name, variance in expected.items():
        found = measure(copies(states, 8000), protocol(f"{name}:{shots}"), seed=1).pauli_vectors()
        # The standard error of a variance from 8000 draws is 1.6 %.
        np.testing.assert_allclose(found.var(axis=0)[1:], variance[1:], rtol=0.07)


@pytest.mark.parametrize("name", ["pauli", "shadows", "bloch", "overlap"])
def test_errors_fall_as_one_over_the_root_of_the_shots(name: str) -> None:
    states = bloch_states(np.random.default_rng(0), 40, 2)
    exact = gram(states, states)
    errors = []
    for shots in (900, 90000):
        found = measure(states, protocol(f"{name}:{shots}"), seed=0)
        gaps = (gram(found, found) - exact)[~np.eye(len(states), dtype=bool)]
        errors.append(np.sqrt(np.mean(gaps**2)))
    # Pairs of 40 samples hold about 40 independent errors.
    assert errors[0] / errors[1] == pytest.approx(10, rel=0.25)


@pytest.mark.parametrize("name", ["pauli", "shadows", "bloch"])
def test_many_shots_give_the_state(name: str) -> None:
    states = bloch_states(np.random.default_rng(1), 3, 2)
    found = measure(states, protocol(f"{name}:{10**10}"), seed=0)
    # The standard error of a string on two qubits is 3e-5.
    gaps = found.pauli_vectors() - states.pauli_vectors()
    assert np.abs(gaps).max() < 2e-4


def test_all_settings_make_overlaps_those_of_pauli_tomography() -> None:
    states = dense_states(np.random.default_rng(1), 3, 2)
    found = measure(states, RandomizedOverlaps(9 * 10**8), seed=0)
    assert found.estimate == "overlap"
    # The standard error of a string is 1e-4 at most.
    np.testing.assert_allclose(found.pauli_vectors(), states.pauli_vectors(), atol=6e-4)


# Joint distributions -------------------------------------------------------------------------


def test_outcomes_of_entangled_qubits_are_correlated() -> None:
    # XX, YY and ZZ of a Bell state are 1, -1, 1 in every single shot, its marginals are coins.
    found = measure(copies(bell(), 200), PauliTomography(9), seed=0).pauli_vectors()
    strings = found.reshape(-1, 4, 4)
    assert (strings[:, 1, 1] == 1).all()
    assert (strings[:, 2, 2] == -1).all()
    assert (strings[:, 3, 3] == 1).all()
    assert strings[:, 3, 0].std() > 0.4  # three coins: 0.58


def test_one_shadow_is_a_product_of_single_qubit_snapshots() -> None:
    shadows = measure(copies(bell(), 50), ClassicalShadows(1), seed=0)
    # (3 |s><s| - 1) on both qubits has the eigenvalues 2 and -1 on each.
    values = np.linalg.eigvalsh(density_matrices(shadows))
    np.testing.assert_allclose(values, np.tile([-2.0, -2, 1, 4], (50, 1)), atol=1e-12)


def test_one_setting_gives_the_estimator_with_hamming_distances() -> None:
    n, shots = 2, 25
    states = dense_states(np.random.default_rng(8), 2, n)
    found = measure(states, RandomizedOverlaps(shots, shots_per_setting=shots), seed=4)
    vectors = found.pauli_vectors()
    covered = np.flatnonzero(vectors.any(axis=0))
    assert len(covered) == 2**n
    letters = np.array([(c // 4, c % 4) for c in covered])
    means = vectors[:, covered] / np.sqrt(3.0 ** (letters > 0).sum(axis=1))
    bits = np.array(list(itertools.product((0, 1), repeat=n)))
    signs = (-1.0) ** (bits @ (letters > 0).T)
    frequencies = means @ signs.T / 2**n
    np.testing.assert_allclose(frequencies * shots, np.round(frequencies * shots), atol=1e-9)
    distance = (bits[:, None] != bits[None]).sum(axis=2)
    textbook = 2**n * frequencies[0] @ (-2.0) ** -distance @ frequencies[1]
    assert gram(found, found)[0, 1] == pytest.approx(textbook, abs=1e-12)


def test_pooling_outcomes_over_settings_makes_smaller_errors() -> None:
    states = bloch_states(np.random.default_rng(0), 2, 2, pure=True)
    exact = gram(states, states)[0, 1]

    def one_by_one(seed: int) -> float:
        single = RandomizedOverlaps(4, shots_per_setting=4)
        parts = [measure(states, single, seed=9 * seed + part) for part in range(5)]
        return float(np.mean([gram(part, part)[0, 1] for part in parts]))

    pooled = [
        gram(m, m)[0, 1]
        for m in (measure(states, protocol("overlap:20:4"), seed=s) for s in range(200))
    ]
    apart = [one_by_one(seed) for seed in range(200)]
    assert np.mean((np.array(pooled) - exact) ** 2) < np.mean((np.array(apart) - exact) ** 2)


# Properties ----------------------------------------------------------------------------------


@settings(max_examples=30)
@given(seeds, st.integers(1, 3), st.booleans(), st.sampled_from(NAMES))
def test_what_holds_for_every_estimate(seed: int, n: int, pure: bool, name: str) -> None:
    states = bloch_states(np.random.default_rng(seed), 4, n, pure=pure)
    kind = name.partition(":")[0]
    found = measure(states, protocol(name), seed=seed)
    vectors = found.pauli_vectors()
    assert vectors.shape == (4, 4**n)
    assert not found.pure
    np.testing.assert_allclose(vectors[:, 0], 1, atol=1e-12)
    bound = 3.0 ** supports(n) if kind in ("shadows", "overlap") else np.ones(4**n)
    assert (np.abs(vectors) <= bound + 1e-12).all()
    again = measure(states, protocol(name), seed=seed)
    assert np.array_equal(vectors, again.pauli_vectors())


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_depends_on_its_key_and_not_on_the_others(name: str) -> None:
    states = bloch_states(np.random.default_rng(0), 6, 2)
    keys = [f"sample {i}" for i in range(6)]
    whole = measure(states, protocol(name), seed=7, keys=keys)
    order = np.array([4, 1, 5])
    part = measure(states.take(order), protocol(name), seed=7, keys=[keys[i] for i in order])
    assert np.array_equal(part.pauli_vectors(), whole.pauli_vectors()[order])
    other = measure(states, protocol(name), seed=8, keys=keys)
    assert not np.array_equal(other.pauli_vectors(), whole.pauli_vectors())
    rekeyed = measure(states, protocol(name), seed=7)
    assert not np.array_equal(rekeyed.pauli_vectors(), whole.pauli_vectors())


@pytest.mark.parametrize("name", ["pauli:200", "shadows:50", "overlap:30"])
def test_products_are_measured_as_the_same_states_multiplied_out(name: str) -> None:
    states = bloch_states(np.random.default_rng(0), 3, 2)
    a, b = (measure(s, protocol(name), seed=0).pauli_vectors() for s in (states, as_dense(states)))
    assert np.array_equal(a, b)


@pytest.mark.parametrize("name", NAMES)
def test_no_samples_give_no_estimates(name: str) -> None:
    nothing = EncodedStates(n_qubits=2, bloch=np.zeros((0, 2, 3)))
    assert len(measure(nothing, protocol(name), seed=0)) == 0


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    states = bloch_states(np.random.default_rng(0), 3, 1)

    def tell(task: str, done: int, total: int) -> None:
        told.append((task, done, total))

    measure(states, PauliTomography(9), seed=0, progress=tell)
    assert told[-1] == ("measure", 3, 3)


# Many qubits ---------------------------------------------------------------------------------


def test_the_error_of_a_qubit_does_not_depend_on_how_many_there_are() -> None:
    spread = []
    for n in (1, 100):
        states = bloch_states(np.random.default_rng(0), 200, n)
        found = measure(states, ProductTomography(300), seed=0)
        assert found.bloch is not None
        assert states.bloch is not None
        spread.append(np.sqrt(np.mean((found.bloch - states.bloch) ** 2)))
    # The standard error of the first, from 600 coordinates, is 3 %.
    assert spread[0] == pytest.approx(spread[1], rel=0.1)


def test_estimated_products_of_100_qubits_are_compared_by_the_closed_formula() -> None:
    states = bloch_states(np.random.default_rng(0), 5, 100)
    found = measure(states, ProductTomography(3000), seed=0)
    for some in (states, found):
        bloch = some.bloch
        assert bloch is not None
        half = np.prod((1 + np.einsum("swp,twp->stw", bloch, bloch)) / 2, axis=2)
        norms = np.diag(half)
        expected = np.sqrt(norms[:, None] + norms - 2 * half)
        np.fill_diagonal(expected, 0)
        got = distance_matrix(some, some, "frobenius")
        # Products of 100 factors, each right to 1e-16.
        np.testing.assert_allclose(got, expected, rtol=1e-12)


# Distances -----------------------------------------------------------------------------------


def test_estimated_overlaps_have_no_density_matrices_and_say_so() -> None:
    states = dense_states(np.random.default_rng(0), 4, 2)
    found = measure(states, RandomizedOverlaps(50), seed=0)
    for metric in ("trace", "fidelity", "bures"):
        assert not is_available(found, metric)
        with pytest.raises(InvalidArgument, match="overlaps, which have no density matrix"):
            distance_matrix(found, found, metric)
    with pytest.raises(InvalidArgument, match="overlaps, which have no density matrix"):
        density_matrices(found)
    similarity = state_similarity(found, [0, 0, 1, 1], ["a", "b"])
    assert set(similarity.nearest_class_accuracy) == {"hilbert-schmidt", "frobenius"}


def test_estimated_overlaps_may_be_negative() -> None:
    up, down = [[0.0, 0, 1]], [[0.0, 0, -1]]
    states = EncodedStates(n_qubits=1, bloch=np.array([up, down]))
    found = measure(states, ClassicalShadows(10), seed=0)
    overlaps = np.array(
        [
            gram(m, m)[0, 1]
            for m in (measure(states, ClassicalShadows(9), seed=s) for s in range(99))
        ]
    )
    assert (overlaps < 0).any()
    assert found.estimate == "state"
    means = class_overlaps(found, found, [0, 1], 2, dtype=np.float64)
    np.testing.assert_allclose(means, gram(found, found), atol=1e-12)


def test_frobenius_of_estimates_is_too_large_by_the_variances() -> None:
    states = dense_states(np.random.default_rng(0), 2, 2)
    exact = distance_matrix(states, states, "frobenius")[0, 1] ** 2
    shots = 90
    a, b = (measure(copies(states, 3000, i), PauliTomography(shots), seed=i) for i in (0, 1))
    squares = ((a.pauli_vectors() - b.pauli_vectors()) ** 2).sum(axis=1) / 4
    variance = (1 - states.pauli_vectors() ** 2) / (shots / 3.0 ** supports(2)) / 4
    gap = squares.mean() - exact - variance.sum()
    assert abs(gap) < 4 * squares.std() / np.sqrt(len(squares))


# Names and refusals --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pauli:81", PauliTomography(81)),
        ("shadows:1", ClassicalShadows(1)),
        ("bloch:3", ProductTomography(3)),
        ("overlap:1000", RandomizedOverlaps(1000)),
        ("overlap:1000:16", RandomizedOverlaps(1000, shots_per_setting=16)),
    ],
)
def test_names_lead_to_protocols_and_back(text: str, expected: Tomography) -> None:
    found = protocol(text)
    assert found == expected
    assert found.name == text
    told = found.describe()
    assert json.loads(json.dumps(told)) == told
    assert told["name"] == text


def test_exact_is_no_measurement() -> None:
    assert parse_tomography("exact") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pauli",
        "pauli:",
        "pauli:1.5",
        "pauli:-3",
        "pauli:10:2",
        "bloch:1e3",
        "shadow:10",
        "overlap:1:2:3",
        "exact:3",
        "pauli: 9",
        "pauli:\u0663",
        "pauli:" + "9" * 5000,
    ],
)
def test_other_names_are_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(InvalidArgument, match="pauli, shadows, bloch, overlap"):
        parse_tomography(text)


@pytest.mark.parametrize("text", ["pauli:0", "bloch:2", "shadows:9999999999999", "overlap:5:0"])
def test_too_few_and_too_many_shots_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="wanted a whole number from"):
        parse_tomography(text)


@pytest.mark.parametrize("shots", [1.0, True, "10", None, np.nan])
def test_shots_are_whole_numbers(shots: object) -> None:
    with pytest.raises(InvalidArgument, match="whole number"):
        ClassicalShadows(shots)  # type: ignore[arg-type]


def test_pauli_tomography_needs_a_shot_for_every_setting() -> None:
    states = bloch_states(np.random.default_rng(0), 1, 3)
    with pytest.raises(InvalidArgument, match="wanted 27 or more"):
        measure(states, PauliTomography(26), seed=0)


def test_bloch_refuses_states_that_may_be_entangled() -> None:
    with pytest.raises(InvalidArgument, match="may entangle"):
        measure(bell(), ProductTomography(30), seed=0)


@pytest.mark.parametrize("name", ["pauli:100", "shadows:10", "overlap:10"])
def test_whole_pauli_vectors_end_at_ten_qubits(name: str) -> None:
    states = EncodedStates(n_qubits=2000, bloch=np.zeros((1, 2000, 3)))
    with pytest.raises(InvalidArgument, match="wanted bloch, for 2000 qubits"):
        measure(states, protocol(name), seed=0)


@pytest.mark.parametrize("seed", [-1, 1.5, True, None])
def test_seeds_are_whole_numbers(seed: object) -> None:
    with pytest.raises(InvalidArgument, match="seed: wanted"):
        measure(bell(), PauliTomography(9), seed=seed)  # type: ignore[arg-type]


def test_other_refusals() -> None:
    states = bloch_states(np.random.default_rng(0), 3, 1)
    found = measure(states, PauliTomography(9), seed=0)
    with pytest.raises(InvalidArgument, match="wanted exact states"):
        measure(found, PauliTomography(9), seed=0)
    with pytest.raises(InvalidArgument, match="keys: wanted 3"):
        measure(states, PauliTomography(9), seed=0, keys=["a"])
    with pytest.raises(InvalidArgument, match="pure: wanted False"):
        replace(found, pure=True)
    unreal: Floats = np.full((1, 1, 3), np.nan)
    with pytest.raises(InvalidArgument, match="expectations in"):
        measure(EncodedStates(n_qubits=1, bloch=unreal), PauliTomography(9), seed=0)
    broken = EncodedStates(n_qubits=1, bloch=unreal, estimate="state")
    with pytest.raises(InvalidArgument, match="wanted finite estimates"):
        distance_matrix(broken, broken, "frobenius")
    traceless = EncodedStates(n_qubits=1, pauli=np.zeros((1, 4)), estimate="state")
    with pytest.raises(InvalidArgument, match="estimates of trace 1"):
        distance_matrix(traceless, traceless, "frobenius")
