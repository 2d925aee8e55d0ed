"""The search: resumed exactly, one at a time, and its choice by the rule."""

from __future__ import annotations

import dataclasses
import math
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coloured_squares import Moments, squares

from bezoar.attacks.backdoors.search import (
    Candidate,
    SearchResult,
    SearchSettings,
    random_search,
    search_qcolor,
)
from bezoar.attacks.backdoors.search_study import opened_study
from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import FileProblem, InvalidArgument

SETTINGS = SearchSettings(population=6, generations=3)
KILLED = """
import os
from pathlib import Path
from bezoar.attacks.backdoors.search import search_qcolor
from coloured_squares import Moments, squares
from test_search import SETTINGS

def stop(task, done, total):
    if done == 9:
        os._exit(9)

search_qcolor(squares(), SETTINGS, storage=Path({path!r}), surrogate=Moments(), progress=stop)
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    file = tmp_path_factory.mktemp("search") / "whole.sqlite"
    return search_qcolor(squares(), SETTINGS, storage=file, surrogate=Moments())


@dataclasses.dataclass
class Counting:
    """Counts calls, and gives up at one of them."""

    calls: int = 0
    last: int | None = None
    key: str = Moments().key

    def features(self, images: FloatArray) -> FloatArray:
        self.calls += 1
        if self.calls == self.last:
            raise KeyboardInterrupt
        return Moments().features(images)


def candidate(ssim: float, asr: float, loss: float | None = None) -> Candidate:
    return Candidate(
        factors=(1, 1, 1),
        attack_loss=1 - asr if loss is None else loss,
        ssim=ssim,
        clean_loss=0.5,
        attack_success_rate=asr,
        leak=0.1,
        clean_accuracy=0.8,
    )


def result(*candidates: Candidate, control: float = 0.2, **settings: Any) -> SearchResult:
    return SearchResult(
        method="nsga-ii",
        settings=SearchSettings(**settings),
        study="test",
        candidates=candidates,
        control=candidate(1, control),
        reference=(1.0, 0.5, 1.0),
    )


def test_judges_as_many_as_it_should(whole: SearchResult) -> None:
    assert len(whole.candidates) == 18
    factors = np.array([each.factors for each in whole.candidates])
    # Factors count with four decimals, and may leave the box by rounding.
    assert factors.min() >= 0.8 - 1e-4
    assert factors.max() <= 1.2 + 1e-4
    assert 0 < whole.hypervolume < 1
    assert whole.chosen in whole.front
    volumes = [whole.hypervolume_after(n) for n in range(19)]
    assert volumes == sorted(volumes)
    assert volumes[0] == 0


# Calls of the surrogate: two at first, two for the control, then two for each candidate; 12 is in
# the middle of a candidate, 16 the first of a new generation.
@pytest.mark.parametrize("last", [5, 12, 16, 17])
def test_goes_on_exactly_where_it_was(whole: SearchResult, tmp_path: Path, last: int) -> None:
    file = tmp_path / "search.sqlite"
    with pytest.raises(KeyboardInterrupt):
        search_qcolor(squares(), SETTINGS, storage=file, surrogate=Counting(last=last))
    resumed = search_qcolor(squares(), SETTINGS, storage=file, surrogate=Moments())
    assert resumed.candidates == whole.candidates


def test_goes_on_after_a_kill(whole: SearchResult, tmp_path: Path) -> None:
    file = tmp_path / "search.sqlite"
    script = KILLED.format(path=str(file))
    killed = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parent, check=False, timeout=120
    )
    assert killed.returncode == 9
    told: list[int] = []

    def tell(task: str, done: int, total: int) -> None:
        assert (task, total) == ("Qcolor search", 18)
        told.append(done)

    resumed = search_qcolor(
        squares(),
        SETTINGS,
        storage=file,
        surrogate=Moments(),
        progress=tell,
    )
    assert told == list(range(9, 19))
    assert resumed == whole


def test_more_generations_continue_and_fewer_read_back(whole: SearchResult, tmp_path: Path) -> None:
    file = tmp_path / "search.sqlite"
    short = dataclasses.replace(SETTINGS, generations=2)
    few = search_qcolor(squares(), short, storage=file, surrogate=Moments())
    assert few.candidates == whole.candidates[:12]
    assert search_qcolor(squares(), SETTINGS, storage=file, surrogate=Moments()) == whole
    counting = Counting()
    assert search_qcolor(squares(), short, storage=file, surrogate=counting) == few
    assert counting.calls == 4  # the clean features, and the control


def test_searches_share_a_file(whole: SearchResult, tmp_path: Path) -> None:
    file = tmp_path / "search.sqlite"
    other = dataclasses.replace(SETTINGS, seed=1, generations=1)
    search_qcolor(squares(), other, storage=file, surrogate=Moments())
    assert search_qcolor(squares(), SETTINGS, storage=file, surrogate=Moments()) == whole


def test_a_second_search_on_an_open_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "search.sqlite"
    with (
        opened_study(file, "other", n_objectives=2),
        pytest.raises(FileProblem, match="in use by another search"),
    ):
        search_qcolor(squares(), SETTINGS, storage=file, surrogate=Moments())
    search_qcolor(
        squares(),
        dataclasses.replace(SETTINGS, generations=1),
        storage=file,
        surrogate=Moments(),
    )


def test_a_path_may_hold_any_sign(tmp_path: Path) -> None:
    file = tmp_path / "a {b} ?#%20" / "s.sqlite"
    short = dataclasses.replace(SETTINGS, generations=1)
    search_qcolor(squares(), short, storage=str(file), surrogate=Moments())
    assert file.is_file()


def test_refuses_files_that_are_none_of_ours(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("This is a letter and no data base. " * 50)
    for file in (text, tmp_path):
        with pytest.raises(FileProblem):
            search_qcolor(squares(), SETTINGS, storage=file, surrogate=Moments())
    with pytest.raises(FileProblem):
        search_qcolor(squares(), SETTINGS, storage=text / "below", surrogate=Moments())
    assert text.read_text().startswith("This is a letter")


def test_refuses_a_trial_that_was_changed(tmp_path: Path) -> None:
    file = tmp_path / "search.sqlite"
    short = dataclasses.replace(SETTINGS, generations=1)
    search_qcolor(squares(), short, storage=file, surrogate=Moments())
    connection = sqlite3.connect(file)
    connection.execute("UPDATE trial_user_attributes SET value_json = '{\"factors\": 3}'")
    connection.commit()
    connection.close()
    with pytest.raises(FileProblem, match="not ours"):
        search_qcolor(squares(), short, storage=file, surrogate=Moments())


def test_random_search_judges_as_many(whole: SearchResult) -> None:
    other = random_search(squares(), SETTINGS, surrogate=Moments())
    assert len(other.candidates) == len(whole.candidates)
    assert other.reference == whole.reference
    assert other == random_search(squares(), SETTINGS, surrogate=Moments())
    assert len({each.factors for each in other.candidates}) == 18


def test_chooses_the_least_visible_that_still_attacks() -> None:
    best, good, weak = candidate(0.7, 0.9), candidate(0.9, 0.84), candidate(0.99, 0.5)
    # Gains .7, .64 and .3: nine tenths of .7 are .63.
    assert result(best, weak, good).chosen == good
    assert result(best, weak, good, keep_share=1.0).chosen == best
    assert result(best, weak, good, keep_share=0.1).chosen == weak
    assert result(best, weak, good).front == (weak, good, best)


def test_chooses_none_where_nothing_beats_the_control() -> None:
    assert result(candidate(0.9, 0.2), candidate(0.8, 0.15)).chosen is None


def test_hypervolume_is_a_share_of_the_box() -> None:
    # Attack loss .1 of 1, 1 - SSIM .25 of .5, clean loss .5 of 1.
    assert result(candidate(0.75, 0.9)).hypervolume == pytest.approx(0.9 * 0.5 * 0.5)


@pytest.mark.parametrize(
    "settings",
    [
        {"target": -1},
        {"ratio": 0},
        {"ratio": 1},
        {"ratio": math.nan},
        {"population": 3},
        {"population": 1000, "generations": 1000},
        {"generations": 0},
        {"low": 1.1},
        {"low": 1.0, "high": 1.0},
        {"high": 0.9},
        {"high": math.inf},
        {"validation_share": 0},
        {"most_challenged": 0},
        {"regularisation": 0},
        {"keep_share": 0},
        {"seed": 1.5},
    ],
)
def test_refuses_settings(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(settings))):
        SearchSettings(**settings)
