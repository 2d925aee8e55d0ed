from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as oracle

from bezoar.evaluate.metrics.classification import (
    accuracy,
    confusion_counts,
    recalls,
    relabel_invariant_accuracy,
    row_shares,
)
from bezoar.evaluate.metrics.detection import auroc

# Sums of at most some hundred float64 numbers of size 1, in another order than the oracle's.
_ROUNDING = 1e-12


@st.composite
def predictions(draw: st.DrawFn) -> tuple[int, np.ndarray, np.ndarray]:
    """How many classes there are, true codes and predicted codes."""
    n_classes = draw(st.integers(2, 5))
    n_samples = draw(st.integers(1, 40))
    codes = hnp.arrays(np.int64, n_samples, elements=st.integers(0, n_classes - 1))
    return n_classes, draw(codes), draw(codes)


@given(predictions())
def test_counts_and_rates_are_those_of_scikit_learn(
    drawn: tuple[int, np.ndarray, np.ndarray],
) -> None:
    n_classes, true, predicted = drawn
    counts = confusion_counts(true, predicted, n_classes)
    labels = list(range(n_classes))
    expected = oracle.confusion_matrix(true, predicted, labels=labels)
    np.testing.assert_array_equal(counts, expected)
    assert accuracy(counts) == pytest.approx(oracle.accuracy_score(true, predicted), abs=_ROUNDING)
    found = recalls(counts)
    for code in labels:
        if (true == code).any():
            share = (predicted[true == code] == code).mean()
            assert found[code] == pytest.approx(share, abs=_ROUNDING)
        else:
            assert np.isnan(found[code])


@given(predictions())
def test_relabel_invariant_accuracy_is_the_best_over_all_renamings(
    drawn: tuple[int, np.ndarray, np.ndarray],
) -> None:
    n_classes, true, predicted = drawn
    best = max(
        (np.array(renaming)[predicted] == true).mean()
        for renaming in itertools.permutations(range(n_classes))
    )
    counts = confusion_counts(true, predicted, n_classes)
    assert relabel_invariant_accuracy(counts) == pytest.approx(best, abs=_ROUNDING)


@given(predictions(), st.randoms(use_true_random=False))
def test_renaming_the_predictions_leaves_relabel_invariant_accuracy_and_never_falls_below_accuracy(
    drawn: tuple[int, np.ndarray, np.ndarray], random: object
) -> None:
    n_classes, true, predicted = drawn
    renaming = np.arange(n_classes)
    random.shuffle(renaming)  # type: ignore[attr-defined]
    counts = confusion_counts(true, predicted, n_classes)
    renamed = confusion_counts(true, renaming[predicted], n_classes)
    value = relabel_invariant_accuracy(counts)
    assert relabel_invariant_accuracy(renamed) == pytest.approx(value, abs=_ROUNDING)
    assert accuracy(counts) <= value + _ROUNDING
    assert accuracy(renamed) <= value + _ROUNDING
    # No better than naming each group of outputs after its most frequent class.
    assert value <= counts.max(axis=0).sum() / counts.sum() + _ROUNDING


@pytest.mark.parametrize("n_classes", [2, 3, 10, 26])
def test_closed_forms(n_classes: int) -> None:
    right = np.eye(n_classes, dtype=np.int64) * 7
    assert accuracy(right) == relabel_invariant_accuracy(right) == 1.0
    turned = np.roll(right, 1, axis=1)
    assert accuracy(turned) == 0.0
    assert relabel_invariant_accuracy(turned) == 1.0
    blind = np.ones((n_classes, n_classes), dtype=np.int64)
    assert accuracy(blind) == pytest.approx(1 / n_classes, abs=_ROUNDING)
    assert relabel_invariant_accuracy(blind) == pytest.approx(1 / n_classes, abs=_ROUNDING)
    one_answer = np.zeros((n_classes, n_classes), dtype=np.int64)
    one_answer[:, 0] = 3
    assert relabel_invariant_accuracy(one_answer) == pytest.approx(1 / n_classes, abs=_ROUNDING)


def test_rows_without_samples_are_nan_and_raise_no_warning() -> None:
    shares = row_shares(np.array([[3, 1], [0, 0]]))
    np.testing.assert_allclose(shares[0], [0.75, 0.25])
    assert np.isnan(shares[1]).all()
    assert np.isnan(recalls(np.array([[3, 1], [0, 0]]))).tolist() == [False, True]


# A few values alone, so that many scores tie.
@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([-1.5, 0.0, 0.25, 3.0])), min_size=1, max_size=40
    )
)
def test_auroc_is_that_of_scikit_learn_with_ties(pairs: list[tuple[bool, float]]) -> None:
    changed = np.array([pair[0] for pair in pairs])
    scores = np.array([pair[1] for pair in pairs])
    if changed.all() or not changed.any():
        assert auroc(changed, scores) is None
    else:
        expected = oracle.roc_auc_score(changed, scores)
        assert auroc(changed, scores) == pytest.approx(expected, abs=_ROUNDING)


def test_auroc_of_separable_reversed_and_constant_scores() -> None:
    changed = np.array([True, True, False, False, False])
    scores = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    assert auroc(changed, scores) == 1.0
    assert auroc(changed, -scores) == 0.0
    assert auroc(changed, np.zeros(5)) == 0.5
