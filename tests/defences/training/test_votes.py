"""The certificate against every change that there is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.defences.training.votes import vote


def ballots(n_voters: int, n_classes: int) -> np.ndarray:
    """Every way to vote, ``(way, voter)``."""
    return np.array(list(itertools.product(range(n_classes), repeat=n_voters)))


@pytest.mark.parametrize(
    ("n_voters", "n_classes"), [(1, 2), (1, 3), (2, 3), (3, 2), (3, 4), (4, 3), (5, 3), (7, 2)]
)
def test_the_radius_is_one_less_than_the_fewest_changes_that_turn_the_label(
    n_voters: int, n_classes: int
) -> None:
    ways = ballots(n_voters, n_classes)
    votes = vote(ways.T, n_classes)
    changes = (ways[:, None] != ways).sum(axis=2)
    turned = votes.labels[:, None] != votes.labels
    fewest = np.where(turned, changes, n_voters + 1).min(axis=1)
    np.testing.assert_array_equal(votes.radius, fewest - 1)


@st.composite
def elections(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    n_classes = draw(st.integers(2, 6))
    n_voters = draw(st.integers(1, 30))
    row = st.lists(st.integers(0, n_classes - 1), min_size=n_voters, max_size=n_voters)
    return np.array(draw(row))[:, None], n_classes


@given(elections(), st.randoms(use_true_random=False))
def test_larger_ensembles(election: tuple[np.ndarray, int], random) -> None:
    predictions, n_classes = election
    votes = vote(predictions, n_classes)
    label, radius = votes.labels[0], int(votes.radius[0])
    changed = predictions.copy()
    for voter in random.sample(range(len(predictions)), radius):
        changed[voter] = random.randrange(n_classes)
    assert vote(changed, n_classes).labels[0] == label
    # The worst change: from the winner to the rival that is nearest.
    winners = np.flatnonzero(predictions[:, 0] == label)
    outcomes = set()
    for rival in range(n_classes):
        worst = predictions.copy()
        worst[winners[: radius + 1]] = rival
        outcomes.add(int(vote(worst, n_classes).labels[0]))
    assert outcomes != {label}


@given(elections())
def test_who_voted_does_not_matter(election: tuple[np.ndarray, int]) -> None:
    predictions, n_classes = election
    votes, again = vote(predictions, n_classes), vote(np.sort(predictions, axis=0), n_classes)
    assert votes.counts.sum() == len(predictions)
    for name in ("labels", "radius", "counts"):
        np.testing.assert_array_equal(getattr(votes, name), getattr(again, name))


def test_ties_go_to_the_lower_class_and_count_against_the_higher_one() -> None:
    # 2:2 for 0; 1 needs one vote more than 0 to win, so 2:3 survives nothing and 1:4 one change.
    votes = vote([[0, 0], [0, 1], [1, 1], [1, 1]], 2)
    assert votes.labels.tolist() == [0, 1]
    assert vote([[0], [0], [1], [1], [1]], 2).radius.tolist() == [0]
    assert vote([[0], [1], [1], [1], [1]], 2).radius.tolist() == [1]
    assert vote([[1], [0], [0], [0], [0]], 2).radius.tolist() == [1]
    assert vote([[1], [0], [0], [0]], 2).radius.tolist() == [1]


def test_three_voters_certify_one_change_at_most() -> None:
    # The setting of the QUID paper.
    assert vote(ballots(3, 4).T, 4).radius.max() == 1


def test_no_voters_and_no_samples() -> None:
    nobody = vote(np.empty((0, 2), dtype=np.int64), 3)
    assert (nobody.labels.tolist(), nobody.radius.tolist()) == ([0, 0], [0, 0])
    assert vote(np.empty((4, 0), dtype=np.int64), 3).counts.shape == (0, 3)


@pytest.mark.parametrize(
    "predictions", [[0, 1], [[0.0, 1.0]], [[-1, 0]], [[0, 2]], [[True, False]], [["a"]]]
)
def test_what_is_no_vote_is_refused(predictions: object) -> None:
    with pytest.raises(InvalidData, match=r"^predictions"):
        vote(predictions, 2)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("n_classes", [1, 0, 2.0, None])
def test_an_election_needs_two_classes(n_classes: object) -> None:
    with pytest.raises(InvalidArgument, match=r"^n_classes"):
        vote([[0]], n_classes)  # pyright: ignore[reportArgumentType]
