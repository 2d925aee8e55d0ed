"""Errors: their kin, exit codes and sentences."""

from __future__ import annotations

import pytest

from bezoar.contracts.errors import (
    BezoarError,
    FileProblem,
    InvalidArgument,
    InvalidData,
    MissingExtra,
    UnknownName,
)


@pytest.mark.parametrize(
    ("error", "kin", "exit_code", "text"),
    [
        (
            InvalidArgument("ratio", wanted="a share", got=2, mend="try 0.3"),
            ValueError,
            4,
            "ratio: wanted a share, got 2; try 0.3",
        ),
        (InvalidArgument("n", wanted="1", got=0), ValueError, 4, "n: wanted 1, got 0"),
        (
            UnknownName("attack", "qiud", ["random", "quid"]),
            LookupError,
            4,
            "attack: wanted one of random, quid, got 'qiud'; did you mean 'quid'?",
        ),
        (
            UnknownName("attack", "zzz", ["quid"]),
            InvalidArgument,
            4,
            "attack: wanted one of quid, got 'zzz'",
        ),
        (
            InvalidData("labels", wanted="two classes", got="one"),
            ValueError,
            2,
            "labels: wanted two classes, got one",
        ),
        (
            FileProblem("a.csv", "is empty", mend="name another"),
            OSError,
            2,
            "a.csv: is empty; name another",
        ),
        (
            MissingExtra("qiskit", "qiskit", "reading QPY"),
            ImportError,
            2,
            (
                "reading QPY needs qiskit, which is not installed; "
                "install it with: pip install 'bezoar[qiskit]'"
            ),
        ),
    ],
)
def test_says_what_was_wanted_what_came_and_the_mend(
    error: BezoarError, kin: type[Exception], exit_code: int, text: str
) -> None:
    assert isinstance(error, kin)
    assert isinstance(error, BezoarError)
    assert error.exit_code == exit_code
    assert str(error) == text
