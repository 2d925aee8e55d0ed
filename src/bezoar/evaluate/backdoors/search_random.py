"""Random search with a memory: done once for a search, then read back."""

from __future__ import annotations

import dataclasses
from typing import Any

from bezoar.attacks.backdoors.search import (
    Candidate,
    SearchResult,
    SearchSettings,
    Surrogate,
    random_search,
)
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.progress import Progress, silent
from bezoar.evaluate.cells import CellStore

# Cells of another meaning are computed again.
_FORMAT = 1


def stored_random_search(
    data: Dataset,
    settings: SearchSettings,
    *,
    study: str,
    store: CellStore,
    surrogate: Surrogate,
    progress: Progress = silent,
) -> SearchResult:
    """As `random_search`, kept in a cell when it is done.

    Args:
        data, settings, surrogate: as in `random_search`.
        study: the name of the search that it is compared with, which stands for all of them.
        store: of the cells.
        progress: told of candidates, as "random search".
    """
    key = {"random search": _FORMAT, "study": study, "evaluations": settings.evaluations}

    def tell(task: str, done: int, total: int) -> None:  # noqa: ARG001
        # NSGA-II tells the same task, and its bar would run backwards.
        progress("random search", done, total)

    found = store.get(key)
    if found is None:
        result = random_search(data, settings, surrogate=surrogate, progress=tell)
        judged = [dataclasses.asdict(candidate) for candidate in result.candidates]
        control = dataclasses.asdict(result.control)
        store.put(key, {"candidates": judged, "control": control, "reference": result.reference})
        return result
    low, middle, high = found["reference"]
    return SearchResult(
        method="random",
        settings=settings,
        study=study,
        candidates=tuple(_candidate(each) for each in found["candidates"]),
        control=_candidate(found["control"]),
        reference=(low, middle, high),
    )


def _candidate(stored: dict[str, Any]) -> Candidate:
    red, green, blue = stored["factors"]
    numbers = {name: value for name, value in stored.items() if name != "factors"}
    return Candidate(factors=(red, green, blue), **numbers)
