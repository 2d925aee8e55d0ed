"""Seeds: streams by name, the same everywhere."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bezoar.contracts.seeds import child_seed, generator

NAMES = st.lists(st.text(st.characters(exclude_characters="\x1f"), max_size=5), max_size=3)


@given(st.integers(0, 2**63), NAMES)
def test_the_same_names_give_the_same_stream(seed: int, names: list[str]) -> None:
    assert generator(seed, *names).random() == generator(seed, *names).random()


@given(NAMES, NAMES)
def test_other_names_give_other_seeds(one: list[str], other: list[str]) -> None:
    # No name at all and one empty name are the only pair that reads alike.
    if one != other and {tuple(one), tuple(other)} != {(), ("",)}:
        assert child_seed(*one) != child_seed(*other)


def test_names_are_not_run_together() -> None:
    assert child_seed("ab", "c") != child_seed("a", "bc")


def test_numbers_may_be_names() -> None:
    assert child_seed("quid", 0.1) != child_seed("quid", 0.3)


def test_is_the_same_on_every_machine() -> None:
    # Written down, so that no change of this module shifts results unnoticed.
    assert child_seed("attack", "quid") == 7944031933129558752
    assert generator(0, "attack", "quid").integers(1000, size=3).tolist() == [87, 62, 18]


def test_streams_of_one_run_do_not_correlate() -> None:
    one, other = (generator(0, name).standard_normal(10_000) for name in ("a", "b"))
    # The correlation of independent streams has standard deviation 0.01: 4 of them.
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.04
